"""Occurrences: what is planned and what became of it. 2025-10-27 is a Monday."""

import json
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.services.access import Actor
from app.services.timetable import occurrences
from tests.classroom import ROLLS, Classroom, classroom_of, today
from tests.conftest import ZONE, Stage
from tests.test_timetable import MONDAY, NEXT_MONDAY, WEDNESDAY, add, move

pytestmark = pytest.mark.anyio

PARIS = "Europe/Paris"
FIRST, LAST = date(2025, 10, 27), date(2025, 11, 9)


@pytest.fixture(autouse=True)
async def monday_nine(room: Classroom) -> None:
    """The class meets on Mondays from nine to ten."""
    await add(room, 1, "09:00", "10:00")


async def occurrences_of(room: Classroom, **query: str) -> list[dict[str, Any]]:
    params = query or {"from": str(FIRST), "to": str(LAST)}
    answer = await room.teacher.get(f"{room.path}/occurrences", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def seen_at(stage: Stage, room: Classroom, now: str, zone: str = ZONE) -> list[Any]:
    """The occurrences of that day and the ones around it, as seen at that local time."""
    moment = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone))
    assert stage.asha.user_id
    document = await occurrences.of_class(
        stage.app.state.database,
        Actor(stage.asha.user_id, "test"),
        room.id,  # type: ignore[arg-type]
        moment.date() - timedelta(days=1),
        moment.date() + timedelta(days=1),
        moment,
    )
    return json.loads(document.json)


def when(listed: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(item["date"], item["start"], item["state"]) for item in listed]


async def test_a_slot_occurs_on_each_of_its_weekdays(stage: Stage, room: Classroom) -> None:
    first, second = await occurrences_of(room)
    assert first == {
        "classId": room.id,
        "code": "CS301",
        "name": "Operating Systems",
        "section": "A",
        "date": MONDAY,
        "start": "09:00",
        "end": "10:00",
        "startsAt": "2025-10-27T03:30:00Z",
        "endsAt": "2025-10-27T04:30:00Z",
        "state": "missing",
        "sessionId": None,
        "movedTo": None,
        "movedFrom": None,
        "holiday": None,
    }
    assert second["date"] == NEXT_MONDAY
    assert (await stage.asha.get(f"/occurrences?date={MONDAY}")).json() == [first]


async def test_occurrences_are_ordered_by_date_and_start(room: Classroom) -> None:
    await add(room, 1, "08:00", "09:00")
    await add(room, 3, "07:00", "08:00")
    assert [day[:2] for day in when(await occurrences_of(room))] == [
        (MONDAY, "08:00"),
        (MONDAY, "09:00"),
        (WEDNESDAY, "07:00"),
        (NEXT_MONDAY, "08:00"),
        (NEXT_MONDAY, "09:00"),
        ("2025-11-05", "07:00"),
    ]


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ("2025-10-26 23:59", "upcoming"),
        ("2025-10-27 08:59:59", "upcoming"),
        ("2025-10-27 09:00", "in_progress"),
        ("2025-10-27 09:59:59", "in_progress"),
        ("2025-10-27 10:00", "missing"),
        ("2025-10-28 00:00", "missing"),
    ],
)
async def test_without_attendance_the_clock_decides_the_state(
    stage: Stage, room: Classroom, now: str, state: str
) -> None:
    assert when(await seen_at(stage, room, now)) == [(MONDAY, "09:00", state)]


async def test_a_mark_makes_an_occurrence_taken_and_an_open_session_does_not(
    room: Classroom,
) -> None:
    session = await room.open(MONDAY)
    before, _ = await occurrences_of(room)
    await room.mark(session, {ROLLS[0]: "absent"})
    after, other = await occurrences_of(room)
    assert (before["state"], after["state"], other["state"]) == ("missing", "taken", "missing")
    assert before["sessionId"] == after["sessionId"] == session
    assert other["sessionId"] is None


