"""`/questions`: what students say is wrong with their marks, and the answers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.auth.dependencies import Call, SignedInRoute
from app.queries import MAX_PAGE, instant_cursor
from app.routes.answers import (
    PAGED,
    READS,
    VERSIONED,
    WRITES,
    Cursor,
    IfMatch,
    Limit,
    answer,
    problems_of,
    seen_versions,
)
from app.schemas.questions import Question, QuestionAnswer, QuestionStatus
from app.services.questions import answering, shown
from app.services.questions.shown import Filter

router = APIRouter(prefix="/questions", tags=["Attendance"], route_class=SignedInRoute)


@router.get(
    "",
    operation_id="listQuestions",
    summary="List questions of students",
    response_model=list[Question],
    responses=problems_of(401, 403, 422) | PAGED,
)
async def list_questions(
    request: Request,
    call: Call,
    class_id: Annotated[UUID | None, Query(alias="classId")] = None,
    status: QuestionStatus | None = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Newest first: an admin's are all, a teacher's those about marks in their classes."""
    after = instant_cursor(cursor)
    page = await shown.list_questions(call.db, call.actor, Filter(class_id, status), limit, after)
    return answer(page, request=request)


@router.get(
    "/{id}",
    operation_id="getQuestion",
    summary="Get a student's question",
    response_model=Question,
    responses=READS | VERSIONED,
)
async def get_question(id: UUID, call: Call) -> Response:
    """With what was answered, if it is. The `ETag` is the version of the session."""
    return answer(await shown.get_question(call.db, call.actor, id))


@router.post(
    "/{id}/answer",
    operation_id="answerQuestion",
    summary="Answer a student's question",
    response_model=Question,
    responses=WRITES | problems_of(412) | VERSIONED,
)
async def answer_question(
    id: UUID, body: QuestionAnswer, call: Call, if_match: IfMatch = None
) -> Response:
    """`changed` marks the student by the rules of marking, in the same transaction: the edit
    window and finalised sessions refuse it as they refuse any mark. `declined` says why.

    With `If-Match`, an answer given by looking at an older version of the session is a 412, unless
    the mark is already what it would be changed to.
    """
    return answer(
        await answering.answer_question(
            call.db,
            call.actor,
            id,
            body,
            if_match=seen_versions(if_match),
            window=call.window,
        )
    )
