"""Attendance counted."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, WithJsonSchema

from app.schemas.words import (
    A_TERM,
    Answer,
    ClassId,
    Clock,
    Date,
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
    """Where a student stands. `no_data`: fewer sessions counted than the policy asks for.
    `below` the line; `at_risk`: the next absence leads below it; else `ok`."""

    OK = "ok"
    AT_RISK = "at_risk"
    BELOW = "below"
    NO_DATA = "no_data"


class Counts(Answer):
    """Marks by status; whatever counts marks has these."""

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
    """Marks of one student in one class, and where they lead.

    `total` counts the marks recorded. By the policy `attended` of `counted` sessions were
    attended; `percentage` is 100 x attended / counted, two decimals half up, 0 when nothing
    counts. While the policy is the default and nobody was on duty elsewhere, that is
    100 x (present + late) / total.

    `sessionsNeeded` in a row lead to the line: 0 if they are there, null if none do. `canMiss` in
    a row still keep them there: null if there is no line. `bestPossible` is the percentage if
    they attend all that is left of the term; null for a class without one.
    """

    student_id: StudentId
    roll_no: str
    name: str


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
    """The marks of one session counted. `unmarked` were enrolled on its day and have none."""

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
    """Where a student stands in one of their classes."""

    class_id: ClassId
    code: str
    name: str
    section: str
    term_id: TermId | None
    term: str | None


class Sums(_Counted, json_schema_extra=example(**_COUNTED, unmarked=1)):
    """The sums over several classes, and their percentage."""

    unmarked: int


class StudentOverall(Answer, json_schema_extra=example(rollNo="23/CS/107", name="Kabir V. Demo")):
    """One student in each class, by code and section, and in all of them together."""

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
    """A student below the line in a class. `sessionsNeeded` in a row lead to it; null: none do."""

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
    """An occurrence that is over without attendance taken, with the class's owner.

    `sessionId` is of a session that was opened and in which nobody was marked.
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
    """How many students have each standing; a student in two classes is counted twice."""

    ok: int
    at_risk: int
    below: int
    no_data: int


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
    """A term in figures: of its classes that are not archived, and who is on their rosters.

    `sessionsMissing` are occurrences from its first day to now. In the current term are also
    classes without one; `term` is null where there is none.
    """

    term: OverviewTerm | None
    classes: int
    students: int
    sessions_taken: int
    sessions_missing: int
    marks: Marks
    percentage: Percentage
    standings: Standings
    today: Today
