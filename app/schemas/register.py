"""The register of a class: a row for each student, a column for each session."""

from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from app.schemas.stats import Counts
from app.schemas.words import Answer, Clock, Date


class RegisterFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"


class RegisterSession(Answer):
    """A column. `attended` is the number of students who were present or late."""

    date: Date
    start: Clock | None
    attended: int


class RegisterStudent(Counts):
    """A row. `marks` has one character for each session, in their order: the first letter of the
    status, `o` for an excuse by leave on duty, a space for no mark, and `-` for no mark on a day
    on which the student was not enrolled.

    The numbers count these sessions by the policy; `percentage` and `attended` have two decimals.
    """

    roll_no: str
    name: str
    marks: str
    counted: int
    attended: Decimal
    percentage: Decimal
    below: bool


class Register(Answer):
    """The register of a class: sessions by date and start, students by roll number.

    `first` and `last` are the days it covers, `threshold` is in per cent, and `generated_by` is
    the name of the person who requested it.
    """

    class_id: UUID
    code: str
    name: str
    section: str
    teacher: str
    teacher_email: str
    term: str | None
    first: Date
    last: Date
    generated_by: str
    threshold: Decimal
    sessions: list[RegisterSession]
    students: list[RegisterStudent]
