"""Rows that come from files and other systems.

A reader fills a `Batch`; `app.services.imports` writes it. `row` is the number of the row as shown
in its file, or any number by which the reader can identify the record.
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

MAX_REFUSALS = 10_000  # further ones are only counted

_NAMESPACE = UUID("6d0f0a9e-52b1-4d0c-9c61-6b6f5f1f7a55")


class ClassName(NamedTuple):
    """How a class is named: by its id, or by its code and what else is known about it.

    `teacher` is the owner's e-mail address, `term` the name of a term. `outside_id` refers to the
    class in the batch that has it, and is enough by itself.
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
    """`teacher` is the owner's address; without `term` the class belongs to the current term."""

    row: int
    draft: ClassDraft
    teacher: str
    term: str | None = None
    outside_id: str | None = None


class TeacherRow(NamedTuple):
    """A teacher of a class besides its owner, by address and without an end date."""

    row: int
    class_name: ClassName
    email: str
    role: Cover = Cover.CO_TEACHER


class SlotRow(NamedTuple):
    row: int
    class_name: ClassName
    slot: SlotDraft


class Move(NamedTuple):
    """A single moved occurrence, with the slot that it is moved from."""

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
    """`last_day`, which only sources give, is that of a student who has already left the class."""

    row: int
    class_name: ClassName
    entry: RosterEntry
    last_day: date | None = None


class Period(NamedTuple):
    """The `nth` of the `total` sessions of a day, counted from 1 in the order of their starts."""

    nth: int
    total: int


class SessionName(NamedTuple):
    """How a session of a class is named.

    With a `period`, it is that one of the day's sessions and slots, if the day has as many of them.
    With neither that nor a `start`, it is the day's untimed session if there is one, else the
    day's only session. If the day has none, one is created: untimed if `exact`, as in a register,
    else in the day's first slot, if any. If other names of that day have a start, a name without
    one is ambiguous unless it is `exact`.

    With an `outside_id`, the session is found by that, else by exactly this day and start. If new,
    it belongs to the owner of the class and gets `end` and the photo at `image`.
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
    the row, if it has one. If `may_be_guest`, the person need not be a student of the class.
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
    """Why a row was refused: `column` as in `MarkRow`, a stable code and a sentence."""

    row: int
    column: int | None
    code: str
    detail: str


# Added to the row numbers of the second sheet of a workbook; twice this to those of the third.
SHEET_ROWS = 1 << 20


class SheetRead(NamedTuple):
    """A sheet of a workbook whose sheets were all read, with its own `columns` and `ignored`."""

    name: str
    columns: dict[str, int]
    ignored: list[int]


@dataclass
class Batch:
    """All rows to write, in this order, and those that could not be read.

    Ids of another system are unique within `namespace`; later imports find its classes and
    sessions by them. `sessions` are created even if nobody is marked in them. `columns` gives the
    position of each field, `ignored` the columns that were not read, and `notes` how the file was
    read. If all sheets of a workbook were read, `sheets` has them, and a row's number is the one
    in its sheet plus `SHEET_ROWS` for each sheet before.
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
        """Add what was read from another sheet."""
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
        """The sessions to create or find, and those that marks name, in order."""
        # Marks are grouped by session, and hashing a name is slow.
        marked = (name for name, _ in groupby(self.marks, attrgetter("session")))
        return dict.fromkeys((*self.sessions, *marked))

    def class_id(self, outside_id: str) -> UUID:
        """The id that a class of another system gets here, the same in every import."""
        return uuid5(_NAMESPACE, f"{self.namespace}\n{outside_id}")


def column_letters(column: int) -> str:
    """The name of a column in spreadsheets, counted from 0: A, B ... Z, AA."""
    before, last = divmod(column, 26)
    return (column_letters(before - 1) if before else "") + chr(ord("A") + last)
