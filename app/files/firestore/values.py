"""Look up values in documents by the places of the mapping, and parse them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# Smaller numbers are seconds: as milliseconds they would be instants of early 1973 or before.
_LEAST_MILLISECONDS = 100_000_000_000
_RANGE = re.compile(r"(.+?)\s*(?:-|–|—|\bto\b)\s*(.+)")


@dataclass(frozen=True, slots=True)
class Item:
    """Something with fields: a document, or an entry of a list or map in one."""

    fields: Any
    key: str = ""
    parent: str = ""

    def at(self, places: list[str]) -> Any:
        """The first value found at one of the places; None if all are empty."""
        for place in places:
            value = self._special(place) if place.startswith("@") else self._field(place)
            if (
                value is not None
                and value != ""
                and not (isinstance(value, str) and value.isspace())
            ):
                return value
        return None

    def _special(self, place: str) -> str:
        if place == "@parent":
            return self.parent
        before, underscore, after = self.key.rpartition("_")
        if place in ("@before", "@after"):
            return (before if place == "@before" else after) if underscore else ""
        return self.key

    def _field(self, place: str) -> Any:
        if not isinstance(self.fields, dict):
            return None
        if place in self.fields:
            return self.fields[place]
        value: Any = self.fields
        for name in place.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value


def entries(value: Any) -> Iterator[Item]:
    """The entries of a list, or of a map with their keys."""
    if isinstance(value, dict):
        for key, entry in value.items():
            for one in entry if isinstance(entry, list) else [entry]:
                yield Item(one, key)
    elif isinstance(value, list):
        for entry in value:
            yield Item(entry, str(entry) if isinstance(entry, str | int) else "")


def text_of(value: Any) -> Any:
    """Text as it is, a number as text; anything else unchanged, to be refused later."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    return str(value) if abs(value) < 10**20 else value


def last_segment(value: Any) -> str:
    """The id that a text, a number or a path to a document names."""
    text = text_of(value)
    return text.strip().rpartition("/")[2] if isinstance(text, str) else ""


class Reader:
    """Reads dates and times of day in the time zone of the institution."""

    def __init__(self, zone: ZoneInfo, dates: list[str], times: list[str]) -> None:
        self._zone, self._dates, self._times = zone, tuple(dates), tuple(times)

    def date_of(self, value: Any) -> date | None:
        """The date of an instant, Unix time (seconds or milliseconds) or text; None for others."""
        if isinstance(value, str):
            found = _date_of(value.strip(), self._dates)
            return self._local(found).date() if isinstance(found, datetime) else found
        moment = self._moment(value)
        return moment.date() if moment else None

    def time_of(self, value: Any) -> time | None:
        """The time of day, in whole minutes, of text, an instant, or a map of hour and minute."""
        if isinstance(value, dict) and value.keys() >= {"hour", "minute"}:
            value = f"{value['hour']}:{value['minute']}"
        if isinstance(value, str):
            found = _time_of(value.strip(), self._times)
            if isinstance(found, datetime):
                found = self._local(found).time()
        else:
            moment = self._moment(value)
            found = moment.time() if moment else None
        return found.replace(second=0, microsecond=0, tzinfo=None) if found else None

    def range_of(self, value: Any) -> tuple[time | None, time | None]:
        """Start and end of text like `9:00 - 10:00`."""
        match = _RANGE.fullmatch(value.strip()) if isinstance(value, str) else None
        return (self.time_of(match[1]), self.time_of(match[2])) if match else (None, None)

    def _moment(self, value: Any) -> datetime | None:
        if isinstance(value, datetime):
            return self._local(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        try:
            seconds = value / 1000 if abs(value) >= _LEAST_MILLISECONDS else value
            return self._local(_BEGINNING + timedelta(seconds=seconds))
        except (OverflowError, ValueError):
            return None

    def _local(self, moment: datetime) -> datetime:
        """The moment in the institution's time zone; one without a zone is already local."""
        try:
            return moment.astimezone(self._zone) if moment.tzinfo else moment
        except OverflowError:  # the first or last day of the calendar
            return moment


@lru_cache(4096)
def _date_of(text: str, formats: tuple[str, ...]) -> date | datetime | None:
    """The date of the first format that fits, or the instant or local time of ISO 8601."""
    for form in formats:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    return _iso(text)


@lru_cache(4096)
def _time_of(text: str, formats: tuple[str, ...]) -> time | datetime | None:
    # Flutter writes TimeOfDay(09:00), and a narrow no-break space before AM.
    text = re.sub(r"\s+", " ", text.removeprefix("TimeOfDay(").removesuffix(")")).upper()
    text = text.replace("A.M.", "AM").replace("P.M.", "PM")
    for form in formats:
        try:
            return datetime.strptime(text, form).time()
        except ValueError:
            continue
    return _iso(text) if len(text) > len("2025-10-20") else None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
