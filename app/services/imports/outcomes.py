"""What the writers of a batch tell, whether it is shown by row or compared by class."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from app.batch import MarkRow, SessionName
from app.schemas.imports import RowOutcome


class Table(StrEnum):
    """Where a record is written."""

    TERMS = "terms"
    ALLOWED_EMAILS = "allowed_emails"
    USERS = "users"
    CLASSES = "classes"
    TEACHERS = "class_teachers"
    SLOTS = "class_schedules"
    MOVES = "class_reschedules"
    STUDENTS = "students"
    ENROLMENTS = "class_students"
    SESSIONS = "attendance_sessions"
    MARKS = "attendance_statuses"


class Outcomes(Protocol):
    """Who is told. `code` is a stable code, `place` a field, or the number of a column."""

    def note(self, table: Table, row: int, outcome: RowOutcome) -> None:
        """Something in the row was made, changed or found as wanted."""

    def count(self, table: Table, outcome: RowOutcome, number: int) -> None:
        """The same, of so many records that have no row of their own."""

    def refuse(
        self,
        table: Table,
        row: int,
        place: str | int | None,
        code: str,
        other_row: int | None = None,
    ) -> None:
        """Something in the row cannot be. It does not go together with `other_row`."""

    def refuse_other(self, row: int, stored_name: str) -> None:
        """The number of the row is somebody else's."""

    def leave_out_guests(self, rows: list[int]) -> None:
        """These rows have addresses of nobody in the class, and were left out."""

    def take_alike(self, row: int, stored_name: str) -> None:
        """The name of the row differs by an initial from the one stored, and is taken for it."""

    def keep(self, table: Table, row: int, code: str, field: str = "") -> None:
        """Something in the row is otherwise here, and stays so."""

    def mark(
        self, mark: MarkRow, outcome: RowOutcome, code: str | None = None, stored: str | None = None
    ) -> None:
        """What became of a mark. With a code it is not, or not as it was given; `stored` is the
        status that there is in its place."""

    def without(self, session: SessionName, marks: Sequence[MarkRow], code: str) -> None:
        """The session is refused, with all its marks."""
