"""A small pool of connections to PostgreSQL.

asyncpg's own pool wraps each connection that it lends in a proxy and takes it back in a task of its
own, which costs a fifth of a small request
(docs/decisions/0019-what-a-small-request-does-not-pay-for.md).
"""

import asyncio
import select
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, cast

import asyncpg

Connection = asyncpg.Connection

CLOSE_SECONDS = 5
# While more wait, or one has waited for so long, whoever comes is refused at once: most of them
# would wait in vain, and the work done for them until then is what others wait for.
MAX_WAITING = 300
WAITING_SECONDS = 0.5
# An older idle connection is replaced, since firewalls forget connections without a word.
IDLE_SECONDS = 300


class Pool:
    """At most `size` connections, opened when needed; the one used last is lent first."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._free = asyncio.Semaphore(size)
        # Who waits, and since when: the longest waiting first.
        self._waiting: OrderedDict[object, float] = OrderedDict()
        self._idle: list[tuple[Connection, float]] = []
        self._lent: set[Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def acquire(self, seconds: float) -> Connection:
        """A connection, for one caller until `release`; `TimeoutError` if there is none in time."""
        if self._idle and not self._free.locked():
            return await self._lend()
        waiter = object()
        self._waiting[waiter] = _now()
        try:
            async with asyncio.timeout(seconds):
                return await self._lend()
        finally:
            del self._waiting[waiter]

    @property
    def crowded(self) -> bool:
        """Whether so many wait for a connection, or for so long, that no more should."""
        if not self._waiting:
            return False
        first = next(iter(self._waiting.values()))
        return len(self._waiting) >= MAX_WAITING or first < _now() - WAITING_SECONDS

    def release(self, connection: Connection) -> None:
        """Take a connection back. One in the middle of something is closed."""
        self._lent.discard(connection)
        if not connection.is_closed() and _is_busy(connection):
            closing = asyncio.create_task(self._end(connection))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            return
        if not connection.is_closed():
            self._idle.append((connection, _now()))
        self._free.release()

    async def close(self) -> None:
        """Close all connections, those that are lent as soon as they are back or after a moment."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                for _ in range(self._size):
                    await self._free.acquire()
                for connection, _ in self._idle:
                    await connection.close()
        except TimeoutError:
            for connection in (*self._lent, *(idle for idle, _ in self._idle)):
                connection.terminate()

    async def _lend(self) -> Connection:
        await self._free.acquire()
        try:
            connection = self._take() or await self._connect()
        except BaseException:
            self._free.release()
            raise
        self._lent.add(connection)
        return connection

    def _take(self) -> Connection | None:
        """The idle connection used last, if it can still be used."""
        while self._idle:
            connection, since = self._idle.pop()
            if since > _now() - IDLE_SECONDS and not _is_lost(connection):
                return connection
            connection.terminate()
        return None

    async def _end(self, connection: Connection) -> None:
        """Cancel what the connection is doing and close it; only then is its place free."""
        try:
            await connection.close(timeout=CLOSE_SECONDS)
        except Exception:
            connection.terminate()
        finally:
            self._free.release()


def _is_busy(connection: Connection) -> bool:
    """Whether a transaction is open, or a statement is still being cancelled."""
    cancelling: bool = cast(Any, connection)._protocol._is_cancelling()
    return cancelling or connection.is_in_transaction()


def _is_lost(connection: Connection) -> bool:
    """Whether the server has closed an idle connection, also if that has not been noticed yet.

    Unasked, a server says nothing but that.
    """
    if connection.is_closed():
        return True
    said = select.poll()
    said.register(cast(Any, connection)._transport.get_extra_info("socket"), select.POLLIN)
    return bool(said.poll(0))


def _now() -> float:
    return asyncio.get_running_loop().time()
