"""A rate limit for failed sign-ins per address."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from app.errors import TooMany

WINDOW_SECONDS = 60
MAX_ADDRESSES = 10_000


class SignInLimit:
    """Counts failed sign-ins per address over the last minute, in this process.

    Successful ones are never counted or refused: at nine o'clock, sixty teachers sign in from
    behind one address.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def record_failure(self, client: str) -> None:
        """Count a failure; `TooMany` if the address has reached its limit for this minute."""
        now = self._clock()
        failures = self._failures.setdefault(_network(client), deque())
        self._failures.move_to_end(_network(client))
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
        while failures and failures[0] <= now - WINDOW_SECONDS:
            failures.popleft()
        if len(failures) >= self._per_minute:
            raise TooMany(
                "Too many failed sign-ins from here. Please wait a minute.",
                retry_after=max(1, round(failures[0] + WINDOW_SECONDS - now)),
            )
        failures.append(now)


def _network(client: str) -> str:
    """The address, or for IPv6 its /64: that is what one subscriber has."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        # A dual-stack socket reports IPv4 clients like ::ffff:192.0.2.1.
        return str(address.ipv4_mapped or int(address) >> 64)
    return str(address)
