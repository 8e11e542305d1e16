"""The pool of connections: nobody gets a connection that somebody else has left in a bad state."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from app import pool
from app.db import POOL_SIZE, Database, open_database
from app.errors import Unavailable
from app.sql import Statement
from tests.browser import Browser
from tests.conftest import Stage

pytestmark = pytest.mark.anyio

BACKEND = Statement("SELECT pg_backend_pid() AS pid")
SLEEP = Statement("SELECT pg_sleep(:seconds::float)")
BROKEN = Statement("SELECT 1 / :zero::integer")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def backend_of(database: Database) -> int:
    return int((await database.row(BACKEND))["pid"])


async def test_one_request_after_another_uses_one_connection(database: Database) -> None:
    assert len({await backend_of(database) for _ in range(5)}) == 1


async def test_requests_at_once_share_a_few_connections(database: Database) -> None:
    async def busy() -> int:
        async with database.transaction() as tx:
            await tx.execute(SLEEP, seconds=0.01)
            return int((await tx.row(BACKEND))["pid"])

    backends = await asyncio.gather(*(busy() for _ in range(5 * POOL_SIZE)))
    assert len({*backends}) == POOL_SIZE


async def test_who_finds_no_connection_in_time_is_told_so_and_the_next_is_served(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.ACQUIRE_SECONDS", 0.05)
    held = [asyncio.create_task(database.row(SLEEP, seconds=0.3)) for _ in range(POOL_SIZE)]
    await asyncio.sleep(0.05)
    with pytest.raises(Unavailable) as refusal:
        await backend_of(database)
    assert refusal.value.code == "database_unavailable"
    await asyncio.gather(*held)
    assert await backend_of(database)


async def test_who_gives_up_waiting_takes_no_connection_away(database: Database) -> None:
    held = [asyncio.create_task(database.row(SLEEP, seconds=0.1)) for _ in range(POOL_SIZE)]
    await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(backend_of(database)) for _ in range(3 * POOL_SIZE)]
    await asyncio.sleep(0.01)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*held)
    sleeping = (database.row(SLEEP, seconds=0.01) for _ in range(POOL_SIZE))
    async with asyncio.timeout(1):
        await asyncio.gather(*sleeping)


async def test_a_cancelled_statement_is_stopped_and_its_connection_closed(
    database: Database, connection: asyncpg.Connection
) -> None:
    before = await backend_of(database)
    running = asyncio.create_task(database.row(SLEEP, seconds=3))
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    backends = await asyncio.gather(*(backend_of(database) for _ in range(POOL_SIZE)))
    assert before not in backends
    await _until_gone(connection, before)


async def test_a_transaction_that_was_cancelled_leaves_nothing_open(
    database: Database, connection: asyncpg.Connection
) -> None:
    async def work() -> None:
        async with database.transaction() as tx:
            await tx.execute(SLEEP, seconds=3)

    for moment in (0.0, 0.001, 0.01, 0.05):
        working = [asyncio.create_task(work()) for _ in range(POOL_SIZE)]
        await asyncio.sleep(moment)
        for each in working:
            each.cancel()
        await asyncio.gather(*working, return_exceptions=True)
    async with asyncio.timeout(2):
        await asyncio.gather(*(backend_of(database) for _ in range(POOL_SIZE)))
    open_transactions = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in tr%' " + (
        "AND application_name = 'aims' AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    assert await connection.fetchval(open_transactions) == 0


async def test_a_failed_statement_keeps_its_connection(database: Database) -> None:
    before = await backend_of(database)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.row(BROKEN, zero=0)
    assert await backend_of(database) == before


async def test_connections_that_the_server_has_closed_are_replaced_unnoticed(
    database: Database, connection: asyncpg.Connection
) -> None:
    sleeping = (database.row(SLEEP, seconds=0.02) for _ in range(POOL_SIZE))
    await asyncio.gather(*sleeping)
    idle = await connection.fetch(
        "SELECT pg_terminate_backend(pid), pid FROM pg_stat_activity WHERE state = 'idle'"
        " AND application_name = 'aims' AND pid <> pg_backend_pid()"
    )
    for backend in idle:
        await _until_gone(connection, backend["pid"])
    assert await asyncio.gather(*(backend_of(database) for _ in range(POOL_SIZE)))


async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await backend_of(database)
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0)
    assert await backend_of(database) != before


async def test_closing_waits_for_what_is_running(database_url: str) -> None:
    async with open_database(database_url) as database:
        running = asyncio.create_task(database.row(SLEEP, seconds=0.1))
        await asyncio.sleep(0.02)
    assert await running


async def test_closing_ends_what_does_not_end_by_itself(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CLOSE_SECONDS", 0.1)
    async with open_database(database_url) as database:
        running = asyncio.create_task(database.row(SLEEP, seconds=3))
        await asyncio.sleep(0.02)
    with pytest.raises(Unavailable):
        await running


async def _until_gone(connection: asyncpg.Connection, pid: int) -> None:
    running = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
    for _ in range(200):
        if not await connection.fetchval(running, pid):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"the backend {pid} is still there")


async def test_when_one_has_waited_for_long_nobody_else_begins_to(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "WAITING_SECONDS", 0.05)
    held = [asyncio.create_task(database.row(SLEEP, seconds=0.3)) for _ in range(POOL_SIZE)]
    await asyncio.sleep(0.02)
    waiting = asyncio.create_task(backend_of(database))
    await asyncio.sleep(0.02)
    database.refuse_crowd()
    await asyncio.sleep(0.1)
    with pytest.raises(Unavailable) as refusal:
        database.refuse_crowd()
    assert (refusal.value.code, refusal.value.retry_after) == ("busy", 2)
    # Who waits already is served, and then everybody.
    assert await waiting
    database.refuse_crowd()
    await asyncio.gather(*held)


async def test_only_so_many_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_WAITING", 3)
    held = [asyncio.create_task(database.row(SLEEP, seconds=0.2)) for _ in range(POOL_SIZE)]
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(backend_of(database)) for _ in range(2)]
    await asyncio.sleep(0.01)
    database.refuse_crowd()
    waiting.append(asyncio.create_task(backend_of(database)))
    await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        database.refuse_crowd()
    # Those who give up make room.
    waiting.pop().cancel()
    await asyncio.sleep(0.01)
    database.refuse_crowd()
    assert all(await asyncio.gather(*waiting))
    await asyncio.gather(*held)


async def test_a_crowd_is_refused_at_the_door_and_health_is_not(
    stage: Stage, asha: Browser
) -> None:
    assert stage.pool is not None
    stage.pool.crowded = True
    answer = await stage.asha.post("/classes", content=b"not even JSON")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    page = await asha.client.get("/app/classes")
    assert (page.status_code, page.headers["retry-after"]) == (503, "2")
    assert not stage.pool.statements
    for path in ("/health", "/health/live"):
        assert (await stage.nobody.get(path)).status_code == 200


@asynccontextmanager
async def over_tcp(url: str) -> AsyncIterator[tuple[str, set[asyncio.StreamWriter]]]:
    """The same database over TCP, and the server's ends of the connections, to be cut."""
    place = parse_qs(urlsplit(url).query)
    socket = f"{place['host'][0]}/.s.PGSQL.{place['port'][0]}"
    ends: set[asyncio.StreamWriter] = set()
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.add(writer)
        there, back = await asyncio.open_unix_connection(socket)
        pumps.update(asyncio.create_task(p) for p in (pump(reader, back), pump(there, writer)))

    server = await asyncio.start_server(lead, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"postgresql://aims@127.0.0.1:{port}{urlsplit(url).path}?sslmode=disable", ends
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_connections_over_tcp_that_were_cut_are_replaced_unnoticed(
    database_url: str, how: str
) -> None:
    async with over_tcp(database_url) as (url, ends), open_database(url) as database:
        sleeping = (database.row(SLEEP, seconds=0.05) for _ in range(POOL_SIZE))
        await asyncio.gather(*sleeping)
        assert len(ends) == POOL_SIZE
        for end in ends:
            if how == "reset":
                unread = struct.pack("ii", 1, 0)
                end.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, unread)
            end.transport.abort()
        # The ends are cut when the loop comes to it; the pool has not been told of it then.
        await asyncio.sleep(0)
        assert await asyncio.gather(*(backend_of(database) for _ in range(POOL_SIZE)))
