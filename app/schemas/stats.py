"""Attendance statistics."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, WithJsonSchema

from app.schemas.attendance import MarkSource, SessionStatus, Status
from app.schemas.leave import LeaveKind
from app.schemas.words import (
    A_TERM,
    Answer,
    ClassId,
    Clock,
    Date,
    Instant,
    SessionId,
    StudentId,
    TermId,
    UserId,
    example,
)

Percentage = Annotated[
    Decimal, Field(ge=0, le=100), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})
]

Attended = Annotated[Decimal, Field(ge=0), WithJsonSchema({"type": "number", "minimum": 0})]


class Standing(StrEnum):
    """A student's standing. `no_data`: fewer sessions counted than the policy requires. `below`:
    below the line. `at_risk`: the next absence leads below it. Otherwise `ok`."""

    OK = "ok"
    AT_RISK = "at_risk"
    BELOW = "below"
    NO_DATA = "no_data"


class Counts(Answer):
    """The number of marks by status."""

    present: int
    absent: int
    late: int
    excused: int


class _Counted(Counts):
    total: int
    counted: int
    attended: Attended
    percentage: Percentage


class _Figures(_Counted):
    standing: Standing
    sessions_needed: int | None
    can_miss: int | None
    best_possible: Percentage | None
    absent_in_a_row: int
    unmarked: int


_COUNTED = {
    "present": 9,
    "absent": 2,
    "late": 1,
    "excused": 0,
    "total": 12,
    "counted": 12,
    "attended": 10,
    "percentage": 83.33,
}
_FIGURES = {
    **_COUNTED,
    "standing": "ok",
    "sessionsNeeded": 0,
    "canMiss": 1,
    "bestPossible": 93.75,
    "absentInARow": 0,
    "unmarked": 1,
}


class StudentStats(
    _Figures,
    json_schema_extra=example(rollNo="23/CS/107", name="Kabir V. Demo", **_FIGURES),
):
    """The marks of one student in one class, and their standing.

    `total` is the number of recorded marks. By the policy, `attended` of `counted` sessions were
    attended; `percentage` is 100 x attended / counted, rounded half up to two decimals, and 0 if
    nothing counts. With the default policy, and without leave on duty, it is
    100 x (present + late) / total.

    `sessionsNeeded` is how many sessions in a row the student must attend to reach the line: 0 if
    they have reached it, null if they cannot. `canMiss` is how many in a row they can miss and
    still be above it: null if there is no line. `bestPossible` is the percentage if they attend
    all remaining sessions of the term; null for a class without a term.
    """

    student_id: StudentId
    roll_no: str
    name: str


class StudentInClass(
    StudentStats,
    json_schema_extra=example(
        rollNo="23/CS/107", name="Kabir V. Demo", **_FIGURES, enrolled=True, threshold=7500
    ),
):
    """One student of a class, with the figures of `GET /stats/classes/{id}/students`.

    `enrolled`: on its roster today or later. `threshold` is the line, in hundredths of a per cent
    (7500 = 75 %).
    """

    enrolled: bool
    threshold: int


class StudentSession(
    Answer,
    json_schema_extra=example(
        date="2025-10-20",
        start="09:00",
        end="10:00",
        status="open",
        mark="absent",
        source="manual",
        markedByName="Asha Demo",
        counted=True,
        attended=0,
        percentage=83.33,
    ),
):
    """A session of the class for one student, and their mark in it.

    `mark` is null where nobody has marked them; with a `leaveKind` it comes of leave. `counted`:
    whether it counts for them by the policy, and `attended` for how much of a session.
    `percentage` is that of all sessions up to and including this one; null while none counts.
    """

    session_id: SessionId
    date: Date
    start: Clock | None
    end: Clock | None
    status: SessionStatus
    mark: Status | None
    leave_kind: LeaveKind | None
    source: MarkSource | None
    marked_by: UserId | None
    marked_by_name: str | None
    marked_at: Instant | None
    counted: bool
    attended: Attended
    percentage: Percentage | None


class SessionStats(
    Counts,
    json_schema_extra=example(
        date="2025-10-20",
        start="09:00",
        present=52,
        absent=5,
        late=2,
        excused=1,
        unmarked=0,
        percentage=90,
    ),
):
    """The counts of one session. `unmarked` students were enrolled on its day and have no mark."""

    session_id: SessionId
    date: Date
    start: Clock | None
    unmarked: int
    percentage: Percentage


class ClassFigures(
    _Figures,
    json_schema_extra=example(
        code="CS301",
        name="Operating Systems",
        section="A",
        termId=A_TERM,
        term="Autumn 2025",
        **_FIGURES,
    ),
):
    """A student's standing in one of their classes."""

    class_id: ClassId
    code: str
    name: str
    section: str
    term_id: TermId | None
    term: str | None


