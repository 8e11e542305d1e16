"""What an import of another system did, compared with what that system has: class by class."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from app.batch import Batch


@dataclass(frozen=True, slots=True)
class LeftOut:
    """`count` things of a document that are not written: of what kind, where, and why.

    `path` is the document's, `place` where in it; `code` is a key of `REASONS`. `marks` are
    those that are left out with it.
    """

    path: str
    what: str
    code: str
    place: str = ""
    count: int = 1
    marks: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Why the totals of a class differ: what the export has more (`less` in AIMS), or AIMS.

    Both count marks by status; `sessions` are documents of attendance not written.
    """

    code: str
    less: Counter[str] = field(default_factory=Counter)
    more: Counter[str] = field(default_factory=Counter)
    sessions: int = 0


def status_of(word: str) -> str:
    """The status for a word of the mapping: duty is a kind of excuse."""
    return "excused" if word == "on_duty" else word


def counted(words: Iterable[str]) -> Counter[str]:
    """How many marks there are of each status."""
    return Counter(map(status_of, words))


@dataclass
class Reading:
    """What was read of a source: documents, or whatever it has.

    `read` counts them by collection, `ignored` those of collections that nobody asked for, and
    `unread` fields and collections of documents that were read, which were not.
    """

    read: Counter[str]
    ignored: Counter[str]
    unread: Counter[str]


@dataclass
class ClassOutcome:
    """The totals of a class on both sides. `class_id` is null if the class was left out."""

    path: str
    class_id: UUID | None
    exported_sessions: int
    exported: Counter[str]
    stored_sessions: int = 0
    stored: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether AIMS has what the export says, but for differences with their reasons."""
        expected, sessions = Counter(self.exported), self.exported_sessions
        for difference in self.differences:
            expected.subtract(difference.less)
            expected.update(difference.more)
            sessions -= difference.sessions
        return sessions == self.stored_sessions and all(
            expected[status] == self.stored[status] for status in {*expected, *self.stored}
        )


@dataclass
class Part:
    """A class of another system: the batch that is all of it, and what is said of it there.

    With a `problem`, the code of a reason, it cannot be written.
    """

    batch: Batch
    totals: ClassOutcome
    problem: str | None = None


@dataclass
class Outcome:
    """What an import did: rows by table, what it left out, the totals of each class."""

    made: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)
    classes: list[ClassOutcome] = field(default_factory=list)

    def leave(self, totals: ClassOutcome, code: str) -> None:
        """The class is not written, and so neither are its sessions and marks."""
        marks = totals.exported.total()
        self.left_out.append(LeftOut(totals.path, "class", code, marks=marks))
        lost = Difference(code, Counter(totals.exported), sessions=totals.exported_sessions)
        totals.differences = [lost]
        self.classes.append(totals)

    def add(self, done: "Outcome") -> None:
        """What was done besides."""
        self.made += done.made
        self.changed += done.changed
        self.unchanged += done.unchanged
        self.left_out += done.left_out
        self.classes += done.classes

    @property
    def agrees(self) -> bool:
        return all(outcome.agrees for outcome in self.classes)
