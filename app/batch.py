"""What files and other systems bring in, row by row.

A reader fills a `Batch`; `app.services.imports` writes it. `row` is the number of the row as its
file shows it, or any number by which the reader knows the record again.
"""

from dataclasses import dataclass, field
from datetime import date, time
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID, uuid5

from app.schemas.auth import Role
from app.schemas.classes import ClassDraft, SlotDraft
from app.schemas.roster import RosterEntry
from app.schemas.teachers import Cover

MAX_REFUSALS = 10_000  # so many are kept; further ones are counted

_NAMESPACE = UUID("6d0f0a9e-52b1-4d0c-9c61-6b6f5f1f7a55")


class ClassName(NamedTuple):
    """Which class is meant: by its id, or by code and what else is known of it.

    `teacher` is the owner's e-mail address, `term` the name of a term. `outside_id` means the
    class of the batch that has it, and needs nothing else.
    """

    code: str | None = None
    section: str | None = None
    teacher: str | None = None
    term: str | None = None
    id: UUID | None = None
    outside_id: str | None = None


class TermRow(NamedTuple):
    row: int
    name: str
    first_day: date
    last_day: date


class FacultyRow(NamedTuple):
    row: int
    email: str
    role: Role | None = None
    name: str | None = None


class ClassRow(NamedTuple):
    """`teacher` is the owner's address; without `term` the class is one of the current term."""

    row: int
    draft: ClassDraft
    teacher: str
    term: str | None = None
    outside_id: str | None = None


class TeacherRow(NamedTuple):
    """Who works in a class besides its owner, by their address; without an end."""

    row: int
    class_name: ClassName
    email: str
    role: Cover = Cover.CO_TEACHER


class SlotRow(NamedTuple):
    row: int
    class_name: ClassName
    slot: SlotDraft


class Move(NamedTuple):
    """An occurrence moved once, with the slot it is moved from."""

    original_date: date
    original_start: time
    original_end: time
    new_date: date
    new_start: time
    new_end: time
    reason: str | None


class MoveRow(NamedTuple):
    row: int
    class_name: ClassName
    move: Move


class StudentRow(NamedTuple):
    """Of a source, `last_day` is the last day of who has left the class already."""

    row: int
    class_name: ClassName
    entry: RosterEntry
    last_day: date | None = None


class Period(NamedTuple):
    """The `nth` of the `total` sessions of a day, counted from 1 in the order of their starts."""

    nth: int
    total: int


class SessionName(NamedTuple):
    """Which session of a class is meant.

    With a `period`, that of the sessions and slots of the day, if there are as many. With neither
    that nor `start`, the untimed session where there is one, else the only session of the day.
    Where there is none, it is made: untimed if `exact`, as a register means it, and else in the
    first slot of the day, if it has any. Where others of that day are named with their start, one
    without can only be meant by what is `exact`.

    One with an `outside_id` is found by that, else by day and start as they are, and is made the
    class owner's, with `end` and the photo at `image`.
    """

    class_name: ClassName
    day: date
    start: time | None = None
    period: Period | None = None
    exact: bool = False
    end: time | None = None
    image: str | None = None
    outside_id: str | None = None


class MarkRow(NamedTuple):
    """`word` is a key of `app.files.register.register_words.LETTERS`: a status, or `on_duty`.

    `column` is the position of the mark in the row, counted from 0; `name` is the student's name in
    the row, if it has one. Whoever `may_be_guest` need not be a student of the class.
    """

    row: int
    column: int | None
    session: SessionName
    roll_no: str
    word: str
    remark: str | None = None
    name: str | None = None
    may_be_guest: bool = False


class Refusal(NamedTuple):
    """Why a row cannot be taken: `column` as above, a stable code, a sentence."""

    row: int
    column: int | None
    code: str
    detail: str


# Rows of the second sheet of a workbook count on from here, of the third from twice that.
SHEET_ROWS = 1 << 20


class SheetRead(NamedTuple):
    """A sheet of a workbook of which all sheets were read, with `columns` and `ignored` of it."""

    name: str
    columns: dict[str, int]
    ignored: list[int]


@dataclass
class Batch:
    """All that is to be written, in this order, and what could not even be read.

    Ids of another system are unique within `namespace`; by them its classes and sessions are
    found again. `sessions` are to be there even if nobody is marked in them. `columns` says where
    the fields are, `ignored` which columns were not read, and `notes` how the file was read. Where
    all sheets of a workbook were read, `sheets` has them, and a row is `SHEET_ROWS` for each sheet
    before its own and its number there.
    """

    namespace: str = ""
    terms: list[TermRow] = field(default_factory=list)
    faculty: list[FacultyRow] = field(default_factory=list)
    classes: list[ClassRow] = field(default_factory=list)
    teachers: list[TeacherRow] = field(default_factory=list)
    slots: list[SlotRow] = field(default_factory=list)
    moves: list[MoveRow] = field(default_factory=list)
    students: list[StudentRow] = field(default_factory=list)
    sessions: list[SessionName] = field(default_factory=list)
    marks: list[MarkRow] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=dict)
    ignored: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sheets: list[SheetRead] = field(default_factory=list)
    by_address: bool = False  # whether marks may name people by e-mail addresses

    def add_sheet(self, name: str, read: "Batch") -> None:
        """Take in what was read of another sheet."""
        before = len(self.sheets) * SHEET_ROWS
        for kind in ("faculty", "classes", "slots", "students", "marks", "refusals"):
            rows = getattr(read, kind)
            getattr(self, kind).extend(row._replace(row=before + row.row) for row in rows)
        self.sessions += read.sessions
        self.notes += [f"{name}: {note}" for note in read.notes]
        self.by_address |= read.by_address
        self.sheets.append(SheetRead(name, read.columns, read.ignored))

    def class_names(self) -> set[ClassName]:
        """The classes that rows name."""
        named = {row.class_name for row in self.teachers}
        named |= {row.class_name for row in self.slots}
        named |= {row.class_name for row in self.moves}
        named |= {row.class_name for row in self.students}
        return named | {session.class_name for session in self.session_names()}

    def session_names(self) -> dict[SessionName, None]:
        """The sessions that are to be there, and those that marks name, in their order."""
        # Marks come a session at a time, and it costs to hash a name.
        marked = (name for name, _ in groupby(self.marks, attrgetter("session")))
        return dict.fromkeys((*self.sessions, *marked))

    def class_id(self, outside_id: str) -> UUID:
        """The id that a class of another system gets here, the same in every import."""
        return uuid5(_NAMESPACE, f"{self.namespace}\n{outside_id}")


def column_letters(column: int) -> str:
    """The name that spreadsheets give the column, counted from 0: A, B ... Z, AA."""
    before, last = divmod(column, 26)
    return (column_letters(before - 1) if before else "") + chr(ord("A") + last)
