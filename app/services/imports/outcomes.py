"""What the writers of a batch report, to be shown by row or compared by class."""

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
    """The receiver of reports. `code` is a stable code, `place` a field or a column's number."""

    def note(self, table: Table, row: int, outcome: RowOutcome) -> None:
        """Something in the row was created, changed or already as wanted."""

    def count(self, table: Table, outcome: RowOutcome, number: int) -> None:
        """The same for a number of records that have no rows of their own."""

    def refuse(
        self,
        table: Table,
        row: int,
        place: str | int | None,
        code: str,
        other_row: int | None = None,
    ) -> None:
        """Something in the row was refused, if given because of a conflict with `other_row`."""

    def refuse_other(self, row: int, stored_name: str) -> None:
        """The row's roll number is somebody else's."""

    def leave_out_guests(self, rows: list[int]) -> None:
        """These rows were left out: their addresses belong to nobody in the class."""

    def take_alike(self, row: int, stored_name: str) -> None:
        """The row's name differs from the stored one by an initial and was accepted as the same."""

    def keep(self, table: Table, row: int, code: str, field: str = "") -> None:
        """Something in the row differs from what is stored, which was kept."""

    def mark(
        self, mark: MarkRow, outcome: RowOutcome, code: str | None = None, stored: str | None = None
    ) -> None:
        """What became of a mark. With a code, it was not written, or not as given; `stored` is the
        status that is stored instead."""

    def without(self, session: SessionName, marks: Sequence[MarkRow], code: str) -> None:
        """The session was refused with all its marks."""
