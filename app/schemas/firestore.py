"""What a Firestore export says, in the words of AIMS: plain records, ready to be written."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, time

from app.reconciliation import Difference, LeftOut
from app.schemas.classes import ClassDraft, SlotDraft
from app.schemas.roster import RosterEntry

# Why something of an export is not written, or not as it is there. `docs/leaving-firebase.md`
# says what to do about each.
REASONS = {
    "not_a_document": "It is not a document with fields.",
    "field_refused": "A value is of the wrong type, too long, or has control characters.",
    "class_unreadable": "The class has no code or name that can be one.",
    "class_repeated": "Another document is the same class: same teacher, code and section.",
    "section_extended": "Another document has the same teacher, code and section, so what kind of "
    "class it is was added to the section.",
    "class_left_out": "Its class was left out.",
    "class_unknown": "It names no class of the export.",
    "class_ambiguous": "It names a code that several classes of the export have.",
    "class_archived": "The class is archived in AIMS.",
    "class_of_another": "AIMS has made another class of a document with this path.",
    "class_differs": "The class has another name, section, kind or teacher in AIMS, which stays.",
    "database_refused": "The database refused it.",
    "teacher_missing": "It names no teacher.",
    "teacher_unknown": "It names a teacher who is in no document, or has no e-mail address there.",
    "teacher_not_allowed": "Its teacher is not on the allow-list.",
    "teacher_without_class": "This teacher has no class in the export.",
    "slot_unreadable": "The day or a time cannot be read, or the end is not after the start.",
    "slot_overlaps": "It overlaps another slot of the class.",
    "timetable_differs": "The class has another timetable in AIMS, which stays.",
    "move_unreadable": "A date or a time cannot be read, or the end is not after the start.",
    "move_of_nothing": "The class does not meet then, so there is nothing to move.",
    "move_differs": "The same occurrence is moved elsewhere in AIMS, which stays.",
    "roll_refused": "This is no roll number.",
    "roll_repeated": "The same roll number stands there twice; the first counts.",
    "value_differs": "The student has another value in AIMS, which stays.",
    "withdrawn_in_aims": "The student was withdrawn in AIMS, and stays withdrawn.",
    "date_unreadable": "The date cannot be read.",
    "date_out_of_range": "The date is before 2000 or after tomorrow.",
    "marks_unreadable": "The marks are neither a map nor a list.",
    "session_repeated": "Another document is the same session: same class, date and time.",
    "status_unknown": "The mapping does not know this status.",
    "image_refused": "The photo is at no https address, absolute path or file: address.",
    "session_closed": "The session is finalised or cancelled in AIMS.",
    "changed_in_aims": "The mark was made or changed in AIMS, which stays.",
    "excused_by_leave": "Approved leave in AIMS excuses the student.",
    "only_in_aims": "The mark is in AIMS only.",
    "no_longer_exported": "The mark was in an earlier export, and stays.",
}


@dataclass(frozen=True, slots=True)
class Move:
    """An occurrence moved once, with the slot it is moved from."""

    original_date: date
    original_start: time
    original_end: time
    new_date: date
    new_start: time
    new_end: time
    reason: str | None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A document of attendance. `marks` are words of the mapping by the key of the roll number."""

    path: str
    day: date
    start: time | None
    end: time | None
    image: str | None
    marks: dict[str, str]


@dataclass
class ClassRecord:
    """A class with all that belongs to it.

    `teacher` is an address; without one, `teacher_problem` is the reason. `students` are by
    the key of their roll number; `rolls` spells every roll number that has a mark.
    `exported` counts what the documents say before anything is left out: documents of
    attendance, and marks by status. `lost` is what of it is left out already.

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
class Records:
    """All of an export.

    `read` counts documents by collection, `ignored` those of collections that the mapping does
    not name, `unread` fields and collections of documents that were read, which were not. Of the
    teachers it has those who teach one of the classes.
    """

    read: Counter[str]
    ignored: Counter[str]
    unread: Counter[str]
    classes: list[ClassRecord]
    teachers: list[TeacherRecord]
    left_out: list[LeftOut]
