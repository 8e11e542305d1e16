"""Heavy work, such as registers, reports and imports: how much of it a process does at once.

It would take connections and the processor from everybody who marks. A route declares it:

    @router.get("/classes/{id}/register", ...)
    @heavy
    async def get_register(id: UUID, call: Call, ...) -> Response:
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import date
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from app.errors import Unavailable

# With two, marking waited for five times as long and fewer files were made (docs/decisions).
AT_ONCE = 1
WAIT_SECONDS = 5
# For so long a thread computes before the event loop has its turn; Python's default is ten times
# that, and a marking waits for several turns.
TURN_SECONDS = 0.0005
_SHORT_DAYS = 31

Query = Mapping[str, str]
E = TypeVar("E", bound=Callable[..., object])
T = TypeVar("T")

_declared: dict[Callable[..., object], Callable[[Query], bool]] = {}
_threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="heavy")
# What the request of this context has begun in threads.
_begun: ContextVar[list["Future[Any]"] | None] = ContextVar("begun", default=None)


def heavy(endpoint: E) -> E:
    """Declare that all requests to the route of the function are heavy."""
    return heavy_if(lambda _: True)(endpoint)


def heavy_if(asked: Callable[[Query], bool]) -> Callable[[E], E]:
    """Declare that those are whose query parameters `asked` says so of."""

    def declare(endpoint: E) -> E:
        _declared[endpoint] = asked
        return endpoint

    return declare


def declared(endpoint: Callable[..., object]) -> Callable[[Query], bool] | None:
    """What says of a query whether it is heavy; None if none is."""
    return _declared.get(endpoint)


def spans_few_days(query: Query) -> bool:
    """Whether the query has `from` and `to`, a month apart at most."""
    try:
        span = date.fromisoformat(query["to"]) - date.fromisoformat(query["from"])
    except (KeyError, ValueError):
        return False
    return span.days <= _SHORT_DAYS


async def beside(function: Callable[..., T], *given: Any, threads: Executor = _threads) -> T:
    """Call the function in a thread, so that the event loop keeps running.

    If its request is given up, it is not begun; if it has begun, the place of the request stays
    taken until it ends, since nothing can stop a thread.
    """
    work = threads.submit(function, *given)
    begun = _begun.get()
    if begun is not None:
        begun.append(work)
    return await asyncio.wrap_future(work)


class Bulkhead:
    """The place for heavy work in this process. Whoever asks for it several times at once gets it
    by turns with everybody else who waits."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def place(self, person: UUID, *, patient: bool = False) -> AsyncIterator[None]:
        """A place while the block runs; `Unavailable` if there is none in time.

        `patient`: wait for as long as it takes, for work that is half done.
        """
        turn = self._turns.setdefault(person, asyncio.Lock())
        try:
            async with asyncio.timeout(None if patient else WAIT_SECONDS):
                await self._enter(turn)
        except TimeoutError:
            raise _busy() from None
        begun: list[Future[Any]] = []
        token = _begun.set(begun)
        try:
            yield
        finally:
            _begun.reset(token)
            self._leave(turn, [work for work in begun if not work.done()])

    async def in_parts(self, person: UUID, parts: AsyncIterable[T]) -> AsyncIterator[T]:
        """The parts, each made in a place that is free again while it is sent: somebody who reads
        slowly holds up nobody."""
        left = aiter(parts)
        while True:
            async with self.place(person, patient=True):
                try:
                    part = await anext(left)
                except StopAsyncIteration:
                    return
            yield part

    async def _enter(self, turn: asyncio.Lock) -> None:
        await turn.acquire()
        try:
            await self._free.acquire()
        except BaseException:
            turn.release()
            raise

    def _leave(self, turn: asyncio.Lock, unfinished: list["Future[Any]"]) -> None:
        if unfinished:
            ending = asyncio.create_task(self._leave_after(turn, unfinished))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        else:
            turn.release()
            self._free.release()

    async def _leave_after(self, turn: asyncio.Lock, unfinished: list["Future[Any]"]) -> None:
        await asyncio.gather(*map(asyncio.wrap_future, unfinished), return_exceptions=True)
        self._leave(turn, [])


def _busy() -> Unavailable:
    return Unavailable(
        "Other reports and files are being made just now. Please try again in a moment.",
        code="busy",
        retry_after=5,
    )
