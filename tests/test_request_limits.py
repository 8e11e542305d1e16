"""Limits on the size and duration of requests: the usual ones, and those that routes declare."""

import ast
import asyncio
import inspect
import re
import textwrap
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from app import middleware, request_limits
from app.config import Settings
from app.db import Database
from app.errors import Unavailable
from app.files.sheets import reading
from app.main import create_app
from app.request_limits import FILE, USUAL, Limits, limits_of
from app.services.people import accounts
from app.sql import Statement
from tests.classroom import Classroom, classroom_of
from tests.conftest import Stage
from tests.support import ROUTES, client_of, stalled

pytestmark = pytest.mark.anyio

MISSING = "00000000-0000-4000-8000-000000000000"
CSV = {"Content-Type": "text/csv"}
DECLARING = [route for route in ROUTES if limits_of(route)]


def reads_its_body(route: APIRoute) -> bool:
    """Whether the route reads something from the request that no model limits."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(route.endpoint)))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    described = "requestBody" in (route.openapi_extra or {})
    return described or bool(names & {"body", "stream", "form", "receive"})


def test_every_route_that_reads_its_body_itself_declares_its_limits() -> None:
    readers = {route.operation_id for route in ROUTES if reads_its_body(route)}
    assert readers == {route.operation_id for route in DECLARING}
    assert "importFile" in readers


def address(route: APIRoute) -> str:
    return re.sub(r"\{\w+\}", MISSING, route.path) + "?kind=faculty"


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 2**16):
        yield b" " * min(2**16, size - start)


@pytest.mark.parametrize("route", DECLARING)
async def test_a_file_may_be_as_large_as_its_route_declares(
    stage: Stage, room: Classroom, route: APIRoute
) -> None:
    limits = limits_of(route)
    assert limits
    path = address(route).replace(MISSING, room.id)
    # What is read later is accepted now.
    fits = 202 if route.status_code == 202 else 422
    for size, status in ((limits.size, fits), (limits.size + 1, 413)):
        whole = await stage.meera.post(path, content=b" " * size, headers=CSV)
        pieces = await stage.meera.post(path, content=in_pieces(size), headers=CSV)
        assert [whole.status_code, pieces.status_code] == [status] * 2
    assert limits.in_words in whole.json()["detail"]


@pytest.mark.parametrize("path", ["/admin/importx", "/admin/import/x", "/classes/1/students"])
async def test_other_paths_have_the_usual_limit(stage: Stage, path: str) -> None:
    answer = await stage.meera.post(path, content=b" " * (USUAL.size + 1), headers=CSV)
    assert answer.status_code == 413
    assert USUAL.in_words in answer.json()["detail"]


async def test_of_a_body_from_somebody_who_is_not_signed_in_nothing_is_kept(stage: Stage) -> None:
    kept = []

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(30):
            yield number.to_bytes(1, "big") * 65_536
            kept.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    answer = await stage.nobody.post("/classes", content=pieces(), headers=CSV)
    tracemalloc.stop()
    assert (answer.status_code, len(kept)) == (401, 30)
    assert max(kept) - kept[0] < 5 * 65_536


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> FastAPI:
    """An app that allows a second for a request and three for a file."""
    monkeypatch.setattr(middleware, "USUAL", Limits(USUAL.size, seconds=1))
    for endpoint in request_limits._declared:
        monkeypatch.setitem(request_limits._declared, endpoint, Limits(FILE.size, seconds=3))
    return create_app(settings)


async def test_a_request_takes_no_longer_than_allowed(stage: Stage, hurried: FastAPI) -> None:
    hurried.state.database = stage.app.state.database
    async with client_of(hurried) as stage.meera.client:
        for path, wait, status, most in (
            ("/classes", 2, 503, 1.9),
            ("/admin/import?kind=faculty", 2, 422, 2.9),
            ("/admin/import?kind=faculty", 4, 503, 3.9),
        ):
            began = time.monotonic()
            answer = await stage.meera.post(path, content=stalled(wait), headers=CSV)
            assert time.monotonic() - began < most
            assert answer.status_code == status
            if status == 503:
                assert answer.json()["code"] == "timed_out"
                assert answer.headers["retry-after"] == "1"


UPLOADS = ["/admin/import?kind=faculty", "/admin/uploads/allowed-emails", "{class}/students/import"]


@pytest.mark.parametrize("path", UPLOADS)
async def test_reading_a_file_does_not_block_the_server_and_runs_one_at_a_time(
    crowd: Stage, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    room = await classroom_of(crowd.asha)
    running, go_on = threading.Semaphore(0), threading.Event()
    read = reading.read_batch

    def slow(*given: Any, **named: Any) -> Any:
        running.release()
        assert go_on.wait(5)
        return read(*given, **named)

    monkeypatch.setattr(reading, "read_batch", slow)
    file = {"content": b"roll no,email\n1,new@demo.university.example\n", "headers": CSV}
    address = path.replace("{class}", room.path)
    asked = [asyncio.create_task(crowd.meera.post(address, **file)) for _ in range(2)]
    assert await asyncio.to_thread(running.acquire, timeout=5)
    assert not await asyncio.to_thread(running.acquire, timeout=0.2)
    assert (await crowd.asha.get("/users/me")).status_code == 200
    go_on.set()
    assert [(await answer).status_code for answer in asked] == [200, 200]


async def test_a_slow_statement_is_ended_by_postgresql(
    crowd: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's own limit comes first; the app's would leave the statement running."""
    slow = Statement("SELECT pg_sleep(20), 'granted' AS verdict, :actor_id::uuid")
    monkeypatch.setattr(accounts, "_ME", slow)
    began = time.monotonic()
    answer = await crowd.asha.get("/users/me")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert time.monotonic() - began < 5
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1"
    assert await crowd.connection.fetchval(running, "SELECT pg_sleep(20)%") == 0


