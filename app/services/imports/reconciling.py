"""Collect what an import did to a class, to compare it with what its source says."""

from collections import Counter
from collections.abc import Sequence

from app.batch import MarkRow, SessionName
from app.errors import Conflict, Invalid
from app.reconciliation import ClassOutcome, Difference, LeftOut, Outcome, counted, status_of
from app.schemas.imports import RowOutcome
from app.services.imports.outcomes import Table

# What a record of the table is called when it was not written as in the source.
_NOUNS = {
    Table.TERMS: "term",
    Table.ALLOWED_EMAILS: "teacher",
    Table.CLASSES: "class",
    Table.TEACHERS: "teacher",
    Table.SLOTS: "slot",
    Table.MOVES: "reschedule",
    Table.STUDENTS: "student",
    Table.ENROLMENTS: "student",
    Table.SESSIONS: "session",
}
_CODES = {
    "unknown_teacher": "teacher_not_allowed",
    "session_finalised": "session_closed",
    "session_cancelled": "session_closed",
}


class Reconciliation:
    """`Outcomes` of one class by table and reason. What is refused is left out and reported; if
    the class itself is refused, `Conflict` is raised and nothing of it is written."""

    def __init__(self, totals: ClassOutcome) -> None:
        self.totals = totals
        self._done: dict[RowOutcome, Counter[str]] = {outcome: Counter() for outcome in RowOutcome}
        self._left_out: Counter[tuple[str, str]] = Counter()
        self._sessions: list[LeftOut] = []
        self._marks: Counter[tuple[str, str, str | None]] = Counter()

    def note(self, table: Table, row: int, outcome: RowOutcome) -> None:
        self._done[outcome][table] += 1

    def count(self, table: Table, outcome: RowOutcome, number: int) -> None:
        self._done[outcome][table] += number

    def refuse(
        self,
        table: Table,
        row: int,
        place: str | int | None,
        code: str,
        other_row: int | None = None,
    ) -> None:
        if code == "unknown_term":
            raise Invalid("There is no such term.", code=code)
        code = _CODES.get(code, code)
        if table is Table.CLASSES:
            raise Conflict("This class cannot be imported.", code=code)
        self._left_out[_NOUNS[table], code] += 1

    def leave_out_guests(self, rows: list[int]) -> None:
        """Do nothing: no source names people by their addresses."""

    def take_alike(self, row: int, stored_name: str) -> None:
        """Do nothing: the numbers of a source are trusted."""

    def refuse_other(self, row: int, stored_name: str) -> None:
        self._left_out["student", "another_name"] += 1

    def keep(self, table: Table, row: int, code: str, field: str = "") -> None:
        self._left_out["field" if field else _NOUNS[table], code] += 1

    def mark(
        self, mark: MarkRow, outcome: RowOutcome, code: str | None = None, stored: str | None = None
    ) -> None:
        self._done[outcome][Table.MARKS] += 1
        if code:
            self._marks[_CODES.get(code, code), mark.word, stored] += 1
        if code and outcome is RowOutcome.REFUSED:
            self._left_out["mark", _CODES.get(code, code)] += 1

    def without(self, session: SessionName, marks: Sequence[MarkRow], code: str) -> None:
        lost = counted(mark.word for mark in marks)
        start = f" {session.start:%H:%M}" if session.start else ""
        place = f"{session.day}{start}"
        self._sessions.append(LeftOut(self.totals.path, "session", code, place, marks=lost.total()))
        self.totals.differences.append(Difference(code, lost, sessions=1))

    def outcome(self) -> Outcome:
        """Everything that was collected."""
        for (code, word, stored), marks in self._marks.items():
            more = Counter({stored: marks}) if stored else Counter[str]()
            difference = Difference(code, Counter({status_of(word): marks}), more)
            self.totals.differences.append(difference)
        left_out = [
            LeftOut(self.totals.path, what, code, count=count)
            for (what, code), count in self._left_out.items()
        ]
        return Outcome(
            made=self._done[RowOutcome.CREATED],
            changed=self._done[RowOutcome.CHANGED],
            unchanged=self._done[RowOutcome.UNCHANGED],
            left_out=left_out + self._sessions,
            classes=[self.totals],
        )
