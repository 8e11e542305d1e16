"""When a class meets, as an iCalendar file (RFC 5545)."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone

from app.schemas.calendar import Occurrence, OccurrenceState, Plan


def written(plan: Plan, zone: ZoneInfo, now: datetime) -> bytes:
    """The plan of a class as a file for calendars, in the institution's local time."""
    meetings = [met for met in plan.occurrences if _takes_place(met)]
    calendar = Calendar()
    calendar.add("prodid", "-//AIMS//Attendance//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"{plan.code} {plan.name}")
    years = [met.date.year for met in meetings] or [now.year]
    calendar.add_component(_timezone(zone, min(years), max(years)))
    for met in meetings:
        calendar.add_component(_event(met, zone, now))
    return bytes(calendar.to_ical())


def _takes_place(met: Occurrence) -> bool:
    return met.moved_to is None and met.state is not OccurrenceState.HOLIDAY


def _event(met: Occurrence, zone: ZoneInfo, now: datetime) -> Event:
    event = Event()
    event.add("uid", _uid(met))
    event.add("dtstamp", now)
    event.add("dtstart", datetime.combine(met.date, met.start, zone))
    event.add("dtend", datetime.combine(met.date, met.end, zone))
    event.add("summary", f"{met.code} {met.name} ({met.section})")
    cancelled = met.state is OccurrenceState.CANCELLED
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    return event


def _uid(met: Occurrence) -> str:
    """The id by the slot in the timetable, so that a moved occurrence stays the same event."""
    slot = met.moved_from or met
    return f"{slot.date:%Y%m%d}T{slot.start:%H%M}-{met.class_id}@aims"


@lru_cache(64)  # where clocks never change, the library searches for a change until the year 9999
def _timezone(zone: ZoneInfo, first: int, last: int) -> Timezone:
    """The VTIMEZONE for these years, with each change in the local time before it (RFC 5545).

    The library gives it in the local time after the change, an hour late when clocks go forward.
    """
    january, december = date(max(first - 1, 1), 1, 1), date(min(last + 1, 9998), 12, 31)
    timezone = Timezone.from_tzinfo(zone, zone.key, january, december)
    for change in timezone.subcomponents:
        gained = change.TZOFFSETTO - change.TZOFFSETFROM
        if gained > timedelta():
            later = [start - gained for start, _ in change.rdates]
            change.DTSTART -= gained
            change.pop("RDATE", None)
            if later:
                change.add("RDATE", later)
    return timezone
