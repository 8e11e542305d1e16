"""Opens a workbook that anybody may have made, in a process of its own with bounded memory.

A workbook of a few kilobytes can ask for all memory there is: by what it unpacks to, or by one
cell in its last row and column. The first is measured; against the second, and whatever else the
library may be led to, `workbook_reader` has a limit of memory and of time.
"""

import json
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from app.files.sheets.limits import unreadable

_READER = Path(__file__).with_name("workbook_reader.py")
_SECONDS = 30
_MAX_PARTS = 2_000
_MAX_UNPACKED = 128 * 1024 * 1024
_CHUNK = 1024 * 1024
# Each part has an entry of this kind. Counted before the library reads them all into memory.
_ENTRY = b"PK\x01\x02"


class Opened(NamedTuple):
    """A sheet, the names of the others that have anything in them, and its rows with their
    numbers."""

    name: str
    others: list[str]
    rows: Iterator[tuple[int, list[str]]]


def read(content: bytes, sheet: str | None = None) -> Opened:
    """That sheet, else the first that is not hidden."""
    return next(_opened(content, *(("sheet", sheet) if sheet is not None else ())))


def read_all(content: bytes) -> Iterator[Opened]:
    """Every sheet that is not hidden. The rows of each are read before the next is asked for."""
    return _opened(content, "all")


def _opened(content: bytes, *which: str) -> Iterator[Opened]:
    _measure(content)
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_READER), *which],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise unreadable(_TOO_MUCH) from None
    if done.returncode:
        raise unreadable(_TOO_MUCH)
    lines = map(json.loads, BytesIO(done.stdout))
    heads = [next(lines)]
    if isinstance(heads[0], str):
        raise unreadable(heads[0])
    while heads:
        name, others = heads.pop()
        yield Opened(name, others, _until_next(lines, heads))


def _until_next(lines: Iterator[Any], heads: list[Any]) -> Iterator[tuple[int, list[str]]]:
    """The rows up to the head of the next sheet, which goes to `heads`."""
    for line in lines:
        if isinstance(line[0], str):
            heads.append(line)
            return
        yield line


_TOO_MUCH = (
    "This workbook cannot be opened: it is damaged, or far larger inside than it looks. "
    "Copy the cells you need into a new one, or save it as CSV UTF-8."
)


def _measure(content: bytes) -> None:
    """Refuse what is no workbook, and what unpacks to more than one may hold.

    The sizes that it declares prove nothing, so it is unpacked, a piece at a time.
    """
    if content.count(_ENTRY) > _MAX_PARTS:
        raise unreadable(_TOO_MUCH)
    left = _MAX_UNPACKED
    try:
        with zipfile.ZipFile(BytesIO(content)) as parts:
            if "xl/workbook.xml" not in parts.namelist():
                raise unreadable("This is not a workbook. Save it as .xlsx, or as CSV UTF-8.")
            # Parts that lie in one another are no more to unpack, but as often.
            if sum(part.compress_size for part in parts.infolist()) > len(content):
                raise unreadable(_TOO_MUCH)
            for part in parts.infolist():
                left -= _unpacked_size(content, part, left)
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, ValueError):
        raise unreadable(_TOO_MUCH) from None


def _unpacked_size(content: bytes, part: zipfile.ZipInfo, most: int) -> int:
    """How many bytes the part unpacks to; refused if these are more than `most`."""
    name, extra = struct.unpack_from("<HH", content, part.header_offset + 26)
    begin = part.header_offset + 30 + name + extra
    packed = memoryview(content)[begin : begin + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        size = len(packed)
    elif part.compress_type == zipfile.ZIP_DEFLATED:
        size = 0
        unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
        while packed and size <= most:
            size += len(unpacking.decompress(packed, _CHUNK))
            packed = memoryview(unpacking.unconsumed_tail)
    else:
        raise unreadable(_TOO_MUCH)
    if size > most:
        raise unreadable(_TOO_MUCH)
    return size
