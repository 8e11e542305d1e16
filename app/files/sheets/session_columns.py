"""Finds the columns of sessions in an attendance grid, by the rows around their headings."""

import re
from collections import defaultdict
from datetime import date, time
from typing import NamedTuple

from app.batch import Period, column_letters
from app.files.register.register_words import LETTERS, TOTAL_COLUMNS
from app.files.sheets.cells import CellError, read_clock, read_mark
from app.files.sheets.heading_dates import HeadingDates
from app.files.sheets.headings import Sheet, key_of
from app.files.sheets.sheet_reader import SheetReader

_TOTALS = {key_of(label) for label in TOTAL_COLUMNS}
_TOTAL = re.compile(r"total|percent|attended|held|conducted|sum")
# Columns about the student, whose cells may look like marks: `1`, `A`.
_OF_STUDENTS = {
    *("sno", "srno", "slno", "serialno", "serial"),
    *("batch", "group", "branch", "year", "sem", "semester"),
}
_RANGE = re.compile(r"(.+?) ?(?:-|–|to) ?.+")
_PERIOD = re.compile(r"(?:l|lec|lecture|p|period|h|hour)?[ .-]*([1-9][0-9]?|[ivx]{1,4})", re.I)
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")


class Head(NamedTuple):
    """The session of a column: its date, and its start or its position within the day."""

    day: date
    start: time | None = None
    period: Period | None = None


def session_columns(reader: SheetReader) -> dict[int, Head]:
    """The columns of sessions.

    A date also applies to the columns without a heading to its right, as a merged cell does. Their
    times or periods may be in the row below; columns of one day without times are its sessions in
    order. A column with marks that is not a session is refused. Columns of totals are not reported
    as ignored, since they follow from the marks.
    """
    sheet, dates = reader.sheet, HeadingDates(reader.sheet)
    found, merged = _dated_columns(reader, dates)
    times = _times_below(sheet)
    labelled = set() if times else _periods_below(sheet, found)
    found = {
        column: head
        for column, head in found.items()
        if sheet.others.get(column)
        or column in labelled
        or any(row.at(column) for row in sheet.rows)
    }
    merged &= found.keys()
    for column, head in found.items():
        found[column] = Head(head.day, head.start or times.get(column))
    ordered = _in_order(found, merged, labelled)
    found |= ordered
    reader.batch.notes += dates.notes() + _noted(merged, times, ordered)
    _refuse_repeated(reader, found)
    _refuse_unread(reader, found)
    totals = {column for column, text in sheet.others.items() if key_of(text) in _TOTALS}
    reader.batch.ignored = sorted(sheet.others.keys() - found.keys() - totals)
    return found


def _dated_columns(reader: SheetReader, dates: HeadingDates) -> tuple[dict[int, Head], set[int]]:
    """The columns below a date, and those of them whose date is in a heading to their left."""
    sheet = reader.sheet
    found: dict[int, Head] = {}
    merged: set[int] = set()
    last: date | None = None
    for column in range(_width(sheet)):
        if column in sheet.columns.values():
            last = None
            continue
        heading = sheet.others.get(column, "")
        if last and not heading:
            found[column] = Head(last)
            merged.add(column)
            continue
        last = None
        try:
            if head := dates.read(heading):
                found[column] = Head(*head)
                last = head[0]
        except CellError as error:
            reader.refuse(sheet.heading, column, error.code, error.detail)
    return found, merged


def _in_order(found: dict[int, Head], merged: set[int], labelled: set[int]) -> dict[int, Head]:
    """The columns of sessions that are identified only by their position within the day.

    These are the columns below a merged date and those with a period, unless another column of
    the day has a time.
    """
    days: dict[date, list[int]] = defaultdict(list)
    for column, head in found.items():
        days[head.day].append(column)
    ordered = {}
    for day, columns in days.items():
        headed = [column for column in columns if column not in merged]
        one_merged = len(headed) == 1 < len(columns)
        timed = any(found[column].start for column in columns)
        if not timed and (one_merged or labelled.intersection(columns)):
            for nth, column in enumerate(columns, start=1):
                ordered[column] = Head(day, period=Period(nth, len(columns)))
    return ordered


