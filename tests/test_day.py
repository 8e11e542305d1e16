"""A teacher's day: what they teach on a date and what they missed. 2025-10-27 is a Monday."""

import json
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.services.access import Actor
from app.services.timetable import day as teaching_day
from tests.classroom import (
    ROLLS,
    Classroom,
    classroom_of,
    co_teacher,
    day,
    share,
    substitute,
    today,
)
from tests.conftest import ZONE, Stage
from tests.support import Person
from tests.test_enrolments import leaves, put
from tests.test_timetable import MONDAY, NEXT_MONDAY, WEDNESDAY, add, move

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ROLLS


@pytest.fixture(autouse=True)
async def monday_nine(room: Classroom) -> None:
    """The class meets on Mondays from nine to ten; all three have been in it since August."""
    await add(room, 1, "09:00", "10:00")
    await put(room.teacher, room, [{"rollNo": roll, "from": "2025-08-01"} for roll in ROLLS])


async def day_of(person: Person, on: date | str = MONDAY) -> dict[str, Any]:
    answer = await person.get(f"/my/day?date={on}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def seen_at(stage: Stage, now: str, on: str = MONDAY) -> dict[str, Any]:
    """Asha's day as it is at that local time."""
    assert stage.asha.user_id
    moment = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(ZONE))
    document = await teaching_day.of_actor(
        stage.app.state.database,
        Actor(stage.asha.user_id, "test"),
        date.fromisoformat(on),
        moment,
    )
    return json.loads(document.json)