@pytest.mark.parametrize(("status", "state"), [("finalised", "taken"), ("cancelled", "cancelled")])
async def test_a_finalised_or_cancelled_session_decides_the_state(
    stage: Stage, room: Classroom, status: str, state: str
) -> None:
    await room.open(MONDAY)
    await stage.meera.post("/admin/holidays", {"name": "Fair", "firstDay": MONDAY})
    await move(room)
    await stage.connection.execute("UPDATE attendance_sessions SET status = $1", status)
    assert (await occurrences_of(room))[0]["state"] == state


async def test_a_session_at_another_time_belongs_to_no_occurrence(room: Classroom) -> None:
    session = await room.open(MONDAY, startTime="09:05")
    await room.mark(session, {ROLLS[0]: "present"})
    first = (await occurrences_of(room))[0]
    assert (first["state"], first["sessionId"]) == ("missing", None)


async def test_a_moved_occurrence_shows_on_both_dates(room: Classroom) -> None:
    await move(room)
    away, here, _ = await occurrences_of(room)
    assert (away["date"], away["start"], away["state"]) == (MONDAY, "09:00", "moved")
    assert (here["date"], here["start"], here["end"]) == (WEDNESDAY, "15:00", "16:00")
    assert away["movedTo"] == {"date": WEDNESDAY, "start": "15:00", "end": "16:00"}
    assert here["movedFrom"] == {"date": MONDAY, "start": "09:00", "end": "10:00"}
    assert away["movedFrom"] is here["movedTo"] is None
    assert here["state"] == "missing"
    session = await room.open(WEDNESDAY)
    await room.mark(session, {ROLLS[0]: "present"})
    away, here, _ = await occurrences_of(room)
    assert (away["state"], here["state"], here["sessionId"]) == ("moved", "taken", session)


async def test_an_occurrence_taken_before_it_was_moved_stays_taken(room: Classroom) -> None:
    session = await room.open(MONDAY)
    await room.mark(session, {ROLLS[0]: "present"})
    await move(room)
    away, here, _ = await occurrences_of(room)
    assert (away["state"], away["sessionId"], away["movedTo"]["date"]) == (
        "taken",
        session,
        WEDNESDAY,
    )
    assert (here["state"], here["sessionId"]) == ("missing", None)


async def test_a_session_belongs_to_the_occurrence_that_meets_then_not_to_the_one_moved_away(
    room: Classroom,
) -> None:
    await move(room)
    await move(
        room,
        originalDate=NEXT_MONDAY,
        rescheduledDate=MONDAY,
        rescheduledStartTime="09:00",
        rescheduledEndTime="11:00",
    )
    session = await room.open(MONDAY)
    await room.mark(session, {ROLLS[0]: "present"})
    that_day = await occurrences_of(room, **{"from": MONDAY, "to": MONDAY})
    there = {o["end"]: (o["state"], o["sessionId"]) for o in that_day}
    assert there["10:00"] == ("moved", None)
    assert there["11:00"] == ("taken", session)


async def test_no_class_meets_on_a_holiday_unless_attendance_was_taken(
    stage: Stage, room: Classroom
) -> None:
    fair = {"name": "Fair", "firstDay": MONDAY, "lastDay": NEXT_MONDAY}
    await stage.meera.post("/admin/holidays", fair)
    await stage.meera.post("/admin/holidays", {"name": "Diwali", "firstDay": NEXT_MONDAY})
    await room.mark(await room.open(MONDAY), {ROLLS[0]: "present"})
    assert [(o["state"], o["holiday"]) for o in await occurrences_of(room)] == [
        ("taken", "Fair"),
        ("holiday", "Diwali"),
    ]


