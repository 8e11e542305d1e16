"""The demo's department: as described, believable, dated back, and the same every time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from fastapi import FastAPI

from app.db import open_database
from app.demo.department import ASHA, COURSES, TEACHERS, dates_of, enrolled, occurrences
from app.demo.google import sub_of
from app.demo.load import WEEKS, load_department
from app.services.demo import bench_service
from tests.conftest import DOMAIN, copy_of
from tests.processes import Checkout
from tests.support import Person, client_of, one_connection_database

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Kolkata")
NOW = datetime.now(ZONE)
TODAY = NOW.date()
FIRST = TODAY - timedelta(weeks=WEEKS)
NEEDED = {
    "JWT_SECRET": "a secret of the demo's tests that is long enough",
    "GOOGLE_CLIENT_ID": "app.demo.university.example",
    "DEBUG": "true",
}

# Everything that was made, by its names; ids are new each time, and so is the sign-in.
DIGEST = """
SELECT md5(string_agg(line, '|' ORDER BY line COLLATE "C")) FROM (
    SELECT concat_ws(' ', c.code, c.practical_group, c.section, s.session_date, s.start_time,
                     s.created_at, st.roll_no, st.name, m.status, m.similarity_score, m.remark,
                     m.version, m.marked_at, u.name, e.periods, e.added_at) AS line
    FROM classes c
    JOIN class_students e ON e.class_id = c.id
    JOIN students st ON st.id = e.student_id
    JOIN attendance_sessions s ON s.class_id = c.id
    LEFT JOIN (
        SELECT session_id, student_id, status, similarity_score, remark, version, marked_at,
               marked_by FROM attendance_statuses
        UNION ALL
        SELECT session_id, student_id, status, similarity_score, remark, version, marked_at,
               marked_by FROM superseded_statuses
    ) m ON m.session_id = s.id AND m.student_id = st.id
    LEFT JOIN users u ON u.id = m.marked_by
    UNION ALL
    SELECT concat_ws(' ', code, practical_group, d.day_of_week, d.start_time, d.end_time)
    FROM classes c JOIN class_schedules d ON d.class_id = c.id
    UNION ALL
    SELECT concat_ws(' ', code, r.original_date, r.rescheduled_date, r.reason)
    FROM classes c JOIN class_reschedules r ON r.class_id = c.id
) lines
"""


async def load(url: str) -> None:
    async with open_database(url) as db:
        await load_department(db, NOW, sub_of)


@pytest.fixture(scope="module")
def department_url(server_url: str, template: str, worker_id: str) -> Iterator[str]:
    """A database with the department. Tests leave it as it is."""
    url = asyncio.run(copy_of(server_url, template, f"aims_demo_{worker_id}"))
    asyncio.run(load(url))
    return url


@pytest.fixture
async def department(department_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the department whose changes are undone."""
    connection = await asyncpg.connect(department_url)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@asynccontextmanager
async def signed_in(app: FastAPI, connection: asyncpg.Connection, name: str) -> AsyncIterator[Person]:
    """One of the demo's people, calling the API on that connection."""
    app.state.database, _ = one_connection_database(connection)
    email = f"{name}@{DOMAIN}"
    user_id = await connection.fetchval("SELECT id FROM users WHERE email = $1", email)
    async with client_of(app) as client:
        yield Person(client, app.state.tokens.issue(user_id)[0], user_id, email)


async def test_an_admin_and_five_teachers_share_ten_classes(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    async with signed_in(app, department, "meera") as meera:
        me = (await meera.get("/users/me")).json()
        assert (me["role"], me["department"]) == ("admin", "Computer Science and Engineering")
        people = (await meera.get("/admin/users")).json()
        assert Counter(person["role"] for person in people) == {"admin": 1, "teacher": 5}
        classes = (await meera.get("/classes")).json()
    assert sorted(Counter(c["teacherId"] for c in classes).values()) == [2, 2, 2, 2, 2]
    assert all(55 <= len(c["students"]) <= 65 for c in classes)
    assert all(1 <= len(c["schedule"]) <= 3 for c in classes)
    labs = {c["name"]: c for c in classes if c["practicalGroup"]}
    assert len(labs) == 2
    assert all((c["teacherType"], c["ltpPattern"]) == ("Practical", "0-0-2") for c in labs.values())
    attends = Counter(s["rollNo"] for c in classes for s in c["students"])
    assert Counter(attends.values()).keys() == {2, 3, 4}
    named = {s["rollNo"]: s["name"] for c in classes for s in c["students"]}
    assert len(set(named.values())) == len(named)
    moves = [move for c in classes for move in c["reschedules"]]
    assert any(move["rescheduledDate"] < str(TODAY) for move in moves)
    assert any(move["originalDate"] > str(TODAY) for move in moves)


@pytest.mark.parametrize("days", range(7))
async def test_nobody_is_in_two_places_at_once(days: int) -> None:
    today = TODAY + timedelta(days=days)
    # Until three weeks from now, so that the moves to come are among them.
    until, busy = today + timedelta(weeks=3), dict[tuple[str, date], list[tuple[str, str]]]()
    for course in COURSES:
        away = {dates_of(move, today)[0] for move in course.moves}
        held = [*occurrences(course, FIRST, today)]
        held += [o for o in occurrences(course, today, until) if o.day not in away]
        for move in course.moves:
            if (to := dates_of(move, today)[1]) >= today:
                held.append(occurrence_at(to, move.to.start, move.to.end))
        for occurrence in held:
            for person in (TEACHERS[course.teacher][0], *course.rolls):
                hours = busy.setdefault((person, occurrence.day), [])
                hours.append((occurrence.start, occurrence.end))
    assert len(busy) > 5000
    for person_and_day, hours in busy.items():
        for (_, end), (start, _) in pairwise(sorted(hours)):
            assert end <= start, person_and_day
