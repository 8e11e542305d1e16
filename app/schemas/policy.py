"""The attendance policy."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, Strict

from app.schemas.stats import Percentage
from app.schemas.words import Answer, ClassId, Instant, StudentId, Words, example


class Counting(StrEnum):
    """Whether an excused absence counts as an absence, not at all, or as presence."""

    ABSENT = "absent"
    EXCLUDED = "excluded"
    PRESENT = "present"


_RULES = {
    "threshold": 7500,
    "lateWeight": 100,
    "excused": "absent",
    "onDuty": "present",
    "minimumSessions": 5,
}


class PolicyRules(Words, json_schema_extra=example(**_RULES)):
    """The rules that decide who is below the line.

    `threshold` is in hundredths of a per cent (7500 = 75 %), `lateWeight` in hundredths of a
    session (100 = late counts like present). Nobody is judged before `minimumSessions` counted.
    """

    threshold: Annotated[int, Strict(), Field(ge=0, le=10_000)]
    late_weight: Annotated[int, Strict(), Field(ge=0, le=100)]
    excused: Counting
    on_duty: Counting
    minimum_sessions: Annotated[int, Strict(), Field(ge=0, le=1000)]


class Policy(Answer, json_schema_extra=example(**_RULES)):
    threshold: int
    late_weight: int
    excused: Counting
    on_duty: Counting
    minimum_sessions: int
    updated_at: Instant


class Direction(StrEnum):
    """Which way a student crosses the line: `falls` below it, or `rises` above it."""

    FALLS = "falls"
    RISES = "rises"


class Crossing(
    Answer,
    json_schema_extra=example(
        code="CS301",
        section="A",
        rollNo="23/CS/107",
        name="Kabir V. Demo",
        direction="falls",
        before=75,
        after=72.5,
    ),
):
    """A student who would cross the line in a class, with the percentages before and after."""

    class_id: ClassId
    code: str
    section: str
    student_id: StudentId
    roll_no: str
    name: str
    direction: Direction
    before: Percentage
    after: Percentage


class PolicyPreview(Answer, json_schema_extra=example(falls=1, rises=0)):
    """How many students would cross the line each way, and a page of them by class (code, section)
    and roll number."""

    falls: int
    rises: int
    students: list[Crossing]
