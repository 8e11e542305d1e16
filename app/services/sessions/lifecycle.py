"""The life cycle of a session: open, finalised or cancelled, and the transitions between."""

from enum import Enum
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.schemas.attendance import SessionDetail, Status
from app.schemas.lifecycle import SessionEvent
from app.services.access import READ_SESSION, Actor, check
from app.services.sessions.attendance_service import get_session
from app.services.sessions.leave_shown import settle_session
from app.services.sessions.marking import fill, fill_absent
from app.services.sessions.session_lock import Change, lock_session, require_open
from app.sql import Statement


class Act(Enum):
    """The transitions of a session: from which status to which.

    Each is idempotent: if the session already has the target status, nothing changes. From the
    third status it is a conflict: a finalised session has to be reopened before it is cancelled.
    """

    FINALISE = ("open", "finalised")
    REOPEN = ("finalised", "open")
    CANCEL = ("open", "cancelled")
    RESTORE = ("cancelled", "open")


async def perform(
    db: Database, actor: Actor, session_id: UUID, act: Act, change: Change
) -> Document[SessionDetail]:
    """Move the session to the act's target status and return it.

    Finalising marks everybody absent who was enrolled on the day and has no mark; those marks stay
    when it is reopened. A cancelled session keeps its marks, but they count nowhere.
    """
    start, goal = act.value
    async with db.transaction() as tx:
        session = await lock_session(tx, actor, session_id, change)
        if session["status"] == start:
            if act is Act.FINALISE:
                await fill_absent(tx, actor, session, change.reason)
            await _set_status(tx, actor, session, goal, change.reason)
            # Version 0.4 applied no leave to cancelled sessions, so it is applied on restoring.
            if act is Act.RESTORE:
                key = (session["class_id"], session_id)
                await settle_session(tx, actor, *key, session["session_date"])
        elif session["status"] != goal:
            require_open(session)
        return await get_session(tx, actor, session_id)


async def mark_unmarked(
    db: Database, actor: Actor, session_id: UUID, status: Status, change: Change
) -> Document[SessionDetail]:
    """Give this mark to everybody who was enrolled on the day and has no mark."""
    async with db.transaction() as tx:
        session = await lock_session(tx, actor, session_id, change)
        require_open(session)
        await fill(tx, actor, session, status, "manual", change.reason)
        return await get_session(tx, actor, session_id)


_SET_STATUS = Statement(
    """
event AS (
    INSERT INTO session_events (class_id, session_id, status, reason, actor_id, request_id)
    VALUES (:class_id, :session_id, :status, :reason, :actor_id, :request_id)
)""",
    """
UPDATE attendance_sessions SET status = :status, status_reason = :reason
WHERE class_id = :class_id AND id = :session_id
""",
)


async def _set_status(
    tx: Transaction, actor: Actor, session: asyncpg.Record, status: str, reason: str | None
) -> None:
    await tx.execute(
        _SET_STATUS,
        class_id=session["class_id"],
        session_id=session["session_id"],
        status=status,
        reason=reason,
        actor_id=actor.user_id,
        request_id=actor.request_id,
    )


_EVENTS = Statement(
    READ_SESSION,
    """
events AS (
    SELECT e.at, e.id, json_build_object(
        'status', e.status, 'reason', e.reason, 'actorId', e.actor_id, 'actorName', u.name,
        'at', json_instant(e.at), 'requestId', e.request_id) AS event
    FROM session_events e
    JOIN granted ON granted.id = e.class_id
    LEFT JOIN users u ON u.id = e.actor_id
    WHERE e.session_id = :session_id
)""",
    """
SELECT verdict,
       (SELECT coalesce(json_agg(event ORDER BY at DESC, id), '[]') FROM events)::text AS document
FROM verdict
""",
)


async def list_events(db: Database, actor: Actor, session_id: UUID) -> Document[list[SessionEvent]]:
    """List when the session was finalised, reopened, cancelled or restored, newest first."""
    row = await db.row(_EVENTS, actor_id=actor.user_id, session_id=session_id)
    check(row, "session")
    return Document(row["document"])
