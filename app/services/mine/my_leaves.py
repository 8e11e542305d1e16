"""A student's leave: seen, asked for, withdrawn. Staff decide on it as on any other."""

from uuid import UUID

from app.db import Database
from app.documents import Document
from app.errors import AccessDenied, Conflict
from app.schemas.leave import MyLeave, MyLeaveDraft
from app.services.access import (
    MY_CLASSES,
    OWN_VERDICT,
    STUDENT,
    STUDENT_VERDICT,
    StudentActor,
    check,
)
from app.services.leave.asking import find_or_request, lock_student
from app.services.lists import PAGE_OF_DOCUMENTS, After, newest_first
from app.sql import Statement

MOST_PENDING = 20  # that a student has asked for

# From `shown`, leave of the student, to its `documents` for them.
_DOCUMENTS = """
documents AS (
    SELECT l.id, json_build_object(
        'id', l.id, 'classId', l.class_id, 'firstDay', l.first_day, 'lastDay', l.last_day,
        'sessionIds', CASE WHEN l.by_session THEN (
            SELECT json_agg(ls.session_id ORDER BY ls.session_id)
            FROM leave_sessions ls WHERE ls.leave_id = l.id) END,
        'kind', l.kind, 'own', l.requested_by IS NULL,
        'note', CASE WHEN l.requested_by IS NULL THEN l.note END, 'status', l.status,
        'decidedAt', json_instant(l.decided_at), 'createdAt', json_instant(l.created_at)
    ) AS document
    FROM shown l
)"""

_LIST = Statement(
    STUDENT,
    STUDENT_VERDICT,
    """
page AS MATERIALIZED (
    SELECT l.*, json_instant(l.created_at) || '~' || l.id AS cursor,
           row_number() OVER (ORDER BY l.created_at DESC, l.id) AS n
    FROM leaves l
    WHERE l.student_id = (SELECT id FROM student)
      AND (:after_at::timestamptz IS NULL OR l.created_at < :after_at
           OR (l.created_at = :after_at AND l.id > :after_id::uuid))
    ORDER BY l.created_at DESC, l.id
    LIMIT :most + 1
),
shown AS (SELECT * FROM page WHERE n <= :most)""",
    _DOCUMENTS,
    PAGE_OF_DOCUMENTS,
)


async def leaves(
    db: Database, actor: StudentActor, limit: int, after: After
) -> Document[list[MyLeave]]:
    """The student's leave, newest first, `limit` of it after `after`."""
    return await newest_first(db, _LIST, limit, after, **actor.asks())


_MAY_ASK = Statement(
    MY_CLASSES,
    """
own AS (
    SELECT FROM student
    WHERE :class_id::uuid IS NULL OR :class_id = ANY(ARRAY(SELECT id FROM my_classes))
)""",
    OWN_VERDICT,
    "SELECT verdict, (SELECT id FROM student) AS student_id FROM verdict",
)

# What has just been asked for is among those counted.
_READ = Statement(
    "shown AS (SELECT * FROM leaves WHERE id = :leave_id)",
    _DOCUMENTS,
    """
SELECT document::text, (
    SELECT count(*) FROM leaves
    WHERE student_id = :student_id AND requested_by IS NULL AND status = 'pending') AS pending
FROM documents
""",
)


async def ask(
    db: Database, actor: StudentActor, draft: MyLeaveDraft
) -> tuple[Document[MyLeave], bool]:
    """The leave asked for, and whether this request made it: the very same again is found.

    Raises `NotFound` for a class that is none of the student's.
    """
    async with db.transaction() as tx:
        found = await tx.row(_MAY_ASK, **actor.asks(), class_id=draft.class_id)
        check(found)
        student_id = found["student_id"]
        await lock_student(tx, student_id)
        leave = draft.model_dump() | {"student_id": student_id, "session_ids": None}
        leave_id, made = await find_or_request(tx, leave | {"actor_id": None}, actor.request_id)
        read = await tx.row(_READ, leave_id=leave_id, student_id=student_id)
        if made and read["pending"] > MOST_PENDING:
            raise Conflict(
                f"{MOST_PENDING} requests of yours wait for a decision. Withdraw some first.",
                code="too_many_requests",
            )
        return Document(read["document"]), made


_WITHDRAW = Statement(
    STUDENT,
    """
own AS MATERIALIZED (
    SELECT l.* FROM leaves l JOIN student ON student.id = l.student_id WHERE l.id = :leave_id
)""",
    OWN_VERDICT,
    """
withdrawn AS (
    UPDATE leaves l SET status = 'withdrawn', decided_at = clock_timestamp()
    FROM own WHERE l.id = own.id AND l.requested_by IS NULL AND l.status = 'pending'
    RETURNING l.*
),
acts AS (
    SELECT 'leave_withdrawn' AS action, 'leave' AS subject, id AS subject_id,
           jsonb_build_object('studentId', student_id) AS details
    FROM withdrawn
),
recorded AS (
    INSERT INTO audit_log (request_id, action, subject, subject_id, details)
    SELECT :request_id::text, action, subject, subject_id, details FROM acts
),
shown AS (
    SELECT * FROM withdrawn
    UNION ALL SELECT * FROM own WHERE requested_by IS NULL AND status = 'withdrawn'
)""",
    _DOCUMENTS,
    """
SELECT verdict, own.requested_by IS NULL AS asked,
       (SELECT document FROM documents)::text AS document
FROM verdict LEFT JOIN own ON true
""",
)


async def withdraw(db: Database, actor: StudentActor, leave_id: UUID) -> Document[MyLeave]:
    """Take back leave that the student asked for and nobody has decided on yet."""
    row = await db.row(_WITHDRAW, **actor.asks(), leave_id=leave_id, request_id=actor.request_id)
    check(row, "leave")
    if row["document"] is not None:
        return Document(row["document"])
    if not row["asked"]:
        raise AccessDenied("Access denied")
    raise Conflict(
        "This leave has been decided on already. Ask your teacher to change that.",
        code="leave_decided",
    )