def _noted(merged: set[int], times: dict[int, time], ordered: dict[int, Head]) -> list[str]:
    """Notes on how the columns were read, for the person who imports the file."""
    notes = []
    if merged:
        listed = ", ".join(map(column_letters, sorted(merged)))
        notes.append(f"Without a heading, these columns have the date to their left: {listed}.")
    if times:
        notes.append("Times were read from the row below the headings.")
    if ordered:
        listed = ", ".join(map(column_letters, ordered))
        notes.append(f"These columns are the sessions of their day in the order of time: {listed}.")
    return notes


def _times_below(sheet: Sheet) -> dict[int, time]:
    """The starts in the row below the dates, which is then removed from the rows of students."""
    row = sheet.rows[0] if sheet.rows else None
    if row is None or any(sheet.cell(row, name) for name in sheet.columns):
        return {}
    try:
        times = {column: _start(cell) for column, cell in enumerate(row.cells) if cell}
    except CellError:
        return {}
    del sheet.rows[0]
    return times


def _start(text: str) -> time:
    match = _RANGE.fullmatch(text)
    return read_clock(match[1] if match else text)


def _periods_below(sheet: Sheet, dated: dict[int, Head]) -> set[int]:
    """The columns with a period in the row below the dates, which is then removed from the rows.

    Periods must increase within a day and one day must have several, so that a row of marks (`1`,
    `0`) is never mistaken for periods.
    """
    row = sheet.rows[0] if sheet.rows else None
    if row is None or any(sheet.cell(row, name) for name in sheet.columns):
        return set()
    periods: dict[date, list[int]] = defaultdict(list)
    columns = {column for column, cell in enumerate(row.cells) if cell}
    for column in sorted(columns):
        match = _PERIOD.fullmatch(row.cells[column])
        number = _number(match[1]) if match and column in dated else None
        if number is None:
            return set()
        periods[dated[column].day].append(number)
    rising = all(numbers == sorted({*numbers}) for numbers in periods.values())
    if not rising or all(len(numbers) == 1 for numbers in periods.values()):
        return set()
    del sheet.rows[0]
    return columns


def _number(text: str) -> int | None:
    if text.isdigit():
        return int(text)
    return _ROMAN.index(text.lower()) + 1 if text.lower() in _ROMAN else None


def _refuse_repeated(reader: SheetReader, found: dict[int, Head]) -> None:
    """Refuse and drop the second of two columns for the same session."""
    seen: set[Head] = set()
    for column, head in list(found.items()):
        if head in seen:
            sentence = "Another column is for the same session. Give each column its time."
            reader.refuse(reader.sheet.heading, column, "repeated", sentence)
            del found[column]
        seen.add(head)


def _refuse_unread(reader: SheetReader, found: dict[int, Head]) -> None:
    """Refuse columns with marks that do not belong to a session."""
    sheet = reader.sheet
    refused = {refusal.column for refusal in reader.batch.refusals}
    for column in range(_width(sheet)):
        if column in sheet.columns.values() or column in found or column in refused:
            continue
        if _has_marks(sheet, column):
            unknown = CellError("heading_unknown")
            reader.refuse(sheet.heading, column, unknown.code, unknown.detail)


def _has_marks(sheet: Sheet, column: int) -> bool:
    """Whether the column holds marks: at least half of its cells, any cell if it has no heading, or
    any mark written as a word. A column that describes students holds marks only if all its cells
    are marks and both present and absent occur."""
    cells = [cell for row in sheet.rows if (cell := row.at(column))]
    heading = key_of(sheet.others.get(column, ""))
    marks = [mark for cell in cells if (mark := _mark(cell))]
    if heading in _OF_STUDENTS or sheet.others.get(column) == "#":
        letters = all(map(str.isalpha, cells)) and len(marks) == len(cells)
        return letters and {"present", "absent"} <= {*marks}
    sums = heading in _TOTALS or _TOTAL.search(heading)
    if sums and not any(map(str.isalpha, cells)):
        return False
    written_out = any(cell.casefold() in LETTERS for cell in cells)
    return bool(marks) and (not heading or written_out or 2 * len(marks) >= len(cells))


def _mark(cell: str) -> str | None:
    try:
        return read_mark(cell)
    except CellError:
        return None


def _width(sheet: Sheet) -> int:
    return max(len(row.cells) for row in (sheet.heading, *sheet.rows))
