"""One named cast, one database and one connection a worker, one transaction a test.

Asha teaches and owns the class most tests are about; Bilal teaches another; Meera is the
admin; Ravi was taken off the allow-list, Divya was an admin and is now a teacher, Omar's
account is disabled. Chitra and Esha teach; where a test says so, Chitra is a co-teacher of Asha's
class and Esha was its substitute until yesterday. All of them hold a token from before.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg
import httpx2
import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI

from app.auth.google_verify import google_verifier
from app.auth.id_tokens import IdTokenVerifier
from app.auth.jwt import Tokens
from app.auth.rates import Rates
from app.cli.suite import without_settings
from app.config import Settings, load_settings
from app.db import Database, open_database, server_settings
from app.demo.google import DemoGoogle
from app.localpg import LocalPostgres
from app.main import create_app
from app.models import Base
from tests.browser import Browser, browser_of
from tests.classroom import Classroom, classroom_of
from tests.command_line import Aims
from tests.processes import ROOT, Checkout
from tests.support import OneConnection, Person, client_of, one_connection_database

CLIENT_ID = "app.demo.university.example"
SECRET = "a secret of the test suite that is long enough"
NEEDED = {"JWT_SECRET": SECRET, "GOOGLE_CLIENT_ID": CLIENT_ID}
DOMAIN = "demo.university.example"
ZONE = "Asia/Kolkata"
TEMPLATE_LOCK = 41_075
# The app of the tests has no more rights than the one of a careful installation.
APP_ROLE = ROOT / "deploy" / "app_role.sql"
AS_APP = {"role": "aims_app"}
# In production statements are planned once, as PostgreSQL finds after five uses of each. With
# the few rows of a test it would plan them at each use, which takes longer than to run them.
PLANNED_ONCE = {"plan_cache_mode": "force_generic_plan"}
CAST = {
    "asha": "teacher",
    "bilal": "teacher",
    "meera": "admin",
    "ravi": "teacher",
    "divya": "admin",
    "omar": "admin",
    "chitra": "teacher",
    "esha": "teacher",
}


def id_of(name: str) -> UUID:
    """The id of a user of the cast."""
    return uuid5(NAMESPACE_URL, f"{name}@{DOMAIN}")


def emptied(*kept: str) -> str:
    """SQL that empties all tables but these, and begins with the first policy.

    TRUNCATE would make the lasting connection replan all statements; `replica` avoids
    the order that foreign keys ask for.
    """
    tables = Base.metadata.tables.keys() - {*kept}
    return "; ".join(
        (
            "SET session_replication_role = replica",
            *(f"DELETE FROM {table}" for table in tables),
            "RESET session_replication_role",
            "INSERT INTO policy DEFAULT VALUES",
            "INSERT INTO policies SELECT '-infinity', threshold, late_weight, excused, on_duty,"
            " minimum_sessions FROM policy",
        )
    )


async def enter(connection: asyncpg.Connection) -> None:
    """Let the cast in, and then do what an admin did after everybody had signed in."""
    for name, role in CAST.items():
        email, full_name = f"{name}@{DOMAIN}", f"{name.title()} Demo"
        allow = "INSERT INTO allowed_emails (email, name, role) VALUES ($1, $2, $3)"
        await connection.execute(allow, email, full_name, role)
        sign_in = "INSERT INTO users (id, email, name) VALUES ($1, $2, $3)"
        await connection.execute(sign_in, id_of(name), email, full_name)
    await connection.execute(f"""
        DELETE FROM allowed_emails WHERE email = 'ravi@{DOMAIN}';
        UPDATE allowed_emails SET role = 'teacher' WHERE email = 'divya@{DOMAIN}';
        UPDATE users SET disabled_at = now() WHERE email = 'omar@{DOMAIN}';
    """)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that the servers use, too."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The database `postgres` of a throw-away PostgreSQL server."""
    given = os.environ.get("AIMS_TEST_SERVER_URL")
    if given:
        yield given
        return
    with LocalPostgres.throwaway() as server:
        yield server.url("postgres")


