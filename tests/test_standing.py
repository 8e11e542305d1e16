"""A student's standing, and the sessions that are still to come."""

from typing import Any

import pytest

from tests import recount
from tests.classroom import ROLLS, Classroom, classroom_of, day
from tests.conftest import Stage
from tests.test_policy import attend, put

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ROLLS

# By hundredths of a session attended and by sessions counted.
OUTLOOKS = """
SELECT attendance_standing(rules, attended, counted) AS standing,
       attendance_sessions_needed(rules, attended, counted) AS "sessionsNeeded",
       attendance_can_miss(rules, attended, counted) AS "canMiss",
       attendance_percentage(attended, counted)::float8 AS percentage
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY asked(attended, counted, place)
CROSS JOIN (SELECT ROW(true, $3, 100, 'absent', 'present', $4, now())::policy AS rules) rules
ORDER BY place
"""


@pytest.mark.parametrize("threshold", [0, 500, 3333, 3334, 5000, 6667, 7500, 9500, 10_000])
async def test_sessions_needed_and_missable_are_those_found_by_trial(
    stage: Stage, threshold: int
) -> None:
    asked = [(a, c) for c in range(13) for a in range(0, 100 * c + 1, 50)]
    asked += [(33 * n, 12) for n in range(37)]
    for minimum in (0, 5):
        rows = await stage.connection.fetch(
            OUTLOOKS, *map(list, zip(*asked, strict=True)), threshold, minimum
        )
        policy = {"threshold": threshold, "minimumSessions": minimum}
        for (attended, counted), row in zip(asked, rows, strict=True):
            percentage = recount.half_up(recount.Decimal(attended) / 100, counted)
            assert dict(row) == recount.outlook(attended, counted, policy) | {
                "percentage": float(percentage)
            }, (attended, counted)


async def stats_of(room: Classroom, roll: str = FIRST, **query: str) -> dict[str, Any]:
    path = f"/stats/classes/{room.id}/students"
    students = (await room.teacher.get(path, params=query)).json()
    (found,) = [student for student in students if student["rollNo"] == roll]
    return found


async def test_following_the_advice_leads_to_the_threshold_and_no_further(
    stage: Stage, room: Classroom
) -> None:
    """Attend `sessionsNeeded` sessions, not one fewer; then miss `canMiss`, not one more."""
    await put(stage, threshold=6667)
    await attend(room, "paa")
    below = await stats_of(room)
    assert (below["standing"], below["sessionsNeeded"], below["canMiss"]) == ("below", 4, 0)
    seen = []
    for place in range(8):
        present = place < 4
        session = await room.open(f"2020-01-{place + 1:02}")
        await room.mark(session, {FIRST: "present" if present else "absent"})
        now = await stats_of(room)
        seen.append((now["standing"], now["sessionsNeeded"], now["canMiss"]))
    assert seen == [
        ("below", 3, 0),
        ("below", 2, 0),
        ("below", 1, 0),
        ("at_risk", 0, 0),
        ("below", 2, 0),
        ("below", 4, 0),
        ("below", 6, 0),
        ("below", 8, 0),
    ]
    await put(stage, threshold=4500)
    assert (await stats_of(room))["canMiss"] == 0
    await put(stage, threshold=3000)
    assert (await stats_of(room))["canMiss"] == 5
    await put(stage, threshold=0)
    assert (await stats_of(room))["canMiss"] is None
    await put(stage, threshold=10_000)
    assert (await stats_of(room))["sessionsNeeded"] is None


async def test_consecutive_absences_are_counted_back_from_the_last_mark(
    stage: Stage, room: Classroom
) -> None:
    """Cancelled sessions and those without a mark for the student are skipped; any other mark ends
    the run."""
    sessions = [await room.open(day(-n)) for n in (6, 5, 4, 3)]
    sessions += [await room.open(day(-2), startTime="11:00", endTime="12:00")]
    sessions += [await room.open(day(-2), startTime="09:00", endTime="10:00")]
    for session, marks in zip(sessions, ("pa", "aa", "ae", "a-", "aa", "-p"), strict=True):
        words = {"p": "present", "a": "absent", "e": "excused"}
        named = {
            roll: words[mark] for roll, mark in zip(ROLLS[:2], marks, strict=True) if mark in words
        }
        await room.mark(session, named)
    assert (await stats_of(room))["absentInARow"] == 4
    assert (await stats_of(room, SECOND))["absentInARow"] == 1
    assert (await stats_of(room, THIRD))["absentInARow"] == 0
    await stage.asha.post(f"/attendance/sessions/{sessions[4]}/cancel", {"reason": "A flood"})
    assert (await stats_of(room))["absentInARow"] == 3
    assert (await stats_of(room, SECOND))["absentInARow"] == 0


async def test_all_absences_of_a_student_who_was_never_there_are_in_a_row(
    stage: Stage, room: Classroom
) -> None:
    sessions = [await room.open(day(-n)) for n in (6, 5, 4, 3, 2)]
    for place in (0, 1, 3, 4):
        await room.mark(sessions[place], {FIRST: "absent"})
    assert (await stats_of(room))["absentInARow"] == 4
    await stage.asha.post(f"/attendance/sessions/{sessions[3]}/cancel", {"reason": "A flood"})
    assert (await stats_of(room))["absentInARow"] == 3


