"""Concurrent requests on a real pool: the result of one order, never a mixture, no deadlock."""

import asyncio
from collections import Counter

import httpx2
import pytest

from tests.classroom import Classroom, classroom_of
from tests.conftest import Stage
from tests.support import Person

pytestmark = pytest.mark.anyio

MANY = [f"23/CS/{n}" for n in range(200, 260)]


@pytest.fixture
async def hall(crowd: Stage) -> Classroom:
    """Asha's class of sixty students, on a real pool."""
    return await classroom_of(crowd.asha, rolls=MANY)


def updates(rolls: list[str], status: str) -> dict[str, object]:
    return {"updates": [{"rollNo": roll, "status": status} for roll in rolls]}


async def test_a_hundred_concurrent_requests_open_one_session(
    crowd: Stage, hall: Classroom
) -> None:
    body = {"classId": hall.id, "sessionDate": "2025-10-27"}
    answers = await asyncio.gather(
        *(crowd.asha.post("/attendance/sessions", body) for _ in range(100))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["sessionId"] for answer in answers}) == 1
    assert sum(answer.json()["created"] for answer in answers) == 1


async def test_opposite_batches_never_mix_and_all_are_in_the_history(
    crowd: Stage, hall: Classroom
) -> None:
    session = await hall.open()
    path = f"/attendance/sessions/{session}/statuses"

    async def insist(person: Person, rolls: list[str], status: str) -> list[httpx2.Response]:
        return [await person.put(path, updates(rolls, status)) for _ in range(10)]

    results = await asyncio.gather(
        insist(crowd.asha, MANY, "present"),
        insist(crowd.meera, MANY[::-1], "absent"),
        insist(crowd.asha, MANY[30:] + MANY[:30], "late"),
    )
    answers = [answer for person in results for answer in person]
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        assert len({mark["status"] for mark in answer.json()["statuses"]}) == 1
    version = max(answer.json()["version"] for answer in answers)
    assert await crowd.count("superseded_statuses") == (version - 1) * len(MANY)
    assert await crowd.count("attendance_batches") == version


async def test_retries_of_one_batch_count_once(crowd: Stage, hall: Classroom) -> None:
    session = await hall.open()
    answers = await asyncio.gather(
        *(hall.mark(session, dict.fromkeys(MANY, "present")) for _ in range(20))
    )
    assert {answer.json()["version"] for answer in answers} == {1}
    assert await crowd.count("superseded_statuses") == 0


async def test_a_removal_and_a_mark_are_serialised(crowd: Stage, hall: Classroom) -> None:
    leaver = MANY[0]
    for date in range(1, 6):
        await hall.enrol(*MANY)
        day = await hall.open(f"2025-09-0{date}")
        marked, removed = await asyncio.gather(
            hall.mark(day, {leaver: "present", MANY[1]: "present"}), hall.enrol(*MANY[1:])
        )
        assert removed["removed"] == [leaver]
        rejected = [r["rollNo"] for r in marked.json()["rejected"]]
        rolls = [m["rollNo"] for m in marked.json()["statuses"]]
        assert (leaver in rejected) != (leaver in rolls)


async def test_rosters_with_shared_students_do_not_deadlock(crowd: Stage) -> None:
    mine = await classroom_of(crowd.asha, "CS1", [])
    theirs = await classroom_of(crowd.bilal, "CS2", [])
    for start in range(0, 500, 100):
        fresh = [f"24/CS/{n}" for n in range(start, start + 100)]
        await asyncio.gather(mine.enrol(*fresh), theirs.enrol(*fresh[::-1]))
    assert await crowd.count("students") == 500


async def test_archiving_and_marking_are_serialised(crowd: Stage, hall: Classroom) -> None:
    session = await hall.open()
    marked, deleted = await asyncio.gather(
        hall.mark(session, {MANY[0]: "present"}), crowd.asha.delete(hall.path)
    )
    assert deleted.status_code == 204
    assert marked.status_code in (200, 409)
    assert await crowd.count("attendance_statuses") == (marked.status_code == 200)


async def test_a_deletion_sees_the_session_it_waited_for(crowd: Stage, hall: Classroom) -> None:
    opened = asyncio.Event()

    async def open_slowly() -> None:
        async with crowd.connection.transaction():
            await crowd.connection.execute(
                "INSERT INTO attendance_sessions (class_id, session_date, teacher_id)"
                " VALUES ($1, '2025-10-27', $2)",
                hall.id,
                crowd.asha.user_id,
            )
            opened.set()
            await asyncio.sleep(0.3)

    opening = asyncio.create_task(open_slowly())
    await opened.wait()
    assert (await crowd.asha.delete(hall.path)).status_code == 204
    await opening
    assert (await crowd.asha.get(hall.path)).json()["archivedAt"]


async def test_emptying_a_roster_counts_students_who_joined_while_it_waited(
    crowd: Stage, hall: Classroom
) -> None:
    await hall.enrol(MANY[0])
    enrolled = asyncio.Event()

    async def enrol_slowly() -> None:
        async with crowd.connection.transaction():
            await crowd.connection.execute("SELECT FROM classes WHERE id = $1 FOR UPDATE", hall.id)
            await crowd.connection.execute(
                "UPDATE class_students SET periods = '{[2025-10-27,)}' WHERE class_id = $1", hall.id
            )
            enrolled.set()
            await asyncio.sleep(0.3)

    enrolling = asyncio.create_task(enrol_slowly())
    await enrolled.wait()
    emptied = await crowd.asha.put(f"{hall.path}/students", {"students": []})
    await enrolling
    assert (emptied.status_code, emptied.json()["code"]) == (409, "confirmation_needed")


async def test_of_equal_classes_created_at_once_all_but_one_are_a_conflict(crowd: Stage) -> None:
    body = {"code": "CS1", "name": "X", "section": "A"}
    answers = await asyncio.gather(*(crowd.asha.post("/classes", body) for _ in range(8)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}


async def test_of_overlapping_slots_added_at_once_all_but_one_are_a_conflict(
    crowd: Stage, hall: Classroom
) -> None:
    answers = await asyncio.gather(
        *(
            crowd.asha.post(
                f"{hall.path}/schedules",
                {"dayOfWeek": 1, "startTime": f"09:{n}0", "endTime": "10:30"},
            )
            for n in range(5)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 4}


async def test_a_held_lock_is_a_503_and_nothing_is_written(crowd: Stage, hall: Classroom) -> None:
    session = await hall.open()
    async with crowd.connection.transaction():
        await crowd.connection.execute("SELECT FROM classes WHERE id = $1 FOR UPDATE", hall.id)
        answer = await hall.mark(session, {MANY[0]: "present"})
        reading = await crowd.asha.get(hall.path)
    assert answer.status_code == 503
    assert reading.status_code == 200
    assert (await hall.mark(session, {MANY[0]: "present"})).json()["version"] == 1


async def test_more_requests_than_connections_all_get_an_answer(
    crowd: Stage, hall: Classroom
) -> None:
    answers = await asyncio.gather(*(crowd.asha.get("/users/me") for _ in range(256)))
    assert {answer.status_code for answer in answers} == {200}
