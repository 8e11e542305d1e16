"""Reads a file of one kind into what it says, row by row, with what cannot be read."""

from app.files.sheets.attendance_sheets import read_attendance
from app.files.sheets.cells import read_clock, read_date, read_roll, read_weekday
from app.files.sheets.headings import sheet_of
from app.files.sheets.sheet_reader import SheetReader
from app.files.sheets.table import read_table
from app.schemas.auth import Role
from app.schemas.classes import ClassDraft, SlotDraft
from app.schemas.imports import Batch, ClassRow, FacultyRow, Kind, SlotRow, StudentRow
from app.schemas.roster import RosterEntry
from app.schemas.words import Email, Label, Name, Words


def read_batch(kind: Kind, content: bytes, *, in_class: bool = False) -> Batch:
    """What the file says. `Invalid` if it cannot be read at all; rows that cannot are `refusals`.

    `in_class`: all of it is about one class that the caller knows, whatever stands above.
    """
    reader = SheetReader(kind, sheet_of(kind, read_table(content)), in_class=in_class)
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


def _iso_time(text: str) -> str:
    return read_clock(text).isoformat("minutes")


_SLOT = {"day_of_week": read_weekday, "start_time": _iso_time, "end_time": _iso_time}


def _read_slots(reader: SheetReader) -> None:
    for row in reader.sheet.rows:
        class_name, slot = reader.class_of(row), reader.model(row, SlotDraft, _SLOT)
        if class_name and slot:
            reader.batch.slots.append(SlotRow(row.number, class_name, slot))


_ENTRY = {"roll_no": read_roll, "from_": _iso_date}


def _read_students(reader: SheetReader) -> None:
    for row in reader.sheet.rows:
        class_name, entry = reader.class_of(row), reader.model(row, RosterEntry, _ENTRY)
        if class_name and entry:
            reader.batch.students.append(StudentRow(row.number, class_name, entry))


_READERS = {
    Kind.STUDENTS: _read_students,
    Kind.CLASSES: _read_classes,
    Kind.SCHEDULES: _read_slots,
    Kind.FACULTY: _read_faculty,
    Kind.ATTENDANCE: read_attendance,
}
