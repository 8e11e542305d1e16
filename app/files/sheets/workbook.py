"""Opens an untrusted workbook in a separate process with limited memory.

A workbook of a few kilobytes can exhaust all memory: by its unpacked size, or by a single cell in
the last row and column. The unpacked size is measured first; against everything else,
`workbook_reader` runs with limits of memory and time.
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
# The signature of a part's entry, counted before the library reads all entries into memory.
_ENTRY = b"PK\x01\x02"


class Opened(NamedTuple):
    """A sheet: its name, the names of the other non-empty sheets, and its numbered rows."""

    name: str
    others: list[str]
    rows: Iterator[tuple[int, list[str]]]


def read(content: bytes, sheet: str | None = None) -> Opened:
    """The named sheet, else the first visible one."""
    return next(_opened(content, *(("sheet", sheet) if sheet is not None else ())))


def read_all(content: bytes) -> Iterator[Opened]:
    """Every visible sheet. The rows of one must be read before the next sheet is requested."""
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
    """The rows up to the head of the next sheet, which is appended to `heads`."""
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
    """Refuse a file that is not a workbook, or that unpacks to more than the limit.

    The declared sizes cannot be trusted, so the file is unpacked piece by piece.
    """
    if content.count(_ENTRY) > _MAX_PARTS:
        raise unreadable(_TOO_MUCH)
    left = _MAX_UNPACKED
    try:
        with zipfile.ZipFile(BytesIO(content)) as parts:
            if "xl/workbook.xml" not in parts.namelist():
                raise unreadable("This is not a workbook. Save it as .xlsx, or as CSV UTF-8.")
            # Overlapping parts would be unpacked several times.
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
