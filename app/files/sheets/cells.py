"""Reads the contents of cells: dates, times, weekdays, marks, and text checked by models."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

_OF_ROWS = {
    "invalid_date": "This is not a date: write it as 2025-08-31 or 31/08/2025.",
    "other_weekday": "This date is not on that day of the week.",
    "invalid_time": "This is not a time of day in whole minutes: write it as 14:30.",
    "night_time": "This is a time at night. Write 13:30 for the afternoon, or 1:30 am.",
    "invalid_day": "This is not a day of the week: write Monday, or 1 for it.",
    "invalid_status": "This is not a mark: write P, A, L, E or OD.",
    "invalid_minutes": "This is not a length of time: write 58, or 1h 42m.",
    "invalid_role": "The role has to be teacher or admin.",
    "number_and_name": "This cell holds a number and a name. Put names in a column of their own.",
    "shortened_number": "A spreadsheet has changed this number. Format its column as text.",
    "heading_unknown": "There are marks below this heading, which names no session. "
    "Give it a date, or remove the column.",
    "other_legend": "This legend contradicts AIMS, which reads P, A, L, E and OD as present, "
    "absent, late, excused and on duty. Replace the letters in the file.",
    "required": "This is required.",
    "blank": "This must not be blank.",
    "too_long": "This is too long.",
}
_CODES = {
    "missing": "required",
    "string_too_short": "blank",
    "string_too_long": "too_long",
    "enum": "invalid_role",
}


class CellError(Exception):
    """A cell that cannot be read, with the stable code of the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = _OF_ROWS[code]


_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%d-%B-%Y", "%d.%m.%y", "%d %b %y"),
)
_CLOCK = re.compile(r"([0-9]{1,2})[:.]([0-9]{2})(?::00)? ?([ap]\.?m\.?)?", re.IGNORECASE)
_SESSION = re.compile(
    r"(.*?[0-9]{2})(?:[ T(,]+([0-9]{1,2}[:.][0-9]{2}(?: ?[ap]\.?m\.?)?)(?: ?[-–] ?[^ ]+)?\)?)?",
    re.IGNORECASE,
)
# A date with or without its year, whatever else the heading says: `Mon 04/08/2025`, `4-Aug`.
_DATED = re.compile(
    r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{2,4}"
    r"|[0-9]{1,2}[-/. ]?(jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)\b"
    r"|[0-9]{1,2}[-/. ]?(january|february|march|april|august|september|october|november|december)",
    re.IGNORECASE,
)
_LONGEST_HEADING = 60
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_WORDS = {
    "present": "p|present|pr|1|y|yes|true|✓|✔",
    "absent": "a|absent|ab|abs|0|n|no|false",
    "late": "l|late",
    "excused": "e|ex|excused|leave|on leave|ml|medical|medical leave",
    "on_duty": "od|on duty|duty|duty leave|dl",
}
_MARKS = {text: word for word, texts in _WORDS.items() for text in texts.split("|")}
_NOTHING = frozenset({"", "-", "–", "—", "na", "n/a"})


@lru_cache(4096)  # a column has few different dates
def read_date(text: str) -> date:
    """A date: the year first, or the day first as India writes it, or with the month's name."""
    for pattern in _DATES if len(text) <= _LONGEST_HEADING else ():
        try:
            day = datetime.strptime(text, pattern).date()
        except ValueError:
            continue
        if 1900 <= day.year <= 2200:
            return day
    raise CellError("invalid_date")


_MINUTES = re.compile(r"(?:(\d{1,2}) ?h\w*)? ?(?:(\d{1,4}) ?m\w*)? ?(?:(\d{1,2}) ?s\w*)?")
_HOURS = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})")


def read_minutes(text: str) -> int:
    """A length of time in whole minutes: 58, 1h 42m 3s, 01:42:03."""
    text = text.strip().lower()
    if text.isascii() and text.isdigit():
        return int(text)
    match = _HOURS.fullmatch(text) or _MINUTES.fullmatch(text)
    if match is None or not any(match.groups()):
        raise CellError("invalid_minutes")
    hours, minutes, _ = (int(part or 0) for part in match.groups())
    return 60 * hours + minutes


