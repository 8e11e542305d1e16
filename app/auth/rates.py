"""How many requests one person, or one address, may send in a minute.

The limits hold a program that runs wild, and no class: what they allow is derived from the most
that people do. Each process counts for itself, so that several allow a multiple of it, unless all
count in one Redis.
"""

import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from uuid import UUID

from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.auth.memory import Memory
from app.errors import TooMany
from app.logs import logger

# A day without network of a teacher whose app saves tap by tap, all sent at once when the network
# is back: eight classes of sixty, each opened, read and finalised, are 504. A page makes up to
# six requests, and whoever waits for an import asks once a second.
PERSON = 600
# Without a valid token. Twelve thousand students behind one address who open the sign-in page in
# the same minute, each with three requests to sign in, are 36,000.
ADDRESS = 40_000

REDIS_SECONDS = 0.25  # to wait for Redis
REDIS_CONNECTIONS = 8  # of each process
PAUSE_SECONDS = 10  # after Redis has not answered, before it is asked again


class Rates:
    """Counts requests and raises `TooMany` for one beyond the limit."""

    def __init__(
        self,
        failed_sign_ins: int,
        redis_url: str | None = None,
        *,
        person: int = PERSON,
        address: int = ADDRESS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._person = RateLimitItemPerMinute(person, namespace="person")
        self._address = RateLimitItemPerMinute(address, namespace="address")
        self._sign_ins = RateLimitItemPerMinute(failed_sign_ins, namespace="sign-in")
        self._clock = clock
        self._own = FixedWindowRateLimiter(Memory(clock))
        self._pool = _pool(redis_url) if redis_url else None
        self._shared = _shared(self._pool) if self._pool else None
        self._pause_ends = 0.0

    async def count_person(self, user_id: UUID) -> None:
        """Count a request with this person's valid token."""
        if seconds := await self._wait(self._person, str(user_id)):
            raise TooMany("Too many requests. Please slow down.", retry_after=seconds)

    async def count_stranger(self, request: Request) -> None:
        """Count a request without a valid token for the address it comes from."""
        if seconds := await self._wait(self._address, _network_of(request)):
            raise TooMany(
                "Too many requests from here without a valid sign-in. Please wait a minute.",
                retry_after=seconds,
            )

    async def count_failed_sign_in(self, request: Request) -> None:
        """Count a failure for the address. Who succeeds is never refused: at nine o'clock, sixty
        teachers sign in from behind one address."""
        if seconds := await self._wait(self._sign_ins, _network_of(request)):
            raise TooMany(
                "Too many failed sign-ins from here. Please wait a minute.",
                code="too_many_failed_sign_ins",
                retry_after=seconds,
            )

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._pool:
            await self._pool.disconnect()

    async def _wait(self, item: RateLimitItem, who: str) -> int:
        """Count one, and say how many seconds they have to wait: 0 if they are within the limit."""
        if self._shared and self._clock() >= self._pause_ends:
            try:
                return await _waiting(self._shared, item, who)
            except StorageError:
                self._pause()
        return await _waiting(self._own, item, who)

    def _pause(self) -> None:
        """Count without Redis for a while."""
        if self._clock() >= self._pause_ends:
            logger.warning("Redis does not answer: each process counts requests for itself.")
        self._pause_ends = self._clock() + PAUSE_SECONDS


async def _waiting(limiter: FixedWindowRateLimiter, item: RateLimitItem, who: str) -> int:
    if await limiter.hit(item, who):
        return 0
    ends = (await limiter.get_window_stats(item, who)).reset_time
    return max(1, round(ends - time.time()))


def rates_of(request: Request) -> Rates:
    """Those of the application."""
    rates: Rates = request.app.state.rates
    return rates


def _pool(url: str) -> BlockingConnectionPool:
    # One more try, since a connection that was idle may have been closed. Requests take turns.
    return BlockingConnectionPool.from_url(
        url,
        max_connections=REDIS_CONNECTIONS,
        timeout=REDIS_SECONDS,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )


def _shared(pool: BlockingConnectionPool) -> FixedWindowRateLimiter:
    storage = RedisStorage(
        "async+redis://",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="aims",
        connection_pool=pool,  # type: ignore[arg-type]
    )
    return FixedWindowRateLimiter(storage)


def _network_of(request: Request) -> str:
    """The caller's address, or for IPv6 its /64: that is what one subscriber has."""
    client = request.client.host if request.client else ""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        # A dual-stack socket reports IPv4 clients like ::ffff:192.0.2.1.
        return str(address.ipv4_mapped or int(address) >> 64)
    return str(address)
