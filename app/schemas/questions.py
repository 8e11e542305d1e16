"""Questions of students about their marks."""

from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.schemas.attendance import AnyCaseStatus, Status
from app.schemas.words import (
    A_CLASS,
    A_SESSION,
    Answer,
    ClassId,
    Clock,
    Date,
    Id,
    Instant,
    Reason,
    Sentence,
    SessionId,
    StudentId,
    UserId,
    Words,
    example,
)

QuestionId = Annotated[UUID, Field(examples=["4a9d1c7e-8b35-4f60-9e2a-c6d0b7f3a518"])]


class QuestionStatus(StrEnum):
    """`open` until it is answered: the mark was `changed`, or that was `declined`. Or the student
    has `withdrawn` it."""

    OPEN = "open"
    CHANGED = "changed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class Outcome(StrEnum):
    """How a question is answered."""

    CHANGED = "changed"
    DECLINED = "declined"


class QuestionState(Answer, json_schema_extra=example(status="open")):
    id: QuestionId
    status: QuestionStatus


class QuestionDraft(
    Words,
    json_schema_extra=example(
        classId=A_CLASS, sessionId=A_SESSION, text="I was there, in the last row."
    ),
):
    """What is wrong with the student's own mark in that session."""

    class_id: Id
    session_id: Id
    text: Sentence


_ASKED = {
    "code": "CS301",
    "date": "2025-10-20",
    "start": "09:00",
    "text": "I was there, in the last row.",
    "said": "absent",
    "mark": "absent",
    "status": "open",
}


class MyQuestion(Answer, json_schema_extra=example(**_ASKED)):
    """A question of the student's. `said` is the mark when they asked, `mark` what it is now."""

    id: QuestionId
    class_id: ClassId
    code: str
    session_id: SessionId
    date: Date
    start: Clock | None
    text: str
    said: Status
    mark: Status | None
    status: QuestionStatus
    asked_at: Instant
    answer: str | None
    answered_at: Instant | None


class Question(
    Answer,
    json_schema_extra=example(**_ASKED, section="A", rollNo="23/CS/107", name="Kabir V. Demo"),
):
    """The same as staff see it."""

    id: QuestionId
    class_id: ClassId
    code: str
    section: str
    session_id: SessionId
    date: Date
    start: Clock | None
    student_id: StudentId
    roll_no: str
    name: str
    text: str
    said: Status
    mark: Status | None
    status: QuestionStatus
    asked_at: Instant
    answer: str | None
    answered_by: UserId | None
    answered_at: Instant | None


class QuestionAnswer(Words, json_schema_extra=example(outcome="changed", status="present")):
    """`changed` gives the mark its new `status`; `declined` says why in `answer`.

    `reason` is for an administrator who changes marks outside the edit window.
    """

    outcome: Outcome
    answer: Sentence | None = None
    status: AnyCaseStatus | None = None
    reason: Reason | None = None

    @model_validator(mode="after")
    def _what_the_outcome_needs(self) -> Self:
        if self.outcome is Outcome.DECLINED and self.answer is None:
            raise _refused("required", "Say why not.", "answer")
        if self.outcome is Outcome.DECLINED and self.status is not None:
            raise _refused("status_not_changed", "The mark stays: leave the status out.", "status")
        if self.outcome is Outcome.CHANGED and self.status is None:
            raise _refused("required", "Say what the mark is now.", "status")
        return self


def _refused(code: str, sentence: str, field: str) -> PydanticCustomError:
    return PydanticCustomError(code, sentence, {"pointer": f"/{field}"})
