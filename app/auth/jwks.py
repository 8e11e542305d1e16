"""The signing keys of a provider, fetched rarely and shared by all requests.

`PyJWKClient` fetches for every unknown key id under a lock, so a handful of bad tokens could
hold up every good one. Here, a token whose key is known never waits.
"""

import time
from collections.abc import Callable
from typing import Any

import jwt

from app.auth.fetching import PAUSE_SECONDS, KeptDocument
from app.errors import Unavailable

MIN_KEY_BITS = 2048


class KeySet:
    """The public keys of `provider` at its JWKS address, by key id."""

    def __init__(
        self, url: str, provider: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._provider = provider
        self._document = KeptDocument(url, _signing_keys, clock)

    async def close(self) -> None:
        """Cancel a running fetch."""
        await self._document.close()

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key with that id, or None; `Unavailable` if there are no usable keys at all.

        Anybody can send unknown key ids, so these wait for at most one shared fetch.
        """
        keys = await self._document.value(lambda known: key_id in known)
        if keys is None:
            raise Unavailable(
                f"{self._provider}'s keys cannot be reached just now. "
                "Please try again in a minute.",
                code="google_unavailable",
                retry_after=PAUSE_SECONDS,
            )
        return keys.get(key_id)


def _signing_keys(document: Any) -> dict[str, jwt.PyJWK]:
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a key set")
    entries = [each for each in document["keys"] if _signs_rs256(each)]
    try:
        keys = {entry["kid"]: jwt.PyJWK(entry, algorithm="RS256") for entry in entries}
    except jwt.PyJWTError:
        raise ValueError("not a key set") from None
    long_enough = {kid: key for kid, key in keys.items() if key.key.key_size >= MIN_KEY_BITS}
    if not long_enough:
        raise ValueError("no key to verify with")
    return long_enough


def _signs_rs256(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("kid"), str)
        and entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
        and "d" not in entry
    )
