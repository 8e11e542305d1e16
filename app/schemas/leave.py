"""Leave of absence."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.schemas.words import (
    A_CLASS,
    Answer,
    ClassId,
    Date,
    Id,
    Instant,
    Prose,
    RollNo,
    SessionId,
    StoredDate,
    StudentId,
    UserId,
    Words,
    example,
)

LeaveId = Annotated[UUID, Field(examples=["e5b8d3a1-4c27-4d96-8e0f-7a1c9b6d2f48"])]
MAX_SESSIONS = 200
MAX_DAYS = 366


class LeaveKind(StrEnum):
    MEDICAL = "medical"
    ON_DUTY = "on_duty"
    OTHER = "other"


class LeaveStatus(StrEnum):
    """Only `approved` leave shows in marks; withdrawing it restores what it had hidden."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class _Days(Words):
    """From which day to which, for one class or for all."""

    class_id: Id | None = None
    first_day: StoredDate | None = None
    last_day: StoredDate | None = None
    kind: LeaveKind
    note: Prose | None = None

    def in_order(self) -> Self:
        """Itself, with a first and a last day that follow each other."""
        for name, day in (("firstDay", self.first_day), ("lastDay", self.last_day)):
            if day is None:
                raise _refused("required", "Give a first and a last day, or sessions.", name)
        assert self.first_day is not None
        assert self.last_day is not None
        if self.last_day < self.first_day:
            raise _refused("ends_before_start", "The last day is before the first.", "lastDay")
        if self.last_day - self.first_day > timedelta(days=MAX_DAYS):
            raise _refused("leave_too_long", "Leave can last at most a year.", "lastDay")
        return self


class LeaveDraft(
    _Days,
    json_schema_extra=example(
        classId=A_CLASS, firstDay="2025-10-20", lastDay="2025-10-24", kind="medical"
    ),
):
    """Leave for a student: either its first and last day, or sessions of one class.

    With `classId` it is for that class, without it for all classes of the student.
    """

    roll_no: RollNo
    session_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_SESSIONS)] | None = None

    @model_validator(mode="after")
    def _days_or_sessions(self) -> Self:
        if self.session_ids is not None:
            if self.first_day is not None or self.last_day is not None:
                raise _refused("days_and_sessions", "Give days or sessions, not both.", "firstDay")
            if self.class_id is None:
                raise _refused("required", "Sessions belong to one class: name it.", "classId")
            return self
        return self.in_order()


class MyLeaveDraft(
    _Days,
    json_schema_extra=example(
        classId=A_CLASS, firstDay="2025-10-20", lastDay="2025-10-24", kind="medical"
    ),
):
    """Leave that a student asks for: for one class of theirs, or without `classId` for all."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        return self.in_order()


def _refused(code: str, sentence: str, field: str) -> PydanticCustomError:
    return PydanticCustomError(code, sentence, {"pointer": f"/{field}"})


class Leave(
    Answer,
    json_schema_extra=example(
        rollNo="23/CS/107",
        name="Kabir V. Demo",
        lastDay="2025-10-24",
        kind="medical",
        code="CS301",
        className="Operating Systems",
        section="A",
        requestedByName="Asha Demo",
        decidedByName=None,
        status="pending",
        mayDecide=True,
    ),
):
    """Leave. A null `classId` means all classes, a null `sessionIds` all sessions of the days.

    `note` is shown only to those who can decide and to the person who requested it. `requestedBy`
    is null if the student requested it. `mayDecide`: you can approve, reject and withdraw it.
    """

    id: LeaveId
    student_id: StudentId
    roll_no: str
    name: str
    class_id: ClassId | None
    code: str | None
    class_name: str | None
    section: str | None
    first_day: Date
    last_day: Date
    session_ids: list[SessionId] | None
    kind: LeaveKind
    note: str | None
    status: LeaveStatus
    requested_by: UserId | None
    requested_by_name: str | None
    decided_by: UserId | None
    decided_by_name: str | None
    decided_at: Instant | None
    created_at: Instant
    may_decide: bool


class MyLeave(
    Answer,
    json_schema_extra=example(lastDay="2025-10-24", kind="medical", own=True, status="pending"),
):
    """Leave of the student's: for all classes where `classId` is null, for all sessions of the
    days where `sessionIds` is. `own`: they asked for it, and `note` is what they wrote; what
    staff wrote is not shown."""

    id: LeaveId
    class_id: ClassId | None
    first_day: Date
    last_day: Date
    session_ids: list[SessionId] | None
    kind: LeaveKind
    own: bool
    note: str | None
    status: LeaveStatus
    decided_at: Instant | None
    created_at: Instant


class DecidedLeave(Answer, json_schema_extra=example(leave={"status": "approved"}, changed=2)):
    """The leave, and how many marks the decision changed."""

    leave: Leave
    changed: int
