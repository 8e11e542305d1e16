"""When a class meets, as other calendars read it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx2
import pytest
from icalendar import Calendar, Event

from app.files import calendar_file
from app.schemas.calendar import Plan
from tests.classroom import ROLLS, Classroom, today
from tests.conftest import ZONE, Stage
from tests.test_timetable import MONDAY, NEXT_MONDAY, add, move

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
TERM = {"name": "Weeks", "firstDay": "2025-10-20", "lastDay": "2025-11-03"}


async def file_of(room: Classroom) -> httpx2.Response:
    answer = await room.teacher.get(f"{room.path}/calendar.ics")
    assert answer.status_code == 200, answer.text
    return answer


async def events_of(room: Classroom) -> list[Event]:
    return Calendar.from_ical((await file_of(room)).content).events


@pytest.fixture
async def lessons(stage: Stage, room: Classroom) -> Classroom:
    """The class in a term of three Mondays."""
    term = (await stage.meera.post("/admin/terms", TERM)).json()
    await room.teacher.patch(room.path, {"termId": term["id"]})
    await add(room, 1, "09:00", "10:00")
    return room


@pytest.mark.anyio
async def test_each_occurrence_of_the_term_is_an_event(lessons: Classroom) -> None:
    events = await events_of(lessons)
    zone = ZoneInfo(ZONE)
    assert [event.start for event in events] == [
        datetime(2025, 10, 20, 9, tzinfo=zone),
        datetime(2025, 10, 27, 9, tzinfo=zone),
        datetime(2025, 11, 3, 9, tzinfo=zone),
    ]
    assert {event.end - event.start for event in events} == {timedelta(hours=1)}
    assert {event["summary"] for event in events} == {"CS301 Operating Systems (A)"}
    assert {event["status"] for event in events} == {"CONFIRMED"}
    assert len({event["uid"] for event in events}) == 3


@pytest.mark.anyio
async def test_the_file_says_what_it_is(lessons: Classroom) -> None:
    answer = await file_of(lessons)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="CS301-A.ics"'
    assert answer.content.count(b"\n") == answer.content.count(b"\r\n") > 20
    assert max(map(len, answer.content.split(b"\r\n"))) <= 75
    assert answer.text.count("BEGIN:VTIMEZONE") == 1
    assert f"TZID:{ZONE}" in answer.text
    assert f"DTSTART;TZID={ZONE}:20251027T090000" in answer.text


@pytest.mark.anyio
async def test_a_moved_occurrence_stays_the_same_event(lessons: Classroom) -> None:
    before = [event["uid"] for event in await events_of(lessons)]
    await move(lessons)
    events = await events_of(lessons)
    assert [event["uid"] for event in events] == before
    assert events[1].start == datetime(2025, 10, 29, 15, tzinfo=ZoneInfo(ZONE))


@pytest.mark.anyio
async def test_an_occurrence_taken_and_then_moved_is_one_event(lessons: Classroom) -> None:
    await lessons.mark(await lessons.open(MONDAY), {ROLLS[0]: "present"})
    await move(lessons)
    uids = [event["uid"] for event in await events_of(lessons)]
    assert len(set(uids)) == len(uids) == 3


@pytest.mark.anyio
async def test_a_cancelled_occurrence_is_marked_and_a_holiday_left_out(
    stage: Stage, lessons: Classroom
) -> None:
    await lessons.open(MONDAY)
    await stage.connection.execute("UPDATE attendance_sessions SET status = 'cancelled'")
    await stage.meera.post("/admin/holidays", {"name": "Fair", "firstDay": NEXT_MONDAY})
    assert [event["status"] for event in await events_of(lessons)] == ["CONFIRMED", "CANCELLED"]


@pytest.mark.anyio
async def test_text_is_escaped_and_survives(lessons: Classroom) -> None:
    name = "A; B, C\\n: अंजलि " + "é" * 60
    await lessons.teacher.patch(lessons.path, {"name": name, "code": 'X";\\', "section": "अ"})
    answer = await file_of(lessons)
    assert b"A\\; B\\, C\\\\n:" in answer.content
    assert answer.headers["content-disposition"] == 'attachment; filename="X.ics"'
    (summary,) = {event["summary"] for event in await events_of(lessons)}
    assert summary == f'X";\\ {name} (अ)'
    await lessons.teacher.patch(lessons.path, {"code": "अ"})
    disposition = (await file_of(lessons)).headers["content-disposition"]
    assert disposition == 'attachment; filename="class.ics"'


@pytest.mark.anyio
@pytest.mark.parametrize("endless", [False, True])
async def test_without_a_term_the_calendar_has_the_weeks_around_today(
    stage: Stage, room: Classroom, endless: bool
) -> None:
    for day in range(1, 8):
        await add(room, day, "09:00", "10:00")
    if endless:
        term = {"name": "Ever", "firstDay": "2000-01-01", "lastDay": "2999-12-31"}
        made = (await stage.meera.post("/admin/terms", term)).json()
        await room.teacher.patch(room.path, {"termId": made["id"]})
    days = [event.start.date() for event in await events_of(room)]
    assert days == [today() + timedelta(days=n) for n in range(-30, 181)]


@pytest.mark.anyio
async def test_a_class_that_never_meets_has_an_empty_calendar(room: Classroom) -> None:
    calendar = Calendar.from_ical((await file_of(room)).content)
    assert calendar.events == []
    assert len(calendar.timezones) == 1


ZONES = ["Europe/Paris", "America/Santiago", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]


def written_for(zone: str, day: str = "2026-06-01") -> bytes:
    """The file of one meeting, on that day in that zone."""
    met = {
        "classId": str(uuid4()),
        "code": "C",
        "name": "N",
        "section": "A",
        "date": day,
        "start": "09:00",
        "end": "10:00",
        "state": "upcoming",
        "startsAt": NOON,
        "endsAt": NOON,
        "sessionId": None,
        "holiday": None,
        "movedTo": None,
        "movedFrom": None,
    }
    plan = Plan.model_validate({"code": "C", "name": "N", "section": "A", "occurrences": [met]})
    return calendar_file.written(plan, ZoneInfo(zone), NOON)


@pytest.mark.parametrize("name", ZONES)
def test_the_time_zone_in_the_file_is_that_of_the_institution(name: str) -> None:
    zone = ZoneInfo(name)
    read = Calendar.from_ical(written_for(name)).timezones[0].to_tz(lookup_tzid=False)
    for hour in range(24 * 365):
        wall = datetime(2026, 1, 1) + timedelta(hours=hour)
        shown = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
        if shown == wall:  # not skipped
            assert read.utcoffset(wall) == zone.utcoffset(wall), wall


def test_clocks_change_at_the_local_time_that_ends() -> None:
    """RFC 5545, section 3.6.5: the onset is told in the time before it."""
    written = written_for("Europe/Paris")
    assert b"DTSTART:20250330T020000" in written
    assert b"RDATE:20260329T020000,20270328T020000" in written
    assert b"DTSTART:20251026T030000" in written
    assert b"RDATE:20261025T030000,20271031T030000" in written


def test_the_calendar_may_end_where_all_calendars_do() -> None:
    for year in (1, 9999):
        written = written_for("Europe/Paris", f"{year:04}-12-30")
        assert b"DTSTART;TZID=Europe/Paris:%04d1230T090000" % year in written
