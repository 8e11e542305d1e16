"""The words in the files of a register, as they are written and read back.

A register is a grid: a row for each student, a column for each session. A cell holds the
letter of a mark; an empty one means that the student has no mark, and `NOT_ENROLLED` that
they were not in the class that day.
"""

import re
from datetime import date, time

from app.schemas.attendance import Status

# On-duty leave has its own letter, since the policy may count it differently.
LETTERS = {"present": "P", "absent": "A", "late": "L", "excused": "E", "on_duty": "OD"}
NOT_ENROLLED = "-"

# The preamble above the grid: one `label, value` per line, in this order.
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
TOTAL_COLUMNS = (*(status.capitalize() for status in Status), "Counted", "Attended", "Percentage")

# How formulas begin in spreadsheets, and so how a text in a CSV can become one. Leading apostrophes
# are included, so that a guarding apostrophe can be told from the text's own.
_FORMULA = re.compile("'*[=+\\-@\t\r]")


def session_heading(day: date, start: time | None) -> str:
    """The heading of a session's column: `2025-08-04 09:00`, or the date if it has no time."""
    return f"{day.isoformat()} {start:%H:%M}" if start else day.isoformat()


def guarded(text: str) -> str:
    """The text escaped for CSV, so that no spreadsheet reads it as a formula (OWASP)."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """The text from which `guarded` made the cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
