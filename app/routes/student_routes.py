"""`/my`: what a student sees of their own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.auth.dependencies import MyCall, StudentRoute
from app.queries import MAX_PAGE, check_range, instant_cursor, meeting_cursor
from app.routes.answers import PAGED, READS, WRITES, Cursor, From, Limit, To, answer, problems_of
from app.schemas.leave import MyLeave, MyLeaveDraft
from app.schemas.mine import MyAttendance, MySession
from app.schemas.questions import MyQuestion, QuestionDraft
from app.services.mine import my_attendance, my_leaves, my_questions, my_sessions
from app.services.mine.my_sessions import Filter

router = APIRouter(prefix="/my", tags=["Students"], route_class=StudentRoute)

Supposed = Annotated[int | None, Query(ge=0, le=1000)]


@router.get(
    "/attendance",
    operation_id="getMyAttendance",
    summary="Where I stand in each class",
    response_model=list[MyAttendance],
    responses=problems_of(401, 403, 422),
)
async def get_my_attendance(
    call: MyCall, attend: Supposed = None, miss: Supposed = None
) -> Response:
    """By code and section, without archived classes. With `attend` or `miss`, `whatIf` says what
    so many sessions more, attended and missed, would make of it."""
    return answer(await my_attendance.attendance(call.db, call.actor, attend, miss))


@router.get(
    "/sessions",
    operation_id="listMySessions",
    summary="My marks, session by session",
    response_model=list[MySession],
    responses=READS | PAGED,
)
async def list_my_sessions(
    request: Request,
    call: MyCall,
    class_id: Annotated[UUID | None, Query(alias="classId")] = None,
    first: From = None,
    last: To = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Newest first, of one class or of all. A class that is not the student's is a 404."""
    check_range(first, last)
    after = meeting_cursor(cursor)
    shown = Filter(class_id, first, last)
    page = await my_sessions.sessions(call.db, call.actor, shown, limit, after)
    return answer(page, request=request)


@router.get(
    "/questions",
    operation_id="listMyQuestions",
    summary="My questions about marks",
    response_model=list[MyQuestion],
    responses=problems_of(401, 403, 422) | PAGED,
)
async def list_my_questions(
    request: Request, call: MyCall, limit: Limit = MAX_PAGE, cursor: Cursor = None
) -> Response:
    """Newest first, with what was answered."""
    after = instant_cursor(cursor)
    page = await my_questions.questions(call.db, call.actor, limit, after)
    return answer(page, request=request)


@router.post(
    "/questions",
    operation_id="askMyQuestion",
    summary="Say that a mark is wrong",
    status_code=201,
    response_model=MyQuestion,
    responses=WRITES
    | {200: {"model": MyQuestion, "description": "The same question was asked already"}},
)
async def ask_my_question(body: QuestionDraft, call: MyCall) -> Response:
    """It goes to those who teach the class. A mark has one open question at most, a student ten in
    a class."""
    question, made = await my_questions.ask(call.db, call.actor, body)
    return answer(question, status=201 if made else 200)


@router.post(
    "/questions/{id}/withdraw",
    operation_id="withdrawMyQuestion",
    summary="Withdraw a question",
    response_model=MyQuestion,
    responses=WRITES,
)
async def withdraw_my_question(id: UUID, call: MyCall) -> Response:
    """While nobody has answered it."""
    return answer(await my_questions.withdraw(call.db, call.actor, id))


@router.get(
    "/leaves",
    operation_id="listMyLeaves",
    summary="My leave",
    response_model=list[MyLeave],
    responses=problems_of(401, 403, 422) | PAGED,
)
async def list_my_leaves(
    request: Request, call: MyCall, limit: Limit = MAX_PAGE, cursor: Cursor = None
) -> Response:
    """Newest first, whoever asked for it."""
    after = instant_cursor(cursor)
    return answer(await my_leaves.leaves(call.db, call.actor, limit, after), request=request)


@router.post(
    "/leaves",
    operation_id="askMyLeave",
    summary="Ask for leave of mine",
    status_code=201,
    response_model=MyLeave,
    responses=WRITES
    | {200: {"model": MyLeave, "description": "The same leave was requested already"}},
)
async def ask_my_leave(body: MyLeaveDraft, call: MyCall) -> Response:
    """For one class, or for all; who teaches the class, or the office, decides on it."""
    leave, made = await my_leaves.ask(call.db, call.actor, body)
    return answer(leave, status=201 if made else 200)


@router.post(
    "/leaves/{id}/withdraw",
    operation_id="withdrawMyLeave",
    summary="Withdraw leave of mine",
    response_model=MyLeave,
    responses=WRITES,
)
async def withdraw_my_leave(id: UUID, call: MyCall) -> Response:
    """What the student asked for, while nobody has decided on it."""
    return answer(await my_leaves.withdraw(call.db, call.actor, id))
