"""Locking a session to change it: access, lock order, status and edit window."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.db import Transaction
from app.errors import Conflict, Invalid, Stale
from app.services.access import MARK_SESSION, Actor, check
from app.sql import Statement

# Locks the class, then the session, so that the next statement sees the changes these locks waited
# for: a statement that waits and then compares would compare with marks from before the wait.
LOCK = Statement(
    MARK_SESSION,
    """
session AS MATERIALIZED (
    SELECT s.id AS session_id, s.version, s.status, s.session_date
    FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.id = :session_id
    FOR NO KEY UPDATE OF s
)""",
    """
SELECT verdict, granted.id AS class_id, actor_role, session.*,
       coalesce(session_date < current_date - :window::integer, false) AS late
FROM verdict LEFT JOIN granted ON true LEFT JOIN session ON true
""",
)


@dataclass(frozen=True)
class Change:
    """The conditions under which a session is changed.

    `window` is the number of days for which a teacher can change it (EDIT_WINDOW_DAYS; None: no
    limit), `reason` the reason an administrator gives for a later change.
    """

    window: int | None = None
    reason: str | None = None


async def lock_session(
    tx: Transaction, actor: Actor, session_id: UUID, change: Change
) -> asyncpg.Record:
    """The session (class_id, version, status, session_date), locked until the transaction ends.

    Raises the errors of `check`, and outside the edit window `session_locked` for a teacher, or
    `reason_required` for an administrator who gives no reason.
    """
    row = await tx.row(LOCK, actor_id=actor.user_id, session_id=session_id, window=change.window)
    check(row, "session")
    if row["late"] and row["actor_role"] != "admin":
        raise Conflict(
            f"This attendance can be changed for {change.window} days. "
            "Ask an administrator to change it now.",
            code="session_locked",
        )
    if row["late"] and change.reason is None:
        raise reason_required(f"This attendance is older than {change.window} days")
    return row


def reason_required(cause: str) -> Invalid:
    """The refusal of a change that an administrator can make only with a reason."""
    return Invalid.at("/reason", "reason_required", f"{cause}: give a reason.")


def changed_since() -> Stale:
    """The refusal of a change made by looking at an older version of the session."""
    return Stale("Somebody else has changed this attendance since. Reload it and try again.")


def require_open(session: asyncpg.Record) -> None:
    """Raise a conflict unless the session is open."""
    if session["status"] == "finalised":
        raise Conflict(
            "This attendance is finalised. Reopen it to change it.", code="session_finalised"
        )
    if session["status"] == "cancelled":
        raise Conflict(
            "This session is cancelled. Restore it to take attendance.", code="session_cancelled"
        )
