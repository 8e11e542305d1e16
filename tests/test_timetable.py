"""Weekly slots, and single occurrences that are moved. 2025-10-27 is a Monday."""

from typing import Any

import httpx2
import pytest

from tests.classroom import Classroom

pytestmark = pytest.mark.anyio

MONDAY, NEXT_MONDAY, WEDNESDAY = "2025-10-27", "2025-11-03", "2025-10-29"


async def add(room: Classroom, day: int, start: str, end: str) -> httpx2.Response:
    slot = {"day_of_week": day, "start_time": start, "end_time": end}
    return await room.teacher.post(f"{room.path}/schedules", slot)


async def move(room: Classroom, **changes: Any) -> httpx2.Response:
    body = {
        "originalDate": MONDAY,
        "rescheduledDate": WEDNESDAY,
        "rescheduledStartTime": "15:00",
        "rescheduledEndTime": "16:00",
        **changes,
    }
    return await room.teacher.post(f"{room.path}/reschedules", body)


@pytest.fixture
async def monday_nine(room: Classroom) -> str:
    """The id of a slot on Mondays from nine to ten."""
    return (await add(room, 1, "09:00", "10:00:00")).json()["id"]


async def test_slots_are_ordered_by_day_and_time(room: Classroom, monday_nine: str) -> None:
    assert (await add(room, 1, "08:00", "09:00")).status_code == 201
    shown = (await room.document())["schedule"]
    assert [(s["dayOfWeek"], s["start"], s["end"]) for s in shown] == [
        (1, "08:00", "09:00"),
        (1, "09:00", "10:00"),
    ]
    assert (await room.teacher.get(f"{room.path}/schedules")).json() == shown
    one = await room.teacher.get(f"{room.path}/schedules/{monday_nine}")
    assert one.json() == shown[1]


@pytest.mark.parametrize(
    ("start", "end"), [("09:30", "09:40"), ("08:30", "09:01"), ("08:00", "11:00")]
)
async def test_overlapping_slots_are_a_conflict(
    room: Classroom, monday_nine: str, start: str, end: str
) -> None:
    answer = await add(room, 1, start, end)
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_overlaps")
    assert (await add(room, 2, start, end)).status_code == 201


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [(0, "09:00", "10:00"), (8, "09:00", "10:00"), (1, "10:00", "10:00"), (1, "10:00", "09:00"),
     (1, "24:00", "25:00"), (1, "9:00", "10:00"), (1, "09:00:30", "10:00"), (1, 540, "10:00"),
     ("1", "09:00", "10:00"), (True, "09:00", "10:00"), (1.0, "09:00", "10:00")],
)  # fmt: skip
async def test_an_invalid_slot_is_refused(room: Classroom, day: Any, start: Any, end: Any) -> None:
    assert (await add(room, day, start, end)).status_code == 422


async def test_a_slot_is_changed_and_removed(room: Classroom, monday_nine: str) -> None:
    path = f"{room.path}/schedules/{monday_nine}"
    changed = await room.teacher.patch(path, {"endTime": "10:30"})
    assert changed.json() == {"id": monday_nine, "dayOfWeek": 1, "start": "09:00", "end": "10:30"}
    assert (await room.teacher.patch(path, {"endTime": "08:00"})).status_code == 422
    assert (await room.teacher.delete(path)).status_code == 204
    assert (await room.teacher.get(path)).status_code == 404
    assert (await room.teacher.delete(path)).status_code == 404


async def test_moving_an_occurrence_returns_all_that_the_app_reads(
    room: Classroom, monday_nine: str
) -> None:
    answer = await move(room, reason="Holiday")
    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "originalDate": MONDAY,
        "originalStartTime": "09:00",
        "originalEndTime": "10:00",
        "rescheduledDate": WEDNESDAY,
        "rescheduledStartTime": "15:00",
        "rescheduledEndTime": "16:00",
        "reason": "Holiday",
    }
    assert (await room.document())["reschedules"] == [answer.json()]


async def test_a_day_without_a_slot_has_nothing_to_move(room: Classroom, monday_nine: str) -> None:
    answer = await move(room, originalDate="2025-10-28")
    assert (answer.status_code, answer.json()["code"]) == (422, "no_such_occurrence")
    assert (await move(room, originalStartTime="09:30")).status_code == 422


async def test_a_move_without_a_time_means_the_first_slot_not_yet_moved(
    room: Classroom, monday_nine: str
) -> None:
    await add(room, 1, "11:00", "12:00")
    first = await move(room)
    second = await move(room, rescheduledStartTime="17:00", rescheduledEndTime="18:00")
    assert first.json()["originalStartTime"] == "09:00"
    assert second.json()["originalStartTime"] == "11:00"
    named = await move(room, originalStartTime="11:00", rescheduledDate="2025-10-30")
    assert named.json()["id"] == second.json()["id"]


async def test_a_second_move_of_an_occurrence_replaces_the_first(
    room: Classroom, monday_nine: str
) -> None:
    first = await move(room)
    second = await move(room, rescheduledDate="2025-10-30")
    assert (second.status_code, second.json()["id"]) == (201, first.json()["id"])
    assert (await room.document())["reschedules"] == [second.json()]


async def test_a_move_onto_another_slot_is_a_conflict(room: Classroom, monday_nine: str) -> None:
    await add(room, 3, "15:30", "16:30")
    answer = await move(room)
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_overlaps")
    assert (await room.document())["reschedules"] == []
    later = await move(
        room, rescheduledDate=MONDAY, rescheduledStartTime="09:30", rescheduledEndTime="10:30"
    )
    assert later.status_code == 201


async def test_moves_are_found_by_their_old_or_new_date(room: Classroom, monday_nine: str) -> None:
    await move(room)
    for query, found in (
        (f"from={MONDAY}&to={MONDAY}", 1),
        (f"from={WEDNESDAY}", 1),
        ("to=2025-10-26", 0),
        ("from=2025-10-30", 0),
        ("from=2025-10-28&to=2025-10-28", 0),
        ("", 1),
    ):
        listed = await room.teacher.get(f"{room.path}/reschedules?{query}")
        assert len(listed.json()) == found, query
    reversed_ = await room.teacher.get(f"{room.path}/reschedules?from={WEDNESDAY}&to={MONDAY}")
    assert reversed_.status_code == 422


async def test_a_move_is_replaced_and_undone_by_its_id(room: Classroom, monday_nine: str) -> None:
    path = f"{room.path}/reschedules/{(await move(room)).json()['id']}"
    body = {
        "originalDate": NEXT_MONDAY,
        "rescheduledDate": "2025-11-05",
        "rescheduledStartTime": "08:00",
        "rescheduledEndTime": "09:00",
    }
    replaced = await room.teacher.put(path, body)
    assert replaced.json()["originalDate"] == NEXT_MONDAY
    await move(room)
    clash = await room.teacher.put(path, {**body, "originalDate": MONDAY})
    assert (clash.status_code, clash.json()["code"]) == (409, "already_rescheduled")
    assert (await room.teacher.get(path)).json() == replaced.json()
    assert (await room.teacher.delete(path)).status_code == 204
    assert (await room.teacher.get(path)).status_code == 404


async def test_a_moved_occurrence_stays_moved_when_the_time_of_its_slot_changes(
    room: Classroom, monday_nine: str
) -> None:
    await move(room)
    await room.teacher.patch(f"{room.path}/schedules/{monday_nine}", {"startTime": "09:30"})
    (moved,) = (await room.document())["reschedules"]
    assert moved["originalStartTime"] == "09:30"
