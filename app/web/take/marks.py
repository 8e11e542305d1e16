"""What a form of marks says against what is stored: the changes, and where two people disagree."""

import re
from dataclasses import dataclass
from typing import Any

from app.web.frame.forms import Form

# A photo that is less sure than this leaves the mark to the teacher.
CERTAIN = 80
_DIGITS = re.compile(r"[0-9]+$")


@dataclass(frozen=True)
class Row:
    """A student on the sheet. `stored` is the mark that counts as decided, `picked` the one that
    the form shows; `theirs` is somebody else's where both changed it."""

    student: dict[str, Any]
    stored: str
    picked: str
    theirs: str = ""

    @property
    def digits(self) -> str:
        """The last digits of the roll number, which are called out."""
        found = _DIGITS.search(self.student["rollNo"])
        return found[0] if found else self.student["rollNo"]

    @property
    def score(self) -> float | None:
        """How sure the photo is of the mark, if one made it."""
        return _score(self.student)

    @property
    def uncertain(self) -> bool:
        """Whether the mark is a photo's that the teacher has to decide."""
        return _is_uncertain(self.student)


def rows_of(sheet: dict[str, Any]) -> list[Row]:
    """The rows of the sheet, those first that a photo was not sure of: they count as unmarked."""
    decided = [(each, _decided(each)) for each in sheet["students"]]
    rows = [Row(each, mark, picked=mark) for each, mark in decided]
    return sorted(rows, key=lambda row: not row.uncertain)


def _decided(student: dict[str, Any]) -> str:
    mark = student["mark"]
    return str(mark["status"]) if mark and not _is_uncertain(student) else ""


def _score(student: dict[str, Any]) -> float | None:
    mark = student["mark"]
    return mark["similarityScore"] if mark and mark["source"] == "ai" else None


def _is_uncertain(student: dict[str, Any]) -> bool:
    score = _score(student)
    return score is not None and score < CERTAIN


@dataclass(frozen=True)
class Changes:
    """The marks that the form changes, by roll number, and the rows to decide once more."""

    updates: dict[str, str]
    conflicts: list[Row]


def changes_of(form: Form, sheet: dict[str, Any]) -> Changes:
    """Three ways: what the form showed (`was:`), what was picked (`mark:`), what is stored now.

    What only the form changed is an update; what both changed differently is a conflict.
    """
    sent = dict(form.texts)
    updates, conflicts = {}, []
    for student in sheet["students"]:
        roll = student["rollNo"]
        picked, was = sent.get(f"mark:{roll}", ""), sent.get(f"was:{roll}", "")
        stored = _decided(student)
        if not picked or picked in (was, stored):
            continue
        if stored == was:
            updates[roll] = picked
        else:
            conflicts.append(Row(student, stored, picked, theirs=stored))
    return Changes(updates, conflicts)
