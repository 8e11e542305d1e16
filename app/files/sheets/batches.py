"""Reads a file of one kind into what it says, row by row, with what cannot be read."""

from app.batch import Batch, ClassRow, FacultyRow, SlotRow, StudentRow
from app.files.sheets.attendance_sheets import read_attendance
from app.files.sheets.cells import read_code, read_date, read_weekday
from app.files.sheets.clocks import Clock, noted
from app.files.sheets.headings import sheet_of
from app.files.sheets.sheet_reader import SheetReader
from app.files.sheets.table import read_table
from app.schemas.auth import Role
from app.schemas.classes import ClassDraft, SlotDraft
from app.schemas.imports import Kind
from app.schemas.roster import RosterEntry
from app.schemas.words import Email, Label, Name, Words


def read_batch(kind: Kind, content: bytes, *, in_class: bool = False) -> Batch:
    """What the file says. `Invalid` if it cannot be read at all; rows that cannot are `refusals`.

    `in_class`: all of it is about one class that the caller knows, whatever stands above.
    """
    table = read_table(content)
    reader = SheetReader(kind, sheet_of(kind, table.rows), in_class=in_class)
    if table.unread:
        sheets = ", ".join(table.unread)
        reader.batch.notes.append(f"Only the first sheet was read. Not read: {sheets}.")
    _READERS[kind](reader)
    return reader.batch


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


def _read_slots(reader: SheetReader) -> None:
    sheet = reader.sheet
    clock = Clock(
        text
        for row in sheet.rows
        for text in (sheet.cell(row, "start_time"), sheet.cell(row, "end_time"))
    )
    readers = {
        "day_of_week": read_weekday,
        "start_time": lambda text: clock.start(text).isoformat("minutes"),
        "end_time": lambda text: clock.end(text).isoformat("minutes"),
    }
    for row in sheet.rows:
        class_name, slot = reader.class_of(row), reader.model(row, SlotDraft, readers)
        if class_name and slot:
            reader.batch.slots.append(SlotRow(row.number, class_name, slot))
    reader.batch.notes += noted(clock)


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
    Kind.SCHEDULES: _read_slots,
    Kind.FACULTY: _read_faculty,
    Kind.ATTENDANCE: read_attendance,
}
