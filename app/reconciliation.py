"""What an import did, compared class by class with what the other system has."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from app.batch import Batch


@dataclass(frozen=True, slots=True)
class LeftOut:
    """`count` things of a document that were not written: what, where and why.

    `path` is the document's, `place` the place in it; `code` is a key of `REASONS`. `marks` is the
    number of marks left out with them.
    """

    path: str
    what: str
    code: str
    place: str = ""
    count: int = 1
    marks: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """A reason why the totals of a class differ, and what AIMS has `less` or `more` because of it.

    Both count marks by status; `sessions` is the number of attendance documents not written.
    """

    code: str
    less: Counter[str] = field(default_factory=Counter)
    more: Counter[str] = field(default_factory=Counter)
    sessions: int = 0


def status_of(word: str) -> str:
    """The status for a word of the mapping: `on_duty` is a kind of excuse."""
    return "excused" if word == "on_duty" else word


def counted(words: Iterable[str]) -> Counter[str]:
    """The number of marks by status."""
    return Counter(map(status_of, words))


@dataclass
class Reading:
    """What was read from a source: documents, or whatever it consists of.

    `read` counts them by collection, `ignored` those of collections that were not asked for, and
    `unread` the fields and subcollections that were not read in documents that were.
    """

    read: Counter[str]
    ignored: Counter[str]
    unread: Counter[str]


@dataclass
class ClassOutcome:
    """The totals of a class in both systems. `class_id` is None if the class was left out."""

    path: str
    class_id: UUID | None
    exported_sessions: int
    exported: Counter[str]
    stored_sessions: int = 0
    stored: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether AIMS has what the export says, apart from differences with a reason."""
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
    """A class of another system: a batch with all of it, and its totals there.

    With a `problem`, a key of `REASONS`, it cannot be written.
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
        """Record that the class was left out, with its sessions and marks."""
        marks = totals.exported.total()
        self.left_out.append(LeftOut(totals.path, "class", code, marks=marks))
        lost = Difference(code, Counter(totals.exported), sessions=totals.exported_sessions)
        totals.differences = [lost]
        self.classes.append(totals)

    def add(self, done: "Outcome") -> None:
        """Add the outcome of another class."""
        self.made += done.made
        self.changed += done.changed
        self.unchanged += done.unchanged
        self.left_out += done.left_out
        self.classes += done.classes

    @property
    def agrees(self) -> bool:
        return all(outcome.agrees for outcome in self.classes)
