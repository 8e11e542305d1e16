"""Under which conditions a batch is written."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Conditions:
    """`today` of the institution, its edit window in days (None: for ever), the reason that is
    given for changing marks later, and whether numbers are trusted where the names beside them
    are other people's.

    `source` names the system that a batch comes from again and again, and begins the ids of its
    requests. What AIMS has stays then, unless it is a mark that an import of that source made.
    Without one it is a file, which says how things are to be.
    """

    today: date
    window: int | None = None
    reason: str | None = None
    trust_numbers: bool = False
    source: str | None = None

    @property
    def keep(self) -> bool:
        """Whether what AIMS has stays."""
        return self.source is not None
