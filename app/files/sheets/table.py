"""Reads a CSV or a workbook into rows of text, whatever its name and the program that wrote it.

File size, rows, columns and cells are limited. A file that is neither, or is damaged or hostile,
raises `Invalid` (`unreadable_file`) with the reason.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TextIO

from app.errors import Invalid
from app.files.register.register_words import unguarded
from app.files.sheets import workbook
from app.files.sheets.limits import (
    MAX_CELL,
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_LINES,
    MAX_ROWS,
    unreadable,
)

# A longer row is not a real one: a quotation mark is missing, or the columns never end.
_MAX_RECORD = 1024 * 1024
_SAMPLE = 64 * 1024
# A portal's .xls file is often an HTML page, or XML that only Excel opens.
_WEB_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|table|meta|\?xml|div|body)", re.I)
_TEXT_FORMULA = re.compile(r'="([^"]*)"')  # ="0091101" shows 0091101
_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# The signatures of workbooks, of older Office files, and of those with a password.
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


@dataclass(frozen=True)
class Row:
    """The cells of a row without trailing empty ones, and its number, counted from 1."""

    number: int
    cells: list[str]

    def at(self, column: int) -> str:
        """The text in that column, counted from 0; empty beyond the last."""
        return self.cells[column] if column < len(self.cells) else ""


class Table(NamedTuple):
    """The rows of a file; for a workbook also the name of the sheet that was read, and the names of
    the sheets that were not."""

    rows: list[Row]
    unread: list[str]
    sheet: str | None


def read_table(content: bytes, sheet: str | None = None) -> Table:
    """The rows that are not empty, with their cells stripped of surrounding white space.

    A CSV is UTF-8, or UTF-16 with a byte order mark, with commas, semicolons or tabs. Of a
    workbook, `sheet` or else the first visible sheet is read: formulas as their last values,
    whole numbers without a decimal point, dates as 2025-08-04, times as 09:00.
    """
    _check(content)
    name: str | None = None
    unread: list[str] = []
    rows = _read_csv(content)
    if content.startswith(_ZIP):
        name, unread, rows = workbook.read(content, sheet)
    elif sheet is not None:
        raise _no_sheets()
    found = list(_bounded(rows))
    if not found:
        raise _empty()
    return Table(found, unread, name)


def read_tables(content: bytes) -> Iterator[Table]:
    """All sheets of a workbook that are not empty, read as by `read_table`."""
    _check(content)
    if not content.startswith(_ZIP):
        raise _no_sheets()
    found = False
    for opened in workbook.read_all(content):
        if rows := list(_bounded(opened.rows)):
            found = True
            yield Table(rows, [], opened.name)
    if not found:
        raise _empty()


def _check(content: bytes) -> None:
    """Refuse a file that only looks like a table or cannot be opened."""
    if content.startswith(_OLE):
        if _ENCRYPTED in content:
            raise unreadable("This workbook has a password. Save it without one.")
        raise unreadable("This is an old .xls workbook. Save it as .xlsx.")
    if _WEB_PAGE.match(content[:_SAMPLE]):
        raise unreadable("This is a web page or XML named like a workbook. Save it as .xlsx.")


def _no_sheets() -> Invalid:
    return unreadable("This is not a workbook: it has no sheets to choose from.")


def _empty() -> Invalid:
    return unreadable("This file is empty.")


def _too_much() -> Invalid:
    return unreadable(
        f"This is too much for one file: more than {MAX_ROWS:,} rows or {MAX_CELLS:,} cells, or "
        f"more than {MAX_LINES:,} lines. Divide it into several."
    )


def _bounded(rows: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    """The rows that are not empty; raises `Invalid` if they exceed the limits."""
    count = cells = 0
    for number, row in rows:
        if len(row) > MAX_COLUMNS and any(row[MAX_COLUMNS:]):
            raise unreadable(f"Row {number} has more than {MAX_COLUMNS:,} columns.")
        texts = [cell.strip() for cell in row[:MAX_COLUMNS]]
        while texts and not texts[-1]:
            texts.pop()
        if not texts:
            continue
        if any(len(text) > MAX_CELL for text in texts):
            raise unreadable(f"Row {number} has a cell of more than {MAX_CELL:,} characters.")
        count, cells = count + 1, cells + len(texts)
        if count > MAX_ROWS or cells > MAX_CELLS:
            raise _too_much()
        yield Row(number, texts)


def _read_csv(content: bytes) -> Iterator[tuple[int, list[str]]]:
    encoding = _ENCODINGS.get(content[:2], "utf-8-sig")
    number = 0
    try:
        with io.TextIOWrapper(io.BytesIO(content), encoding, newline="") as text:
            delimiter = _delimiter(text.read(_SAMPLE))
            text.seek(0)
            lines = _Lines(text)
            for number, row in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), 1):
                lines.read = 0
                if number > MAX_LINES:
                    raise _too_much()
                if any(map(str.strip, row)):
                    yield number, [_plain(cell) for cell in row]
    except UnicodeError:
        raise unreadable(
            "This is neither a workbook (.xlsx) nor text in UTF-8. "
            "Save it as .xlsx, or as CSV UTF-8."
        ) from None
    except csv.Error as error:
        if "field limit" in str(error):
            raise unreadable(
                f"Row {number + 1} has a cell of more than {MAX_CELL:,} characters, or a "
                "quotation mark is missing."
            ) from None
        raise unreadable(
            f"Row {number + 1} cannot be read: its quotation marks do not match."
        ) from None


def _plain(cell: str) -> str:
    """The text of a cell without the marks that keep spreadsheets from converting it."""
    match = _TEXT_FORMULA.fullmatch(cell.strip())
    return match[1] if match else unguarded(cell)


class _Lines:
    """The lines of a text, with limited length; `read` counts the characters since it was reset."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.read = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(_MAX_RECORD + 1)
        if not line:
            raise StopIteration
        if "\0" in line:
            raise UnicodeError
        self.read += len(line)
        if self.read > _MAX_RECORD:
            raise unreadable(
                "A row is too long: it has too many columns, or a quotation mark is missing."
            )
        return line


def _delimiter(sample: str) -> str:
    """The delimiter: the candidate that occurs outside quotes in most lines."""
    lines = re.sub('"[^"]*"', "", sample).splitlines()
    return max(",;\t", key=lambda mark: (sum(mark in line for line in lines), sample.count(mark)))