def on_server(server_url: str, name: str) -> str:
    """The URL of another database of the same server."""
    head, _, query = server_url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def migrate(url: str, revision: str = "head") -> None:
    config = Config("alembic.ini")
    config.attributes["database_url"] = url
    command.upgrade(config, revision)


def template_name() -> str:
    """Names the template after what made it, so that an old one is never taken."""
    digest = sha256()
    for file in (*sorted(Path("alembic/versions").glob("*.py")), APP_ROLE):
        digest.update(file.read_bytes())
    return f"aims_template_{digest.hexdigest()[:12]}"


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """The name of a database that Alembic made, once for all workers."""
    name = template_name()

    async def make() -> None:
        server = await asyncpg.connect(server_url)
        await server.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        if not await server.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await server.execute(f"CREATE DATABASE {name}")
            await asyncio.to_thread(migrate, on_server(server_url, name))
            owner = await asyncpg.connect(on_server(server_url, name))
            await owner.execute(APP_ROLE.read_text())
            await owner.close()
        await server.close()

    asyncio.run(make())
    return name


async def copy_of(server_url: str, template: str, name: str) -> str:
    """The URL of a new database made from the template."""
    server = await asyncpg.connect(server_url)
    await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    await server.close()
    return on_server(server_url, name)


@pytest.fixture(scope="session")
def database_url(server_url: str, template: str, worker_id: str) -> str:
    """This worker's database. Tests leave it as it is: with the cast and nothing else."""

    async def make() -> str:
        url = await copy_of(server_url, template, f"aims_test_{worker_id}")
        connection = await asyncpg.connect(url)
        await enter(connection)
        await connection.close()
        return url

    return asyncio.run(make())


@pytest.fixture
def own_database_url(server_url: str, template: str, worker_id: str) -> str:
    """A fresh migrated database, for what commits."""
    return asyncio.run(copy_of(server_url, template, f"aims_own_{worker_id}"))


