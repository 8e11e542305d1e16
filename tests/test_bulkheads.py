"""Heavy work has a place of its own, so that it holds up neither marking nor other people."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from app import heavy, middleware
from app.config import Settings
from app.files.register import register_file
from app.heavy import Bulkhead
from app.main import create_app
from app.request_limits import USUAL, Limits
from app.services.counting import institution_stats
from app.sql import Statement
from app.web.routers import ROUTERS as PAGES
from tests.classroom import Classroom, classroom_of
from tests.conftest import Stage
from tests.support import ROUTES, Person, client_of

pytestmark = pytest.mark.anyio

ALWAYS = {
    *("getRegister", "getClassCalendar", "importRoster", "importFile", "uploadAllowedEmails"),
    *("getOverview", "listClassesOfTerm", "listDefaulters", "listMissingSessions"),
    *("previewPolicy", "downloadImportRows"),
}
SOMETIMES = {
    "listSessions": ("classId=1", "from=2026-06-01&to=2026-06-30"),
    "listClassOccurrences": ("from=2026-06-01&to=2027-06-01", ""),
    "getClassStats": ("asOf=2026-06-01T00:00:00Z", "include=withdrawn"),
    "getClassTrend": ("asOf=2026-06-01T00:00:00Z", ""),
    "getStudentStats": ("asOf=2026-06-01T00:00:00Z", "rollNo=1"),
}
# What is made of a file, a whole term or all that there is.
HEAVY_PAGES = {
    *("/app/overview", "/app/overview/classes", "/app/missing", "/app/below"),
    *("/app/policy/preview", "/app/classes/{id}/register"),
    *("/app/classes/{id}/roster/import", "/app/people/import"),
}
SLOW = Statement(
    """
    SELECT 'granted' AS verdict, true AS term_known, '[]' AS document, NULL AS next_cursor,
           (:actor_id::uuid, :term::text, :threshold::integer, :most::integer,
            :after_roll::text, :after_class::uuid, :after_code::text, :after_section::text)
    FROM pg_sleep(1)
    """
)


def query_of(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split("&") if pair)


def test_every_heavy_route_declares_it() -> None:
    found = {r.operation_id: heavy.declared(r.endpoint) for r in ROUTES}
    asked = {str(name): is_heavy for name, is_heavy in found.items() if is_heavy}
    assert asked.keys() == ALWAYS | SOMETIMES.keys()
    assert all(asked[name]({}) for name in ALWAYS)
    for name, (long, short) in SOMETIMES.items():
        assert (asked[name](query_of(long)), asked[name](query_of(short))) == (True, False)


def test_every_page_that_stands_on_them_declares_it_too() -> None:
    routes = [route for router in PAGES for route in router.routes]
    found = {r.path for r in routes if heavy.declared(getattr(r, "endpoint", None))}  # type: ignore[attr-defined, arg-type]
    csvs = {r.path for r in routes if r.path.endswith(".csv")}  # type: ignore[attr-defined]
    assert found == HEAVY_PAGES | csvs


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaulters take a second, and nobody waits for as long as a quarter."""
    monkeypatch.setattr(institution_stats, "_DEFAULTERS", SLOW)
    monkeypatch.setattr(heavy, "WAIT_SECONDS", 0.2)


def people(stage: Stage) -> list[Person]:
    return [stage.asha, stage.bilal, stage.chitra, stage.divya, stage.meera]


@pytest.mark.usefixtures("slow")
async def test_one_heavy_request_runs_at_a_time_and_everybody_else_is_served(crowd: Stage) -> None:
    began = time.monotonic()
    asked = [asyncio.create_task(who.get("/stats/defaulters")) for who in people(crowd)]
    await asyncio.sleep(0.1)
    room = await classroom_of(crowd.asha)
    assert (await room.mark(await room.open(), {"23/CS/101": "present"})).status_code == 200
    assert time.monotonic() - began < 0.8
    answers = [await answer for answer in asked]
    assert sorted(answer.status_code for answer in answers) == [200] + [503] * 4
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert (refused.json()["code"], refused.headers["Retry-After"]) == ("busy", "5")


@pytest.mark.usefixtures("slow")
async def test_many_requests_of_one_person_come_by_turns_with_those_of_others(
    crowd: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heavy, "WAIT_SECONDS", 1.5)
    done: list[str] = []

    async def ask(person: Person) -> None:
        if (await person.get("/stats/defaulters")).status_code == 200:
            done.append(person.email)

    asked = [asyncio.create_task(ask(crowd.meera)) for _ in range(5)]
    await asyncio.sleep(0.1)
    await asyncio.gather(ask(crowd.asha), *asked)
    assert done == [crowd.meera.email, crowd.asha.email]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator["Held"]:
    """Registers are not written until `go_on` is set."""
    held = Held(register_file._written)
    monkeypatch.setattr(register_file, "_written", held.write)
    yield held
    held.go_on.set()


class Held:
    def __init__(self, write: Any) -> None:
        self._write, self.begun, self.go_on = write, 0, threading.Event()

    def write(self, *given: Any) -> bytes:
        self.begun += 1
        assert self.go_on.wait(10)
        return self._write(*given)


@asynccontextmanager
async def hurried(
    crowd: Stage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """An app with 0.4 seconds for a request, of which it may wait for half for a place."""
    monkeypatch.setattr(middleware, "USUAL", Limits(USUAL.size, seconds=0.4))  # type: ignore[arg-type]
    monkeypatch.setattr(heavy, "WAIT_SECONDS", 0.2)
    app = create_app(settings)
    app.state.database = crowd.app.state.database
    async with client_of(app) as client:
        for person in people(crowd):
            person.client = client
        yield


async def code_of(person: Person, room: Classroom) -> str:
    answer = await person.get(f"{room.path}/register")
    return "" if answer.status_code == 200 else answer.json()["code"]


async def test_work_that_goes_on_after_its_503_keeps_its_place(
    crowd: Stage, settings: Settings, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await classroom_of(crowd.asha)
    async with hurried(crowd, settings, monkeypatch):
        assert await code_of(crowd.asha, room) == "timed_out"
        assert await code_of(crowd.meera, room) == "busy"
        assert await code_of(crowd.asha, room) == "busy"
        assert held.begun == 1
        held.go_on.set()
        await asyncio.sleep(0.1)
        assert await code_of(crowd.meera, room) == ""


async def test_work_that_was_given_up_before_its_thread_was_free_is_not_begun() -> None:
    done: list[int] = []
    go_on = threading.Event()
    occupied = [heavy._threads.submit(go_on.wait, 10) for _ in range(heavy.AT_ONCE)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await heavy.beside(done.append, 1)
    go_on.set()
    assert all(thread.result() for thread in occupied)
    await heavy.beside(done.append, 2)
    assert done == [2]


async def test_a_reader_who_stops_in_the_middle_of_a_list_has_no_place() -> None:
    async def made() -> AsyncIterator[int]:
        for part in range(3):
            yield part

    bulkhead = Bulkhead()
    reading = bulkhead.in_parts(uuid4(), made())
    assert await anext(reading) == 0
    async with AsyncExitStack() as stack:
        for _ in range(heavy.AT_ONCE):
            await stack.enter_async_context(bulkhead.place(uuid4()))
        following = asyncio.create_task(anext(reading))
        await asyncio.sleep(0.05)
        assert not following.done()
    assert [await following, *[part async for part in reading]] == [1, 2]
