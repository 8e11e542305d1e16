"""`aims demo`: what it fills, what it refuses, and the data to measure with."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.cli.demo import Scale
from app.db import open_database
from app.demo import bench_data
from app.demo.department import COURSES
from app.demo.google import sub_of
from app.demo.load import load_department
from tests.command_line import Aims
from tests.conftest import NEEDED

NOW = datetime.now(ZoneInfo("Asia/Kolkata"))
TODAY = NOW.date()
A_CLASS = """
WITH teacher AS (
    INSERT INTO users (email, name) VALUES ('asha@demo.university.example', 'Asha Demo')
    RETURNING id
)
INSERT INTO classes (code, name, section, teacher_id)
SELECT 'CS301', 'Operating Systems', 'A', id FROM teacher
"""


@pytest.fixture
def ours(aims: Aims) -> Aims:
    """An installation where the demo's people may be let in."""
    aims.set(**NEEDED, DEBUG="true")
    return aims


def test_the_command_fills_a_database(ours: Aims) -> None:
    assert "aims token asha@" in ours.must("demo")
    assert ours.rows("SELECT count(*) FROM classes") == [(len(COURSES) + 1,)]


@pytest.mark.parametrize("scale", Scale)
def test_the_command_refuses_a_database_with_classes(ours: Aims, scale: Scale) -> None:
    ours.rows(A_CLASS)
    assert "The database has classes already" in ours.refuse(f"demo --scale {scale}")


def test_the_command_refuses_where_demo_people_must_not_get_in(ours: Aims) -> None:
    ours.set(DEBUG="false")
    assert "let in only with DEBUG=true" in ours.refuse("demo")


def test_the_command_wants_the_newest_tables(ours: Aims, server_url: str) -> None:
    ours.set(DATABASE_URL=server_url)
    assert "run alembic upgrade head" in ours.refuse("demo")


@pytest.mark.anyio
async def test_the_demo_is_created_completely_or_not_at_all(
    own: asyncpg.Connection, own_database_url: str
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    async with open_database(own_database_url) as db:
        with pytest.raises(KeyboardInterrupt):
            await load_department(db, NOW, sub_of, stop)
    for table in ("allowed_emails", "classes", "students", "attendance_sessions", "audit_log"):
        assert await own.fetchval(f"SELECT count(*) FROM {table}") == 0


@pytest.mark.anyio
async def test_the_benchmark_data_has_the_stated_size(
    own: asyncpg.Connection, own_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = (bench_data.CLASSES, bench_data.STUDENTS, bench_data.SESSIONS)
    assert sizes == (200, 60, 40)
    monkeypatch.setattr(bench_data, "SESSIONS", 2)  # all forty take ten seconds
    async with open_database(own_database_url) as db:
        await bench_data.fill(db, NOW)
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
    assert await own.fetchval("SELECT count(DISTINCT term_id) FROM classes") == 1
    # Operation D marks the even places of a class from a photo, which replaces no mark by hand.
    by_ai, wrong = await own.fetchrow(
        "SELECT count(*) FILTER (WHERE source = 'ai'),"
        "       count(*) FILTER (WHERE recognized_by_ai <> even OR recognized_by_ai <> ai)"
        " FROM (SELECT source, recognized_by_ai, source = 'ai' AS ai,"
        "              right(roll_no, 5)::integer % 2 = 0 AS even"
        "       FROM attendance_statuses JOIN students ON id = student_id) m"
    )
    assert (by_ai, wrong) == (12_000, 0)
    digest = await own.fetchval(
        "SELECT md5(string_agg(concat(m.status, recognized_by_ai, similarity_score), ''"
        " ORDER BY session_date, student_id))"
        " FROM attendance_statuses m JOIN attendance_sessions s ON s.id = m.session_id"
    )
    assert digest == "1fcd17c4424ab3dbd742f90870152f91"
