"""Limits of requests: a program that runs wild is held up, and no class ever is."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import process_time
from uuid import UUID, uuid4

import httpx2
import pytest
from starlette.requests import Request
from starlette.types import Message

from app.auth.memory import MAX_WINDOWS, Memory
from app.auth.rates import ADDRESS, PERSON, Rates
from app.errors import TooMany
from app.web.frame.assets import address_of
from tests.browser import browser_of
from tests.classroom import ROLLS, Classroom
from tests.conftest import Stage
from tests.redis import needs_redis, redis

pytestmark = pytest.mark.anyio

ONE, OTHER = UUID(int=1), UUID(int=2)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def coming_from(address: str) -> Request:
    return Request({"type": "http", "headers": [], "client": (address, 50_000)})


async def refused(counted: Awaitable[None]) -> bool:
    try:
        await counted
    except TooMany:
        return True
    return False


async def test_a_person_who_sends_too_much_is_refused_until_the_minute_is_over() -> None:
    clock = Clock()
    rates = Rates(1, person=3, clock=clock)
    for _ in range(3):
        await rates.count_person(ONE)
    clock.now = 20
    with pytest.raises(TooMany) as refusal:
        await rates.count_person(ONE)
    assert (refusal.value.code, refusal.value.retry_after) == ("rate_limited", 40)
    await rates.count_person(OTHER)
    clock.now = 60
    await rates.count_person(ONE)


async def test_failed_sign_ins_are_counted_per_address_and_minute() -> None:
    clock = Clock()
    rates = Rates(3, clock=clock)
    for _ in range(3):
        await rates.count_failed_sign_in(coming_from("192.0.2.1"))
    with pytest.raises(TooMany) as refusal:
        await rates.count_failed_sign_in(coming_from("192.0.2.1"))
    assert (refusal.value.code, refusal.value.retry_after) == ("too_many_failed_sign_ins", 60)
    await rates.count_failed_sign_in(coming_from("192.0.2.2"))
    clock.now = 61
    await rates.count_failed_sign_in(coming_from("192.0.2.1"))


@pytest.mark.parametrize(
    ("first", "same", "other"),
    [
        # What one subscriber has.
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
        # An IPv4 client as a dual-stack socket reports it.
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
        ("a proxy's socket", "a proxy's socket", "another"),
    ],
)
async def test_addresses_of_one_subscriber_count_as_one(first: str, same: str, other: str) -> None:
    rates = Rates(1, address=1)
    await rates.count_stranger(coming_from(first))
    assert await refused(rates.count_stranger(coming_from(same)))
    assert not await refused(rates.count_stranger(coming_from(other)))


async def test_counting_takes_bounded_memory_and_forgets_what_is_over() -> None:
    clock = Clock()
    memory = Memory(clock)
    for number in range(MAX_WINDOWS + 50):
        await memory.incr(f"host-{number}", 60)
    assert (await memory.get("host-0"), await memory.get(f"host-{MAX_WINDOWS}")) == (0, 1)
    clock.now = 61
    await memory.incr("late", 60)
    assert await memory.reset() == 1


async def test_counting_costs_a_few_microseconds() -> None:
    rates, people = Rates(1), [uuid4() for _ in range(200)]
    began = process_time()
    for _ in range(PERSON // 10):
        for person in people:
            await rates.count_person(person)
    # Measured: 3. The bound is loose, since this machine may be busy.
    assert (process_time() - began) / (PERSON // 10 * len(people)) < 30e-6


async def test_the_clock_of_the_machine_may_be_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    rates = Rates(1, person=1, clock=clock)
    await rates.count_person(ONE)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    clock.now = 61
    assert not await refused(rates.count_person(ONE))
    with pytest.raises(TooMany) as refusal:
        await rates.count_person(ONE)
    assert refusal.value.retry_after == 60


async def test_no_class_meets_the_limit(stage: Stage, room: Classroom) -> None:
    """Eight classes of sixty in one go, tap by tap, are fewer than a person may send."""
    a_class = 1 + 1 + 60 + 1  # open, read, tap, finalise
    assert 8 * a_class < PERSON
    stage.app.state.rates = Rates(1)
    session = await room.open()
    for number in range(60):
        mark = [{"rollNo": ROLLS[number % 3], "status": ("present", "absent")[number % 2]}]
        path = f"/attendance/sessions/{session}/statuses"
        assert (await stage.asha.put(path, {"updates": mark})).status_code == 200


async def test_no_university_meets_the_limit() -> None:
    """All who sign in from behind one address in one minute, each with three requests."""
    rates, gate = Rates(1), coming_from("192.0.2.1")
    for _ in range(12_000 * 3):
        await rates.count_stranger(gate)
    assert ADDRESS > 12_000 * 3


async def test_one_user_is_held_up_and_no_other(stage: Stage, room: Classroom) -> None:
    stage.app.state.rates = Rates(1, person=5)
    for _ in range(5):
        assert (await stage.asha.get("/users/me")).status_code == 200
    stage.pool.statements.clear()  # type: ignore[union-attr]
    answer = await stage.asha.put(f"{room.path}/students", {"students": "nonsense"})
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert not stage.pool.statements  # type: ignore[union-attr]
    # From the same address: another teacher, and somebody who signs in.
    assert (await stage.bilal.get("/users/me")).status_code == 200
    assert (await stage.nobody.post("/auth/google", {"idToken": "bad"})).status_code == 401


async def test_the_body_of_a_refused_request_is_not_read(stage: Stage) -> None:
    stage.app.state.rates = Rates(1, person=0, address=0)
    token = f"Bearer {stage.asha.token}".encode()

    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    for headers in ([(b"authorization", token)], []):
        statuses: list[int] = []

        async def send(message: Message, statuses: list[int] = statuses) -> None:
            statuses += [message["status"]] if "status" in message else []

        path = {"path": "/attendance/sessions", "root_path": "", "query_string": b""}
        scope = {"type": "http", "method": "POST", "headers": headers, **path}
        await stage.app(scope, receive, send)
        assert statuses == [429]


REFUSED_STRANGERS: list[Callable[[Stage], Awaitable[httpx2.Response]]] = [
    lambda stage: stage.nobody.get("/users/me"),
    lambda stage: stage.nobody.get("/users/me", headers={"Authorization": "Bearer made.up.one"}),
    lambda stage: stage.nobody.post("/auth/google", {"idToken": "bad"}),
]


@pytest.mark.parametrize("ask", REFUSED_STRANGERS)
async def test_strangers_are_held_up_by_their_address(
    stage: Stage, ask: Callable[[Stage], Awaitable[httpx2.Response]]
) -> None:
    stage.app.state.rates = Rates(10, address=2)
    assert [(await ask(stage)).status_code for _ in range(3)] == [401, 401, 429]
    # Whoever is signed in does not count for the address.
    assert (await stage.asha.get("/users/me")).status_code == 200


async def test_pages_say_it_as_a_page(stage: Stage) -> None:
    stage.app.state.rates = Rates(1, person=1, address=2)
    async with browser_of(stage.app, stage.asha) as asha:
        assert (await asha.client.get("/app/classes")).status_code == 200
        page = await asha.client.get("/app/classes")
    assert page.status_code == 429
    assert page.headers["content-type"].startswith("text/html")
    assert int(page.headers["retry-after"]) > 0
    assert "Too many requests" in page.text
    found = [(await stage.nobody.client.get("/app/sign-in")).status_code for _ in range(3)]
    assert found == [200, 200, 429]


async def test_health_and_styles_are_never_refused(stage: Stage) -> None:
    stage.app.state.rates = Rates(1, person=0, address=0)
    for path in ("/health", "/health/live", "/openapi.json", address_of("frame/console.css")):
        assert (await stage.nobody.client.get(path)).status_code == 200


@asynccontextmanager
async def sharing(url: str, person: int) -> AsyncIterator[tuple[Rates, Rates]]:
    """The counting of two processes."""
    one, other = Rates(1, url, person=person), Rates(1, url, person=person)
    try:
        yield one, other
    finally:
        await one.close()
        await other.close()


@needs_redis
async def test_processes_with_a_redis_count_together(tmp_path: Path) -> None:
    with redis(tmp_path) as (url, _):
        async with sharing(url, person=4) as (one, other):
            for rates in (one, other, one, other):
                await rates.count_person(ONE)
            with pytest.raises(TooMany) as refusal:
                await one.count_person(ONE)
            assert 55 <= (refusal.value.retry_after or 0) <= 60
            await other.count_person(OTHER)
            # More at once than there are connections.
            crowd = [other.count_person(uuid4()) for _ in range(200)]
            await asyncio.gather(*crowd)


@needs_redis
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_without_an_answer_of_redis_each_process_counts_for_itself(
    tmp_path: Path, fault: signal.Signals
) -> None:
    with redis(tmp_path) as (url, process):
        async with sharing(url, person=2) as (one, _):
            await one.count_person(ONE)
            process.send_signal(fault)
            began = time.monotonic()
            found = [await refused(one.count_person(ONE)) for _ in range(3)]
            assert found == [False, False, True]
            # The first waits for two tries; the others do not.
            assert time.monotonic() - began < 3
