"""What a student sees of their own: nothing here tells of anybody else."""

from typing import Annotated

from pydantic import Field

from app.schemas.attendance import SessionStatus, Status
from app.schemas.leave import LeaveKind
from app.schemas.questions import QuestionState
from app.schemas.stats import Attended, Percentage, Standing
from app.schemas.words import Answer, ClassId, Clock, Date, Instant, SessionId, example

Month = Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}$", examples=["2025-10"])]


class MonthFigures(
    Answer, json_schema_extra=example(month="2025-10", held=12, attended=10, percentage=83.33)
):
    """One month of one class. The months of a class add up to its figures."""

    month: Month
    held: int
    attended: Attended
    percentage: Percentage


class WhatIf(
    Answer,
    json_schema_extra=example(
        attend=2, miss=1, percentage=80, standing="ok", sessionsNeeded=0, canMiss=1
    ),
):
    """What the figures would be after `attend` sessions more attended and `miss` more missed."""

    attend: int
    miss: int
    percentage: Percentage
    standing: Standing
    sessions_needed: int | None
    can_miss: int | None


class MyAttendance(
    Answer,
    json_schema_extra=example(
        code="CS301",
        name="Operating Systems",
        section="A",
        term="Autumn 2025",
        held=12,
        attended=10,
        percentage=83.33,
        standing="ok",
        sessionsNeeded=0,
        canMiss=1,
        bestPossible=93.75,
        threshold=7500,
        months=[{}],
    ),
):
    """A class of the student, and their attendance in it.

    By the policy `attended` of the `held` sessions were attended: `held` are those that count
    for the student. `sessionsNeeded` in a row lead to the line: 0 if they are there, null if none
    do. `canMiss` in a row still keep them there: null if there is no line. `bestPossible` is the
    percentage if they attend all that is left of the term; null for a class without one.
    `threshold` is the line, in hundredths of a per cent (7500 = 75 %). `whatIf` is null unless
    it was asked for.
    """

    class_id: ClassId
    code: str
    name: str
    section: str
    term: str | None
    held: int
    attended: Attended
    percentage: Percentage
    standing: Standing
    sessions_needed: int | None
    can_miss: int | None
    best_possible: Percentage | None
    threshold: int
    months: list[MonthFigures]
    what_if: WhatIf | None


class MySession(
    Answer,
    json_schema_extra=example(
        code="CS301",
        date="2025-10-20",
        start="09:00",
        end="10:00",
        status="open",
        mark="absent",
        counted=True,
        attended=0,
    ),
):
    """A session of a class of the student's, and their mark in it.

    `mark` is null where nobody has marked them. `counted`: whether it counts for them by the
    policy, and `attended` for how much of a session. `question` is their last one about it.
    """

    session_id: SessionId
    class_id: ClassId
    code: str
    date: Date
    start: Clock | None
    end: Clock | None
    status: SessionStatus
    mark: Status | None
    leave_kind: LeaveKind | None
    marked_at: Instant | None
    counted: bool
    attended: Attended
    question: QuestionState | None
