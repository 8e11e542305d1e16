"""`/attendance/sessions`: opening sessions, marking students, reading sessions and history."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.auth.dependencies import Call, SignedInRoute
from app.heavy import heavy_if, spans_few_days
from app.queries import MAX_PAGE, check_range, cursor_of, matched, session_cursor
from app.routes.answers import (
    PAGED,
    READS,
    VERSIONED,
    WRITES,
    Cursor,
    From,
    IfMatch,
    Limit,
    To,
    answer,
    problems_of,
    seen_versions,
)
from app.schemas.attendance import (
    MarkBatch,
    MarkChange,
    Marks,
    OpenedSession,
    Session,
    SessionDetail,
    SessionDraft,
)
from app.schemas.sheet import Sheet
from app.services.counting import sheets
from app.services.sessions import attendance_service, history, marking

router = APIRouter(prefix="/attendance/sessions", tags=["Attendance"], route_class=SignedInRoute)

_CHANGE_CURSOR = re.compile(r"([0-9]{1,9})~([0-9a-f-]{36})~(.+)", re.DOTALL)


@router.post(
    "",
    operation_id="openSession",
    summary="Open a session",
    response_model=OpenedSession,
    responses=WRITES | VERSIONED,
)
async def open_session(body: SessionDraft, call: Call) -> Response:
    """The existing session of that class, date and slot, or a new one.

    Without `startTime` the timetable decides: for today the slot in progress, else the last one
    begun, else the first; for another date its only session, else its first slot.
    """
    now = call.now()
    return answer(await attendance_service.open_session(call.db, call.actor, body, now))


@router.get(
    "",
    operation_id="listSessions",
    summary="List sessions with their marks",
    response_model=list[Session],
    responses=READS | PAGED,
)
@heavy_if(lambda query: not spans_few_days(query))
async def list_sessions(
    request: Request,
    call: Call,
    class_id: Annotated[UUID, Query(alias="classId")],
    first: From = None,
    last: To = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Newest first. If there are more, the `Link` header has the next page."""
    check_range(first, last)
    after = session_cursor(cursor)
    page = await attendance_service.list_sessions(
        call.db, call.actor, class_id, first, last, limit, after
    )
    return answer(page, request=request)


@router.get(
    "/{id}",
    operation_id="getSession",
    summary="Get a session with its marks",
    response_model=SessionDetail,
    responses=READS | VERSIONED,
)
async def get_session(id: UUID, call: Call) -> Response:
    """The `ETag` is its version."""
    return answer(await attendance_service.get_session(call.db, call.actor, id))


@router.get(
    "/{id}/sheet",
    operation_id="getSheet",
    summary="Get what is needed to take attendance",
    response_model=Sheet,
    responses=READS | VERSIONED,
)
async def get_sheet(id: UUID, call: Call) -> Response:
    """Everybody who was enrolled on its day or has a mark, in the order of the roll: with their
    mark, leave and standing. The version of the session is the `ETag`."""
    return answer(await sheets.sheet(call.db, call.actor, id, window=call.window))


@router.put(
    "/{id}/statuses",
    operation_id="markStudents",
    summary="Mark students",
    response_model=Marks,
    responses=WRITES | problems_of(412) | VERSIONED,
)
async def mark_students(
    id: UUID,
    body: MarkBatch,
    call: Call,
    strict: Annotated[bool, Query(description="Refuse the batch if any roll is rejected")] = False,
    if_match: IfMatch = None,
) -> Response:
    """Merges the marks into the session in one step; other marks stay.

    With `If-Match`, a batch made from an older version is a 412, unless it changes nothing.
    """
    return answer(
        await marking.mark(
            call.db,
            call.actor,
            id,
            body,
            strict=strict,
            if_match=seen_versions(if_match),
            window=call.window,
        )
    )


@router.get(
    "/{id}/history",
    operation_id="getHistory",
    summary="Who changed which mark",
    response_model=list[MarkChange],
    responses=READS | PAGED,
)
async def get_history(
    id: UUID,
    request: Request,
    call: Call,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Newest first: from what, to what, by whom, when, in which request."""
    after = _change_cursor(cursor)
    return answer(await history.history(call.db, call.actor, id, limit, after), request=request)


@cursor_of
def _change_cursor(cursor: str) -> tuple[int, str, UUID]:
    version, student_id, roll_key = matched(_CHANGE_CURSOR, cursor).groups()
    return int(version), roll_key, UUID(student_id)