def starts(shown: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    return [(m["code"], m["start"], m["state"]) for m in shown["meetings"]]


def missed(shown: dict[str, Any]) -> list[tuple[str, str]]:
    return [(m["date"], m["start"]) for m in shown["missing"]]


async def test_a_meeting_has_what_an_occurrence_has_and_its_session_with_marks_counted(
    stage: Stage, room: Classroom
) -> None:
    before = await day_of(stage.asha)
    (occurrence,) = (await stage.asha.get(f"/occurrences?date={MONDAY}")).json()
    session = await room.open(MONDAY)
    await room.mark(session, {FIRST: "present", SECOND: "late"})
    after = await day_of(stage.asha)
    del occurrence["sessionId"]
    assert before == {
        "date": MONDAY,
        "holiday": None,
        "meetings": [occurrence | {"students": 3, "session": None}],
        "missing": before["missing"],
    }
    (meeting,) = after["meetings"]
    assert meeting["state"] == "taken"
    assert datetime.fromisoformat(meeting["session"].pop("lastMarkedAt"))
    assert meeting["session"] == {
        "sessionId": session,
        "status": "open",
        "version": 1,
        "marked": 2,
        "present": 1,
        "absent": 0,
        "late": 1,
        "excused": 0,
        "unmarked": 1,
        "startedBy": {"name": "Asha Demo"},
        "lastMarkedBy": {"name": "Asha Demo"},
    }


async def test_who_started_a_session_and_who_marked_last_are_named(
    stage: Stage, room: Classroom
) -> None:
    await share(room, co_teacher(stage.chitra))
    at_nine = Classroom(stage.chitra, room.id)
    session = await at_nine.open(MONDAY)
    (started,) = (await day_of(stage.asha))["meetings"]
    assert started["session"]["startedBy"] == {"name": "Chitra Demo"}
    assert started["session"]["lastMarkedBy"] is started["session"]["lastMarkedAt"] is None
    assert (started["state"], started["session"]["marked"]) == ("missing", 0)
    await at_nine.mark(session, {FIRST: "present"})
    await Classroom(stage.meera, room.id).mark(session, {SECOND: "present"})
    await at_nine.mark(session, {SECOND: "present"})
    (marked,) = (await day_of(stage.asha))["meetings"]
    assert marked["session"]["startedBy"] == {"name": "Chitra Demo"}
    assert marked["session"]["lastMarkedBy"] == {"name": "Meera Demo"}


async def test_students_are_those_enrolled_on_the_date(stage: Stage, room: Classroom) -> None:
    session = await room.open(MONDAY)
    await room.mark(session, {FIRST: "present"})
    gone = [{"rollNo": SECOND, "lastDay": "2025-10-26"}, {"rollNo": THIRD, "lastDay": MONDAY}]
    await put(stage.asha, room, withdrawals=gone)
    (meeting,) = (await day_of(stage.asha))["meetings"]
    assert meeting["students"] == 2
    assert (meeting["session"]["marked"], meeting["session"]["unmarked"]) == (1, 1)
    (later,) = (await day_of(stage.asha, NEXT_MONDAY))["meetings"]
    assert later["students"] == 1


async def test_a_session_that_belongs_to_no_slot_is_among_the_meetings(
    stage: Stage, room: Classroom
) -> None:
    extra = await room.open(MONDAY, startTime="08:00", endTime="08:30")
    await room.mark(extra, {FIRST: "present"})
    free = await classroom_of(stage.asha, "CS100")
    untimed = await free.open(MONDAY)
    await stage.asha.post(f"/attendance/sessions/{untimed}/cancel", {"reason": "Fire drill"})
    listed = (await day_of(stage.asha))["meetings"]
    assert [(m["start"], m["end"], m["state"]) for m in listed] == [
        (None, None, "cancelled"),
        ("08:00", "08:30", "taken"),
        ("09:00", "10:00", "missing"),
    ]
    assert [m["session"] and m["session"]["sessionId"] for m in listed] == [untimed, extra, None]
    assert (listed[0]["code"], listed[0]["startsAt"], listed[0]["endsAt"]) == ("CS100", None, None)
    assert listed[1]["startsAt"] == "2025-10-27T02:30:00Z"
    assert listed[1]["endsAt"] == "2025-10-27T03:00:00Z"


@pytest.mark.parametrize(
    ("now", "states"),
    [
        ("2025-10-26 23:59", ["upcoming", "upcoming", "upcoming"]),
        ("2025-10-27 00:00", ["in_progress", "upcoming", "upcoming"]),
        ("2025-10-27 09:05", ["in_progress", "in_progress", "in_progress"]),
        ("2025-10-27 09:30", ["in_progress", "in_progress", "missing"]),
        ("2025-10-27 23:59", ["in_progress", "missing", "missing"]),
        ("2025-10-28 00:00", ["missing", "missing", "missing"]),
    ],
)
async def test_the_clock_decides_while_nobody_is_marked(
    stage: Stage, room: Classroom, now: str, states: list[str]
) -> None:
    await room.open(MONDAY, startTime="09:05", endTime="09:30")
    await (await classroom_of(stage.asha, "CS100")).open(MONDAY)
    assert [m["state"] for m in (await seen_at(stage, now))["meetings"]] == states


async def test_a_session_held_before_its_slot_was_moved_appears_once(
    stage: Stage, room: Classroom
) -> None:
    await room.mark(await room.open(MONDAY), {FIRST: "present"})
    await move(room)
    assert starts(await day_of(stage.asha)) == [("CS301", "09:00", "taken")]
    (here,) = (await day_of(stage.asha, WEDNESDAY))["meetings"]
    assert (here["state"], here["session"]) == ("missing", None)
    assert here["movedFrom"] == {"date": MONDAY, "start": "09:00", "end": "10:00"}


async def test_a_holiday_is_named_and_a_session_outside_the_term_is_shown(
    stage: Stage, room: Classroom
) -> None:
    await stage.meera.post("/admin/holidays", {"name": "Diwali", "firstDay": MONDAY})
    shown = await day_of(stage.asha)
    assert shown["holiday"] == shown["meetings"][0]["holiday"] == "Diwali"
    assert starts(shown) == [("CS301", "09:00", "holiday")]
    await room.mark(await room.open(MONDAY), {FIRST: "present"})
    term = {"name": "Later", "firstDay": NEXT_MONDAY, "lastDay": "2025-12-05"}
    made = (await stage.meera.post("/admin/terms", term)).json()
    await stage.asha.patch(room.path, {"termId": made["id"]})
    assert starts(await day_of(stage.asha)) == [("CS301", "09:00", "taken")]


async def test_the_day_has_the_classes_one_teaches_and_not_all_that_an_admin_may_see(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.bilal, "CS100")
    own = await classroom_of(stage.meera, "CS200")
    gone = await classroom_of(stage.asha, "CS900")
    for class_ in (other, own, gone):
        await add(class_, 1, "08:00", "09:00")
    await gone.open(MONDAY)
    await stage.asha.delete(gone.path)
    await share(other, co_teacher(stage.asha), co_teacher(stage.meera))
    for person, expected in (
        (stage.asha, ["CS100", "CS301"]),
        (stage.bilal, ["CS100"]),
        (stage.meera, ["CS100", "CS200"]),
        (stage.divya, []),
    ):
        shown = await day_of(person)
        assert [m["code"] for m in shown["meetings"]] == expected


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        ((None, None), [-1, 0, 1]),
        ((0, 0), [0]),
        ((-1, 0), [-1, 0]),
        ((None, -1), []),
        ((1, 2), [1]),
        ((0, 1), [0, 1]),
    ],
)
async def test_a_substitute_has_the_days_on_which_they_teach_and_still_may_read(
    stage: Stage, room: Classroom, days: tuple[int | None, int | None], shown: list[int]
) -> None:
    for weekday in range(2, 8):
        await add(room, weekday, "09:00", "10:00")
    await share(room, substitute(stage.esha, *days))
    seen = [n for n in (-1, 0, 1) if (await day_of(stage.esha, day(n)))["meetings"]]
    assert seen == shown