async def test_a_class_meets_only_within_its_term(stage: Stage, room: Classroom) -> None:
    term = {"name": "Short", "firstDay": "2025-10-28", "lastDay": NEXT_MONDAY}
    made = (await stage.meera.post("/admin/terms", term)).json()
    assert len(await occurrences_of(room)) == 2
    await room.teacher.patch(room.path, {"termId": made["id"]})
    assert [o["date"] for o in await occurrences_of(room)] == [NEXT_MONDAY]
    assert (await stage.asha.get(f"/occurrences?date={MONDAY}")).json() == []
    assert len((await stage.asha.get(f"/occurrences?date={NEXT_MONDAY}")).json()) == 1
    await stage.meera.patch(f"/admin/terms/{made['id']}", {"lastDay": "2025-11-02"})
    assert await occurrences_of(room) == []


async def test_a_day_lists_a_teachers_own_classes_and_all_classes_for_an_admin(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.bilal, "CS100", [])
    gone = await classroom_of(stage.bilal, "CS200", [])
    for class_ in (other, gone):
        await add(class_, 1, "09:00", "10:00")
    await gone.open(MONDAY)
    await stage.bilal.delete(gone.path)
    for person, codes in (
        (stage.asha, ["CS301"]),
        (stage.bilal, ["CS100"]),
        (stage.meera, ["CS100", "CS301"]),
        (stage.divya, []),
    ):
        listed = (await person.get(f"/occurrences?date={MONDAY}")).json()
        assert [o["code"] for o in listed] == codes
    assert len(await occurrences_of(gone)) == 2


async def test_the_date_defaults_to_today(stage: Stage, room: Classroom) -> None:
    for day in range(1, 8):
        await add(room, day, "11:00", "12:00")
    listed = (await stage.asha.get("/occurrences")).json()
    assert {o["date"] for o in listed} == {str(today())}
    assert listed == (await stage.asha.get(f"/occurrences?date={today()}")).json()


