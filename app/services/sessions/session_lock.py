"""A session held for changing it: the rights, the order of locks, its state, its edit window."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.db import Transaction
from app.errors import Conflict, Flaw, Invalid
from app.services import old_access as access
from app.services.access import Actor, check

# Locks class, then session, so that the next statement sees what these waited for: a
# statement that waits and then compares would compare marks from before the wait.
LOCK = f"""
{access.MARK_SESSION},
session AS MATERIALIZED (
    SELECT s.id AS session_id, s.version, s.status, s.session_date
    FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.id = $2
    FOR NO KEY UPDATE OF s
)
SELECT {access.VERDICT}, (SELECT id FROM granted) AS class_id,
       (SELECT actor_role FROM granted) AS actor_role, session.*,
       coalesce(session.session_date < current_date - $3::integer, false) AS late
FROM (SELECT) AS always LEFT JOIN session ON true
"""


@dataclass(frozen=True)
class Change:
    """Under which terms a session is changed.

    `window` is the days for which a teacher may (EDIT_WINDOW_DAYS; None: for ever), `reason`
    what an administrator gives for changing it later.
    """

    window: int | None = None
    reason: str | None = None


async def lock_session(
    tx: Transaction, actor: Actor, session_id: UUID, change: Change
) -> asyncpg.Record:
    """The session (class_id, version, status, session_date), locked until the transaction ends.

    Raises the refusals of access, and outside the edit window `session_locked` for a teacher,
    `reason_required` for an administrator who gives none.
    """
    row = await tx.row(LOCK, actor.user_id, session_id, change.window)
    check(row, "session")
    if row["late"] and row["actor_role"] != "admin":
        raise Conflict(
            f"This attendance can be changed for {change.window} days. "
            "Ask an administrator to change it now.",
            code="session_locked",
        )
    if row["late"] and change.reason is None:
        sentence = f"This attendance is older than {change.window} days: give a reason."
        raise Invalid(
            sentence,
            code="reason_required",
            flaws=(Flaw("/reason", "reason_required", sentence),),
        )
    return row


def require_open(session: asyncpg.Record) -> None:
    """Raise a conflict unless marks of the session may be changed."""
    if session["status"] == "finalised":
        raise Conflict(
            "This attendance is finalised. Reopen it to change it.", code="session_finalised"
        )
    if session["status"] == "cancelled":
        raise Conflict(
            "This session is cancelled. Restore it to take attendance.", code="session_cancelled"
        )
