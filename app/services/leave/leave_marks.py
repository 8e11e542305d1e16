"""Leave as it shows in marks: excused while it is approved, what was there when it is not."""

from uuid import UUID

from app.db import Transaction
from app.errors import Unavailable
from app.services.access import Actor
from app.services.sessions.mark_changes import (
    EXCUSE,
    WRITE,
    WRITE_MANY,
    covers,
    on_leave,
    on_leave_in,
)

# Holding the classes keeps everybody from marking in them, and from opening sessions of them.
_LOCK_CLASSES = """
SELECT count(*) AS classes FROM (
    SELECT FROM classes
    WHERE id IN (
        SELECT class_id FROM class_students
        WHERE student_id = $1 AND ($2::uuid IS NULL OR class_id = $2))
    ORDER BY id FOR NO KEY UPDATE
) locked
"""

_LOCK_STUDENT = "SELECT FROM students WHERE id = $1 FOR NO KEY UPDATE"

_CLASSES = """
SELECT count(*) AS classes FROM class_students
WHERE student_id = $1 AND ($2::uuid IS NULL OR class_id = $2)
"""


async def lock_student(tx: Transaction, student_id: UUID) -> None:
    """Hold the student: nobody enrols them, asks for leave of theirs or merges them meanwhile."""
    if await tx.find_row(_LOCK_STUDENT, student_id) is None:
        raise Unavailable("This student has just been merged. Please try again.", retry_after=1)


async def lock_marks(tx: Transaction, student_id: UUID, class_id: UUID | None) -> None:
    """Hold the student, and the classes in which leave of theirs may change marks."""
    held = (await tx.row(_LOCK_CLASSES, student_id, class_id))["classes"]
    await lock_student(tx, student_id)
    if (await tx.row(_CLASSES, student_id, class_id))["classes"] != held:
        raise Unavailable(
            "A roster with this student has just changed. Please try again.", retry_after=1
        )


_ACT = "act AS (SELECT $1::uuid AS actor_id, $2::text AS request_id, NULL::text AS reason)"

_APPLY = f"""
WITH {_ACT},
covered AS MATERIALIZED (
    SELECT s.class_id, s.id AS session_id, l.student_id, l.id AS leave_id, l.kind AS leave_kind,
           e.periods @> s.session_date AS enrolled
    FROM leaves l
    JOIN class_students e ON e.student_id = l.student_id
    JOIN classes c ON c.id = e.class_id AND c.archived_at IS NULL
    JOIN attendance_sessions s ON s.class_id = e.class_id AND s.status <> 'cancelled'
    WHERE l.id = $3 AND {covers("l", "s.class_id", "s.id", "s.session_date")}
),
{EXCUSE},
{WRITE_MANY}
SELECT count(*) AS changed FROM changes
"""


async def apply(tx: Transaction, actor: Actor, leave_id: UUID) -> int:
    """Excuse absences and missing marks in the sessions there are; gives how many."""
    changed: int = (await tx.row(_APPLY, actor.user_id, actor.request_id, leave_id))["changed"]
    return changed


# A statement that may write costs more than one that asks, and seldom is anybody on leave.
_ANYBODY_ON_LEAVE = f"SELECT EXISTS ({on_leave('$1', '$2', '$3::date')}) AS anybody"

_APPLY_TO_SESSION = f"""
WITH {_ACT},
covered AS MATERIALIZED (
    SELECT $3::uuid AS class_id, $4::uuid AS session_id, e.student_id, l.leave_id, l.leave_kind,
           e.periods @> $5::date AS enrolled
    FROM ({on_leave("$3", "$4", "$5::date")}) l
    JOIN class_students e ON e.class_id = $3 AND e.student_id = l.student_id
),
{EXCUSE},
{WRITE}
SELECT (SELECT version FROM numbered) AS version
"""


async def apply_to_session(
    tx: Transaction, actor: Actor, class_id: UUID, session_id: UUID, day: object
) -> int | None:
    """Excuse who is on leave in a session that is new, or counts again; its version if any is."""
    if not (await tx.row(_ANYBODY_ON_LEAVE, class_id, session_id, day))["anybody"]:
        return None
    row = await tx.row(
        _APPLY_TO_SESSION, actor.user_id, actor.request_id, class_id, session_id, day
    )
    version: int | None = row["version"]
    return version


_APPLY_TO_SESSIONS = f"""
WITH {_ACT},
open_ones AS MATERIALIZED (
    SELECT class_id, id AS session_id, session_date AS day FROM attendance_sessions
    WHERE id = ANY($3::uuid[]) AND status = 'open'
),
covered AS MATERIALIZED ({on_leave_in("open_ones")}),
{EXCUSE},
{WRITE_MANY}
SELECT count(*) FILTER (WHERE beneath IS NOT NULL) AS absent,
       count(*) FILTER (WHERE beneath IS NULL) AS unmarked
FROM changes
"""


async def apply_to_sessions(
    tx: Transaction, actor: Actor, session_ids: list[UUID]
) -> tuple[int, int]:
    """Excuse who is on leave in those of the sessions that are open: how many of them were
    absent, and how many without a mark."""
    row = await tx.row(_APPLY_TO_SESSIONS, actor.user_id, actor.request_id, session_ids)
    return row["absent"], row["unmarked"]


# What comes back: another leave's excuse, else what lies beneath, a mark or none. Also where a
# session is cancelled or a class archived: nothing would do it later.
_TAKE_BACK = f"""
WITH {_ACT},
changes AS MATERIALIZED (
    SELECT m.class_id, m.session_id, m.student_id, back.*
    FROM attendance_statuses m
    JOIN attendance_sessions s ON s.class_id = m.class_id AND s.id = m.session_id
    LEFT JOIN LATERAL (
        SELECT o.id, o.kind FROM leaves o
        WHERE o.student_id = m.student_id AND o.status = 'approved' AND o.id <> $3
          AND {covers("o", "m.class_id", "m.session_id", "s.session_date")}
        ORDER BY o.decided_at, o.id
        LIMIT 1
    ) other ON true
    CROSS JOIN LATERAL (
        SELECT m.status, m.recognized_by_ai, m.similarity_score, m.remark, m.source,
               other.id AS leave_id, other.kind AS leave_kind, m.beneath
        WHERE other.id IS NOT NULL
        UNION ALL
        SELECT m.beneath ->> 'status', (m.beneath ->> 'recognizedByAi')::boolean,
               (m.beneath ->> 'similarityScore')::numeric, m.beneath ->> 'remark',
               coalesce(m.beneath ->> 'source', 'leave'), NULL, NULL, NULL
        WHERE other.id IS NULL
    ) back
    WHERE m.leave_id = $3
),
{WRITE_MANY}
SELECT count(*) AS changed FROM changes
"""


async def take_back(tx: Transaction, actor: Actor, leave_id: UUID) -> int:
    """Put back what the leave replaced, where its mark still stands; gives how many."""
    row = await tx.row(_TAKE_BACK, actor.user_id, actor.request_id, leave_id)
    changed: int = row["changed"]
    return changed
