"""What lists are asked with in an address: a range of dates, a text, and where to go on."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import wraps
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from app.errors import Invalid
from app.schemas.words import MAX_ROLL_KEY_BYTES, StoredDate

After = TypeVar("After")

MAX_PAGE = 200
# An id and the key of a roll number, which case folding may make three times as long.
MAX_CURSOR = 37 + MAX_ROLL_KEY_BYTES

_NUMBER = re.compile("[0-9]{1,9}")
_SESSION = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2})?")
_MEETING = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2})?~([0-9a-f-]{36})")
_OCCURRENCE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2})~([0-9a-f-]{36})")
_DAY = TypeAdapter(StoredDate)


def check_range(first: date | None, last: date | None) -> None:
    """Refuse a range that ends before it begins."""
    if first is not None and last is not None and first > last:
        raise refused_query("from", "range_reversed", "The range ends before it begins.")


def past_range(
    first: date | None, last: date | None, today: date, most_days: int
) -> tuple[date | None, date]:
    """The range up to today at the latest; refused if it is reversed or has more days than this."""
    check_range(first, last or today)
    last = min(last or today, today)
    if first is not None and (last - first).days >= most_days:
        sentence = f"Ask for at most {most_days} days at a time."
        raise refused_query("to", "range_too_long", sentence)
    return first, last


def check_text(text: str | None, name: str = "query") -> None:
    """Refuse NUL characters, which PostgreSQL cannot store in text."""
    if "\0" in (text or ""):
        raise refused_query(name, "control_character", "Control characters are not allowed.")


def cursor_of(parse: Callable[[str], After]) -> Callable[[str | None], After | None]:
    """The reading of a list's cursors: None is where the list begins, and what `parse` cannot read
    is refused."""

    @wraps(parse)
    def read(cursor: str | None) -> After | None:
        if cursor is None:
            return None
        if "\0" in cursor:
            raise _bad_cursor()
        try:
            return parse(cursor)
        except (ValueError, OverflowError):
            raise _bad_cursor() from None

    return read


def matched(pattern: re.Pattern[str], cursor: str) -> re.Match[str]:
    """The whole cursor as the pattern has it, or else a `ValueError`."""
    found = pattern.fullmatch(cursor)
    if found is None:
        raise ValueError(cursor)
    return found


@cursor_of
def text_cursor(cursor: str) -> str:
    """The cursor of a list by a text: that text."""
    return cursor


@cursor_of
def instant_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Parse the cursor of a list by time: instant and id."""
    at, _, entry_id = cursor.partition("~")
    # Ours are in UTC; another offset could lead past the first or the last year.
    return datetime.fromisoformat(at).astimezone(UTC), UUID(entry_id)


@cursor_of
def class_cursor(cursor: str) -> tuple[UUID, str]:
    """Parse the cursor of a list of students: class and roll key."""
    class_id, _, roll_key = cursor.partition("~")
    return UUID(class_id), roll_key


@cursor_of
def id_cursor(cursor: str) -> UUID:
    """Parse the cursor of a list that goes on after something by its id."""
    return UUID(cursor)


@cursor_of
def session_cursor(cursor: str) -> tuple[date, time | None]:
    """Parse the cursor of a list of sessions of one class: date and start."""
    found = matched(_SESSION, cursor)
    return date.fromisoformat(found[1]), time.fromisoformat(found[2]) if found[2] else None


@cursor_of
def meeting_cursor(cursor: str) -> tuple[date, time | None, UUID]:
    """Parse the cursor of a list of sessions of several classes: date, start and id."""
    day, start, session_id = matched(_MEETING, cursor).groups()
    return date.fromisoformat(day), time.fromisoformat(start) if start else None, UUID(session_id)


@cursor_of
def occurrence_cursor(cursor: str) -> tuple[date, time, UUID]:
    """Parse the cursor of a list of occurrences: date, start and class."""
    day, start, class_id = matched(_OCCURRENCE, cursor).groups()
    return _DAY.validate_python(day), time.fromisoformat(start), UUID(class_id)


@cursor_of
def number_cursor(cursor: str) -> int:
    """Parse the cursor of a list whose entries are numbered."""
    return int(matched(_NUMBER, cursor)[0])


def _bad_cursor() -> Invalid:
    return refused_query(
        "cursor", "invalid_cursor", "Use the cursor exactly as the Link header gives it."
    )


def refused_query(name: str, code: str, sentence: str) -> Invalid:
    return Invalid.at(f"/query/{name}", code, sentence)
