"""Every status of a mark is counted by its name wherever marks are counted.

A status that is added makes the places fail that forgot it, and each of these tests names one.
"""

import csv
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from app.files.register.register_words import LETTERS
from app.schemas.attendance import Status
from tests.classroom import ROLLS, Classroom
from tests.conftest import Stage

pytestmark = pytest.mark.anyio

ONE = ROLLS[0]
Counts = Mapping[str, Any]


async def student_of_class(stage: Stage, room: Classroom) -> Counts:
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    return next(student for student in stats if student["rollNo"] == ONE)


async def student_then(stage: Stage, room: Classroom) -> Counts:
    path = f"/stats/classes/{room.id}/students?asOf={await stage.connection.fetchval(NOW)}"
    return next(s for s in (await stage.asha.get(path)).json() if s["rollNo"] == ONE)


async def session_of_class(stage: Stage, room: Classroom) -> Counts:
    (session,) = (await stage.asha.get(f"/stats/classes/{room.id}/sessions")).json()
    return session


async def student_overall(stage: Stage, room: Classroom) -> Counts:
    return (await stage.asha.get(f"/stats/students?rollNo={ONE}")).json()["total"]


async def overview(stage: Stage, room: Classroom) -> Counts:
    return (await stage.meera.get("/stats/overview?term=current")).json()["marks"]


async def summary_in_psql(stage: Stage, room: Classroom) -> Counts:
    row = await stage.connection.fetchrow(
        "SELECT * FROM v_student_attendance_summary WHERE roll_no = $1", ONE
    )
    return dict(row)


async def counts_in_psql(stage: Stage, room: Classroom) -> Counts:
    return dict(await stage.connection.fetchrow("SELECT * FROM v_attendance_counts"))


async def register_totals(stage: Stage, room: Classroom) -> Counts:
    text = (await stage.asha.get(f"{room.path}/register?format=csv")).text
    rows = list(csv.reader(text.splitlines()))
    start = next(place for place, row in enumerate(rows) if row and row[0] == "Roll No")
    row = next(row for row in rows[start:] if row[0] == ONE)
    return {
        heading.lower(): int(float(cell))
        for heading, cell in zip(rows[start], row, strict=True)
        if cell.replace(".", "").isdigit()
    }


# An instant in the form that `asOf` takes.
NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

READERS: list[Callable[[Stage, Classroom], Awaitable[Counts]]] = [
    student_of_class,
    student_then,
    session_of_class,
    student_overall,
    overview,
    summary_in_psql,
    counts_in_psql,
    register_totals,
]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("status", Status)
async def test_a_mark_is_counted_by_its_status_and_no_other(
    stage: Stage,
    room: Classroom,
    status: Status,
    reader: Callable[[Stage, Classroom], Awaitable[Counts]],
) -> None:
    await room.mark(await room.open(), {ONE: status})
    counts = await reader(stage, room)
    assert {name: counts.get(name) for name in Status} == {
        name: int(name == status) for name in Status
    }


async def test_the_policy_says_of_every_status_whether_it_counts(
    stage: Stage, room: Classroom
) -> None:
    rules = {"threshold": 7500, "lateWeight": 100, "minimumSessions": 0}
    await stage.meera.put("/admin/policy", rules | {"excused": "absent", "onDuty": "absent"})
    for status in Status:
        await room.mark(
            await room.open(startTime=f"{9 + list(Status).index(status):02}:00"), {ONE: status}
        )
    stats = await student_of_class(stage, room)
    assert stats["counted"] == stats["total"] == len(Status)


def test_every_status_has_a_letter_in_registers() -> None:
    assert {status.value for status in Status} <= LETTERS.keys()
