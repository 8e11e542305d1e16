"""The lines of the sheet: what fills the places of `take.html`'s pattern for each student."""

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from app.web.frame.templates import STANDINGS, STATUSES, percent
from app.web.take.marks import Row

_MANY_ABSENCES = 3
_CHECKED = Markup(" checked")
_UNDECIDED = Markup(" data-undecided")
_CONFLICT = Markup(' class="conflict"')
_PHOTO = Markup(
    '<img src="{}" alt="" width="32" height="40" loading="lazy" referrerpolicy="no-referrer">'
)
_LEAVE = Markup("<b>On leave ({})</b>")


def line_of(row: Row, sheet: dict[str, Any], photo: str | None) -> dict[str, Any]:
    """What is told of a student, by the name of its place; `photo` is a link that may be shown."""
    student = row.student
    return {
        "roll": student["rollNo"],
        "digits": row.digits,
        "name": student["name"],
        "photo": _PHOTO.format(photo) if photo else "",
        "stored": row.stored,
        "previous": student["previous"] or "",
        "undecided": _UNDECIDED if row.uncertain else "",
        "conflict": _CONFLICT if row.theirs else "",
        "facts": Markup(" ").join(_facts(row, sheet)),
        "both": _both(row) if row.theirs else "",
        **{status: _CHECKED if status == row.picked else "" for status in STATUSES},
    }


def _facts(row: Row, sheet: dict[str, Any]) -> Iterator[str]:
    """What is worth knowing of a student before marking them, in one quiet line."""
    student = row.student
    if student["leave"]:
        yield _LEAVE.format(student["leave"]["kind"].replace("_", " "))
    if student["absentInARow"] >= _MANY_ABSENCES:
        yield f"absent {student['absentInARow']} times running"
    if student["standing"] in ("below", "at_risk"):
        yield f"{percent(student['percentage'])}, {STANDINGS[student['standing']].lower()}"
    if student["previous"]:
        before = sheet["previousSession"]["startTime"] or "before"
        yield f"{before}: {STATUSES[student['previous']].lower()}"
    if row.score is not None:
        yield f"photo {percent(row.score)}{_to_decide(row)}"


def _to_decide(row: Row) -> str:
    if not row.uncertain:
        return ""
    return f" for {STATUSES[row.student['mark']['status']].lower()}: please decide"


def _both(row: Row) -> str:
    """Where two people changed a mark, what each of them made of it."""
    mine = STATUSES.get(row.picked, row.picked)
    return f"You: {mine.lower()}. Now stored: {STATUSES[row.theirs].lower()}."
