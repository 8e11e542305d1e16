"""A student's own pages: their attendance, "what if", and the mark of each session."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator

from app.errors import AppError
from app.schemas.questions import QuestionDraft
from app.services.mine import my_attendance, my_questions, my_sessions
from app.services.mine.my_sessions import Filter
from app.web.frame.pages import StudentPage, Visit, read

# A field that was left empty is sent as empty text.
Supposed = Annotated[int | None, Query(ge=0, le=1000), BeforeValidator(lambda text: text or None)]
# A class meets less often than this in a term, and fewer marks are questioned.
_MOST_SESSIONS = 200
_MOST_QUESTIONS = 200


router = APIRouter(prefix="/app/my", route_class=StudentPage, include_in_schema=False)


@router.get("")
async def attendance(visit: Visit, attend: Supposed = None, miss: Supposed = None) -> Response:
    classes = read(await my_attendance.attendance(visit.db, visit.actor, attend, miss))
    return visit.page("my/attendance.html", classes=classes, attend=attend, miss=miss)


@router.get("/classes/{id}")
async def sessions(visit: Visit, id: UUID) -> Response:
    shown = Filter(id, None, None)
    listed = read(await my_sessions.sessions(visit.db, visit.actor, shown, _MOST_SESSIONS, None))
    asked = read(await my_questions.questions(visit.db, visit.actor, _MOST_QUESTIONS, None))
    answers = {question["id"]: question["answer"] for question in asked}
    return visit.page("my/sessions.html", class_id=id, sessions=listed, answers=answers)


@router.post("/classes/{id}/questions")
async def ask(visit: Visit, id: UUID) -> Response:
    """Question a mark with a sentence."""
    form = await visit.read_form()
    try:
        draft = form.read(QuestionDraft, classId=str(id))
        await my_questions.ask(visit.db, visit.actor, draft)
    except AppError as refusal:
        return await sessions(visit.refused(refusal, form), id)
    return visit.go(f"/app/my/classes/{id}", done="asked")


@router.post("/classes/{id}/questions/{question_id}/withdraw")
async def withdraw(visit: Visit, id: UUID, question_id: UUID) -> Response:
    """Take back a question that is not answered yet."""
    try:
        await my_questions.withdraw(visit.db, visit.actor, question_id)
    except AppError as refusal:
        return await sessions(visit.refused(refusal), id)
    return visit.go(f"/app/my/classes/{id}", done="question_withdrawn")
