"""The demo's calendar around the day of its creation: a past term, the current one, holidays."""

from datetime import date, timedelta
from typing import NamedTuple

WEEKS = 8  # of the current term that are over
_WEEKS_AHEAD = 8
# More than half a year, so that the terms have different names on any day.
_BETWEEN_TERMS = timedelta(weeks=27)


class Days(NamedTuple):
    """A term or a holiday, both days included."""

    name: str
    first: date
    last: date


def terms(today: date) -> tuple[Days, Days]:
    """The past term and the current one."""
    first = today - timedelta(weeks=WEEKS)
    length = timedelta(weeks=WEEKS + _WEEKS_AHEAD, days=-1)
    past = first - _BETWEEN_TERMS
    return Days(_season(past), past, past + length), Days(_season(first), first, first + length)


def _season(day: date) -> str:
    return f"{'Spring' if day.month <= 6 else 'Autumn'} {day.year}"


def holidays(today: date) -> tuple[Days, ...]:
    """A past day on which classes would have met, and some days in the future."""
    founded, harvest = weekday_of(-6, 1, today), weekday_of(3, 1, today)
    return (
        Days("Foundation day", founded, founded),
        Days("Harvest festival", harvest, harvest + timedelta(days=2)),
    )


def weekday_of(week: int, weekday: int, today: date) -> date:
    """The date of the ISO `weekday` in the week that is `week` weeks from the current one."""
    return today + timedelta(weeks=week, days=weekday - today.isoweekday())
