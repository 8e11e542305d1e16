"""Which columns of an attendance grid are sessions, from the rows around their headings."""

import re
from datetime import date, time

from app.batch import column_letters
from app.files.register.register_words import LETTERS, TOTAL_COLUMNS
from app.files.sheets.cells import CellError, read_clock, read_mark, read_session, read_weekday
from app.files.sheets.headings import Sheet, key_of
from app.files.sheets.sheet_reader import SheetReader
from app.files.sheets.table import Row

Head = tuple[date, time | None]

_TOTALS = {key_of(label) for label in TOTAL_COLUMNS}
_TOTAL = re.compile(r"total|percent|attended|held|conducted|sum")
# Columns about the student, whose cells may look like marks: `1`, `A`.
_OF_STUDENTS = {
    *("sno", "srno", "slno", "serialno", "serial"),
    *("batch", "group", "branch", "year", "sem", "semester"),
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(
    rf"\b({'|'.join(_MONTHS)})[a-z]*\.?[ ,/-]*((?:19|20|21)[0-9]{{2}})\b", re.IGNORECASE
)
_DAY = re.compile(r"0?[1-9]|[12][0-9]|3[01]")
_A_FULL_MONTH = 28
_RANGE = re.compile(r"(.+?) ?(?:-|–|to) ?.+")


def session_columns(reader: SheetReader) -> dict[int, Head]:
    """The columns of sessions, with the date and, if given, the start of each.

    A date holds for the columns without a heading to its right, as a merged cell does. A column
    with marks that is no session is refused. Totals count as read, since they follow from the
    marks.
    """
    sheet, found = reader.sheet, {}
    merged: list[int] = []
    times = _times_below(sheet)
    month = _month_above(sheet)
    last: date | None = None
    for column in range(_width(sheet)):
        if column in sheet.columns.values():
            last = None
            continue
        heading = sheet.others.get(column, "")
        try:
            head = _head(heading, month) or ((last, None) if last and not heading else None)
        except CellError as error:
            reader.refuse(sheet.heading, column, error.code, error.detail)
            last = None
            continue
        last = head[0] if head else None
        if head is None:
            continue
        head = (head[0], head[1] or times.get(column))
        if heading or any(_cell(row, column) for row in sheet.rows):
            found[column] = head
            if not heading:
                merged.append(column)
    reader.batch.notes += _noted(merged, times, month)
    _refuse_repeated(reader, found)
    _refuse_unread(reader, found)
    totals = {column for column, text in sheet.others.items() if key_of(text) in _TOTALS}
    reader.batch.ignored = sorted(sheet.others.keys() - found.keys() - totals)
    return found


def _noted(merged: list[int], times: dict[int, time], month: tuple[int, int] | None) -> list[str]:
    """What was decided about the dates, to tell the person who imports the file."""
    notes = []
    if month:
        notes.append(f"Numbers in the headings were read as days of {date(*month, 1):%B %Y}.")
    if merged:
        listed = ", ".join(map(column_letters, merged))
        notes.append(f"Without a heading, these columns have the date to their left: {listed}.")
    if times:
        notes.append("Times were read from the row below the headings.")
    return notes


def _head(heading: str, month: tuple[int, int] | None) -> Head | None:
    """The session that the heading names: a date, or a day of the month written above."""
    if month and _DAY.fullmatch(heading):
        try:
            return date(*month, int(heading)), None
        except ValueError:
            raise CellError("invalid_date") from None
    return read_session(heading)


def _month_above(sheet: Sheet) -> tuple[int, int] | None:
    """The only month with its year above the headings, if their numbers are its days for certain.

    Numbers that count 1, 2, 3 and end before a month does may be of lectures. They are days if
    the row above them names the weekday of each.
    """
    named = {
        (int(match[2]), _MONTHS.index(match[1].lower()) + 1)
        for row in sheet.preamble
        for cell in row.cells
        for match in _MONTH.finditer(cell)
    }
    days = {column: int(text) for column, text in sheet.others.items() if _DAY.fullmatch(text)}
    if len(named) != 1 or not days:
        return None
    month = named.pop()
    counted = list(days.values()) == list(range(1, len(days) + 1))
    sure = not counted or len(days) >= _A_FULL_MONTH
    weekdays = {column: _cell(sheet.preamble[-1], column) for column in days}
    if any(weekdays.values()):
        sure = all(_falls_on((*month, day), weekdays[column]) for column, day in days.items())
    return month if sure else None


def _falls_on(day: tuple[int, int, int], weekday: str) -> bool:
    try:
        return not weekday.isdecimal() and date(*day).isoweekday() == read_weekday(weekday)
    except (CellError, ValueError):
        return False


def _times_below(sheet: Sheet) -> dict[int, time]:
    """The starts in the row below the dates, which is then taken off the rows of students."""
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


def _refuse_repeated(reader: SheetReader, found: dict[int, Head]) -> None:
    """Refuse the second of two columns for one session, and forget it."""
    seen: set[Head] = set()
    for column, head in list(found.items()):
        if head in seen:
            sentence = "Another column is for the same session. Give each column its time."
            reader.refuse(reader.sheet.heading, column, "repeated", sentence)
            del found[column]
        seen.add(head)


def _refuse_unread(reader: SheetReader, found: dict[int, Head]) -> None:
    """Refuse the columns with marks that are of no session."""
    sheet = reader.sheet
    refused = {refusal.column for refusal in reader.batch.refusals}
    for column in range(_width(sheet)):
        if column in sheet.columns.values() or column in found or column in refused:
            continue
        if _has_marks(sheet, column):
            unknown = CellError("heading_unknown")
            reader.refuse(sheet.heading, column, unknown.code, unknown.detail)


def _has_marks(sheet: Sheet, column: int) -> bool:
    """Whether the column holds marks: at least half of its cells, any without a heading, or any
    that is written out. Where students are described, only nothing but marks of both kinds."""
    cells = [cell for row in sheet.rows if (cell := _cell(row, column))]
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


def _cell(row: Row, column: int) -> str:
    return row.cells[column] if column < len(row.cells) else ""