@pytest.fixture
async def own(own_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to such a database."""
    connection = await asyncpg.connect(own_database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the checkout to run commands in. What they keep for themselves is kept apart."""
    # Without bytecode each command would recompile everything, which takes seconds.
    own = {"HOME": str(tmp_path_factory.mktemp("home")), "PYTHONDONTWRITEBYTECODE": ""}
    return Checkout(ROOT, own).copy_to(tmp_path_factory.mktemp("copy") / "aims")


@pytest.fixture
def aims(
    own_database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Aims:
    """An installation on a database of its own, used in `tmp_path`, away from any `.env`."""
    for name in os.environ.keys() - without_settings().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.chdir(tmp_path)
    return Aims(own_database_url, monkeypatch, capsys)


@pytest.fixture
def installed(checkout: Checkout, own_database_url: str) -> Checkout:
    """The checkout with all that production needs."""
    return checkout.having(DATABASE_URL=own_database_url, **NEEDED)


async def admit(url: str, name: str = "asha", role: str = "teacher") -> str:
    """Put somebody on the allow-list of an `installed` server; gives their token."""
    connection = await asyncpg.connect(url)
    email = f"{name}@{DOMAIN}"
    allow = "INSERT INTO allowed_emails (email, role) VALUES ($1, $2)"
    await connection.execute(allow, email, role)
    insert = "INSERT INTO users (email, name) VALUES ($1, $2) RETURNING id"
    user_id = await connection.fetchval(insert, email, f"{name.title()} Demo")
    await connection.close()
    settings = load_settings(
        _env_file=None, database_url=url, jwt_secret=SECRET, google_client_id=CLIENT_ID
    )
    return Tokens(settings).issue(user_id)[0]


@pytest.fixture(scope="session")
def google() -> Iterator[DemoGoogle]:
    """The stand-in for Google, with its own key."""
    stand_in = DemoGoogle([(f"{name}@{DOMAIN}", f"{name.title()} Demo") for name in CAST])
    stand_in.start()
    yield stand_in
    stand_in.stop()


@pytest.fixture(scope="session")
def settings(database_url: str, google: DemoGoogle) -> Settings:
    return load_settings(
        _env_file=None,
        database_url=database_url,
        jwt_secret=SECRET,
        google_client_id=google.client_id,
        google_jwks_url=google.jwks_url,
        debug=True,
    )


@pytest.fixture(scope="session")
def app(settings: Settings) -> FastAPI:
    """The application. Each test gives it a database."""
    return create_app(settings)


@pytest.fixture(scope="session")
async def verifier(settings: Settings) -> AsyncIterator[IdTokenVerifier]:
    """Fetches Google's keys once: each fetch first loads the certificates of all authorities."""
    verifier = google_verifier(settings)
    yield verifier
    await verifier.close()


@dataclass
class Stage:
    """An app on a database, and the cast as its clients."""

    app: FastAPI
    connection: asyncpg.Connection
    pool: OneConnection | None
    asha: Person
    bilal: Person
    meera: Person
    ravi: Person
    divya: Person
    omar: Person
    chitra: Person
    esha: Person
    nobody: Person

    @asynccontextmanager
    async def undone(self) -> AsyncIterator[None]:
        """What happens in the block has not happened after it."""
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            yield
        finally:
            await transaction.rollback()

    async def count(self, table: str) -> int:
        return int(await self.connection.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.fixture(scope="session")
async def lasting_connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The connection shared by all tests that need only one, with their statements prepared."""
    connection = await asyncpg.connect(
        database_url,
        server_settings=server_settings(ZONE) | AS_APP | PLANNED_ONCE,
        statement_cache_size=1000,
        max_cached_statement_lifetime=0,
    )
    yield connection
    await connection.close()


@pytest.fixture
async def connection(
    lasting_connection: asyncpg.Connection,
) -> AsyncIterator[asyncpg.Connection]:
    """A connection inside a transaction that is undone when the test ends."""
    transaction = lasting_connection.transaction()
    await transaction.start()
    yield lasting_connection
    await transaction.rollback()


@pytest.fixture
async def stage(
    connection: asyncpg.Connection, app: FastAPI, verifier: IdTokenVerifier
) -> AsyncIterator[Stage]:
    """The app with the whole cast, on one connection."""
    with one_connection_database(connection) as (database, pool):
        async with _open_stage(connection, app, verifier, database, pool) as stage:
            yield stage


@pytest.fixture
async def crowd(database_url: str, app: FastAPI, verifier: IdTokenVerifier) -> AsyncIterator[Stage]:
    """The app with a real pool, for what needs several connections. Emptied afterwards."""
    connection = await asyncpg.connect(database_url)
    async with (
        open_database(f"{database_url}&{urlencode(AS_APP)}", ZONE) as database,
        _open_stage(connection, app, verifier, database, None) as stage,
    ):
        yield stage
    await connection.execute(emptied())
    await enter(connection)
    await connection.close()


@asynccontextmanager
async def _open_stage(
    connection: asyncpg.Connection,
    app: FastAPI,
    verifier: IdTokenVerifier,
    database: Database,
    pool: OneConnection | None,
) -> AsyncIterator[Stage]:
    app.state.database = database
    app.state.google = verifier
    app.state.rates = Rates(app.state.settings.failed_sign_ins_per_minute, person=10**6)
    async with client_of(app) as client:
        cast = {name: _person(app, client, name) for name in CAST}
        yield Stage(app, connection, pool, nobody=Person(client), **cast)


def _person(app: FastAPI, client: httpx2.AsyncClient, name: str) -> Person:
    token, _ = app.state.tokens.issue(id_of(name))
    return Person(client, token, id_of(name), f"{name}@{DOMAIN}")


@pytest.fixture
async def room(stage: Stage) -> Classroom:
    """Asha's class with three students."""
    return await classroom_of(stage.asha)


@pytest.fixture
async def asha(stage: Stage) -> AsyncIterator[Browser]:
    """Asha's browser."""
    async with browser_of(stage.app, stage.asha) as browser:
        yield browser


@pytest.fixture
async def meera(stage: Stage) -> AsyncIterator[Browser]:
    """Meera's browser."""
    async with browser_of(stage.app, stage.meera) as browser:
        yield browser
