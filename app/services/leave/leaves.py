"""Reading leave: one, and lists."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.schemas.leave import Leave, LeaveStatus
from app.schemas.words import roll_key
from app.services.access import MINE, STAFF_VERDICT, Actor, check
from app.services.lists import PAGE_OF_DOCUMENTS, After, newest_first
from app.sql import Relations, Statement

# All leave, with the actor's rights. Administrators and the owner of the class decide; its other
# teachers of today decide on leave within their own days. Leave for a class is visible to everybody
# who teaches it today; leave from all classes to those in whose class the student is enrolled on
# one of its days.
_JUDGED = """
judged AS NOT MATERIALIZED (
    SELECT l.*, staff.role = 'admin' OR EXISTS (
        SELECT FROM mine WHERE mine.id = l.class_id AND (mine.teacher_id = staff.id OR EXISTS (
            SELECT FROM class_teachers t
            WHERE t.class_id = mine.id AND t.user_id = staff.id
              AND daterange(t.first_day, t.last_day, '[]')
                  @> daterange(l.first_day, l.last_day, '[]')))
    ) AS decides, staff.role = 'admin' OR EXISTS (SELECT FROM mine WHERE mine.id = l.class_id)
    OR (l.class_id IS NULL AND EXISTS (
        SELECT FROM class_students e
        WHERE e.student_id = l.student_id AND e.class_id IN (SELECT id FROM mine)
          AND e.periods && daterange(l.first_day, l.last_day, '[]'))) AS sees
    FROM leaves l CROSS JOIN staff
)"""

# One leave as `listed`, for those who can see it.
READ_LEAVE: Relations = (
    MINE,
    _JUDGED,
    "listed AS MATERIALIZED (SELECT * FROM judged WHERE id = :leave_id)",
    """
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM listed) THEN 'not_found'
        WHEN NOT (SELECT sees FROM listed) THEN 'denied'
        ELSE 'granted'
    END AS verdict
)""",
)

# Turns `listed`, a subset of `judged`, into `documents`.
_DOCUMENTS = """
documents AS (
    SELECT l.id, json_build_object(
        'id', l.id, 'studentId', l.student_id, 'rollNo', st.roll_no, 'name', st.name,
        'classId', l.class_id, 'code', c.code, 'className', c.name, 'section', c.section,
        'firstDay', l.first_day, 'lastDay', l.last_day,
        'sessionIds', CASE WHEN l.by_session THEN (
            SELECT json_agg(ls.session_id ORDER BY ls.session_id)
            FROM leave_sessions ls WHERE ls.leave_id = l.id) END,
        'kind', l.kind, 'note', CASE WHEN l.decides OR l.requested_by = :actor_id THEN l.note END,
        'status', l.status, 'requestedBy', l.requested_by, 'requestedByName', r.name,
        'decidedBy', l.decided_by, 'decidedByName', d.name,
        'decidedAt', json_instant(l.decided_at), 'createdAt', json_instant(l.created_at),
        'mayDecide', l.decides
    ) AS document
    FROM listed l
    JOIN students st ON st.id = l.student_id
    LEFT JOIN classes c ON c.id = l.class_id
    LEFT JOIN users r ON r.id = l.requested_by
    LEFT JOIN users d ON d.id = l.decided_by
)"""

_GET = Statement(
    READ_LEAVE,
    _DOCUMENTS,
    """
SELECT verdict, (SELECT role FROM staff) AS actor_role, l.student_id, l.class_id, l.first_day,
       l.last_day, l.status, l.decides, l.requested_by,
       (SELECT document FROM documents)::text AS document
FROM verdict LEFT JOIN listed l ON true
""",
)


async def get_leave(db: Database | Transaction, actor: Actor, leave_id: UUID) -> Document[Leave]:
    """Return one leave, if the actor can see it."""
    return Document((await read_leave(db, actor, leave_id))["document"])


async def read_leave(db: Database | Transaction, actor: Actor, leave_id: UUID) -> asyncpg.Record:
    """Return one leave with its `document`, the actor's right (`decides`) and `actor_role`."""
    row = await db.row(_GET, actor_id=actor.user_id, leave_id=leave_id)
    check(row, "leave")
    return row


@dataclass(frozen=True)
class Filter:
    """Which leaves to show; None shows all. Dates are inclusive; leave that overlaps is shown."""

    class_id: UUID | None = None
    roll_no: str | None = None
    status: LeaveStatus | None = None
    first: date | None = None
    last: date | None = None


_LIST = Statement(
    MINE,
    STAFF_VERDICT,
    _JUDGED,
    """
page AS MATERIALIZED (
    SELECT l.*, json_instant(l.created_at) || '~' || l.id AS cursor,
           row_number() OVER (ORDER BY l.created_at DESC, l.id) AS n
    FROM judged l
    WHERE l.sees
      AND (:class_id::uuid IS NULL OR l.class_id = :class_id)
      AND (:roll_key::text IS NULL
           OR l.student_id = (SELECT id FROM students st WHERE st.roll_key = :roll_key))
      AND (:status::text IS NULL OR l.status = :status)
      AND l.last_day >= coalesce(:first, '-infinity'::date)
      AND l.first_day <= coalesce(:last, 'infinity'::date)
      AND (:after_at::timestamptz IS NULL OR l.created_at < :after_at
           OR (l.created_at = :after_at AND l.id > :after_id::uuid))
    ORDER BY l.created_at DESC, l.id
    LIMIT :most + 1
),
listed AS (SELECT * FROM page WHERE n <= :most)""",
    _DOCUMENTS,
    PAGE_OF_DOCUMENTS,
)


async def list_leaves(
    db: Database,
    actor: Actor,
    shown: Filter,
    limit: int,
    after: After,
) -> Document[list[Leave]]:
    """List the leaves that the actor can see, newest first: `limit` of them after `after`."""
    return await newest_first(
        db,
        _LIST,
        limit,
        after,
        actor_id=actor.user_id,
        class_id=shown.class_id,
        roll_key=roll_key(shown.roll_no) if shown.roll_no is not None else None,
        status=shown.status,
        first=shown.first,
        last=shown.last,
    )
