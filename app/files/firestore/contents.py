"""The contents of a Firestore export in the terms of AIMS: plain records, ready for a batch."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, time

from app.batch import Move
from app.reconciliation import Difference, LeftOut, Reading
from app.schemas.classes import ClassDraft, SlotDraft
from app.schemas.roster import RosterEntry


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """An attendance document. `marks` are words of the mapping by roll key."""

    path: str
    day: date
    start: time | None
    end: time | None
    image: str | None
    marks: dict[str, str]


@dataclass
class ClassRecord:
    """A class with all that belongs to it.

    `teacher` is an address; without one, `teacher_problem` is the reason. `students` are by roll
    key; `rolls` has every roll number with a mark as it is written, by roll key. `exported` counts
    marks by status, and `exported_sessions` documents, before anything is left out; `lost` is what
    the reader has left out of them.

    `identity` stays the same from one export to the next: the path, unless others share it.
    """

    path: str
    identity: str
    draft: ClassDraft
    teacher: str | None
    teacher_problem: str | None
    slots: list[SlotDraft] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    students: dict[str, RosterEntry] = field(default_factory=dict)
    sessions: list[SessionRecord] = field(default_factory=list)
    rolls: dict[str, str] = field(default_factory=dict)
    exported: Counter[str] = field(default_factory=Counter)
    exported_sessions: int = 0
    lost: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TeacherRecord:
    path: str
    email: str
    name: str | None


@dataclass
class Records(Reading):
    """The records of an export. `teachers` are only those who teach one of the classes."""

    classes: list[ClassRecord]
    teachers: list[TeacherRecord]
    left_out: list[LeftOut]
