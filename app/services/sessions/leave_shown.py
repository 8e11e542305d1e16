"""Leave as it shows in marks that are there: whenever leave, a roster or a session changes.

One statement says of given students and sessions which marks leave hides now and which not, and
writes those that differ. Whoever changes what it follows from calls it in the same transaction.
"""

from dataclasses import dataclass
from uuid import UUID

from app.db import Transaction
from app.errors import Conflict
from app.services.access import Actor
from app.services.sessions.mark_changes import DIFFERENT, ON_LEAVE, REMOVED, SHOWN, WRITTEN
from app.services.sessions.session_lock import Change, reason_required
from app.sql import Relations, Statement

# From `enrolments` to the sessions of their classes, cancelled ones too: they may be restored.
_THEIR_SESSIONS = """
sessions AS MATERIALIZED (
    SELECT class_id, id AS session_id, session_date AS day, status AS state
    FROM attendance_sessions WHERE class_id IN (SELECT class_id FROM enrolments)
)"""

# The student whose leave was decided, and the sessions it is for.
_OF_LEAVE = """
enrolments AS MATERIALIZED (
    SELECT e.class_id, e.student_id, e.periods, l.first_day, l.last_day
    FROM leaves l JOIN class_students e ON e.student_id = l.student_id
        AND (l.class_id IS NULL OR l.class_id = e.class_id)
    WHERE l.id = :leave_id
),
sessions AS MATERIALIZED (
    SELECT s.class_id, s.id AS session_id, s.session_date AS day, s.status AS state
    FROM enrolments e JOIN attendance_sessions s ON s.class_id = e.class_id
        AND s.session_date BETWEEN e.first_day AND e.last_day
)"""

_OF_STUDENTS = (
    """
enrolments AS MATERIALIZED (
    SELECT class_id, student_id, periods FROM class_students
    WHERE class_id = :class_id AND student_id = ANY(:student_ids::uuid[])
)""",
    _THEIR_SESSIONS,
)

_OF_STUDENT = (
    """
enrolments AS MATERIALIZED (
    SELECT class_id, student_id, periods FROM class_students WHERE student_id = :student_id
)""",
    _THEIR_SESSIONS,
)

_OF_SESSIONS = """
sessions AS MATERIALIZED (
    SELECT class_id, id AS session_id, session_date AS day, status AS state
    FROM attendance_sessions WHERE id = ANY(:session_ids::uuid[]) AND status = 'open'
),
enrolments AS MATERIALIZED (
    SELECT class_id, student_id, periods FROM class_students
    WHERE class_id IN (SELECT class_id FROM sessions)
)"""

# Whoever is on leave or was excused by leave, with what was said of them.
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


def _settling(scope: Relations) -> Statement:
    return Statement(
        scope,
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
       coalesce(bool_or(day < current_date - :window::integer), false) AS late,
       (SELECT max(version) FROM numbered) AS version
FROM changes JOIN sessions USING (class_id, session_id) WHERE state <> 'cancelled'
""",
    )


_LEAVE = _settling(_OF_LEAVE)
_STUDENTS = _settling(_OF_STUDENTS)
_STUDENT = _settling(_OF_STUDENT)
_SESSIONS = _settling(_OF_SESSIONS)

# A statement that may write costs more than one that asks, and seldom is anybody on leave.
_ANYBODY_ON_LEAVE = Statement(
    "sessions AS (SELECT :class_id::uuid AS class_id, :session_id::uuid AS session_id,"
    " :day::date AS day)",
    "enrolments AS (SELECT * FROM class_students WHERE class_id = :class_id)",
    ON_LEAVE,
    "SELECT EXISTS (SELECT FROM on_leave) AS anybody",
)


@dataclass(frozen=True)
class Settled:
    """How many marks changed in sessions that are not cancelled, and how many of them had been
    `absent`; and of one session its new version, or None."""

    changed: int
    absent: int
    version: int | None


async def settle_leave(
    tx: Transaction, actor: Actor, role: str, leave_id: UUID, change: Change
) -> Settled:
    """What a decision on leave changes. The student and their classes are held.

    Raises `session_finalised` and `session_locked` for a teacher (`role`) whose decision would
    change marks of sessions that are finalised or older than the edit window, and for an
    administrator without a reason `reason_required`.
    """
    return await _settle(tx, _LEAVE, actor, change, role=role, leave_id=leave_id)


async def settle_students(
    tx: Transaction,
    actor: Actor,
    role: str,
    class_id: UUID,
    student_ids: list[UUID],
    change: Change,
) -> None:
    """What new days of enrolment change, by the same rules. The class is held."""
    named = {"class_id": class_id, "student_ids": student_ids}
    await _settle(tx, _STUDENTS, actor, change, role=role, **named)


async def settle_student(tx: Transaction, actor: Actor, student_id: UUID, change: Change) -> None:
    """What a merge into this student changes. They and their classes are held."""
    await _settle(tx, _STUDENT, actor, change, student_id=student_id)


async def settle_sessions(tx: Transaction, actor: Actor, session_ids: list[UUID]) -> Settled:
    """Show leave in these sessions, which are held and open, and may be written in."""
    return await _settle(tx, _SESSIONS, actor, Change(), session_ids=session_ids)


async def settle_session(
    tx: Transaction, actor: Actor, class_id: UUID, session_id: UUID, day: object
) -> int | None:
    """Show leave in a session that is new or counts again; gives its version if a mark changed."""
    asked = {"class_id": class_id, "session_id": session_id, "day": day}
    if not (await tx.row(_ANYBODY_ON_LEAVE, **asked))["anybody"]:
        return None
    return (await settle_sessions(tx, actor, [session_id])).version


async def _settle(
    tx: Transaction,
    statement: Statement,
    actor: Actor,
    change: Change,
    role: str = "admin",
    **scope: object,
) -> Settled:
    row = await tx.row(
        statement,
        actor_id=actor.user_id,
        request_id=actor.request_id,
        reason=change.reason,
        window=change.window,
        **scope,
    )
    if row["finalised"] or row["late"]:
        _check_closed(row["finalised"], role, change)
    return Settled(row["changed"], row["absent"], row["version"])


def _check_closed(finalised: bool, role: str, change: Change) -> None:
    """Raise what keeps this role from changing marks that are closed for marking."""
    what = "that is finalised" if finalised else f"older than {change.window} days"
    sentence = f"This changes marks in attendance {what}"
    if role != "admin":
        raise Conflict(
            f"{sentence}. Ask an administrator to do it.",
            code="session_finalised" if finalised else "session_locked",
        )
    if change.reason is None:
        raise reason_required(sentence)
