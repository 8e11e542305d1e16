"""What `aims verify` would say of the database of a test, and a department to verify."""

import asyncio
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.db import Database, open_database
from app.demo.google import sub_of
from app.demo.load import load_department
from app.services.verifying import verify
from tests.classroom import today
from tests.command_line import Aims
from tests.conftest import ZONE, Stage, copy_of
from tests.support import checksum

DEPARTMENT_LOCK = 41_076


async def disagreements(db: Database) -> list[str]:
    """Where the database disagrees with itself."""
    verdicts = await verify.verify(db, await verify.parts_of(db))
    return [f"{verdict.holds} {place}" for verdict in verdicts for place in verdict.places]


async def assert_sound(stage: Stage) -> None:
    assert await disagreements(stage.app.state.database) == []


def name_of_department() -> str:
    """Names the database after what made it and the day, so that an old one is never taken."""
    digest = sha256(str(today()).encode())
    for file in sorted(Path("app").rglob("*.py")):
        digest.update(file.read_bytes())
    return f"aims_department_{digest.hexdigest()[:12]}"


@pytest.fixture(scope="session")
def department_name(server_url: str, template: str) -> str:
    """The name of a database with the demo's department, loaded once for all workers. Tests leave
    it as it is."""
    name = name_of_department()

    async def make() -> None:
        server = await asyncpg.connect(server_url)
        await server.execute("SELECT pg_advisory_lock($1)", DEPARTMENT_LOCK)
        if not await server.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            url = await copy_of(server_url, template, f"{name}_new")
            async with open_database(url, ZONE) as db:
                await load_department(db, datetime.now(ZoneInfo(ZONE)), sub_of)
            await server.execute(f"ALTER DATABASE {name}_new RENAME TO {name}")
        await server.close()

    asyncio.run(make())
    return name


@pytest.fixture
def department(department_name: str, server_url: str, worker_id: str, aims: Aims) -> Aims:
    """An installation with a copy of the department."""
    url = asyncio.run(copy_of(server_url, department_name, f"aims_department_{worker_id}"))
    aims.set(DATABASE_URL=url)
    return Aims(url, aims.patch, aims.captured)


def digest_of(url: str) -> str:
    """A digest of every row of every table of the database."""

    async def work() -> str:
        connection = await asyncpg.connect(url)
        try:
            return await checksum(connection)
        finally:
            await connection.close()

    return asyncio.run(work())
