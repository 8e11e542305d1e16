"""What is fetched from identity providers: small JSON documents, rarely, shared by all requests."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import httpx2

T = TypeVar("T")

FETCH_SECONDS = 3
MAX_BYTES = 64 * 1024
PAUSE_SECONDS = 30  # between fetches, whether the last one succeeded or failed
FRESH_SECONDS = 3600
STALE_SECONDS = 24 * 3600


class KeptDocument(Generic[T]):
    """The document at an address, as `parse` reads it; a `ValueError` of it means it is no good.

    A request that finds what it needs never waits: an old document is fetched again meanwhile, and
    outlives an outage for a day. All others wait for one shared fetch.
    """

    def __init__(
        self, url: str, parse: Callable[[Any], T], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._parse = parse
        self._clock = clock
        self._value: T | None = None
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetch: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Cancel a running fetch."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.gather(self._fetch, return_exceptions=True)

    async def value(self, wanted: Callable[[T], bool] = lambda _: True) -> T | None:
        """The document, or None. Unless the known one is as `wanted`, it is fetched first."""
        known = self._usable()
        if known is not None and wanted(known):
            if self._age() > FRESH_SECONDS:
                self._start_fetch()
            return known
        fetch = self._start_fetch()
        if fetch is not None:
            await asyncio.shield(fetch)
        return self._usable()

    def _usable(self) -> T | None:
        return self._value if self._age() <= STALE_SECONDS else None

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    def _start_fetch(self) -> asyncio.Task[None] | None:
        """The fetch under way, or a new one, or None while the pause lasts."""
        if self._fetch is not None and not self._fetch.done():
            return self._fetch
        if self._tried_at is not None and self._clock() - self._tried_at < PAUSE_SECONDS:
            return None
        self._tried_at = self._clock()
        self._fetch = asyncio.create_task(self._refresh())
        return self._fetch

    async def _refresh(self) -> None:
        try:
            value = self._parse(await _fetch_json(self._url))
        except (httpx2.HTTPError, TimeoutError, ValueError, TypeError):
            return
        self._value, self._fetched_at = value, self._clock()


async def _fetch_json(url: str) -> Any:
    body = b""
    async with asyncio.timeout(FETCH_SECONDS):
        # A client of its own for each fetch: they are half a minute apart or an hour, and
        # making one loads the certificates of all authorities.
        client = await asyncio.to_thread(
            httpx2.AsyncClient, follow_redirects=False, timeout=FETCH_SECONDS
        )
        async with client, client.stream("GET", url) as response:
            if response.status_code != httpx2.codes.OK:
                raise ValueError("the document was not given")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError("the document is too large")
    return httpx2.Response(200, content=body).json()
