"""Applying leave to existing marks whenever leave, a roster or a session changes.

For given students and sessions, one statement computes which marks leave hides now, and writes
those that differ. Code that changes anything this depends on calls it in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.db import Transaction
from app.errors import Conflict
from app.services.access import Actor
from app.services.sessions.mark_changes import (
    DIFFERENT,
    ON_LEAVE,
    ONE_SESSION,
    REMOVED,
    SHOWN,
    WRITTEN,
)
from app.services.sessions.session_lock import Change, reason_required
from app.sql import Statement

# Cancelled sessions are included: they may be restored. Null days and ids do not restrict.
_SCOPE = """
sessions AS MATERIALIZED (
    SELECT class_id, id AS session_id, session_date AS day, status AS state
    FROM attendance_sessions
    WHERE class_id = ANY(:class_ids::uuid[]) AND (status = 'open' OR NOT :open_alone::boolean)
      AND (:session_ids::uuid[] IS NULL OR id = ANY(:session_ids))
      AND session_date BETWEEN coalesce(:first, '-infinity'::date)
                           AND coalesce(:last, 'infinity'::date)
),
enrolments AS MATERIALIZED (
    SELECT class_id, student_id, periods FROM class_students
    WHERE class_id = ANY(:class_ids)
      AND (:student_ids::uuid[] IS NULL OR student_id = ANY(:student_ids))
)"""

# Everybody who is on leave or was excused by leave, with the mark that was entered for them.
_SAID = """
marks AS (
    SELECT m.* FROM enrolments
    JOIN sessions USING (class_id)
    JOIN attendance_statuses m USING (class_id, session_id, student_id)
),
said AS MATERIALIZED (
    SELECT class_id, session_id, student_id, word.*
    FROM on_leave l FULL JOIN marks m USING (class_id, session_id, student_id)
    CROSS JOIN LATERAL (
        SELECT m.status, coalesce(m.recognized_by_ai, false) AS recognized_by_ai,
               m.similarity_score, m.remark, m.source, m.leave_kind, m.remark AS note
        WHERE m.leave_id IS NULL
        UNION ALL
        SELECT said_status, coalesce(said_source = 'ai', false), said_score, said_remark,
               said_source, NULL, m.remark
        WHERE m.leave_id IS NOT NULL
    ) word
    WHERE m.leave_id IS NOT NULL OR (l.leave_id IS NOT NULL AND (m.status IS NOT NULL OR enrolled))
)"""


_SETTLE = Statement(
    _SCOPE,
    ON_LEAVE,
    _SAID,
    SHOWN,
    DIFFERENT,
    "changes AS MATERIALIZED (SELECT * FROM different)",
    WRITTEN,
    REMOVED,
    """
SELECT count(*) AS changed, count(*) FILTER (WHERE said_status = 'absent') AS absent,
       coalesce(bool_or(state = 'finalised'), false) AS finalised,
       coalesce(bool_or(day < current_date - :window::integer), false) AS late
FROM changes JOIN sessions USING (class_id, session_id) WHERE state <> 'cancelled'
""",
)

# A statement that may write costs more than one that only reads, and leave is rare.
_ANYBODY_ON_LEAVE = Statement(
    ONE_SESSION,
    ON_LEAVE,
    "SELECT EXISTS (SELECT FROM on_leave) AS anybody",
)


@dataclass(frozen=True)
class Scope:
    """The marks to settle: all in these classes, or only those of some students, sessions or days
    (`first` and `last` inclusive). With `open_alone`, closed sessions stay as they are."""

    class_ids: Sequence[UUID]
    student_ids: Sequence[UUID] | None = None
    session_ids: Sequence[UUID] | None = None
    first: date | None = None
    last: date | None = None
    open_alone: bool = False


@dataclass(frozen=True)
class Settled:
    """How many marks changed in sessions that are not cancelled, and how many of them hide an
    entered `absent`."""

    changed: int
    absent: int


async def settle(
    tx: Transaction, actor: Actor, scope: Scope, change: Change, *, role: str
) -> Settled:
    """Apply leave to the marks of `scope`, whose classes are locked.

    If that changes marks in sessions that are finalised or older than the edit window, it raises
    `session_finalised` or `session_locked` unless `role` is admin, and `reason_required` for an
    administrator who gives no reason.
    """
    row = await tx.row(
        _SETTLE,
        actor_id=actor.user_id,
        request_id=actor.request_id,
        reason=change.reason,
        window=change.window,
        **vars(scope),
    )
    if row["finalised"] or row["late"]:
        _check_closed(row["finalised"], role, change)
    return Settled(row["changed"], row["absent"])


async def settle_session(
    tx: Transaction, actor: Actor, class_id: UUID, session_id: UUID, day: date
) -> bool:
    """Apply leave to a new or restored session; return whether a mark changed."""
    asked = {"class_id": class_id, "session_id": session_id, "day": day}
    if not (await tx.row(_ANYBODY_ON_LEAVE, **asked))["anybody"]:
        return False
    scope = Scope([class_id], session_ids=[session_id], open_alone=True)
    return (await settle(tx, actor, scope, Change(), role="teacher")).changed > 0


def _check_closed(finalised: bool, role: str, change: Change) -> None:
    """Refuse a change of closed marks unless an administrator makes it and gives a reason."""
    what = "that is finalised" if finalised else f"older than {change.window} days"
    sentence = f"This changes marks in attendance {what}"
    if role != "admin":
        raise Conflict(
            f"{sentence}. Ask an administrator to do it.",
            code="session_finalised" if finalised else "session_locked",
        )
    if change.reason is None:
        raise reason_required(sentence)
