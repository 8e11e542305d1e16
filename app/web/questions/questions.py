"""What students say is wrong with their marks: a list, and the page on which one is answered."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError
from app.queries import instant_cursor
from app.schemas.questions import Outcome, QuestionAnswer
from app.services.questions import answering, shown
from app.web.frame.edits import seen_version
from app.web.frame.forms import Form
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/questions", route_class=PageRoute, include_in_schema=False)

_PAGE = 50


@router.get("")
async def open_questions(visit: Visit, cursor: str | None = None) -> Response:
    """Those that wait for an answer, newest first."""
    after = instant_cursor(cursor)
    page = await shown.list_questions(visit.db, visit.actor, shown.OPEN, _PAGE, after)
    return visit.page(
        "questions/questions.html", questions=read(page), following=visit.following(page)
    )


@router.get("/{id}")
async def question(visit: Visit, id: UUID) -> Response:
    document = await shown.get_question(visit.db, visit.actor, id)
    return visit.page("questions/question.html", question=read(document), version=document.version)


@router.post("/{id}")
async def answer(visit: Visit, id: UUID) -> Response:
    """The mark is changed, or not and why, unless it is no longer the one that the form showed."""
    form = await visit.read_form()
    try:
        given = form.read(QuestionAnswer, **_decision(form))
        version = form.get("version")
        seen = seen_version(version) if version else None
        await answering.answer_question(
            visit.db, visit.actor, id, given, if_match=seen, window=visit.window
        )
    except AppError as refusal:
        return await question(visit.refused(refusal, form), id)
    return visit.go("/app/questions", done="answered")


def _decision(form: Form) -> dict[str, Any]:
    """What the one choice of the form says: that the mark stays, or what it is now."""
    picked = form.get("outcome")
    if picked in ("", Outcome.DECLINED):
        return {}
    return {"outcome": Outcome.CHANGED, "status": picked}
