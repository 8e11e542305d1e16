"""Migrations create what the models describe, can be reverted, and do not wait long for a lock.

The last test repeats all of it on PostgreSQL 16, the oldest supported version.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from app.cli.database import configuration
from app.config import load_settings
from app.db import open_database
from app.localpg import LocalPostgres
from app.main import create_app
from app.models import Base
from app.services.health import newest_revision
from app.sql import Statement
from tests.classroom import ROLLS, classroom_of
from tests.conftest import DOMAIN, SECRET, ZONE, on_server
from tests.processes import ROOT, Checkout
from tests.support import Person, client_of

T = TypeVar("T")

# Tables and columns that reports and people in psql rely on; others may come and go.
PUBLIC = {
    "allowed_emails": "id email name role created_at updated_at",
    "users": "id email name google_sub department employee_id last_login_at disabled_at created_at",
    "students": "id roll_no roll_key name photo_url program sp_code semester status duration"
    " email dtu_email phone created_at",
    "classes": "id code name section ltp_pattern teacher_type practical_group teacher_id"
    " created_at updated_at archived_at",
    "class_schedules": "class_id id day_of_week start_time end_time",
    "class_reschedules": "class_id id original_date original_start_time original_end_time"
    " rescheduled_date rescheduled_start_time rescheduled_end_time reason created_at",
    "class_students": "class_id student_id added_at periods",
    "attendance_sessions": "class_id id session_date start_time end_time teacher_id"
    " processed_image_url status version created_at",
    "attendance_statuses": "class_id session_id student_id status recognized_by_ai"
    " similarity_score remark source marked_by marked_at",
    "v_student_attendance_summary": "class_id student_id roll_no name present absent late"
    " excused total percentage",
}

# Inserts as written in psql, in this order, and the columns that the table fills in by itself.
INSERTS = {
    "allowed_emails": (
        "(email, name, role) VALUES ('gita@demo.university.example', 'Gita Demo', 'teacher')",
        "id created_at updated_at",
    ),
    "users": (
        "(email, name) VALUES ('gita@demo.university.example', 'Gita Demo')",
        "id created_at",
    ),
    "students": ("(roll_no, roll_key) VALUES ('23/CS/101', '23/cs/101')", "id created_at"),
    "classes": (
        "(code, name, section, teacher_id) SELECT 'CS301', 'Systems', 'A', id FROM users",
        "id created_at updated_at",
    ),
    "class_schedules": (
        "(class_id, day_of_week, start_time, end_time) SELECT id, 1, '09:00', '10:00' FROM classes",
        "id",
    ),
    "class_reschedules": (
        "(class_id, original_date, original_start_time, original_end_time, rescheduled_date,"
        " rescheduled_start_time, rescheduled_end_time) SELECT id, '2025-10-27', '09:00', '10:00',"
        " '2025-10-29', '15:00', '16:00' FROM classes",
        "id created_at",
    ),
    "class_students": (
        "(class_id, student_id, periods) SELECT c.id, s.id, '{[2025-08-01,)}'"
        " FROM classes c, students s",
        "added_at",
    ),
    "attendance_sessions": (
        "(class_id, session_date, teacher_id) SELECT id, '2025-10-27', teacher_id FROM classes",
        "id status version created_at",
    ),
    "attendance_statuses": (
        "(class_id, session_id, student_id, status, marked_by)"
        " SELECT s.class_id, s.id, e.student_id, 'present', s.teacher_id"
        " FROM attendance_sessions s JOIN class_students e USING (class_id)",
        "recognized_by_ai source marked_at",
    ),
}

OBJECTS = """
SELECT relkind::text || ' ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'extension ' || extname FROM pg_extension
ORDER BY 1
"""

DETAILS = """
SELECT format('%s.%s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod),
              attnotnull, pg_get_expr(adbin, adrelid))
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
      AND relkind IN ('r', 'v')
