"""The conditions under which a batch is written."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Conditions:
    """The institution's `today`, its edit window in days (None: unlimited), the reason given for
    changing marks after it, and whether roll numbers are trusted even if the names beside them
    belong to other people.

    `source` names a system that is imported repeatedly, and prefixes its request ids. Then what
    AIMS has is kept, except marks made by an import of that source. Without one, the batch comes
    from a file, which overrides what is stored.
    """

    today: date
    window: int | None = None
    reason: str | None = None
    trust_numbers: bool = False
    source: str | None = None

    @property
    def keep(self) -> bool:
        """Whether what AIMS has is kept."""
        return self.source is not None
