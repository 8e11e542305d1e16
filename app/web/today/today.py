"""The teacher's day: what is on, what became of it, and what was missed before."""

from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Response

from app.services.questions import shown as questions
from app.services.timetable import day
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/today", route_class=PageRoute, include_in_schema=False)

# The page of questions has them all.
_QUESTIONS = 5
STATES = {
    "taken": "Taken",
    "in_progress": "Now",
    "upcoming": "Later",
    "missing": "Not taken",
    "cancelled": "Cancelled",
    "moved": "Moved away",
    "holiday": "Holiday",
}


@router.get("")
async def today(visit: Visit, on: date | None = None) -> Response:
    now = visit.now()
    shown = on or now.date()
    document = read(await day.of_actor(visit.db, visit.actor, shown, now))
    return visit.page(
        "today/today.html",
        day=document,
        is_today=shown == now.date(),
        before=shown - timedelta(days=1),
        after=shown + timedelta(days=1),
        states=STATES,
        questions=await _questions(visit) if shown == now.date() else [],
    )


async def _questions(visit: Visit) -> Any:
    """The latest of those that students have asked, where students sign in."""
    if not visit.settings.student_sign_in:
        return []
    return read(
        await questions.list_questions(visit.db, visit.actor, questions.OPEN, _QUESTIONS, None)
    )
