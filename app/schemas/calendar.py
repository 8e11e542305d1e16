"""Terms, holidays, and the occurrences of classes on dates."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.schemas.words import (
    Answer,
    ClassId,
    Clock,
    Date,
    Instant,
    Label,
    SessionId,
    StoredDate,
    TermId,
    Words,
    example,
)

HolidayId = Annotated[UUID, Field(examples=["d4c3b2a1-5f6e-4d7c-8b9a-1f0e2d3c4b5a"])]
_A_TERM = {"name": "Spring 2026", "firstDay": "2026-01-05", "lastDay": "2026-05-08"}
_A_HOLIDAY = {"name": "Foundation day", "firstDay": "2025-10-24", "lastDay": "2025-10-24"}


def _in_order(first_day: date | None, last_day: date | None) -> None:
    if first_day is not None and last_day is not None and last_day < first_day:
        raise PydanticCustomError(
            "ends_before_start",
            "The last day must not be before the first.",
            {"pointer": "/lastDay"},
        )


class _Draft(Words):
    name: Label
    first_day: StoredDate
    last_day: StoredDate | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _in_order(self.first_day, self.last_day)
        return self


class _Change(Words):
    name: Label | None = None
    first_day: StoredDate | None = None
    last_day: StoredDate | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _in_order(self.first_day, self.last_day)
        return self


class TermDraft(_Draft, json_schema_extra=example(**_A_TERM)):
    """A term, with its first and last day. Terms may overlap: a summer course can be one."""

    last_day: StoredDate


class HolidayDraft(_Draft, json_schema_extra=example(**_A_HOLIDAY)):
    """Days without classes. Without `lastDay` it is a single day."""


class TermChange(_Change, json_schema_extra=example(lastDay="2026-05-15")):
    """The fields of a term to change; fields left out stay as they are."""


class HolidayChange(_Change, json_schema_extra=example(name="Founders' day")):
    """The fields of a holiday to change; fields left out stay as they are."""


class _Days(Answer):
    name: str
    first_day: Date
    last_day: Date
    created_at: Instant


class Term(_Days, json_schema_extra=example(**_A_TERM)):
    """A term. A class meets only within its term."""

    id: TermId


class Holiday(_Days, json_schema_extra=example(**_A_HOLIDAY)):
    """Days on which no class meets."""

    id: HolidayId


class Calendar(Answer):
    """Terms and holidays, both by first day."""

    terms: list[Term]
    holidays: list[Holiday]


class OccurrenceState(StrEnum):
    """The state of an occurrence: the first of these that applies, in this order."""

    CANCELLED = "cancelled"
    TAKEN = "taken"
    MOVED = "moved"
    HOLIDAY = "holiday"
    UPCOMING = "upcoming"
    IN_PROGRESS = "in_progress"
    MISSING = "missing"


class Moved(Answer, json_schema_extra=example(date="2025-10-22", start="15:00", end="16:00")):
    """Where an occurrence was moved to or from."""

    date: Date
    start: Clock
    end: Clock


class Occurrence(
    Answer,
    json_schema_extra=example(
        code="CS301",
        name="Operating Systems",
        section="A",
        date="2025-10-20",
        start="09:00",
        end="10:00",
        startsAt="2025-10-20T03:30:00Z",
        endsAt="2025-10-20T04:30:00Z",
        state="taken",
    ),
):
    """A slot of a class on a date. `startsAt` and `endsAt` are its local times as instants.

    An occurrence that was moved away stays on its original date, as `moved`; the one on the new
    date has `movedFrom`.
    """

    class_id: ClassId
    code: str
    name: str
    section: str
    date: Date
    start: Clock
    end: Clock
    starts_at: Instant
    ends_at: Instant
    state: OccurrenceState
    session_id: SessionId | None
    moved_to: Moved | None
    moved_from: Moved | None
    holiday: str | None


class Plan(Answer):
    """A class and its occurrences."""

    code: str
    name: str
    section: str
    occurrences: list[Occurrence]
