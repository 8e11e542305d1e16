"""How large a request may be and how long it may take. A route that reads a file says so:

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
    """Bytes of the body, and seconds until the last byte of the answer."""

    size: int
    seconds: int

    @property
    def in_words(self) -> str:
        """The size as people read it."""
        return f"{self.size // 1024**2} MiB"


USUAL = Limits(size=2 * 1024**2, seconds=15)
# A file with many rows is more than a request; its database work has limits of its own.
FILE = Limits(size=MAX_BYTES, seconds=120)

_declared: dict[Callable[..., object], Limits] = {}

E = TypeVar("E", bound=Callable[..., object])


def limited(limits: Limits) -> Callable[[E], E]:
    """Declares what the route of the function allows, instead of what is usual."""

    def declare(endpoint: E) -> E:
        _declared[endpoint] = limits
        return endpoint

    return declare


def limits_of(route: BaseRoute) -> Limits | None:
    """What the route declares, if it does."""
    endpoint = getattr(route, "endpoint", None)
    return _declared.get(endpoint) if endpoint else None