async def test_every_connection_has_its_limits(crowd: Stage) -> None:
    """An idle transaction is ended after 15 s: a process that hangs does not keep its locks."""
    database: Database = crowd.app.state.database
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    settings = ", ".join(f"current_setting('{name}') AS {name}" for name in names)
    for _ in range(2):
        found = await database.row(Statement(f"SELECT {settings}"))
        assert [found[name] for name in names] == ["4s", "2s", "15s"]
    async with database.transaction(patient=True) as tx:
        found = await tx.row(Statement(f"SELECT {settings}"))
        assert [found[name] for name in names] == ["1min", "2s", "15s"]


async def test_a_report_has_more_memory_and_time(crowd: Stage) -> None:
    database: Database = crowd.app.state.database
    settings = "current_setting('statement_timeout') AS time, current_setting('work_mem') AS memory"
    for _ in range(2):
        assert tuple(await database.row(Statement(f"SELECT {settings}"))) == ("4s", "4MB")
        assert tuple(await database.report(Statement(f"SELECT {settings}"))) == ("9s", "64MB")


async def test_an_idle_transaction_that_is_ended_is_an_outage_and_releases_its_locks(
    crowd: Stage,
) -> None:
    database: Database = crowd.app.state.database

    async def hang() -> None:
        async with database.transaction() as tx:
            limit = "set_config('idle_in_transaction_session_timeout', '100', true)"
            await tx.row(Statement(f"SELECT {limit}"))
            await tx.execute(Statement("SELECT FROM users FOR UPDATE"))
            await asyncio.sleep(0.3)
            await tx.row(Statement("SELECT 1"))

    with pytest.raises(Unavailable):
        await hang()
    await crowd.connection.execute("SET lock_timeout = '1s'; UPDATE users SET name = name")
    assert (await crowd.asha.get("/users/me")).status_code == 200


def test_the_limits_are_those_in_the_documentation() -> None:
    assert (USUAL.in_words, USUAL.seconds) == ("2 MiB", 15)
    assert (FILE.in_words, FILE.seconds) == ("10 MiB", 120)
