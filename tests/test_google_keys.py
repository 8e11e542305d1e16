"""Google's key set: cached, shared, bounded, and never in anybody's way."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from app.auth.fetching import MAX_BYTES, PAUSE_SECONDS, STALE_SECONDS
from app.auth.jwks import KeySet
from app.demo.google import KEY_ID, DemoSigner
from app.errors import Unavailable

pytestmark = pytest.mark.anyio

KEYS = json.dumps(DemoSigner().jwks()).encode()


class Publisher:
    """A JWKS address whose answer a test decides: bytes, or None to hang."""

    def __init__(self) -> None:
        self.answer: bytes | None = KEYS
        self.status = "200 OK"
        self.requests = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        if self.answer is None:
            await reader.read()  # until the client gives up
        else:
            head = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(self.answer)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + self.answer)
        writer.close()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    publisher = Publisher()
    server = await asyncio.start_server(publisher.serve, "127.0.0.1", 0)
    publisher.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/certs"
    yield publisher
    server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(publisher: Publisher, clock: Clock) -> AsyncIterator[KeySet]:
    keys = KeySet(publisher.url, "Google", clock)
    yield keys
    await keys.close()


async def test_a_key_is_fetched_once_for_all(keys: KeySet, publisher: Publisher) -> None:
    found = await asyncio.gather(*(keys.find(KEY_ID) for _ in range(20)))
    assert all(found)
    assert publisher.requests == 1


async def test_unknown_key_ids_fetch_no_faster_than_the_pause(
    keys: KeySet, publisher: Publisher, clock: Clock
) -> None:
    await keys.find(KEY_ID)
    assert [await keys.find(f"made-up-{n}") for n in range(50)] == [None] * 50
    assert publisher.requests == 1
    clock.now += PAUSE_SECONDS + 1
    assert await keys.find("made-up") is None
    assert publisher.requests == 2


async def test_a_bad_token_during_a_hanging_fetch_delays_no_good_one(
    keys: KeySet, publisher: Publisher, clock: Clock
) -> None:
    await keys.find(KEY_ID)
    clock.now += PAUSE_SECONDS + 1
    publisher.answer = None
    bad = asyncio.create_task(keys.find("made-up"))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(0.1):
        assert await keys.find(KEY_ID)
    bad.cancel()


async def test_keys_outlive_an_outage_for_a_day(
    keys: KeySet, publisher: Publisher, clock: Clock
) -> None:
    await keys.find(KEY_ID)
    publisher.status = "500 Oops"
    clock.now += STALE_SECONDS - 1
    assert await keys.find(KEY_ID)
    clock.now += 2
    with pytest.raises(Unavailable):
        await keys.find(KEY_ID)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not json",
        b"[]",
        b'{"keys": 3}',
        b'{"keys": []}',
        b'{"keys": [{"kty": "RSA", "kid": "demo-key", "n": "AQAB", "e": "AQAB"}]}',
        b'{"keys": [{"kty": "oct", "kid": "demo-key", "k": "c2VjcmV0"}]}',
        KEYS + b" " * MAX_BYTES,
    ],
)
async def test_without_a_usable_key_set_the_answer_is_503_at_once(
    keys: KeySet, publisher: Publisher, answer: bytes
) -> None:
    publisher.answer = answer
    for _ in range(3):
        with pytest.raises(Unavailable) as refusal:
            await keys.find(KEY_ID)
        assert refusal.value.retry_after
    assert publisher.requests == 1


async def test_a_redirect_is_not_followed(keys: KeySet, publisher: Publisher) -> None:
    publisher.status = f"302 Found\r\nLocation: {publisher.url}"
    with pytest.raises(Unavailable):
        await keys.find(KEY_ID)
    assert publisher.requests == 1


async def test_a_caller_who_leaves_does_not_cancel_the_fetch(
    keys: KeySet, publisher: Publisher
) -> None:
    first = asyncio.create_task(keys.find(KEY_ID))
    await asyncio.sleep(0)
    first.cancel()
    assert await keys.find(KEY_ID)
    assert publisher.requests == 1