UNION ALL
SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid::regclass IN (
    SELECT oid::regclass FROM pg_class WHERE relnamespace = 'public'::regnamespace)
UNION ALL SELECT format('%s %s', relname, reloptions) FROM pg_class
WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT definition FROM pg_views WHERE schemaname IN ('public', 'as_of')
ORDER BY 1
"""

CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
WAITING = f"{CONNECTED} AND wait_event_type = 'Lock'"


def on(url: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Run `work` on a new connection."""

    async def run() -> T:
        connection = await asyncpg.connect(url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def ask(url: str, sql: str) -> list[Any]:
    """The first column of the statement's result."""
    return [row[0] for row in on(url, lambda connection: connection.fetch(sql))]


@pytest.fixture
def empty_url(server_url: str, worker_id: str) -> Iterator[str]:
    """An empty database."""
    name = f"aims_migrations_{worker_id}"
    on(server_url, lambda server: server.execute(f"CREATE DATABASE {name}"))
    yield on_server(server_url, name)
    on(server_url, lambda server: server.execute(f"DROP DATABASE {name} WITH (FORCE)"))


def test_models_and_migrations_describe_the_same_schema(own_database_url: str) -> None:
    command.check(configuration(own_database_url))


def test_there_is_one_head() -> None:
    scripts = ScriptDirectory.from_config(configuration(""))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


def test_downgrading_leaves_nothing_and_upgrading_again_makes_the_same_schema(
    empty_url: str,
) -> None:
    command.upgrade(configuration(empty_url), "head")
    objects, details = ask(empty_url, OBJECTS), ask(empty_url, DETAILS)
    command.downgrade(configuration(empty_url), "base")
    left = [name for name in ask(empty_url, OBJECTS) if "alembic_version" not in name]
    assert left == ["extension plpgsql"]
    command.upgrade(configuration(empty_url), "head")
    assert ask(empty_url, OBJECTS) == objects
    assert ask(empty_url, DETAILS) == details


def test_the_app_expects_the_head_revision_of_alembic() -> None:
    scripts = ScriptDirectory.from_config(configuration(""))
    assert newest_revision() == scripts.get_current_head()


def test_every_revision_goes_down_and_up(empty_url: str) -> None:
    scripts = ScriptDirectory.from_config(configuration(""))
    for revision in reversed(list(scripts.walk_revisions())):
        command.upgrade(configuration(empty_url), revision.revision)
        made = ask(empty_url, DETAILS)
        command.downgrade(configuration(empty_url), "-1")
        command.upgrade(configuration(empty_url), "+1")
        assert ask(empty_url, DETAILS) == made


TWO_TERMS = """
INSERT INTO users (email, name) VALUES ('gita@demo.university.example', 'Gita Demo');
INSERT INTO terms (name, first_day, last_day)
VALUES ('Spring', '2025-01-06', '2025-05-16'), ('Autumn', '2025-07-21', '2025-12-05');
INSERT INTO classes (code, name, section, teacher_id, term_id)
SELECT 'CS301', t.name, 'A', u.id, t.id
FROM users u, (SELECT id, name FROM terms UNION ALL SELECT NULL, 'None') t;
"""
LIVE = "SELECT name FROM classes WHERE archived_at IS NULL"


def test_when_terms_are_dropped_the_class_of_the_latest_term_stays_live(empty_url: str) -> None:
    command.upgrade(configuration(empty_url), "0003")
    on(empty_url, lambda connection: connection.execute(TWO_TERMS))
    command.downgrade(configuration(empty_url), "0002")
    assert ask(empty_url, LIVE) == ["Autumn"]
    assert ask(empty_url, "SELECT count(*) FROM classes") == [3]
    command.upgrade(configuration(empty_url), "0003")
    assert ask(empty_url, LIVE) == ["Autumn"]


def test_no_extension_is_needed(own_database_url: str) -> None:
    assert ask(own_database_url, "SELECT extname FROM pg_extension") == ["plpgsql"]


def test_the_extensions_script_is_idempotent(own_database_url: str) -> None:
    script = (ROOT / "initdb" / "01_extensions.sql").read_text()
    made = "SELECT c FROM ({}) AS t(c) WHERE c NOT LIKE '%pg_stat_statements%' ORDER BY 1"
    before = ask(own_database_url, made.format(DETAILS.replace("ORDER BY 1", "")))
    on(own_database_url, lambda connection: connection.execute(script))
    on(own_database_url, lambda connection: connection.execute(script))
    assert ask(own_database_url, made.format(DETAILS.replace("ORDER BY 1", ""))) == before
    command.check(configuration(own_database_url))


async def until(
    watcher: asyncpg.Connection,
    sql: str,
    wanted: int,
    processes: "Sequence[subprocess.Popen[str]]" = (),
) -> None:
    """Wait until the statement counts `wanted`; the processes have to live until then."""
    async with asyncio.timeout(20):
        while await watcher.fetchval(sql) != wanted:
            assert all(process.poll() is None for process in processes)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def upgrades_half_way(
    url: str, checkout: Checkout, count: int
) -> "AsyncIterator[list[subprocess.Popen[str]]]":
    """Upgrades that, inside the block, wait for an uncommitted table of the same name."""
    other, watcher = await asyncpg.connect(url), await asyncpg.connect(url)
    await other.transaction().start()
    await other.execute("CREATE TABLE superseded_statuses ()")
    upgrades = [checkout.start("alembic upgrade head") for _ in range(count)]
    try:
        await until(watcher, WAITING, count, upgrades)
        yield upgrades
        await other.close()
        for upgrade in upgrades:
            await asyncio.to_thread(upgrade.wait, 30)
        await until(watcher, CONNECTED, 1)
    finally:
        for upgrade in upgrades:
            upgrade.kill()
        await other.close()
        await watcher.close()


async def both_outcomes(url: str, checkout: Checkout) -> list[tuple[int, str]]:
    async with upgrades_half_way(url, checkout, 2) as upgrades:
        pass
    said = [upgrade.communicate(timeout=30)[0] for upgrade in upgrades]
    return [(upgrade.returncode, text) for upgrade, text in zip(upgrades, said, strict=True)]


def test_two_upgrades_started_at_once_both_succeed(empty_url: str, checkout: Checkout) -> None:
    ours = checkout.having(DATABASE_URL=empty_url)
    for code, said in asyncio.run(both_outcomes(empty_url, ours)):
        assert code == 0, said
    command.check(configuration(empty_url))


async def interrupt_half_way(url: str, checkout: Checkout) -> None:
    async with upgrades_half_way(url, checkout, 1) as (upgrade,):
        upgrade.kill()
        upgrade.communicate()


def test_an_upgrade_killed_halfway_changes_nothing(empty_url: str, checkout: Checkout) -> None:
    before = ask(empty_url, OBJECTS)
    asyncio.run(interrupt_half_way(empty_url, checkout.having(DATABASE_URL=empty_url)))
    assert ask(empty_url, OBJECTS) == before
    command.upgrade(configuration(empty_url), "head")
    command.check(configuration(empty_url))


async def downgrade_while_read(url: str, checkout: Checkout) -> tuple[float, int, str]:
    reader = await asyncpg.connect(url)
    async with reader.transaction():
        await reader.fetch("SELECT FROM attendance_statuses")
        began = time.monotonic()
        code, said = await asyncio.to_thread(checkout.run, "aims db downgrade base")
        took = time.monotonic() - began
    await reader.close()
    return took, code, said


def test_a_migration_that_cannot_get_its_lock_gives_up_within_seconds(
    own_database_url: str, checkout: Checkout
) -> None:
    before = ask(own_database_url, DETAILS)
    ours = checkout.having(DATABASE_URL=own_database_url)
    took, code, said = asyncio.run(downgrade_while_read(own_database_url, ours))
    assert code != 0
    assert "Traceback" not in said
    assert "lock" in said
    assert took < 15
    assert ask(own_database_url, DETAILS) == before


@pytest.mark.anyio
async def test_all_public_names_exist(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public'"
    )
    there = {(row["table_name"], row["column_name"]) for row in rows}
    promised = {(table, column) for table, names in PUBLIC.items() for column in names.split()}
    assert promised - there == set()
    periods = await connection.fetchval(
        "SELECT data_type FROM information_schema.columns WHERE column_name = 'periods'"
    )
    assert periods == "datemultirange"


@pytest.mark.anyio
async def test_every_public_table_fills_in_its_own_id_and_times(
    connection: asyncpg.Connection,
) -> None:
    assert [*INSERTS] == [table for table in PUBLIC if not table.startswith("v_")]
    now = await connection.fetchval("SELECT now()")
    for table, (values, filled) in INSERTS.items():
        row = await connection.fetchrow(f"INSERT INTO {table} {values} RETURNING *")
        for column in filled.split():
            assert row[column] is not None, f"{table}.{column}"
            assert row[column] == now or not column.endswith("_at")
    summary = await connection.fetchrow("SELECT * FROM v_student_attendance_summary")
    assert (summary["present"], summary["total"], summary["percentage"]) == (1, 1, 100)


async def take_attendance(url: str) -> None:
    """Through the real app: class, roster, session, marks, a correction, history and counts."""
    settings = load_settings(
        _env_file=None,
        database_url=url,
        jwt_secret=SECRET,
        google_client_id="app.demo.university.example",
    )
    app = create_app(settings)
    async with open_database(url, ZONE) as app.state.database, client_of(app) as client:
        email = f"asha@{DOMAIN}"
        row = await app.state.database.row(
            Statement(
                "WITH a AS (INSERT INTO allowed_emails (email, role) VALUES (:email, 'teacher'))"
                " INSERT INTO users (email, name) VALUES (:email, 'Asha Demo') RETURNING id"
            ),
            email=email,
        )
        asha = Person(client, app.state.tokens.issue(row["id"])[0], row["id"], email)
        room = await classroom_of(asha)
        session = await room.open()
        await room.mark(session, dict.fromkeys(ROLLS, "absent"))
        marked = (await room.mark(session, {ROLLS[0]: "late"})).json()
        assert (marked["version"], len(marked["statuses"])) == (2, 3)
        history = (await asha.get(f"/attendance/sessions/{session}/history")).json()
        assert [change["to"]["status"] for change in history] == ["late", *["absent"] * 3]
        await room.enrol(*ROLLS[:2])
        stats = (await asha.get(f"/stats/classes/{room.id}/students")).json()
        assert [(s["rollNo"], s["late"], s["percentage"]) for s in stats] == [
            (ROLLS[0], 1, 100),
            (ROLLS[1], 0, 0),
        ]
        assert (await asha.get("/health/ready")).status_code == 200


def test_everything_works_on_postgresql_16() -> None:
    with LocalPostgres.throwaway(major=16) as server:
        url = server.url("postgres")
        assert ask(url, "SHOW server_version")[0].startswith("16")
        command.upgrade(configuration(url), "head")
        command.check(configuration(url))
        made = ask(url, DETAILS)
        command.downgrade(configuration(url), "base")
        command.upgrade(configuration(url), "head")
        assert ask(url, DETAILS) == made
        assert ask(url, "SELECT extname FROM pg_extension") == ["plpgsql"]
        asyncio.run(take_attendance(url))
        view = "SELECT roll_no || ' ' || percentage FROM v_student_attendance_summary ORDER BY 1"
        assert ask(url, view) == [f"{ROLLS[0]} 100.00", f"{ROLLS[1]} 0.00"]
        assert ask(url, f"SELECT count(*) FROM {Base.metadata.tables['students']}") == [3]
