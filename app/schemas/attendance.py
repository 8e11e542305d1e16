"""Attendance sessions and the marks in them."""

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from app.schemas.words import (
    A_CLASS,
    MAX_ENTRIES,
    Answer,
    ClassId,
    Clock,
    Date,
    Id,
    Instant,
    Prose,
    Reason,
    RollNo,
    SessionId,
    StoredDate,
    UserId,
    Words,
    ends_after_start,
    example,
    repeated_rolls,
)


class Status(StrEnum):
    PRESENT = "present"
    ABSENT = "absent"
    LATE = "late"
    EXCUSED = "excused"


_STATUS_NAMES = {status.value: status for status in Status}
_HUNDREDTH = Decimal("0.01")


def _any_case(value: Any) -> Status:
    status = _STATUS_NAMES.get(value.lower()) if isinstance(value, str) else None
    if status is None:
        raise PydanticCustomError(
            "invalid_status", "This must be present, absent, late or excused."
        )
    return status


def _score(value: Any) -> Decimal:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= 100:
        raise PydanticCustomError("invalid_score", "This must be a number from 0 to 100.")
    # Recognisers report many decimals; two are kept, as in the column.
    return Decimal(str(abs(value))).quantize(_HUNDREDTH, ROUND_HALF_UP)


def _image_place(value: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in value) or not _is_image_place(value):
        raise PydanticCustomError(
            "invalid_image_url",
            "This must be an https address, an absolute path or a file: address.",
        )
    return value


def _is_image_place(value: str) -> bool:
    if value.startswith("/"):
        return not value.startswith("//")
    try:
        parts = urlsplit(value)
        return parts.scheme == "file" or (parts.scheme == "https" and bool(parts.hostname))
    except ValueError:
        return False


Score = Annotated[
    Decimal,
    BeforeValidator(_score),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100, "examples": [92.5]}),
]
# The schema lists the four values; input may be in any letter case.
AnyCaseStatus = Annotated[Status, BeforeValidator(_any_case)]
ImagePlace = Annotated[str, Strict(), Field(max_length=2048), AfterValidator(_image_place)]


class SessionDraft(Words, json_schema_extra=example(classId=A_CLASS, startTime="09:00")):
    """The session to open. Without `startTime` the timetable decides which slot is meant."""

    class_id: Id
    session_date: StoredDate
    start_time: Clock | None = None
    end_time: Clock | None = None
    processed_image_url: ImagePlace | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end_time is not None and self.start_time is None:
            raise PydanticCustomError(
                "start_time_missing", "An end needs a start.", {"pointer": "/startTime"}
            )
        ends_after_start(self.start_time, self.end_time, "/endTime")
        return self


_SOME_MARKS = [
    {"rollNo": "23/CS/107", "status": "present", "recognizedByAi": True, "similarityScore": 92.5},
    {"rollNo": "23/CS/108", "status": "absent"},
]


class MarkUpdate(
    Words,
    json_schema_extra=example(
        rollNo="23/CS/107", status="present", recognizedByAi=True, similarityScore=92.5
    ),
):
    """A complete mark: fields left out are false or null."""

    roll_no: RollNo
    status: AnyCaseStatus
    recognized_by_ai: Annotated[bool, Strict()] = False
    similarity_score: Score | None = None
    remark: Prose | None = None


class MarkBatch(Words, json_schema_extra=example(updates=_SOME_MARKS)):
    """`reason` is for an administrator who changes marks outside the edit window."""

    updates: Annotated[list[MarkUpdate], Field(max_length=MAX_ENTRIES)]
    reason: Reason | None = None

    @model_validator(mode="after")
    def _each_roll_once(self) -> Self:
        places = repeated_rolls(update.roll_no for update in self.updates)
        if places:
            raise PydanticCustomError(
                "repeated_roll_number",
                "This roll number is in the list twice.",
                {"pointers": [f"/updates/{place}/rollNo" for place in places]},
            )
        return self


