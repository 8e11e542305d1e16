"""Where `limits` counts if there is no Redis: in this process."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from limits.aio.storage import Storage

MAX_WINDOWS = 50_000


@dataclass(slots=True)
class _Window:
    """What was counted since the window began; `ends` by the clock of this process."""

    count: int
    ends: float


class Memory(Storage):
    """A storage for windows of the same length, in bounded memory.

    The library's own goes by the time of day, so that it would go on counting for an hour after a
    clock was set back by one, keeps every key that anybody makes up, and looks through all of them
    a hundred times a second.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        # In the order in which they end.
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = self._clock()
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            window = self._begin(key, now, expiry)
        window.count += amount
        return window.count

    async def get(self, key: str) -> int:
        window = self._windows.get(key)
        return window.count if window and window.ends > self._clock() else 0

    async def get_expiry(self, key: str) -> float:
        """The time of day at which the window ends."""
        window = self._windows.get(key)
        return time.time() + (window.ends - self._clock() if window else 0)

    async def check(self) -> bool:
        return True

    async def reset(self) -> int | None:
        count = len(self._windows)
        self._windows.clear()
        return count

    async def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _begin(self, key: str, now: float, seconds: float) -> _Window:
        self._windows.pop(key, None)
        self._forget_ended(now)
        window = self._windows[key] = _Window(0, now + seconds)
        return window

    def _forget_ended(self, now: float) -> None:
        """Forget windows that are over, and the oldest of too many."""
        while self._windows:
            first = next(iter(self._windows.values()))
            if first.ends > now and len(self._windows) < MAX_WINDOWS:
                return
            self._windows.popitem(last=False)
