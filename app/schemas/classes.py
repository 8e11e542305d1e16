"""Classes, their weekly slots and the slots moved once."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, Strict, model_validator

from app.schemas.roster import RosterStudent
from app.schemas.words import (
    Answer,
    Clock,
    Date,
    FilledName,
    Id,
    Instant,
    Label,
    Prose,
    StoredDate,
    Text,
    Words,
    ends_after_start,
)

DayOfWeek = Annotated[int, Strict(), Field(ge=1, le=7, description="ISO: 1 = Monday")]


class ClassDraft(Words):
    """A new class. Only an admin may name another `teacherId` than their own."""

    code: Label
    name: FilledName
    section: Label
    ltp_pattern: Text | None = None
    teacher_type: Text | None = None
    practical_group: Text | None = None
    teacher_id: Id | None = None


class ClassChange(Words):
    """What to change; what is left out stays. Only an admin may change `teacherId`."""

    code: Label = ""
    name: FilledName = ""
    section: Label = ""
    ltp_pattern: Text | None = None
    teacher_type: Text | None = None
    practical_group: Text | None = None
    teacher_id: Id | None = None


class SlotDraft(Words):
    day_of_week: DayOfWeek
    start_time: Clock
    end_time: Clock

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        ends_after_start(self.start_time, self.end_time, "/endTime")
        return self


class SlotChange(Words):
    """What to change of a weekly slot; what is left out stays."""

    day_of_week: DayOfWeek | None = None
    start_time: Clock | None = None
    end_time: Clock | None = None


class RescheduleDraft(Words):
    """One occurrence moved. `originalStartTime` is needed only when the day has several slots."""

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


class Slot(Answer):
    id: UUID
    day_of_week: DayOfWeek
    start: Clock
    end: Clock


class Reschedule(Answer):
    id: UUID
    original_date: Date
    original_start_time: Clock
    original_end_time: Clock
    rescheduled_date: Date
    rescheduled_start_time: Clock
    rescheduled_end_time: Clock
    reason: str | None


class Class(Answer):
    """`students` is there unless `roster=false`, which gives `studentCount` instead."""

    id: UUID
    code: str
    name: str
    section: str
    ltp_pattern: str | None
    teacher_type: str | None
    practical_group: str | None
    teacher_id: UUID
    created_at: Instant
    updated_at: Instant
    archived_at: Instant | None
    schedule: list[Slot]
    reschedules: list[Reschedule]
    students: list[RosterStudent] | None = None
    student_count: int | None = None
