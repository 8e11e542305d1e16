"""The field types of the API: how JSON represents names, dates, times, text and roll numbers.

Every error raised here is a `PydanticCustomError` whose type is the stable `code` of the answer
and whose text never repeats the input.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

MAX_NAME = 200
MAX_TEXT = 255
MAX_REMARK = 1000
MAX_SENTENCE = 500
MAX_EMAIL = 254
MAX_ENTRIES = 2000
# A key has to fit into a B-tree entry of PostgreSQL (2,704 bytes) along with other columns.
MAX_ROLL_KEY_BYTES = 1020

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Unicode's category Cc, and lone surrogates, which a terminal may let through.
_CONTROLS = "[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]"
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00)?")


def example(**values: Any) -> dict[str, Any]:
    """Example values of a model for OpenAPI, by JSON name; the types provide the others."""
    return {"example": values}


class Words(BaseModel):
    """Base of request models: camelCase or snake_case names, no unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid"
    )


class Answer(BaseModel):
    """Base of answer models: camelCase names, every field is always present."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid"
    )


# Letters that look like these capitals, and the dashes and slashes that office programs insert.
_LOOK_ALIKES = str.maketrans(
    "АВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‐‑‒–—―−⁄∕⧸",
    "ABEKMHOPCTYXIJSABEZHIKMNOPTYX-------///",
)


@lru_cache(4096)  # a batch computes the key of each of its roll numbers three times
def roll_key(roll_no: str) -> str:
    """The key by which roll numbers are compared, stored as `students.roll_key`: case-folded, with
    full-width or foreign letters, dashes and slashes replaced by their ASCII look-alikes.

    Migration 0011 applies the same rule to the keys stored before it.
    """
    text = unicodedata.normalize("NFKC", roll_no)
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf").strip()
    folded = visible.upper().translate(_LOOK_ALIKES).casefold()
    return unicodedata.normalize("NFC", folded)


def is_address(text: str) -> bool:
    """Whether the text can be an e-mail address: ASCII, of the form `name@domain.tld`."""
    local, at, domain = text.rpartition("@")
    return (
        bool(local and at and "." in domain)
        and text.isascii()
        and text.isprintable()
        and " " not in text
        and len(text) <= MAX_EMAIL
    )


def is_name(text: str) -> bool:
    """Whether the text can be a name: not too long, and without control characters.

    The characters that join letters in many scripts are not control characters.
    """
    return len(text) <= MAX_NAME and re.search(_CONTROLS, text) is None


def visible(text: str) -> str:
    """The text without control characters and surrounding white space."""
    return re.sub(_CONTROLS, "", text).strip()


def is_blank(text: str | None) -> bool:
    return text is None or not text.strip()


def repeated_rolls(roll_numbers: Iterable[str]) -> list[int]:
    """The positions of duplicate roll numbers, except the first of each."""
    seen: set[str] = set()
    places = []
    for place, key in enumerate(map(roll_key, roll_numbers)):
        if key in seen:
            places.append(place)
        seen.add(key)
    return places


def _refuse_control(*, but: str = "") -> Callable[[str], str]:
    find = re.compile(f"(?![{but}]){_CONTROLS}" if but else _CONTROLS).search

    def check(text: str) -> str:
        if find(text):
            raise PydanticCustomError("control_character", "Control characters are not allowed.")
        return text

    return check


def _exact_date(value: Any) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("invalid_date", "This must be a valid date: YYYY-MM-DD.")


def _finite(value: date) -> date:
    # asyncpg writes the first and the last date of the calendar as PostgreSQL's infinities.
    if value in (date.min, date.max):
        raise PydanticCustomError("invalid_date", "This date is too far away.")
    return value


def _exact_time(value: Any) -> time:
    if isinstance(value, str) and _TIME.fullmatch(value):
        return time.fromisoformat(value)
    raise PydanticCustomError(
        "invalid_time", "This must be a time of day in whole minutes, as HH:MM."
    )


def _exact_uuid(value: Any) -> UUID:
    if isinstance(value, str) and len(value) == 36:
        try:
            return UUID(value)
        except ValueError:
            pass
    raise PydanticCustomError("invalid_id", "This must be an id: a UUID with its hyphens.")


def _address(text: str) -> str:
    if not is_address(text):
        raise PydanticCustomError("invalid_email", "This must be an e-mail address.")
    return text


def _usable_key(roll_no: str) -> str:
    key = roll_key(roll_no)
    if not key:
        raise PydanticCustomError("blank", "This must not be blank.")
    if len(key.encode()) > MAX_ROLL_KEY_BYTES:
        raise PydanticCustomError("string_too_long", "This is too long.")
    return roll_no


def _not_blank(text: str) -> str:
    if is_blank(text):
        raise PydanticCustomError("blank", "This must not be blank.")
    return text


_VISIBLE = AfterValidator(_refuse_control())
_PROSE = AfterValidator(_refuse_control(but="\n\r\t"))

Name = Annotated[str, Strict(), Field(max_length=MAX_NAME), _VISIBLE]
Text = Annotated[str, Strict(), Field(max_length=MAX_TEXT), _VISIBLE]
Prose = Annotated[str, Strict(), Field(max_length=MAX_REMARK), _PROSE]
Reason = Annotated[Prose, AfterValidator(_not_blank)]
Sentence = Annotated[
    str, Strict(), Field(max_length=MAX_SENTENCE), _PROSE, AfterValidator(_not_blank)
]
# Identifiers are stripped of surrounding white space, which phone keyboards like to add.
Label = Annotated[
    str,
    Strict(),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT),
    _VISIBLE,
]
Email = Annotated[
    str,
    Strict(),
    StringConstraints(strip_whitespace=True),
    AfterValidator(_address),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_EMAIL}),
    Field(examples=["asha@demo.university.example"]),
]
RollNo = Annotated[Label, AfterValidator(_usable_key), Field(examples=["23/CS/107"])]

FilledName = Annotated[Name, AfterValidator(_not_blank)]

Date = Annotated[
    date,
    BeforeValidator(_exact_date),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2025-10-20"]}),
]
StoredDate = Annotated[Date, AfterValidator(_finite)]
Clock = Annotated[
    time,
    BeforeValidator(_exact_time),
    PlainSerializer(lambda moment: moment.strftime("%H:%M"), return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$",
            "examples": ["09:00"],
        }
    ),
]
Id = Annotated[
    UUID, BeforeValidator(_exact_uuid), WithJsonSchema({"type": "string", "format": "uuid"})
]
Instant = Annotated[
    datetime,
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2025-10-20T03:31:07.518204Z"]}
    ),
]

# One example id per kind of thing, so that the examples in the documentation are consistent.
A_CLASS = "3f0a4a57-5b6c-4a0e-9d0c-1f6a2f0c7c11"
A_SESSION = "8d1f6c52-7a3e-4f0b-b0c4-52d1b7a9e620"
A_STUDENT = "c2e7a9b4-16d8-4b7f-8f3a-9b0d5e4c3a21"
A_TERM = "b7a1d2c3-6e4f-4a5b-8c9d-0e1f2a3b4c5d"
A_TEACHER = "6b4d2f10-93c5-4e8a-a7d6-0c1b2a3f4e5d"
ClassId = Annotated[UUID, Field(examples=[A_CLASS])]
SessionId = Annotated[UUID, Field(examples=[A_SESSION])]
StudentId = Annotated[UUID, Field(examples=[A_STUDENT])]
TermId = Annotated[UUID, Field(examples=[A_TERM])]
UserId = Annotated[UUID, Field(examples=[A_TEACHER])]


def ends_after_start(start: time | None, end: time | None, pointer: str) -> None:
    """Raise an error at `pointer` unless the slot ends after it starts, on the same date."""
    if start is not None and end is not None and end <= start:
        raise PydanticCustomError(
            "ends_before_start", "The end must be after the start.", {"pointer": pointer}
        )