class MarkSource(StrEnum):
    """Where a mark comes from: `auto` marks were filled in when the session was finalised."""

    MANUAL = "manual"
    AI = "ai"
    AUTO = "auto"
    IMPORT = "import"
    LEAVE = "leave"


_ANOTHER_MARK = {
    "rollNo": "23/CS/108",
    "name": "Kavya C. Demo",
    "status": "absent",
    "recognizedByAi": False,
    "source": "manual",
}


class Mark(
    Answer,
    json_schema_extra=example(
        rollNo="23/CS/107",
        name="Kabir V. Demo",
        status="present",
        recognizedByAi=True,
        similarityScore=92.5,
        source="ai",
    ),
):
    roll_no: str
    name: str
    status: Status
    recognized_by_ai: bool
    similarity_score: Score | None
    remark: str | None
    source: MarkSource
    marked_at: Instant


class Rejected(Answer):
    """A roll number that was not marked.

    `not_enrolled`: not in this class. `marked_by_hand`: a photo never overrides a mark made by
    hand.
    """

    roll_no: str
    code: str


class Marks(
    Answer,
    json_schema_extra=example(version=1, statuses=[{}, _ANOTHER_MARK], rejected=[]),
):
    """All marks of the session after the request, and the rejected roll numbers."""

    session_id: SessionId
    version: int
    statuses: list[Mark]
    rejected: list[Rejected]


class SessionStatus(StrEnum):
    """Marks can change while a session is `open`. `cancelled` sessions are never counted."""

    OPEN = "open"
    FINALISED = "finalised"
    CANCELLED = "cancelled"


class _SessionHead(Answer):
    session_id: SessionId
    class_id: ClassId
    session_date: Date
    start_time: Clock | None
    end_time: Clock | None
    teacher_id: UserId
    processed_image_url: str | None
    status: SessionStatus
    version: int
    created_at: Instant


_A_SESSION = {"startTime": "09:00", "endTime": "10:00", "status": "open"}


class OpenedSession(_SessionHead, json_schema_extra=example(**_A_SESSION, version=0, created=True)):
    """`created` tells whether this request created the session."""

    created: bool


class Session(_SessionHead, json_schema_extra=example(**_A_SESSION, version=1)):
    """A session. `statusReason` says why it was cancelled or reopened."""

    status_reason: str | None
    statuses: list[Mark]


class UnmarkedStudent(Answer, json_schema_extra=example(rollNo="23/CS/109", name="Lata J. Demo")):
    roll_no: str
    name: str


class SessionDetail(Session, json_schema_extra=example(**_A_SESSION, version=1)):
    """`unmarked` lists the students who were enrolled on its day and have no mark."""

    unmarked: list[UnmarkedStudent]


class MarkState(
    Answer,
    json_schema_extra=example(status="present", recognizedByAi=False, source="manual"),
):
    status: Status
    recognized_by_ai: bool
    similarity_score: Score | None
    remark: str | None
    source: MarkSource


class MarkChange(
    Answer,
    json_schema_extra=example(
        version=2,
        rollNo="23/CS/107",
        name="Kabir V. Demo",
        **{
            "from": {
                "status": "present",
                "recognizedByAi": True,
                "similarityScore": 92.5,
                "source": "ai",
            }
        },
        to={
            "status": "late",
            "recognizedByAi": False,
            "remark": "Came at 09:20.",
            "source": "manual",
        },
        changedByName="Asha Demo",
        requestId="0b6f3a52-2f5e-4c8e-9a55-6a1f0f3b9d10",
    ),
):
    """A change of one mark, with the values before (`from`) and after (`to`); null: no mark."""

    version: int
    roll_no: str
    name: str
    from_: Annotated[MarkState | None, Field(alias="from")]
    to: MarkState | None
    changed_by: UserId
    changed_by_name: str | None
    changed_at: Instant
    request_id: str | None
    reason: str | None
