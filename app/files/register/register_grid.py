"""The cells of a register, the same in every file format."""

from datetime import UTC, datetime
from decimal import Decimal

from app.files.register.register_words import (
    LETTERS,
    NOT_ENROLLED,
    PREAMBLE,
    STUDENT_COLUMNS,
    TOTAL_COLUMNS,
    session_heading,
)
from app.schemas.attendance import Status
from app.schemas.register import Register, RegisterStudent

# The cell for each character of `RegisterStudent.marks`.
CELLS = {
    **{status[0]: LETTERS[status] for status in Status},
    "o": LETTERS["on_duty"],
    " ": "",
    "-": NOT_ENROLLED,
}


def preamble(register: Register, generated: datetime) -> list[tuple[str, str]]:
    """The lines above the grid, each a label and a value."""
    values = (
        register.code,
        register.name,
        register.section,
        f"{register.teacher} <{register.teacher_email}>",
        register.term or "",
        f"{register.first} to {register.last}",
        f"{generated.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} by {register.generated_by}",
        str(register.class_id),
    )
    return list(zip(PREAMBLE, values, strict=True))


def headings(register: Register) -> list[str]:
    """The names of the columns."""
    sessions = (session_heading(session.date, session.start) for session in register.sessions)
    return [*STUDENT_COLUMNS, *sessions, *TOTAL_COLUMNS]


def letters(student: RegisterStudent) -> list[str]:
    """The student's cells under the sessions."""
    return [CELLS[mark] for mark in student.marks]


def counts(student: RegisterStudent) -> list[int | Decimal]:
    """The student's totals, all but the percentage."""
    by_status = (getattr(student, status) for status in Status)
    return [*by_status, student.counted, student.attended]


def plain(number: int | Decimal) -> str:
    """The number as people write it: 4, 4.5."""
    return f"{number.normalize():f}" if isinstance(number, Decimal) else str(number)
