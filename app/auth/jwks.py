"""The signing keys of a provider, fetched rarely and shared by all requests.

`PyJWKClient` fetches for every unknown key id under a lock, so a handful of bad tokens could
hold up every good one. Here, a token whose key is known never waits.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx2
import jwt

from app.auth.fetching import fetch_json
from app.errors import Unavailable

PAUSE_SECONDS = 30  # between fetches, whether the last one succeeded or failed
FRESH_SECONDS = 3600
STALE_SECONDS = 24 * 3600
MIN_KEY_BITS = 2048


class KeySet:
    """The public keys of `provider` at its JWKS address, by key id."""

    def __init__(
        self, url: str, provider: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._provider = provider
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetch: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Cancel a running fetch."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.gather(self._fetch, return_exceptions=True)

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key with that id, or None; `Unavailable` if there are no usable keys at all."""
        key = self._usable().get(key_id)
        if key is not None:
            if self._age() > FRESH_SECONDS:
                self._start_fetch()
            return key
        # Anybody can send unknown key ids, so these wait for at most one shared fetch.
        fetch = self._start_fetch()
        if fetch is not None:
            await asyncio.shield(fetch)
        if not self._usable():
            raise Unavailable(
                f"{self._provider}'s keys cannot be reached just now. "
                "Please try again in a minute.",
                code="google_unavailable",
                retry_after=PAUSE_SECONDS,
            )
        return self._usable().get(key_id)

    def _usable(self) -> dict[str, jwt.PyJWK]:
        return self._keys if self._age() <= STALE_SECONDS else {}

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
            keys = _signing_keys(await fetch_json(self._url))
        except (httpx2.HTTPError, TimeoutError, ValueError, TypeError, jwt.PyJWTError):
            return
        if keys:
            self._keys, self._fetched_at = keys, self._clock()


def _signing_keys(document: Any) -> dict[str, jwt.PyJWK]:
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a key set")
    found = {}
    for entry in document["keys"]:
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str) and _signs_rs256(entry):
            key = jwt.PyJWK(entry, algorithm="RS256")
            if key.key.key_size >= MIN_KEY_BITS:
                found[entry["kid"]] = key
    return found


def _signs_rs256(entry: dict[str, Any]) -> bool:
    return (
        entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
        and "d" not in entry
    )
