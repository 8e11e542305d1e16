"""How large a request can be and how long it can take. A route that reads a file declares it:

@router.post("/admin/import", ...)
@limited(FILE)
async def import_file(request: Request, ...) -> ImportOutcome:
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.routing import BaseRoute

from app.files.sheets.limits import MAX_BYTES


@dataclass(frozen=True)
class Limits:
    """The maximum size of the body in bytes, and the seconds until the answer is complete."""

    size: int
    seconds: int

    @property
    def in_words(self) -> str:
        """The size in MiB, for messages."""
        return f"{self.size // 1024**2} MiB"


USUAL = Limits(size=2 * 1024**2, seconds=15)
# A file with many rows takes longer; its database statements have separate limits.
FILE = Limits(size=MAX_BYTES, seconds=120)

_declared: dict[Callable[..., object], Limits] = {}

E = TypeVar("E", bound=Callable[..., object])


def limited(limits: Limits) -> Callable[[E], E]:
    """Declare the limits of the route of the function, instead of the usual ones."""

    def declare(endpoint: E) -> E:
        _declared[endpoint] = limits
        return endpoint

    return declare


def limits_of(route: BaseRoute) -> Limits | None:
    """The limits that the route declares, if any."""
    endpoint = getattr(route, "endpoint", None)
    return _declared.get(endpoint) if endpoint else None
