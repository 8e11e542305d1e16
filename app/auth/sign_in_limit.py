"""How often one address may fail to sign in."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from app.errors import TooMany

WINDOW_SECONDS = 60
MAX_ADDRESSES = 10_000


class SignInLimit:
    """Counts failed sign-ins per address over the last minute, in this process.

    Good ones are never counted and never refused: at nine o'clock sixty teachers sign in
    behind one address.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def record_failure(self, client: str) -> None:
        """Count a failure; `TooMany` when the address has used up its minute."""
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
    """One subscriber has one IPv4 address, or a whole /64 of IPv6."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        # A socket of both families names callers by IPv4 like ::ffff:192.0.2.1.
        return str(address.ipv4_mapped or int(address) >> 64)
    return str(address)
