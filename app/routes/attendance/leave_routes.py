"""`/leaves`: requesting leave of absence and deciding on it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.auth.dependencies import Call, SignedInRoute
from app.queries import MAX_PAGE, check_range, check_text, instant_cursor, meeting_cursor
from app.routes.answers import PAGED, READS, WRITES, Cursor, From, Limit, To, answer, problems_of
from app.schemas.leave import DecidedLeave, Leave, LeaveDraft, LeaveStatus
from app.schemas.leave_sessions import LeaveSession
from app.schemas.lifecycle import Explained
from app.services.leave import covered, leaves
from app.services.leave.asking import request_leave as ask
from app.services.leave.deciding import Decision, decide
from app.services.leave.leaves import Filter
from app.services.sessions.session_lock import Change

router = APIRouter(prefix="/leaves", tags=["Leave"], route_class=SignedInRoute)

_DECISIONS = WRITES

# A reason is needed only for marks that are closed for marking: the body may be empty.
_NO_REASON = Explained()


@router.get(
    "",
    operation_id="listLeaves",
    summary="List leaves",
    response_model=list[Leave],
    responses=problems_of(401, 403, 422) | PAGED,
)
async def list_leaves(
    request: Request,
    call: Call,
    class_id: Annotated[UUID | None, Query(alias="classId")] = None,
    roll_no: Annotated[str | None, Query(alias="rollNo", max_length=255)] = None,
    status: LeaveStatus | None = None,
    first: From = None,
    last: To = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Newest first. Admins see all leave, teachers that of students in their classes."""
    check_range(first, last)
    check_text(roll_no, "rollNo")
    shown = Filter(class_id, roll_no, status, first, last)
    after = instant_cursor(cursor)
    page = await leaves.list_leaves(call.db, call.actor, shown, limit, after)
    return answer(page, request=request)


@router.post(
    "",
    operation_id="requestLeave",
    summary="Ask for leave",
    status_code=201,
    response_model=Leave,
    responses=WRITES
    | {200: {"model": Leave, "description": "The same leave was requested already"}},
)
async def request_leave(body: LeaveDraft, call: Call) -> Response:
    """For one of your classes, or for all classes of a student. It is pending until decided."""
    leave, made = await ask(call.db, call.actor, body)
    return answer(leave, status=201 if made else 200)


@router.get(
    "/{id}",
    operation_id="getLeave",
    summary="Get a leave",
    response_model=Leave,
    responses=READS,
)
async def get_leave(id: UUID, call: Call) -> Response:
    """One leave, if you can see it."""
    return answer(await leaves.get_leave(call.db, call.actor, id))


@router.get(
    "/{id}/sessions",
    operation_id="listLeaveSessions",
    summary="List the sessions that a leave covers",
    response_model=list[LeaveSession],
    responses=READS | PAGED,
)
async def list_leave_sessions(
    id: UUID, request: Request, call: Call, limit: Limit = MAX_PAGE, cursor: Cursor = None
) -> Response:
    """In order of time: what the student's mark is with the leave approved, and without it.

    Teachers see those of their own classes. Sessions to come are not there before they are opened.
    """
    after = meeting_cursor(cursor)
    page = await covered.sessions(call.db, call.actor, id, limit, after)
    return answer(page, request=request)


@router.post(
    "/{id}/approve",
    operation_id="approveLeave",
    summary="Approve leave",
    response_model=DecidedLeave,
    responses=_DECISIONS,
)
async def approve_leave(id: UUID, call: Call, body: Explained = _NO_REASON) -> Response:
    """Absences and missing marks on its days become `excused`, now and in future sessions.

    A teacher decides for their own class, an admin for any class and for all classes. Marks in
    sessions that are finalised or older than the edit window change only if an admin gives a
    `reason`.
    """
    return await _decide(call, id, Decision.APPROVE, body.reason)


@router.post(
    "/{id}/reject",
    operation_id="rejectLeave",
    summary="Reject leave",
    response_model=DecidedLeave,
    responses=_DECISIONS,
)
async def reject_leave(id: UUID, call: Call) -> Response:
    """No mark changes."""
    return await _decide(call, id, Decision.REJECT, None)


@router.post(
    "/{id}/withdraw",
    operation_id="withdrawLeave",
    summary="Withdraw leave",
    response_model=DecidedLeave,
    responses=_DECISIONS,
)
async def withdraw_leave(id: UUID, call: Call, body: Explained = _NO_REASON) -> Response:
    """What the leave had hidden is restored, by the same rules as for approving it."""
    return await _decide(call, id, Decision.WITHDRAW, body.reason)


async def _decide(call: Call, leave_id: UUID, decision: Decision, reason: str | None) -> Response:
    change = Change(call.window, reason)
    return answer(await decide(call.db, call.actor, leave_id, decision, change))