@lru_cache(4096)
def read_clock(text: str) -> time:
    """A time of day: 9:00, 09:00, 9.00, 2:30 pm."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise CellError("invalid_time")
    hour, minute, half = int(match[1]), int(match[2]), (match[3] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise CellError("invalid_time")
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 23 or minute > 59:
        raise CellError("invalid_time")
    return time(hour, minute)


def read_weekday(text: str) -> int:
    """A day of the week by its name, three or more letters of it, or its number: 1 is Monday."""
    word = text.strip().lower().rstrip(".")
    if word in ("1", "2", "3", "4", "5", "6", "7"):
        return int(word)
    for number, day in enumerate(_DAYS, start=1):
        if len(word) >= 3 and day.startswith(word):
            return number
    raise CellError("invalid_day")


def read_mark(text: str) -> str | None:
    """A key of `LETTERS`; None if the cell says nothing about the student."""
    word = re.sub(r"[\s_]+", " ", text.strip().casefold())
    if word in _NOTHING:
        return None
    if word not in _MARKS:
        raise CellError("invalid_status")
    return _MARKS[word]


def read_session(text: str) -> tuple[date, time | None] | None:
    """The date and, if given, the start of a session from the heading of its column.

    None for any other heading. Raises `CellError` for a heading that looks like a date but cannot
    be read, since skipping it would lose a column of marks.
    """
    if len(text) > _LONGEST_HEADING:
        return None
    try:
        if match := _SESSION.fullmatch(text):
            return read_date(match[1].strip()), read_clock(match[2]) if match[2] else None
        raise CellError("invalid_date")
    except CellError:
        if _DATED.search(text):
            raise
        return None


# Scientific notation has a sign or a fraction; `20E1032` and `19E51A0501` are roll numbers.
_POWER_OF_TEN = re.compile(r"[0-9]+([.,][0-9]+[Ee][+-]?|[Ee][+-])[0-9]+")
_WHOLE_AS_FRACTION = re.compile(r"([0-9]+)[.,]0+")
_FRACTION = re.compile(r"[0-9]+[.,][0-9]+")
# A spreadsheet keeps 15 digits of a number and replaces the others with zeros.
_CUT_OFF = re.compile(r"[0-9]{15}0+")
_MARKED_AS_TEXT = re.compile(r"['’‘]([0-9A-Za-z].*)")
_NUMBER_AND_WORDS = re.compile(
    r"\S*[0-9]\S*(?:\s+[^\W\d_]+\.?)*\s+[^\W\d_]{3,}(?:\s+[^\W\d_]+\.?)*"
)


def read_code(text: str) -> str:
    """A number or code, such as a roll number or a phone number. All of them are read here.

    What a spreadsheet adds is removed (`'0091`, `91103.0`); a number that it has damaged is refused
    (`2.31E+10`, `91103.5`, zeros after fifteen digits), since digits are lost.
    """
    if match := _MARKED_AS_TEXT.fullmatch(text):
        text = match[1]
    if _POWER_OF_TEN.fullmatch(text):
        raise CellError("shortened_number")
    if match := _WHOLE_AS_FRACTION.fullmatch(text):
        text = match[1]
    if _FRACTION.fullmatch(text) or _CUT_OFF.fullmatch(text):
        raise CellError("shortened_number")
    return text


def read_roll_alone(text: str) -> str:
    """A roll number in a sheet without a column of names: the cell must not contain a name."""
    if _NUMBER_AND_WORDS.fullmatch(text):
        raise CellError("number_and_name")
    return read_code(text)


def checked(model: type[M], values: Mapping[str, Any]) -> M | list[tuple[str, str, str]]:
    """The model of the values, or its errors: the field, a stable code and a sentence."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        return list(_flaws(model, error))


def _flaws(model: type[BaseModel], error: ValidationError) -> Iterator[tuple[str, str, str]]:
    names = {field.alias: name for name, field in model.model_fields.items()}
    for item in error.errors(include_url=False, include_input=False):
        code = _CODES.get(item["type"], item["type"])
        place = str(item["loc"][0]) if item["loc"] else _place(item)
        yield names.get(place, place), code, _OF_ROWS.get(code, item["msg"])


def _place(item: ErrorDetails) -> str:
    """The field that a validator of the whole model names by a JSON pointer."""
    return str(item.get("ctx", {}).get("pointer", "")).strip("/")
