"""`/attendance/sessions/{id}`: acts on a whole session."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.auth.dependencies import Call, SignedInRoute
from app.documents import Document
from app.routes.answers import READS, VERSIONED, WRITES, answer
from app.schemas.attendance import SessionDetail
from app.schemas.lifecycle import Explained, Reasoned, SessionEvent, Unmarked
from app.services.sessions import lifecycle
from app.services.sessions.lifecycle import Act
from app.services.sessions.session_lock import Change

router = APIRouter(prefix="/attendance/sessions", tags=["Attendance"], route_class=SignedInRoute)

# For acts that need no reason: the body may be empty.
_NO_REASON = Explained()


@router.post(
    "/{id}/finalise",
    operation_id="finaliseSession",
    summary="Finalise a session",
    response_model=SessionDetail,
    responses=WRITES | VERSIONED,
)
async def finalise_session(id: UUID, call: Call, body: Explained = _NO_REASON) -> Response:
    """Marks everybody enrolled on its day without a mark absent, and closes it for marking."""
    return answer(await _perform(call, id, Act.FINALISE, body.reason))


@router.post(
    "/{id}/reopen",
    operation_id="reopenSession",
    summary="Reopen a finalised session",
    response_model=SessionDetail,
    responses=WRITES | VERSIONED,
)
async def reopen_session(id: UUID, body: Reasoned, call: Call) -> Response:
    """Marks can be changed again. Absences filled in by finalising stay as ordinary marks."""
    return answer(await _perform(call, id, Act.REOPEN, body.reason))


@router.post(
    "/{id}/cancel",
    operation_id="cancelSession",
    summary="Cancel a session",
    response_model=SessionDetail,
    responses=WRITES | VERSIONED,
)
async def cancel_session(id: UUID, body: Reasoned, call: Call) -> Response:
    """The class did not take place: its marks stay, but are not counted and cannot change."""
    return answer(await _perform(call, id, Act.CANCEL, body.reason))


@router.post(
    "/{id}/restore",
    operation_id="restoreSession",
    summary="Restore a cancelled session",
    response_model=SessionDetail,
    responses=WRITES | VERSIONED,
)
async def restore_session(id: UUID, call: Call, body: Explained = _NO_REASON) -> Response:
    """Undoes the cancellation."""
    return answer(await _perform(call, id, Act.RESTORE, body.reason))


async def _perform(call: Call, session_id: UUID, act: Act, reason: str | None) -> Document[Any]:
    change = Change(call.window, reason)
    return await lifecycle.perform(call.db, call.actor, session_id, act, change)


@router.post(
    "/{id}/mark-unmarked",
    operation_id="markUnmarked",
    summary="Mark everybody who has no mark",
    response_model=SessionDetail,
    responses=WRITES | VERSIONED,
)
async def mark_unmarked(id: UUID, body: Unmarked, call: Call) -> Response:
    """Students who were enrolled on the session's day and have no mark get this one."""
    change = Change(call.window, body.reason)
    return answer(await lifecycle.mark_unmarked(call.db, call.actor, id, body.status, change))


@router.get(
    "/{id}/events",
    operation_id="listSessionEvents",
    summary="When it was finalised, reopened, cancelled, restored",
    response_model=list[SessionEvent],
    responses=READS,
)
async def list_session_events(id: UUID, call: Call) -> Response:
    """Newest first, with who did it and why."""
    return answer(await lifecycle.list_events(call.db, call.actor, id))
