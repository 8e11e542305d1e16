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

from app.cli.demo import Scale, demo
from app.db import open_database
from app.demo.department import COURSES, TEACHERS, occurrences
from app.demo.google import sub_of
from app.demo.load import WEEKS, load_department
from app.errors import Conflict, Unavailable
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


@pytest.fixture
async def own(own_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to an empty database, for what commits."""
    connection = await asyncpg.connect(own_database_url)
    yield connection
    await connection.close()


@asynccontextmanager
async def signed_in(
    app: FastAPI, connection: asyncpg.Connection, name: str
) -> AsyncIterator[Person]:
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
    assert sum(count > 1 for count in attends.values()) > len(attends) / 2
    named = {s["rollNo"]: s["name"] for c in classes for s in c["students"]}
    assert len(set(named.values())) == len(named)
    moves = [move for c in classes for move in c["reschedules"]]
    assert any(move["rescheduledDate"] < str(TODAY) for move in moves)
    assert any(move["originalDate"] > str(TODAY) for move in moves)


@pytest.mark.parametrize("days", range(7))
async def test_nobody_is_in_two_places_at_once(days: int) -> None:
    today = TODAY + timedelta(days)
    busy: dict[tuple[str, date], list[tuple[str, str]]] = {}
    for course in COURSES:
        # Three weeks on, so that the moves to come are among them.
        for day, start, end in occurrences(course, FIRST, today + timedelta(weeks=3), today):
            for person in (TEACHERS[course.teacher][0], *course.rolls):
                busy.setdefault((person, day), []).append((start, end))
    assert len(busy) > 5000
    for person_and_day, hours in busy.items():
        for (_, end), (start, _) in pairwise(sorted(hours)):
            assert end <= start, person_and_day


async def test_every_class_was_held_for_eight_weeks_until_yesterday_and_everybody_marked(
    department: asyncpg.Connection,
) -> None:
    rows = await department.fetch(
        "SELECT c.code || c.section || coalesce(practical_group, '') AS class,"
        " array_agg(session_date ORDER BY session_date) AS days"
        " FROM attendance_sessions s JOIN classes c ON c.id = s.class_id GROUP BY 1"
    )
    assert {row["class"]: row["days"] for row in rows} == {
        f"{course.code}{course.section}{course.practical_group or ''}": [
            occurrence.day for occurrence in occurrences(course, FIRST, TODAY, TODAY)
        ]
        for course in COURSES
    }
    assert FIRST <= min(min(row["days"]) for row in rows) < FIRST + timedelta(days=4)
    assert TODAY - timedelta(days=4) < max(max(row["days"]) for row in rows) < TODAY
    astray = await department.fetchval(
        "SELECT count(*) FROM (SELECT s.class_id, s.id AS session_id, e.student_id"
        "   FROM attendance_sessions s JOIN class_students e"
        "     ON e.class_id = s.class_id AND e.periods @> s.session_date) wanted"
        " FULL JOIN attendance_statuses m USING (class_id, session_id, student_id)"
        " WHERE m.status IS NULL OR wanted.session_id IS NULL"
    )
    assert astray == 0


async def test_students_come_as_students_do(app: FastAPI, department: asyncpg.Connection) -> None:
    halves = await department.fetch(
        "SELECT avg(came) FILTER (WHERE early) AS first, avg(came) FILTER (WHERE NOT early) AS last"
        " FROM (SELECT m.student_id, (m.status IN ('present', 'late'))::int AS came,"
        "              s.session_date < $1 AS early"
        "       FROM attendance_statuses m JOIN attendance_sessions s ON s.id = m.session_id) marks"
        " GROUP BY student_id",
        FIRST + timedelta(weeks=WEEKS // 2),
    )
    complete = [row for row in halves if row["first"] is not None and row["last"] is not None]
    assert sum(row["first"] > 0.8 and row["last"] < 0.6 for row in complete) >= 2
    assert sum(row["first"] > 0.9 and row["last"] > 0.9 for row in complete) > len(complete) / 2
    async with signed_in(app, department, "asha") as asha:
        for class_ in (await asha.get("/classes?roster=false")).json():
            path = f"/stats/classes/{class_['id']}/students"
            stats = (await asha.get(path)).json()
            below = [s for s in stats if (s["present"] + s["late"]) * 100 < 75 * s["total"]]
            assert 2 <= len(below) <= 16
            held = max(s["total"] for s in stats)
            everybody = (await asha.get(f"{path}?include=withdrawn")).json()
            if (class_["code"], class_["section"]) == ("CS301", "A"):
                totals = {s["rollNo"]: s["total"] for s in everybody}
                assert 0 < totals["23/CS/162"] < held  # joined late
                assert 0 < totals["23/CS/140"] < held  # withdrew
                assert {s["rollNo"] for s in everybody} - {s["rollNo"] for s in stats} == {
                    "23/CS/140"
                }


async def test_marks_are_recognised_called_late_excused_and_corrected(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    (kinds,) = await department.fetch(
        "SELECT count(*) FILTER (WHERE recognized_by_ai AND similarity_score > 70) AS ai,"
        " count(*) FILTER (WHERE recognized_by_ai <> (similarity_score IS NOT NULL)) AS odd,"
        " count(*) FILTER (WHERE status = 'late') AS late,"
        " count(*) FILTER (WHERE status = 'excused' AND remark IS NULL) AS unexplained,"
        " count(*) AS all FROM attendance_statuses"
    )
    assert kinds["ai"] > kinds["all"] / 3
    assert kinds["odd"] == kinds["unexplained"] == 0
    assert kinds["late"] > 100
    corrected = await department.fetch(
        "SELECT id, teacher_id FROM attendance_sessions WHERE version > 1"
    )
    assert 20 < len(corrected) < 70
    by = set()
    async with signed_in(app, department, "meera") as meera:
        for session in corrected:
            page = (await meera.get(f"/attendance/sessions/{session['id']}/history?limit=1")).json()
            assert page[0]["from"] is not None
            by.add("teacher" if page[0]["changedBy"] == str(session["teacher_id"]) else "admin")
    assert by == {"teacher", "admin"}


async def test_everything_is_dated_when_it_happened(department: asyncpg.Connection) -> None:
    """Nothing bears the time of loading but the sign-ins and the moves told of today."""
    (eve,) = await department.fetchrow("SELECT min(created_at) FROM classes")
    assert eve.astimezone(ZONE).date() == FIRST - timedelta(days=3)
    for table, column in {
        "users": "created_at",
        "allowed_emails": "created_at",
        "allowed_emails ": "updated_at",
        "classes": "created_at",
        "classes ": "updated_at",
        "students": "created_at",
        "class_students": "added_at",
        "attendance_sessions": "created_at",
        "attendance_batches": "made_at",
        "attendance_statuses": "marked_at",
        "superseded_statuses": "marked_at",
        "audit_log": "at",
    }.items():
        first, last = await department.fetchrow(f"SELECT min({column}), max({column}) FROM {table}")
        assert eve <= first <= last < NOW, table
    untrue = await department.fetchval(
        "SELECT count(*) FROM attendance_sessions s"
        " JOIN attendance_batches b ON b.session_id = s.id"
        " LEFT JOIN attendance_batches before"
        "   ON before.session_id = s.id AND before.version = b.version - 1"
        " WHERE s.created_at NOT BETWEEN ((s.session_date + s.start_time) AT TIME ZONE $1)"
        "                            AND ((s.session_date + s.end_time) AT TIME ZONE $1)"
        "    OR b.made_at <= coalesce(before.made_at, s.created_at)",
        str(ZONE),
    )
    assert untrue == 0
    (apart,) = await department.fetchrow(
        "SELECT count(*) FROM (TABLE attendance_statuses) m"
        " JOIN attendance_batches b USING (class_id, session_id, version)"
        " WHERE m.marked_at <> b.made_at"
    )
    assert apart == 0


async def test_the_tour_marks_in_the_first_class_of_asha(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    async with signed_in(app, department, "asha") as asha:
        class_id = (await asha.get("/classes?roster=false")).json()[0]["id"]
        body = {"classId": class_id, "sessionDate": str(datetime.now(ZONE).date())}
        opened = (await asha.post("/attendance/sessions", body)).json()
        assert opened["created"]
        updates = [{"rollNo": f"23/CS/{number}", "status": "present"} for number in (107, 108)]
        path = f"/attendance/sessions/{opened['sessionId']}/statuses"
        answer = (await asha.put(path, {"updates": updates})).json()
        assert (answer["version"], answer["rejected"]) == (1, [])


async def test_it_is_the_same_every_time(
    department: asyncpg.Connection, own: asyncpg.Connection, own_database_url: str
) -> None:
    await load(own_database_url)
    assert await own.fetchval(DIGEST) == await department.fetchval(DIGEST)


async def test_it_is_made_whole_or_not_at_all(
    own: asyncpg.Connection, own_database_url: str
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    async with open_database(own_database_url) as db:
        with pytest.raises(KeyboardInterrupt):
            await load_department(db, NOW, sub_of, stop)
    for table in ("allowed_emails", "classes", "students", "attendance_sessions", "audit_log"):
        assert await own.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_the_command_fills_a_database(
    checkout: Checkout, own: asyncpg.Connection, own_database_url: str
) -> None:
    ours = checkout.having(DATABASE_URL=own_database_url, **NEEDED)
    assert "aims token asha@" in await asyncio.to_thread(ours.must, "aims demo")
    assert await own.fetchval("SELECT count(*) FROM classes") == len(COURSES)


@pytest.fixture
def settings_of_ours(monkeypatch: pytest.MonkeyPatch, department_url: str) -> None:
    for name, value in {**NEEDED, "DATABASE_URL": department_url}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("settings_of_ours")
@pytest.mark.parametrize("scale", Scale)
def test_the_command_refuses_a_database_with_classes(scale: Scale) -> None:
    with pytest.raises(Conflict, match="The database has classes already"):
        demo(scale)


@pytest.mark.usefixtures("settings_of_ours")
def test_the_command_refuses_where_demo_people_must_not_get_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEBUG", "false")
    with pytest.raises(SystemExit, match="let in only with DEBUG=true"):
        demo()


@pytest.mark.usefixtures("settings_of_ours")
def test_the_command_wants_the_newest_tables(
    monkeypatch: pytest.MonkeyPatch, server_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", server_url)
    with pytest.raises(Unavailable, match="run alembic upgrade head"):
        demo()


async def test_the_data_to_measure_with_is_of_the_size_that_is_measured(
    own: asyncpg.Connection, own_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = (bench_service.CLASSES, bench_service.STUDENTS, bench_service.SESSIONS)
    assert sizes == (200, 60, 40)
    monkeypatch.setattr(bench_service, "SESSIONS", 2)  # all forty take ten seconds
    async with open_database(own_database_url) as db:
        await bench_service.fill(db, NOW)
    for table, count in {
        "users": 200,
        "classes": 200,
        "students": 12_000,
        "class_students": 12_000,
        "attendance_sessions": 400,
        "attendance_batches": 400,
        "attendance_statuses": 24_000,
    }.items():
        assert await own.fetchval(f"SELECT count(*) FROM {table}") == count, table
    of_one = await own.fetch(
        "SELECT session_date, count(*) AS marks, count(DISTINCT student_id) AS students"
        " FROM attendance_sessions s JOIN attendance_statuses m ON m.session_id = s.id"
        " WHERE s.class_id = md5('class7')::uuid GROUP BY 1 ORDER BY 1"
    )
    days = [TODAY - timedelta(days=2), TODAY - timedelta(days=1)]
    assert [tuple(row) for row in of_one] == [(day, 60, 60) for day in days]
    digest = await own.fetchval(
        "SELECT md5(string_agg(m.status || recognized_by_ai || similarity_score, ''"
        " ORDER BY session_date, student_id))"
        " FROM attendance_statuses m JOIN attendance_sessions s ON s.id = m.session_id"
    )
    assert digest == "2f892bd754a75267667303a03ace3214"
