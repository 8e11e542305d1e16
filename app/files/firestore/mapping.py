"""The mapping: what the fields and words of an export mean. `mapping.toml` is the default."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from app.errors import Invalid
from app.schemas.words import Label

PACKAGED = Path(__file__).with_name("mapping.toml")
MAX_BYTES = 2**20

_SPECIAL = {"@id", "@key", "@parent", "@before", "@after"}
_DATE_SIGNS = {"%d", "%m", "%Y", "%y", "%b", "%B", "%%"}
_TIME_SIGNS = {"%H", "%I", "%M", "%S", "%p", "%%"}


def _is_place(place: str) -> str:
    if not place or (place.startswith("@") and place not in _SPECIAL):
        raise ValueError("This must be a field, or one of @id, @key, @parent, @before, @after.")
    return place


def _lower(word: str) -> str:
    return word.strip().lower()


def _format_of(signs: set[str]) -> AfterValidator:
    def check(text: str) -> str:
        if not set(re.findall("%.?", text, re.DOTALL)) <= signs:
            known = " ".join(sorted(signs))
            raise ValueError(f"Only these signs may be in it: {known}.")
        return text

    return AfterValidator(check)


Places = list[Annotated[str, AfterValidator(_is_place)]]
Spellings = list[Annotated[str, AfterValidator(_lower)]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Collections(_Part):
    classes: list[str]
    attendance: list[str]
    reschedules: list[str]
    teachers: list[str]


class ClassPlaces(_Part):
    code: Places
    name: Places
    section: Places
    ltp_pattern: Places
    teacher_type: Places
    practical_group: Places
    teacher: Places
    schedule: Places
    reschedules: Places
    students: Places
    without_section: Label


class SlotPlaces(_Part):
    day: Places
    start: Places
    end: Places


class MovePlaces(_Part):
    class_: Annotated[Places, Field(alias="class")]
    original_date: Places
    original_start: Places
    new_date: Places
    new_start: Places
    new_end: Places
    reason: Places


class StudentPlaces(_Part):
    roll_no: Places
    name: Places
    photo_url: Places
    program: Places
    sp_code: Places
    semester: Places
    status: Places
    duration: Places
    email: Places
    dtu_email: Places
    phone: Places


class AttendancePlaces(_Part):
    class_: Annotated[Places, Field(alias="class")]
    date: Places
    start: Places
    end: Places
    marks: Places
    roll_no: Places
    status: Places
    image: Places


class TeacherPlaces(_Part):
    uid: Places
    email: Places
    name: Places


class StatusWords(_Part):
    present: Spellings
    absent: Spellings
    late: Spellings
    excused: Spellings
    on_duty: Spellings
    unmarked: Spellings


class DayWords(_Part):
    monday: Annotated[Spellings, Field(alias="1")]
    tuesday: Annotated[Spellings, Field(alias="2")]
    wednesday: Annotated[Spellings, Field(alias="3")]
    thursday: Annotated[Spellings, Field(alias="4")]
    friday: Annotated[Spellings, Field(alias="5")]
    saturday: Annotated[Spellings, Field(alias="6")]
    sunday: Annotated[Spellings, Field(alias="7")]


class Formats(_Part):
    dates: list[Annotated[str, _format_of(_DATE_SIGNS)]]
    times: list[Annotated[str, _format_of(_TIME_SIGNS)]]


class Mapping(_Part):
    """`mapping.toml` explains every key."""

    project: str
    collections: Collections
    class_: Annotated[ClassPlaces, Field(alias="class")]
    slot: SlotPlaces
    reschedule: MovePlaces
    student: StudentPlaces
    attendance: AttendancePlaces
    teacher: TeacherPlaces
    status: StatusWords
    day: DayWords
    formats: Formats
    passed_over: list[str] = ["id", "createdAt", "updatedAt", "timestamp"]

    def collection_of(self, path: str) -> str | None:
        """What the documents of a collection are: `classes`, `attendance` ..., or None."""
        for kind, patterns in self.collections.model_dump().items():
            if any(_matches(pattern, path) for pattern in patterns):
                return str(kind)
        return None

    def statuses(self) -> dict[str, str]:
        """The status that each word stands for."""
        return _by_word(self.status.model_dump())

    def days(self) -> dict[str, int]:
        """The day of the week that each word stands for, 1 = Monday."""
        return {
            word: int(day) for word, day in _by_word(self.day.model_dump(by_alias=True)).items()
        }


def _matches(pattern: str, path: str) -> bool:
    wanted, parts = pattern.strip("/").split("/"), path.split("/")
    return len(wanted) == len(parts) and all(
        want in ("*", part) for want, part in zip(wanted, parts, strict=True)
    )


def _by_word(lists: dict[str, list[str]]) -> dict[str, str]:
    return {word: meaning for meaning, words in lists.items() for word in words}


def read_mapping(content: bytes) -> Mapping:
    """Read a mapping from TOML; `Invalid` names the first key that is wrong."""
    if len(content) > MAX_BYTES:
        raise _wrong("It is larger than 1 MiB.")
    try:
        return Mapping.model_validate(tomllib.loads(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise _wrong("It is not UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"It is not TOML: {error}.") from None
    except RecursionError:
        raise _wrong("It is nested too deeply.") from None
    except ValidationError as refused:
        first: Any = refused.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise _wrong(f"{key}: {message}.") from None


def _wrong(why: str) -> Invalid:
    return Invalid(f"The mapping cannot be used. {why}", code="invalid_mapping")
