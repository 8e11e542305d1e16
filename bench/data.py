"""The data of the benchmark, the PostgreSQL that holds it, and how its rows are called."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from alembic import command

from app.auth.jwt import Tokens
from app.cli.database import configuration
from app.config import load_settings
from app.db import open_database
from app.demo import bench_data
from app.demo.bench_data import CLASSES, STUDENTS
from app.localpg import LocalPostgres, home

DAY_ZERO = date(2026, 6, 1)  # the day before the first session
TEACHERS = range(1, 51)  # those who have classes, four each
SCORES = 4000  # different ones that operation D gives: 60.00 to 99.99
SECRET = "a secret of the benchmark that is long enough"

# The settings that the service gives its connections are the server's, so that all have them. No
# vacuum and no checkpoint comes in the middle of a measurement: the bench does both between them.
_OPTIONS = (
    *("shared_buffers=512MB", "random_page_cost=1.1", "jit=off", "autovacuum=off"),
    *("checkpoint_timeout=1h", "max_wal_size=8GB"),
)

# A mark by hand is what operation D says at that place, so that D changes the others alone. The
# tables are for pgbench, which has no arrays: the roll numbers of a class, what is said by hand,
# and the scores of a batch.
_PREPARE = f"""
UPDATE attendance_statuses m
SET status = (ARRAY['present', 'late', 'present', 'absent'])[1 + (place + day) % 4]
FROM (SELECT id, (right(roll_no, 5)::integer - 1) % {STUDENTS} / 2 AS place FROM students) s,
     (SELECT id, session_date - date '{DAY_ZERO}' AS day FROM attendance_sessions) d
WHERE s.id = m.student_id AND d.id = m.session_id AND NOT m.recognized_by_ai;

CREATE TABLE bench_words AS
SELECT s, array_agg((ARRAY['present', 'late', 'present', 'absent'])[1 + (place / 2 + s) % 4]
                    ORDER BY place) AS statuses
FROM generate_series(0, 3) s CROSS JOIN generate_series(0, {STUDENTS} - 1) place GROUP BY s;
ALTER TABLE bench_words ADD PRIMARY KEY (s);

CREATE TABLE bench_rolls AS
SELECT c, array_agg('23/cs/' || lpad(n::text, 5, '0') ORDER BY n) AS roll_keys
FROM generate_series(1, {CLASSES}) c
CROSS JOIN generate_series((c - 1) * {STUDENTS} + 1, c * {STUDENTS}) n GROUP BY c;
ALTER TABLE bench_rolls ADD PRIMARY KEY (c);

CREATE TABLE bench_scores AS
SELECT k, array_agg(CASE WHEN place % 2 = 0 THEN 60 + k * 0.01 END ORDER BY place) AS scores
FROM generate_series(0, {SCORES} - 1) k CROSS JOIN generate_series(1, {STUDENTS}) place GROUP BY k;
ALTER TABLE bench_scores ADD PRIMARY KEY (k);
"""


def id_of(name: str) -> UUID:
    """The id that `app.demo.bench_data` gives to `class7`, `user2` etc."""
    return UUID(md5(name.encode()).hexdigest())


def teacher_of(number: int) -> int:
    """The teacher of the class with that number."""
    return (number - 1) // 4 + 1


def roll(number: int, place: int) -> str:
    """The roll number at that place, from 1, of the class."""
    return f"23/CS/{(number - 1) * STUDENTS + place:05}"


def said(place: int, session: int) -> str:
    """What operation D says of the student at that place: at odd ones by hand, as it is there."""
    return ("present", "late", "present", "absent")[((place - 1) // 2 + session) % 4]


def tokens() -> list[str]:
    """A token for each teacher who has classes."""
    return [token_of(number) for number in TEACHERS]


def token_of(teacher: int) -> str:
    settings = load_settings(
        _env_file=None,
        database_url="postgresql://aims@localhost/bench",
        jwt_secret=SECRET,
        google_client_id="bench",
    )
    return Tokens(settings).issue(id_of(f"user{teacher}"))[0]


@contextmanager
def database() -> Iterator[tuple[LocalPostgres, str]]:
    """A PostgreSQL of its own with the empty schema, and the URL of the database."""
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home()) as directory:
        Path(directory).chmod(0o755)
        with LocalPostgres(Path(directory) / "data", options=_OPTIONS) as server:
            server.create_database("bench")
            url = server.url("bench")
            command.upgrade(configuration(url), "head")
            yield server, url


async def fill(url: str) -> None:
    """Fill the database like `aims demo --scale bench`, always with the same dates."""
    now = datetime.combine(DAY_ZERO + timedelta(days=bench_data.SESSIONS + 1), time(), UTC)
    async with open_database(url) as db:
        await bench_data.fill(db, now)
    await _run(url, _PREPARE)
    await _run(url, "VACUUM ANALYZE")


def tidy(url: str) -> None:
    """Do now what would otherwise happen in the middle of a measurement.

    What the planner knows stays the same, so that plans do not change from round to round.
    """
    asyncio.run(_run(url, "VACUUM"))


def value(url: str, question: str) -> Any:
    """The one value that the query gives."""
    return asyncio.run(_value(url, question))


async def _run(url: str, script: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(script)
    await connection.close()


async def _value(url: str, question: str) -> Any:
    connection = await asyncpg.connect(url)
    value = await connection.fetchval(question)
    await connection.close()
    return value