async def test_a_substitute_missed_nothing_on_days_that_were_not_theirs(
    stage: Stage, room: Classroom
) -> None:
    for weekday in range(2, 8):
        await add(room, weekday, "09:00", "10:00")
    await share(room, substitute(stage.esha, -2, 5))
    assert len((await day_of(stage.asha, today()))["missing"]) == 14
    shown = await day_of(stage.esha, today())
    assert missed(shown) == [(str(day(n)), "09:00") for n in (-1, -2)]


async def test_what_was_missed_in_the_fourteen_days_before_is_listed_newest_first(
    stage: Stage, room: Classroom
) -> None:
    await add(room, 1, "11:00", "12:00")
    await room.mark(await room.open("2025-10-20", startTime="11:00"), {FIRST: "present"})
    cancelled = await room.open("2025-10-13", startTime="09:00")
    await stage.asha.post(f"/attendance/sessions/{cancelled}/cancel", {"reason": "Rain"})
    shown = await day_of(stage.asha)
    assert shown["missing"] == [
        {
            "classId": room.id,
            "code": "CS301",
            "section": "A",
            "date": date_,
            "start": start,
            "end": end,
        }
        for date_, start, end in (
            ("2025-10-20", "09:00", "10:00"),
            ("2025-10-13", "11:00", "12:00"),
        )
    ]
    assert missed(await day_of(stage.asha, "2025-10-28"))[:2] == [
        (MONDAY, "11:00"),
        (MONDAY, "09:00"),
    ]


async def test_nothing_was_missed_before_the_term_on_holidays_or_before_it_is_over(
    stage: Stage, room: Classroom
) -> None:
    assert missed(await seen_at(stage, "2025-10-27 09:59", "2025-10-28"))[0][0] == "2025-10-20"
    assert missed(await seen_at(stage, "2025-10-27 10:00", "2025-10-28"))[0][0] == MONDAY
    await stage.meera.post("/admin/holidays", {"name": "Fair", "firstDay": "2025-10-20"})
    assert missed(await day_of(stage.asha)) == [("2025-10-13", "09:00")]
    term = {"name": "Short", "firstDay": "2025-10-14", "lastDay": "2025-12-05"}
    made = (await stage.meera.post("/admin/terms", term)).json()
    await stage.asha.patch(room.path, {"termId": made["id"]})
    assert missed(await day_of(stage.asha)) == []


async def test_the_latest_twenty_are_listed(stage: Stage, room: Classroom) -> None:
    await stage.connection.execute("DELETE FROM class_schedules")
    for weekday in range(1, 8):
        await add(room, weekday, "09:00", "10:00")
        await add(room, weekday, "11:00", "12:00")
    expected = [
        (str(date.fromisoformat(MONDAY) - timedelta(days=n)), start)
        for n in range(1, 15)
        for start in ("11:00", "09:00")
    ]
    assert missed(await day_of(stage.asha)) == expected[:20]


async def test_without_a_date_it_is_today(stage: Stage, room: Classroom) -> None:
    shown = (await stage.asha.get("/my/day")).json()
    assert shown["date"] == str(today())
    assert shown == await day_of(stage.asha, today())


async def test_the_first_and_the_last_date_have_a_day(stage: Stage, room: Classroom) -> None:
    assert missed(await day_of(stage.asha, "0001-01-02")) == [("0001-01-01", "09:00")]
    assert (await day_of(stage.asha, "9999-12-30"))["missing"] == []


@pytest.mark.parametrize("on", ["", "0001-01-01", "9999-12-31", "2025-02-30", "today"])
async def test_an_invalid_date_is_refused(stage: Stage, on: str) -> None:
    assert (await stage.asha.get("/my/day", params={"date": on})).status_code == 422


async def test_who_has_left_is_not_counted_after_their_last_day(
    stage: Stage, room: Classroom
) -> None:
    for weekday in range(2, 8):
        await add(room, weekday, "09:00", "10:00")
    await put(stage.asha, room, withdrawals=[leaves(FIRST, 0)])
    counts = [(await day_of(stage.asha, day(n)))["meetings"][0]["students"] for n in (0, 1)]
    assert counts == [3, 2]