async def test_the_range_defaults_to_a_week_back_and_four_ahead(room: Classroom) -> None:
    for day in range(2, 8):
        await add(room, day, "09:00", "10:00")

    async def bounds(**query: str) -> tuple[str, str, int]:
        answer = await room.teacher.get(f"{room.path}/occurrences", params=query)
        days = [o["date"] for o in answer.json()]
        return days[0], days[-1], len(days)

    back, ahead = today() - timedelta(days=7), today() + timedelta(days=28)
    assert await bounds() == (str(back), str(ahead), 36)
    assert await bounds(**{"from": MONDAY}) == (MONDAY, "2025-12-01", 36)
    assert await bounds(to="2025-12-01") == (MONDAY, "2025-12-01", 36)
    assert await bounds(**{"from": "9999-12-25"}) == ("9999-12-25", "9999-12-30", 6)
    assert await bounds(to="0001-01-05") == ("0001-01-02", "0001-01-05", 4)
    whole = await bounds(**{"from": "2025-01-01", "to": "2026-02-04"})
    assert whole == ("2025-01-01", "2026-02-04", 400)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("from=2025-01-01&to=2026-02-05", "range_too_long"),
        ("from=2025-10-28&to=2025-10-27", "range_reversed"),
        ("from=0001-01-01", "invalid_date"),
        ("to=9999-12-31", "invalid_date"),
        ("from=today", "invalid_date"),
    ],
)
async def test_an_invalid_range_is_refused(room: Classroom, query: str, code: str) -> None:
    answer = await room.teacher.get(f"{room.path}/occurrences?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == code


@pytest.mark.parametrize("day", ["", "0001-01-01", "9999-12-31", "2025-02-30", "2025-10-27T00:00"])
async def test_an_invalid_date_is_refused(stage: Stage, day: str) -> None:
    assert (await stage.asha.get("/occurrences", params={"date": day})).status_code == 422


# Clocks in Paris go from 02:00 to 03:00 on 2026-03-29 and from 03:00 to 02:00 on 2026-10-25.
@pytest.mark.parametrize(
    ("day", "start", "end", "instants"),
    [
        ("2026-03-28", "09:00", "10:00", ("08:00", "09:00")),
        ("2026-03-29", "09:00", "10:00", ("07:00", "08:00")),
        ("2026-03-29", "01:30", "03:30", ("00:30", "01:30")),
        ("2026-03-29", "02:30", "03:45", ("01:30", "01:45")),
        ("2026-03-29", "02:30", "03:15", ("01:30", "01:30")),
        ("2026-03-29", "02:10", "02:50", ("01:10", "01:50")),
        ("2026-10-24", "09:00", "10:00", ("07:00", "08:00")),
        ("2026-10-25", "01:30", "02:30", ("-1 23:30", "00:30")),
        ("2026-10-25", "02:00", "02:30", ("00:00", "00:30")),
        ("2026-10-25", "02:30", "03:30", ("00:30", "02:30")),
        ("2026-10-25", "03:00", "04:00", ("02:00", "03:00")),
        ("2026-10-25", "09:00", "10:00", ("08:00", "09:00")),
    ],
)
async def test_local_times_survive_daylight_saving(
    stage: Stage, room: Classroom, day: str, start: str, end: str, instants: tuple[str, str]
) -> None:
    await stage.connection.execute(f"SET LOCAL timezone TO '{PARIS}'")
    await add(room, date.fromisoformat(day).isoweekday(), start, end)
    (met,) = [o for o in await seen_at(stage, room, f"{day} 00:00", PARIS) if o["date"] == day]
    assert (met["start"], met["end"]) == (start, end)

    def utc(clock: str) -> str:
        back, _, time = clock.rpartition(" ")
        return f"{date.fromisoformat(day) + timedelta(days=int(back or 0))}T{time}:00Z"

    assert (met["startsAt"], met["endsAt"]) == tuple(map(utc, instants))


@pytest.mark.parametrize(
    ("now", "fold", "state"),
    [("02:29", 0, "upcoming"), ("02:30", 0, "in_progress"), ("02:00", 1, "in_progress"),
     ("02:45", 1, "in_progress"), ("03:29", 0, "in_progress"), ("03:30", 0, "missing")],
)  # fmt: skip
async def test_a_lesson_in_the_repeated_hour_is_in_progress_once(
    stage: Stage, room: Classroom, now: str, fold: int, state: str
) -> None:
    await stage.connection.execute(f"SET LOCAL timezone TO '{PARIS}'")
    await add(room, 7, "02:30", "03:30")
    moment = datetime.fromisoformat(f"2026-10-25 {now}").replace(tzinfo=ZoneInfo(PARIS), fold=fold)
    document = await occurrences.on_date(
        stage.app.state.database,
        Actor(stage.asha.user_id, "test"),  # type: ignore[arg-type]
        moment.date(),
        moment,
    )
    assert [o["state"] for o in json.loads(document.json)] == [state]


async def test_a_session_opens_at_the_time_of_the_occurrence(room: Classroom) -> None:
    await add(room, 1, "11:00", "12:00")
    await move(room)
    first_day = await occurrences_of(room, **{"from": MONDAY, "to": MONDAY})
    met = [o["start"] for o in first_day if not o["movedTo"]]
    session = await room.teacher.get(f"/attendance/sessions/{await room.open(MONDAY)}")
    assert [session.json()["startTime"]] == met == ["11:00"]


async def test_more_meetings_than_anybody_has_are_refused_before_they_are_made(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(room, 1, "11:00", "12:00")
    four_weeks = f"{room.path}/occurrences?from=2025-10-06&to=2025-11-02"
    for most, status in ((8, 200), (7, 422)):
        monkeypatch.setattr(occurrences, "MOST", most)
        answer = await room.teacher.get(four_weeks)
        assert answer.status_code == status
    assert answer.json()["code"] == "too_many_occurrences"
    assert (await room.teacher.get(f"{room.path}/calendar.ics")).status_code == 422
