"""Turn the records of an export into batches, one per class."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from app.batch import (
    Batch,
    ClassName,
    ClassRow,
    FacultyRow,
    MarkRow,
    MoveRow,
    SessionName,
    SlotRow,
    StudentRow,
)
from app.files.firestore.contents import ClassRecord, Records
from app.reconciliation import ClassOutcome, Part
from app.schemas.auth import Role
from app.schemas.roster import RosterEntry

SOURCE = "firestore"


@dataclass(frozen=True)
class Options:
    """How to import: the teacher of classes that name none, the name of the classes' term,
    whether their teachers are put on the allow-list, and the name of the Firebase project."""

    teacher: str | None = None
    term: str | None = None
    allow_teachers: bool = False
    project: str = ""


def parts_of(records: Records, options: Options) -> Iterator[Part]:
    """Each class of the export, in order."""
    names = {teacher.email.lower(): teacher.name for teacher in records.teachers}
    for record in records.classes:
        totals = ClassOutcome(
            record.path,
            None,
            record.exported_sessions,
            record.exported,
            differences=list(record.lost),
        )
        teacher = (record.teacher or options.teacher or "").strip().lower()
        if not teacher:
            yield Part(Batch(), totals, record.teacher_problem or "teacher_missing")
            continue
        batch = Batch(namespace=options.project)
        if options.allow_teachers:
            name = names.get(teacher)
            batch.faculty.append(FacultyRow(0, teacher, Role.TEACHER, name))
        batch.classes.append(ClassRow(0, record.draft, teacher, options.term, record.identity))
        _fill(batch, record, ClassName(outside_id=record.identity))
        yield Part(batch, totals)


def _fill(batch: Batch, record: ClassRecord, name: ClassName) -> None:
    batch.slots = [SlotRow(n, name, slot) for n, slot in enumerate(record.slots)]
    batch.moves = [MoveRow(n, name, move) for n, move in enumerate(record.moves)]
    batch.students = _students(record, name)
    for row, (outside_id, session) in enumerate(
        zip(_outside_ids(record), record.sessions, strict=True)
    ):
        meant = SessionName(
            *(name, session.day, session.start),
            exact=True,
            end=session.end,
            image=session.image,
            outside_id=outside_id,
        )
        batch.sessions.append(meant)
        batch.marks += [
            MarkRow(row, None, meant, record.rolls[key], word)
            for key, word in session.marks.items()
        ]


def _students(record: ClassRecord, name: ClassName) -> list[StudentRow]:
    """The enrolments: students on the roster from the first session of the class on, students
    who only have marks from their first to their last."""
    days: dict[str, list[date]] = {}
    for session in record.sessions:
        for key in session.marks:
            days.setdefault(key, []).append(session.day)
    first = min((session.day for session in record.sessions), default=None)
    rows = []
    for row, (key, roll) in enumerate(record.rolls.items()):
        if key not in record.students and key in days:
            entry = RosterEntry.model_construct(roll_no=roll, from_=min(days[key]))
            rows.append(StudentRow(row, name, entry, max(days[key])))
    rows += [
        StudentRow(row, name, entry.model_copy(update={"from_": first}))
        for row, entry in enumerate(record.students.values(), start=len(record.rolls))
    ]
    return rows


def _outside_ids(record: ClassRecord) -> list[str]:
    """The ids of the sessions: path and day, and the start where documents share both."""
    keys: dict[str, None] = {}
    for session in record.sessions:
        key = f"{session.path}\n{session.day}"
        keys[f"{key} {session.start}" if key in keys else key] = None
    return list(keys)
