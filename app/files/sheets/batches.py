"""Reads a file of one kind into a batch of rows and refusals."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.batch import MAX_REFUSALS, Batch, ClassRow, FacultyRow, StudentRow
from app.errors import Invalid
from app.files.sheets.attendance_sheets import read_attendance
from app.files.sheets.cells import CellError, read_code, read_date, read_mark
from app.files.sheets.choices import UNCHOSEN, Choices
from app.files.sheets.headings import Sheet, sheet_of
from app.files.sheets.limits import MAX_ROWS, unreadable
from app.files.sheets.sheet_reader import SheetReader
from app.files.sheets.table import Row, read_table, read_tables
from app.files.sheets.timetables import read_timetable
from app.schemas.auth import Role
from app.schemas.classes import ClassDraft
from app.schemas.imports import Kind
from app.schemas.roster import RosterEntry
from app.schemas.words import Email, Label, Name, Words

# How many further sheets are tried if the first has no headings, like a cover.
_COVERS = 3


def read_batch(
    kind: Kind, content: bytes, *, in_class: bool = False, chosen: Choices = UNCHOSEN
) -> Batch:
    """The rows of the file. Raises `Invalid` if it cannot be read at all; rows that cannot be read
    are `refusals`.

    `in_class`: the whole file is about one class that the caller knows, whatever it names itself.
    """
    if chosen.all_sheets:
        return _read_all(kind, content, in_class, chosen)
    sheet, notes = _sheet(kind, content, chosen)
    batch = _read_sheet(kind, sheet, in_class, chosen)
    batch.notes[:0] = notes
    return batch


def _read_sheet(kind: Kind, sheet: Sheet, in_class: bool, chosen: Choices) -> Batch:
    reader = SheetReader(kind, sheet, chosen, in_class=in_class)
    _READERS[kind](reader)
    return reader.batch


def _read_all(kind: Kind, content: bytes, in_class: bool, chosen: Choices) -> Batch:
    """Read every sheet with headings; the others are named in the notes."""
    batch, rows = Batch(), 0
    without: dict[str, Invalid] = {}
    for table in read_tables(content):
        name = table.sheet or ""
        with _named(name):
            try:
                sheet = sheet_of(kind, table.rows, chosen.columns)
            except Invalid as refusal:
                marks = kind is Kind.ATTENDANCE and _hold_marks(table.rows)
                if refusal.code != "column_missing" or marks:
                    raise
                without[name] = refusal
                continue
            batch.add_sheet(name, _read_sheet(kind, sheet, in_class, chosen))
        rows += len(sheet.rows)
        if rows > MAX_ROWS or len(batch.refusals) > MAX_REFUSALS:
            raise unreadable("This is too much for one import: read fewer sheets at a time.")
    if not batch.sheets:
        raise next(iter(without.values()))
    if without:
        batch.notes.append(f"Not read, having no headings: {', '.join(without)}.")
    return batch


def _hold_marks(rows: list[Row]) -> bool:
    """Whether a column has several marks that are letters or words; numbers could be anything."""
    found: Counter[int] = Counter()
    for row in rows:
        for column, cell in enumerate(row.cells):
            if cell and not cell.isdigit():
                with suppress(CellError):
                    found[column] += read_mark(cell) is not None
    return any(number > 1 for number in found.values())


@contextmanager
def _named(sheet: str) -> Iterator[None]:
    """Name the sheet in a refusal of the whole sheet."""
    try:
        yield
    except Invalid as refusal:
        raise Invalid(f"Sheet {sheet}: {refusal.detail}", code=refusal.code) from None


def _sheet(kind: Kind, content: bytes, chosen: Choices) -> tuple[Sheet, list[str]]:
    """The chosen sheet, else the first with headings, and notes about the others."""
    table = read_table(content, chosen.sheet)
    others = [] if chosen.sheet else table.unread[:_COVERS]
    try:
        which = f"the sheet {chosen.sheet}" if chosen.sheet else "the first sheet"
        return sheet_of(kind, table.rows, chosen.columns), _noted(table.unread, which)
    except Invalid as refusal:
        for name in others if refusal.code == "column_missing" else ():
            other = read_table(content, name)
            with suppress(Invalid):
                sheet = sheet_of(kind, other.rows, chosen.columns)
                return sheet, _noted(other.unread, f"the sheet {name}")
        raise


def _noted(unread: list[str], which: str) -> list[str]:
    if not unread:
        return []
    return [f"Only {which} was read. Not read: {', '.join(unread)}."]


class _Person(Words):
    email: Email
    role: Role | None = None
    name: Name | None = None


def _read_faculty(reader: SheetReader) -> None:
    for row in reader.sheet.rows:
        person = reader.model(row, _Person, {"role": str.lower})
        if person:
            line = FacultyRow(row.number, person.email, person.role, person.name)
            reader.batch.faculty.append(line)


class _OwnedClass(ClassDraft):
    teacher: Email
    term: Label | None = None


def _read_classes(reader: SheetReader) -> None:
    for row in reader.sheet.rows:
        draft = reader.model(row, _OwnedClass, {})
        if draft:
            line = ClassRow(row.number, draft, draft.teacher, draft.term)
            reader.batch.classes.append(line)


def _iso_date(text: str) -> str:
    return read_date(text).isoformat()


def _read_students(reader: SheetReader) -> None:
    readers = {
        "roll_no": reader.read_roll,
        "phone": read_code,
        "sp_code": read_code,
        "semester": read_code,
        "from_": _iso_date,
    }
    for row in reader.sheet.rows:
        class_name, entry = reader.class_of(row), reader.model(row, RosterEntry, readers)
        if class_name and entry:
            reader.batch.students.append(StudentRow(row.number, class_name, entry))


_READERS = {
    Kind.STUDENTS: _read_students,
    Kind.CLASSES: _read_classes,
    Kind.SCHEDULES: read_timetable,
    Kind.FACULTY: _read_faculty,
    Kind.ATTENDANCE: read_attendance,
}
