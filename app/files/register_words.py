"""The words of a register on paper, as they are written and read back.

A register is a grid: a row for each student, a column for each session. A cell holds the
letter of a mark; an empty one means that the student has no mark, and `NOT_ENROLLED` that
they were not in the class that day.
"""

import re
from datetime import date, time

# An excuse by leave on duty has a letter of its own, since the policy may count it differently.
LETTERS = {"present": "P", "absent": "A", "late": "L", "excused": "E", "on_duty": "OD"}
NOT_ENROLLED = "-"

# The preamble above the grid: one `label, value` a line, in this order.
PREAMBLE = (
    "Class",
    "Name",
    "Section",
    "Teacher",
    "Term",
    "Period",
    "Generated",
    "Class id",
)
STUDENT_COLUMNS = ("Roll No", "Name")
TOTAL_COLUMNS = ("Present", "Absent", "Late", "Excused", "Counted", "Attended", "Percentage")

_SESSION = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?: ([0-9]{2}:[0-9]{2}))?")


def session_heading(day: date, start: time | None) -> str:
    """The heading of a session's column: `2025-08-04 09:00`, or the date if it has no time."""
    return f"{day.isoformat()} {start:%H:%M}" if start else day.isoformat()


def read_session_heading(heading: str) -> tuple[date, time | None] | None:
    """The date and start of such a heading; None for any other heading."""
    match = _SESSION.fullmatch(heading.strip())
    if match is None:
        return None
    try:
        start = time.fromisoformat(match[2]) if match[2] else None
        return date.fromisoformat(match[1]), start
    except ValueError:
        return None
