"""Administrators at once with others, on a real pool: one after the other, and no deadlock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.classroom import Classroom, classroom_of
from tests.conftest import Stage
from tests.support import Person

pytestmark = pytest.mark.anyio

MANY = [f"23/CS/{n}" for n in range(200, 240)]
RIGHT, WRONG = MANY[:2]


@pytest.fixture
async def hall(crowd: Stage) -> Classroom:
    """Asha's class, in which one person has two records."""
    return await classroom_of(crowd.asha, rolls=MANY)


@asynccontextmanager
async def holding(crowd: Stage, lock: str, *values: Any) -> AsyncIterator[None]:
    """Somebody has a lock while the block begins requests, and lets go when it ends."""
    async with crowd.connection.transaction():
        await crowd.connection.execute(lock, *values)
        yield


async def begun(*asking: Any) -> list["asyncio.Task[httpx2.Response]"]:
    """These requests, begun one after the other, each waiting for a lock by now."""
    tasks = []
    for request in asking:
        tasks.append(asyncio.create_task(request))
        await asyncio.sleep(0.2)
        assert not tasks[-1].done(), tasks[-1].result().text
    return tasks


async def ids_of(crowd: Stage) -> dict[str, str]:
    """The ids of all students by roll number, in the order of ids."""
    rows = await crowd.connection.fetch("SELECT roll_no, id FROM students ORDER BY id")
    return {row["roll_no"]: str(row["id"]) for row in rows}


def merging(crowd: Stage, this: str, other: str) -> Any:
    return crowd.meera.post(f"/admin/students/{this}/merge", {"otherId": other})


def enrolling(person: Person, room: Classroom, *rolls: str) -> Any:
    return person.put(f"{room.path}/students", {"students": [{"rollNo": roll} for roll in rolls]})


@dataclass(frozen=True)
class Admin:
    """An administrator, and the id of their entry on the allow-list."""

    person: Person
    entry: str

    def remove(self, other: "Admin") -> Any:
        return self.person.delete(f"/admin/allowed-emails/{other.entry}")

    def demote(self, other: "Admin") -> Any:
        return self.person.patch(f"/admin/allowed-emails/{other.entry}", {"role": "teacher"})

    def disable(self, other: "Admin") -> Any:
        return self.person.patch(f"/admin/users/{other.person.user_id}", {"disabled": True})


@pytest.mark.parametrize(
    ("one_act", "other_act"),
    [
        (Admin.remove, Admin.remove),
        (Admin.demote, Admin.disable),
        (Admin.disable, Admin.demote),
    ],
)
async def test_when_two_administrators_demote_each_other_at_once_one_stays(
    crowd: Stage, one_act: Any, other_act: Any
) -> None:
    promote = "UPDATE allowed_emails SET role = 'admin' WHERE email = $1"
    await crowd.connection.execute(promote, crowd.asha.email)
    listed = (await crowd.meera.get("/admin/allowed-emails")).json()
    entries = {entry["email"]: entry["id"] for entry in listed}
    one, other = (Admin(person, entries[person.email]) for person in (crowd.meera, crowd.asha))
    async with holding(crowd, "SELECT FROM allowed_emails, users FOR UPDATE"):
        requests = await begun(one_act(one, other), other_act(other, one))
    answers = [await request for request in requests]
    assert [answer.is_success for answer in answers] == [True, False]
    assert (answers[1].status_code, answers[1].json()["code"]) == (409, "last_admin")
    assert (await crowd.meera.get("/admin/users")).status_code == 200


async def test_nobody_marks_a_record_that_is_being_merged(crowd: Stage, hall: Classroom) -> None:
    ids, session = await ids_of(crowd), await hall.open()
    # The merge has done all but what it writes down last.
    async with holding(crowd, "LOCK TABLE audit_log IN EXCLUSIVE MODE"):
        merge, mark = await begun(
            merging(crowd, ids[RIGHT], ids[WRONG]), hall.mark(session, {WRONG: "late"})
        )
    assert (await merge).status_code == 200
    refused = await mark
    assert (refused.status_code, refused.json()["code"]) == (422, "not_enrolled")
    assert (await crowd.asha.get(f"/attendance/sessions/{session}")).json()["statuses"] == []


async def test_a_merge_sees_the_marks_that_were_being_made(crowd: Stage, hall: Classroom) -> None:
    ids, session = await ids_of(crowd), await hall.open()
    async with holding(crowd, "SELECT FROM attendance_sessions FOR UPDATE"):
        mark, merge = await begun(
            hall.mark(session, {WRONG: "late"}), merging(crowd, ids[RIGHT], ids[WRONG])
        )
    assert ((await mark).status_code, (await merge).status_code) == (200, 200)
    (only,) = (await crowd.asha.get(f"/attendance/sessions/{session}")).json()["statuses"]
    assert (only["rollNo"], only["status"]) == (RIGHT, "late")


async def test_a_merge_and_a_roster_lock_common_students_in_the_same_order(
    crowd: Stage, hall: Classroom
) -> None:
    other = await classroom_of(crowd.bilal, "CS999", [])
    by_id = await ids_of(crowd)
    one, two = next(
        (one, two)
        for place, one in enumerate(by_id)
        for two in list(by_id)[place + 1 :]
        if one > two  # in the other order by roll number
    )
    async with holding(crowd, "SELECT FROM students WHERE roll_no = $1 FOR UPDATE", one):
        merge, roster = await begun(
            merging(crowd, by_id[one], by_id[two]), enrolling(crowd.bilal, other, one, two)
        )
    assert ((await merge).status_code, (await roster).status_code) == (200, 200)


async def test_merges_and_rosters_with_common_students_do_not_deadlock(
    crowd: Stage, hall: Classroom
) -> None:
    other = await classroom_of(crowd.bilal, "CS999", [])
    for turn in range(60):
        rolls = [f"24/CS/{turn}/{n}" for n in range(100)]
        await hall.enrol(*rolls)
        ids = await ids_of(crowd)
        roster, *merges = await asyncio.gather(
            enrolling(crowd.bilal, other, *rolls),
            *(merging(crowd, ids[rolls[n]], ids[rolls[-n]]) for n in range(1, 4)),
        )
        assert roster.status_code == 200, roster.text
        for merge in merges:
            # Where the roster came first, it has changed the classes of both.
            assert merge.status_code == 200 or merge.json()["code"] == "unavailable", merge.text


async def test_the_times_of_versions_increase_even_if_a_merge_had_to_wait(
    crowd: Stage, hall: Classroom
) -> None:
    ids, session = await ids_of(crowd), await hall.open()
    await hall.mark(session, {WRONG: "absent"})
    async with holding(crowd, "SELECT FROM classes FOR SHARE"):
        (merge,) = await begun(merging(crowd, ids[RIGHT], ids[WRONG]))
        assert (await hall.mark(session, {MANY[2]: "late"})).json()["version"] == 2
    assert (await merge).status_code == 200
    rows = await crowd.connection.fetch(
        "SELECT version FROM attendance_batches ORDER BY made_at, version"
    )
    assert [row["version"] for row in rows] == [1, 2, 3]