async def test_unmarked_counts_only_sessions_on_days_of_enrolment(
    stage: Stage, room: Classroom
) -> None:
    students = [{"rollNo": FIRST, "from": str(day(-9))}, {"rollNo": SECOND, "from": str(day(-2))}]
    await stage.asha.put(f"{room.path}/students?mode=merge", {"students": students})
    for place in range(4):
        session = await room.open(day(-place - 1))
        await room.mark(session, {FIRST: "present"} if place < 3 else {SECOND: "late"})
    expected = {FIRST: 1, SECOND: 2, THIRD: 0}
    assert {roll: (await stats_of(room, roll))["unmarked"] for roll in ROLLS} == expected
    trend = (await stage.asha.get(f"/stats/classes/{room.id}/sessions")).json()
    assert [(s["date"], s["present"], s["late"], s["unmarked"]) for s in trend] == [
        (str(day(-4)), 0, 1, 1),
        (str(day(-3)), 1, 0, 0),
        (str(day(-2)), 1, 0, 1),
        (str(day(-1)), 1, 0, 1),
    ]


async def test_the_trend_is_ordered_by_date_and_time_and_follows_the_policy(
    stage: Stage, room: Classroom
) -> None:
    untimed = await room.open(day(-1))
    late = await room.open(day(-1), startTime="11:00", endTime="12:00")
    gone = await room.open(day(-1), startTime="08:00", endTime="09:00")
    await room.mark(late, {FIRST: "late", SECOND: "excused", THIRD: "absent"})
    await room.mark(gone, {FIRST: "present"})
    await stage.asha.post(f"/attendance/sessions/{gone}/cancel", {"reason": "A flood"})
    await put(stage, lateWeight=50, excused="excluded")
    common = {"date": str(day(-1)), "present": 0, "unmarked": 0}
    assert (await stage.asha.get(f"/stats/classes/{room.id}/sessions")).json() == [
        common
        | {"sessionId": untimed, "start": None, "absent": 0, "late": 0, "excused": 0}
        | {"percentage": 0},
        common
        | {"sessionId": late, "start": "11:00", "absent": 1, "late": 1, "excused": 1}
        | {"percentage": 25},
    ]


async def in_a_term(stage: Stage, last: int) -> Classroom:
    """A class that meets at midnight every day until that day."""
    term = {"name": "Monsoon", "firstDay": str(day(-7)), "lastDay": str(day(last))}
    assert (await stage.meera.post("/admin/terms", term)).status_code == 201
    room = await classroom_of(stage.asha)
    for weekday in range(1, 8):
        slot = {"dayOfWeek": weekday, "startTime": "00:00", "endTime": "00:01"}
        assert (await stage.asha.post(f"{room.path}/schedules", slot)).status_code == 201
    return room


async def test_the_best_possible_percentage_comes_from_attending_the_rest_of_the_term(
    stage: Stage,
) -> None:
    """Today's session counts until attendance is taken; a moved one counts on its new date."""
    room = await in_a_term(stage, 5)
    await attend(room, "pa")  # yesterday and the day before
    assert (await stats_of(room))["bestPossible"] == 87.5  # today and five days: 7 of 8
    assert (await stats_of(room, SECOND))["bestPossible"] == 100
    today = await room.open(day(0), startTime="00:00")
    assert (await stats_of(room))["bestPossible"] == 87.5
    await room.mark(today, {SECOND: "present"})
    assert (await stats_of(room))["bestPossible"] == 85.71  # 6 of 7
    await stage.meera.post("/admin/holidays", {"name": "Fair", "firstDay": str(day(1))})
    assert (await stats_of(room))["bestPossible"] == 83.33  # 5 of 6
    move = {"originalDate": str(day(2)), "rescheduledDate": str(day(3))}
    times = {"rescheduledStartTime": "15:00", "rescheduledEndTime": "16:00"}
    moved = await stage.asha.post(f"{room.path}/reschedules", move | times)
    assert moved.status_code == 201
    assert (await stats_of(room))["bestPossible"] == 83.33
    beyond = {"rescheduledDate": str(day(9))}
    path = f"{room.path}/reschedules/{moved.json()['id']}"
    assert (await stage.asha.put(path, move | times | beyond)).status_code == 200
    assert (await stats_of(room))["bestPossible"] == 80  # 4 of 5: no class meets beyond the term
    tomorrow = await room.open(day(1), startTime="00:00")
    await stage.asha.post(f"/attendance/sessions/{tomorrow}/cancel", {"reason": "No fair"})
    await stage.asha.post(f"/attendance/sessions/{today}/cancel", {"reason": "No power"})
    assert (await stats_of(room))["bestPossible"] == 80


async def test_a_class_without_a_term_or_with_an_endless_one_has_no_best_possible_percentage(
    stage: Stage, room: Classroom
) -> None:
    await attend(room, "pa")
    assert (await stats_of(room))["bestPossible"] is None
    endless = {"name": "Endless", "firstDay": "2000-01-03", "lastDay": "2999-12-31"}
    term = (await stage.meera.post("/admin/terms", endless)).json()["id"]
    assert (await stage.asha.patch(room.path, {"termId": term})).status_code == 200
    assert (await stats_of(room))["bestPossible"] is None
    over = {"name": "Over", "firstDay": "2020-01-06", "lastDay": "2020-05-15"}
    term = (await stage.meera.post("/admin/terms", over)).json()["id"]
    assert (await stage.asha.patch(room.path, {"termId": term})).status_code == 200
    assert (await stats_of(room))["bestPossible"] == 50
