"""One student in a class: where they stand, how they came there, and each session's mark."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.queries import MAX_PAGE, session_cursor
from app.services.counting import student_sessions, student_stats
from app.web.charts import charts
from app.web.charts.charts import Point
from app.web.classes.class_page import the_class
from app.web.classes.figures import session_point
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(
    prefix="/app/classes/{id}/students", route_class=PageRoute, include_in_schema=False
)


@router.get("/{student_id}")
async def show(visit: Visit, id: UUID, student_id: UUID, cursor: str | None = None) -> Response:
    after = session_cursor(cursor)
    class_ = await the_class(visit, id)
    student = read(await student_stats.of_one(visit.db, visit.actor, id, student_id))
    sessions = await student_sessions.sessions(
        visit.db, visit.actor, id, student_id, MAX_PAGE, after
    )
    listed = read(sessions)
    points = _over_time(listed)
    return visit.page(
        "class_student/class_student.html",
        class_=class_,
        student=student,
        sessions=listed,
        points=points,
        picture=_picture(points, student["threshold"] / 100),
        cursor=cursor,
        following=visit.following(sessions),
    )


def _over_time(sessions: list[dict[str, Any]]) -> list[Point]:
    """The percentage after each session that counts, oldest first."""
    return [
        session_point(session, session["percentage"])
        for session in reversed(sessions)
        if session["counted"]
    ]


def _picture(points: list[Point], line: float) -> str:
    return charts.line(
        "over-time",
        "Percentage over time",
        f"A line through the percentage after each of {len(points)} sessions, oldest first; "
        f"the dashed line is at {line:g} %.",
        points,
        mark=line,
    )
