"""The life of a session: open, finalised or cancelled, and the ways between."""

from enum import Enum
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document, instant
from app.schemas.attendance import SessionDetail, Status
from app.schemas.lifecycle import SessionEvent
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.leave.leave_marks import apply_to_session
from app.services.sessions.attendance_service import get_session
from app.services.sessions.marking import fill
from app.services.sessions.session_lock import Change, lock_session, require_open


class Act(Enum):
    """What can be done with a session: from which status to which.

    Where it has come to already nothing changes, so each may be asked for again. From the
    third status it is a conflict: a finalised session is reopened before it is cancelled.
    """

    FINALISE = ("open", "finalised")
    REOPEN = ("finalised", "open")
    CANCEL = ("open", "cancelled")
    RESTORE = ("cancelled", "open")


async def perform(
    db: Database, actor: Actor, session_id: UUID, act: Act, change: Change
) -> Document[SessionDetail]:
    """Bring the session from one status to the other, and answer with it as it then is.

    Finalising marks absent whoever was enrolled on the day and has no mark; those marks stay
    when it is reopened. A cancelled session keeps its marks, which count nowhere.
    """
    start, goal = act.value
    async with db.transaction() as tx:
        session = await lock_session(tx, actor, session_id, change)
        if session["status"] == start:
            if act is Act.FINALISE:
                await fill(tx, actor, session, Status.ABSENT, "auto", change.reason)
            await _set_status(tx, actor, session, goal, change.reason)
            if act is Act.RESTORE:
                key = (session["class_id"], session_id)
                await apply_to_session(tx, actor, *key, session["session_date"])
        elif session["status"] != goal:
            require_open(session)
        return await get_session(tx, actor, session_id)


async def mark_unmarked(
    db: Database, actor: Actor, session_id: UUID, status: Status, change: Change
) -> Document[SessionDetail]:
    """Give this mark to everybody who was enrolled on the day and has none."""
    async with db.transaction() as tx:
        session = await lock_session(tx, actor, session_id, change)
        require_open(session)
        await fill(tx, actor, session, status, "manual", change.reason)
        return await get_session(tx, actor, session_id)


_SET_STATUS = """
WITH event AS (
    INSERT INTO session_events (class_id, session_id, status, reason, actor_id, request_id)
    VALUES ($1, $2, $3, $4, $5, $6)
)
UPDATE attendance_sessions SET status = $3, status_reason = $4 WHERE class_id = $1 AND id = $2
"""


async def _set_status(
    tx: Transaction, actor: Actor, session: asyncpg.Record, status: str, reason: str | None
) -> None:
    key = (session["class_id"], session["session_id"])
    await tx.find_row(_SET_STATUS, *key, status, reason, actor.user_id, actor.request_id)


_EVENTS = f"""
{access.READ_SESSION}
SELECT {access.VERDICT}, (
    SELECT coalesce(json_agg(event ORDER BY e.at DESC, e.id), '[]')
    FROM session_events e
    LEFT JOIN users u ON u.id = e.actor_id
    CROSS JOIN LATERAL (
        SELECT e.status, e.reason, e.actor_id AS "actorId", u.name AS "actorName",
               {instant("e.at")} AS at, e.request_id AS "requestId"
    ) event
    WHERE e.class_id = (SELECT id FROM granted) AND e.session_id = $2
)::text AS document
"""


async def list_events(db: Database, actor: Actor, session_id: UUID) -> Document[list[SessionEvent]]:
    """When the session was finalised, reopened, cancelled or restored, newest first."""
    row = await db.row(_EVENTS, actor.user_id, session_id)
    check(row, "session")
    return Document(row["document"])
