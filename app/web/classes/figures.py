"""What the charts of a class show, from the documents of the API."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from app.web.charts.charts import Point
from app.web.frame.templates import STANDINGS, WEEKDAYS, day, short_day

Document = dict[str, Any]


def by_session(sessions: Sequence[Document]) -> list[Point]:
    """The percentage of each session, oldest first."""
    return [session_point(session, _percentage(session)) for session in sessions]


def session_point(session: Document, value: float | None) -> Point:
    """A figure of that session, with its date and the way to it."""
    return Point(
        label=short_day(session["date"])[4:],
        value=value,
        full=" ".join(filter(None, (day(session["date"]), session["start"]))),
        href=f"/app/sessions/{session['sessionId']}",
    )


def by_weekday(sessions: Sequence[Document]) -> list[Point]:
    """The average of the sessions of each weekday on which there was one."""
    found: dict[int, list[float]] = {}
    for session in sessions:
        percentage = _percentage(session)
        if percentage is not None:
            weekday = date.fromisoformat(session["date"]).weekday()
            found.setdefault(weekday, []).append(percentage)
    return [
        Point(
            label=WEEKDAYS[weekday][:3],
            value=round(sum(values) / len(values), 2),
            full=WEEKDAYS[weekday],
        )
        for weekday, values in sorted(found.items())
    ]


def by_standing(students: Sequence[Document]) -> list[Point]:
    """How many students have each standing."""
    found = [student["standing"] for student in students]
    return [Point(text, found.count(word), kind=word) for word, text in STANDINGS.items()]


def _percentage(session: Document) -> float | None:
    """None where nobody was there or should have been: that is no attendance of 0 %."""
    if not (session["present"] or session["late"] or session["absent"]):
        return None
    return float(session["percentage"])
