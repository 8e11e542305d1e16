"""What `aims verify` would say of the database of a test, and a department to verify."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.db import Database, open_database
from app.demo.google import sub_of
from app.demo.load import load_department
from app.services.verifying import verify
from tests.command_line import Aims
from tests.conftest import ZONE, Stage, copy_of, on_server
from tests.support import checksum


async def disagreements(db: Database) -> list[str]:
    """Where the database disagrees with itself."""
    verdicts = await verify.verify(db, await verify.parts_of(db))
    return [f"{verdict.holds} {place}" for verdict in verdicts for place in verdict.places]


async def assert_sound(stage: Stage) -> None:
    assert await disagreements(stage.app.state.database) == []


@pytest.fixture(scope="module")
def department_name(server_url: str, template: str, worker_id: str) -> str:
    """The name of a database with the demo's department. Tests leave it as it is."""
    name = f"aims_sound_{worker_id}"

    async def make() -> None:
        await copy_of(server_url, template, name)
        async with open_database(on_server(server_url, name), ZONE) as db:
            await load_department(db, datetime.now(ZoneInfo(ZONE)), sub_of)

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
