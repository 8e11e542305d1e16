"""Classes, their weekly slots and rescheduled occurrences."""

from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, Strict, model_validator

from app.schemas.roster import EnrolledStudent
from app.schemas.words import (
    Answer,
    ClassId,
    Clock,
    Date,
    FilledName,
    Id,
    Instant,
    Label,
    Prose,
    StoredDate,
    TermId,
    Text,
    UserId,
    Words,
    ends_after_start,
    example,
)

_A_MOVE = example(
    originalDate="2025-10-27",
    originalStartTime="09:00",
    rescheduledDate="2025-10-29",
    rescheduledStartTime="15:00",
    rescheduledEndTime="16:00",
    reason="An examination takes the room.",
)
_A_SLOT = {
    "id": "1c3e5a7b-9d0f-4b2d-8e6c-4f5a6b7c8d9e",
    "dayOfWeek": 1,
    "start": "09:00",
    "end": "10:00",
}
DayOfWeek = Annotated[int, Strict(), Field(ge=1, le=7, description="ISO: 1 = Monday")]


class ClassDraft(
    Words,
    json_schema_extra=example(
        code="CS301", name="Operating Systems", section="A", ltpPattern="3-0-0"
    ),
):
    """A new class. Only an admin can give a `teacherId` other than their own.

    Without `termId` it belongs to the current term, if any is defined.
    """

    code: Label
    name: FilledName
    section: Label
    ltp_pattern: Text | None = None
    teacher_type: Text | None = None
    practical_group: Text | None = None
    teacher_id: Id | None = None
    term_id: Id | None = None


class ClassChange(Words, json_schema_extra=example(name="Operating Systems", ltpPattern="3-0-0")):
    """The fields to change; fields left out stay as they are. Only an admin can change `teacherId`.

    `termId` null removes the class from its term.
    """

    code: Label = ""
    name: FilledName = ""
    section: Label = ""
    ltp_pattern: Text | None = None
    teacher_type: Text | None = None
    practical_group: Text | None = None
    teacher_id: Id | None = None
    term_id: Id | None = None


class SlotDraft(Words, json_schema_extra=example(dayOfWeek=6, startTime="09:00", endTime="10:00")):
    day_of_week: DayOfWeek
    start_time: Clock
    end_time: Clock

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        ends_after_start(self.start_time, self.end_time, "/endTime")
        return self


class SlotChange(Words, json_schema_extra=example(startTime="09:00", endTime="10:00")):
    """The fields of a weekly slot to change; fields left out stay as they are."""

    day_of_week: DayOfWeek | None = None
    start_time: Clock | None = None
    end_time: Clock | None = None


class RescheduleDraft(Words, json_schema_extra=_A_MOVE):
    """An occurrence to move. `originalStartTime` is needed only if the day has several slots."""

    original_date: StoredDate
    original_start_time: Clock | None = None
    rescheduled_date: StoredDate
    rescheduled_start_time: Clock
    rescheduled_end_time: Clock
    reason: Prose | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        ends_after_start(
            self.rescheduled_start_time, self.rescheduled_end_time, "/rescheduledEndTime"
        )
        return self


class Slot(
    Answer,
    json_schema_extra=example(
        id="e5a1c3d7-0b2f-4c6e-8a94-7d3f1b5c9e02", dayOfWeek=6, start="09:00", end="10:00"
    ),
):
    id: UUID
    day_of_week: DayOfWeek
    start: Clock
    end: Clock


class Reschedule(
    Answer,
    json_schema_extra=example(
        **_A_MOVE["example"], id="a7c9e1b3-5d4f-4a2b-9c8e-6f0d1e2b3c4a", originalEndTime="10:00"
    ),
):
    id: UUID
    original_date: Date
    original_start_time: Clock
    original_end_time: Clock
    rescheduled_date: Date
    rescheduled_start_time: Clock
    rescheduled_end_time: Clock
    reason: str | None


class MyRole(StrEnum):
    """The actor's role in a class today."""

    OWNER = "owner"
    CO_TEACHER = "co_teacher"
    SUBSTITUTE = "substitute"
    ADMIN = "admin"


class ClassDetails(
    Answer,
    json_schema_extra=example(
        code="CS301",
        name="Operating Systems",
        section="A",
        ltpPattern="3-0-0",
        myRole="owner",
        schedule=[_A_SLOT],
        students=[{}],
    ),
):
    """A class. With `roster=false` it has `studentCount` instead of `students`."""

    id: ClassId
    code: str
    name: str
    section: str
    ltp_pattern: str | None
    teacher_type: str | None
    practical_group: str | None
    teacher_id: UserId
    term_id: TermId | None
    my_role: MyRole
    created_at: Instant
    updated_at: Instant
    archived_at: Instant | None
    schedule: list[Slot]
    reschedules: list[Reschedule]
    students: list[EnrolledStudent] | None = None
    student_count: int | None = None
