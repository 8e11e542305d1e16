"""Requests and answers of both peers as Pydantic models, filled from the mapped objects."""

from datetime import date, datetime, time
from typing import Annotated, Any
from uuid import UUID

from pydantic import AliasGenerator, AliasPath, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

Clock = Annotated[time, PlainSerializer(lambda clock: f"{clock:%H:%M}", return_type=str)]


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Answer(BaseModel):
    model_config = ConfigDict(
        from_attributes=True, alias_generator=AliasGenerator(serialization_alias=to_camel)
    )


class Draft(_Body):
    class_id: UUID
    session_date: date
    start_time: time | None = None
    end_time: time | None = None
    processed_image_url: str | None = None


class Update(_Body):
    roll_no: str
    status: Annotated[str, Field(pattern="^(present|absent|late|excused)$")]
    recognized_by_ai: bool = False
    similarity_score: Annotated[float, Field(ge=0, le=100)] | None = None
    remark: str | None = None


class Batch(_Body):
    updates: list[Update]


class Me(_Answer):
    id: UUID
    email: str
    name: str
    role: str
    department: str | None
    employee_id: str | None
    last_login_at: datetime | None
    created_at: datetime


class Slot(_Answer):
    id: UUID
    day_of_week: int
    start: Annotated[Clock, Field(validation_alias="start_time")]
    end: Annotated[Clock, Field(validation_alias="end_time")]


class Move(_Answer):
    id: UUID
    original_date: date
    original_start_time: Clock
    original_end_time: Clock
    rescheduled_date: date
    rescheduled_start_time: Clock
    rescheduled_end_time: Clock
    reason: str | None


def _of_student(name: str) -> Any:
    return Field(validation_alias=AliasPath("student", name))


class Enrolled(_Answer):
    student_id: UUID
    roll_no: Annotated[str, _of_student("roll_no")]
    name: Annotated[str, _of_student("name")]
    photo_url: Annotated[str | None, _of_student("photo_url")]
    program: Annotated[str | None, _of_student("program")]
    sp_code: Annotated[str | None, _of_student("sp_code")]
    semester: Annotated[str | None, _of_student("semester")]
    status: Annotated[str | None, _of_student("status")]
    duration: Annotated[str | None, _of_student("duration")]
    email: Annotated[str | None, _of_student("email")]
    dtu_email: Annotated[str | None, _of_student("dtu_email")]
    phone: Annotated[str | None, _of_student("phone")]
    enrolled_from: date
    enrolled_until: date | None = None


class ClassDetails(_Answer):
    id: UUID
    code: str
    name: str
    section: str
    ltp_pattern: str | None
    teacher_type: str | None
    practical_group: str | None
    teacher_id: UUID
    term_id: UUID | None
    my_role: str = "owner"
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    schedule: Annotated[list[Slot], Field(validation_alias="schedules")]
    reschedules: list[Move]
    students: Annotated[list[Enrolled], Field(validation_alias="enrolments")]


class Mark(_Answer):
    roll_no: Annotated[str, _of_student("roll_no")]
    name: Annotated[str, _of_student("name")]
    status: str
    recognized_by_ai: bool
    similarity_score: float | None
    remark: str | None
    source: str
    marked_at: datetime


class Rejected(_Answer):
    roll_no: str
    code: str


class Marks(_Answer):
    session_id: UUID
    version: int
    statuses: list[Mark]
    rejected: list[Rejected]


class _SessionHead(_Answer):
    session_id: Annotated[UUID, Field(validation_alias="id")]
    class_id: UUID
    session_date: date
    start_time: Clock | None
    end_time: Clock | None
    teacher_id: UUID
    processed_image_url: str | None
    status: str
    version: int
    created_at: datetime


class Opened(_SessionHead):
    created: bool = False


class SessionMarks(_SessionHead):
    status_reason: str | None
    statuses: Annotated[list[Mark], Field(validation_alias="marks")]


class Standing(_Answer):
    student_id: UUID
    roll_no: str
    name: str
    present: int
    absent: int
    late: int
    excused: int
    total: int
    counted: int
    attended: float
    percentage: float
    standing: str
    sessions_needed: int | None
    can_miss: int | None
    best_possible: float | None
    absent_in_a_row: int
    unmarked: int