class Sums(_Counted, json_schema_extra=example(**_COUNTED, unmarked=1)):
    """The sums over several classes, and the resulting percentage."""

    unmarked: int


class StudentOverall(Answer, json_schema_extra=example(rollNo="23/CS/107", name="Kabir V. Demo")):
    """A student's figures in each class, by code and section, and in all of them together."""

    student_id: StudentId
    roll_no: str
    name: str
    classes: list[ClassFigures]
    total: Sums


class Defaulter(
    Answer,
    json_schema_extra=example(
        rollNo="23/CS/107",
        name="Kabir V. Demo",
        code="CS301",
        className="Operating Systems",
        section="A",
        counted=12,
        attended=8,
        percentage=66.67,
        sessionsNeeded=4,
        canMiss=0,
    ),
):
    """A student below the line in a class. `sessionsNeeded` in a row would reach it; null: none."""

    student_id: StudentId
    roll_no: str
    name: str
    class_id: ClassId
    code: str
    class_name: str
    section: str
    counted: int
    attended: Attended
    percentage: Percentage
    sessions_needed: int | None
    can_miss: int | None


class MissingSession(
    Answer,
    json_schema_extra=example(
        date="2025-10-20",
        start="09:00",
        end="10:00",
        code="CS301",
        name="Operating Systems",
        section="A",
        teacherName="Asha Demo",
        teacherEmail="asha@demo.university.example",
    ),
):
    """A past occurrence without attendance, with the class's owner.

    `sessionId` is set if a session was opened, but nobody was marked in it.
    """

    date: Date
    start: Clock
    end: Clock
    class_id: ClassId
    code: str
    name: str
    section: str
    session_id: SessionId | None
    teacher_id: UserId
    teacher_name: str
    teacher_email: str


class OverviewTerm(Answer, json_schema_extra=example(name="Autumn 2025")):
    id: TermId
    name: str


class Marks(Counts, json_schema_extra=example(present=310, absent=42, late=18, excused=6)):
    """Marks by status."""


class Standings(Answer, json_schema_extra=example(ok=48, atRisk=3, below=7, noData=2)):
    """How many students have each standing; students in two classes are counted twice."""

    ok: int
    at_risk: int
    below: int
    no_data: int


class DepartmentFigures(
    Answer, json_schema_extra=example(department="Computer Science", classes=6, percentage=88.4)
):
    """The classes whose owners are of a department; null are those of owners without one."""

    department: str | None
    classes: int
    percentage: Percentage
    standings: Standings


class ClassOfTerm(
    Answer,
    json_schema_extra=example(
        code="CS301",
        name="Operating Systems",
        section="A",
        teacherName="Asha Demo",
        department="Computer Science",
        students=60,
        sessionsTaken=24,
        percentage=88.4,
    ),
):
    """A class in figures: the students on its roster, and its sessions with attendance."""

    class_id: ClassId
    code: str
    name: str
    section: str
    teacher_name: str
    department: str | None
    students: int
    sessions_taken: int
    percentage: Percentage
    standings: Standings


class Today(Answer, json_schema_extra=example(taken=3, missing=1, inProgress=1, upcoming=4)):
    """Today's occurrences by state."""

    taken: int
    missing: int
    in_progress: int
    upcoming: int


class Overview(
    Answer,
    json_schema_extra=example(
        classes=10, students=60, sessionsTaken=212, sessionsMissing=4, percentage=87.23
    ),
):
    """The figures of a term: its classes that are not archived, and the students on their rosters.

    `sessionsMissing` counts occurrences from its first day to now. The current term includes
    classes without a term; `term` is null if there is none.
    """

    term: OverviewTerm | None
    classes: int
    students: int
    sessions_taken: int
    sessions_missing: int
    marks: Marks
    percentage: Percentage
    standings: Standings
    departments: list[DepartmentFigures]
    today: Today
