"""Requesting leave."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.errors import AccessDenied, Invalid, Unavailable
from app.schemas.leave import Leave, LeaveDraft
from app.schemas.words import roll_key
from app.services.access import MINE, STAFF_VERDICT, WRITE_CLASS, Actor, check
from app.services.audit import RECORDED
from app.services.leave.leaves import read_leave
from app.sql import Statement

_STUDENT_OF_CLASS = Statement(
    WRITE_CLASS,
    """
student AS (
    SELECT e.student_id
    FROM class_students e
    JOIN granted ON granted.id = e.class_id
    JOIN students st ON st.id = e.student_id
    WHERE st.roll_key = :roll_key
)""",
    "SELECT verdict, (SELECT student_id FROM student) AS student_id FROM verdict",
)

_STUDENT = Statement(
    MINE,
    STAFF_VERDICT,
    """
student AS (
    SELECT st.id FROM students st CROSS JOIN staff
    WHERE st.roll_key = :roll_key AND (staff.role = 'admin' OR EXISTS (
        SELECT FROM class_students e
        WHERE e.student_id = st.id AND e.class_id IN (SELECT id FROM mine)))
)""",
    "SELECT verdict, (SELECT id FROM student) AS student_id FROM verdict",
)

_DAYS_OF_SESSIONS = Statement("""
SELECT count(*) AS found, min(session_date) AS first_day, max(session_date) AS last_day
FROM attendance_sessions WHERE class_id = :class_id AND id = ANY(:session_ids::uuid[])
""")

_SAME = Statement("""
SELECT l.id FROM leaves l
WHERE l.student_id = :student_id AND l.class_id IS NOT DISTINCT FROM :class_id
  AND l.first_day = :first_day AND l.last_day = :last_day
  AND l.by_session = (:session_ids::uuid[] IS NOT NULL)
  AND l.kind = :kind AND l.note IS NOT DISTINCT FROM :note
  AND l.requested_by IS NOT DISTINCT FROM :actor_id::uuid
  AND l.status IN ('pending', 'approved')
  AND coalesce(:session_ids, '{}') = ARRAY(
      SELECT session_id FROM leave_sessions WHERE leave_id = l.id ORDER BY session_id)
""")

_REQUEST = Statement(
    """
made AS (
    INSERT INTO leaves (
        student_id, class_id, first_day, last_day, by_session, kind, note, requested_by)
    VALUES (:student_id, :class_id, :first_day, :last_day, :session_ids::uuid[] IS NOT NULL,
            :kind, :note, :actor_id::uuid)
    RETURNING id
),
sessions AS (
    INSERT INTO leave_sessions (leave_id, session_id)
    SELECT made.id, session_id FROM made CROSS JOIN unnest(:session_ids) session_id
),
acts AS (
    SELECT 'leave_requested' AS action, 'leave' AS subject, id AS subject_id,
           CASE WHEN :actor_id IS NULL THEN jsonb_build_object('studentId', :student_id::uuid)
                ELSE '{}' END AS details
    FROM made
)""",
    RECORDED,
    "SELECT id FROM made",
)

_LOCK_STUDENT = Statement("SELECT FROM students WHERE id = :student_id FOR NO KEY UPDATE")


async def request_leave(
    db: Database, actor: Actor, draft: LeaveDraft
) -> tuple[Document[Leave], bool]:
    """The requested leave, and whether this request created it; a repeat finds the first one.

    A teacher who has the class only for some days can only request leave within those days.
    """
    async with db.transaction() as tx:
        student_id = await _find_student(tx, actor, draft)
        # Requests for one student wait for each other, so that a repeat finds the first.
        await lock_student(tx, student_id)
        first, last, sessions = await _days(tx, draft)
        leave = {
            "student_id": student_id,
            "class_id": draft.class_id,
            "first_day": first,
            "last_day": last,
            "session_ids": sessions,
            "kind": draft.kind,
            "note": draft.note,
            "actor_id": actor.user_id,
        }
        leave_id, made = await find_or_request(tx, leave, actor.request_id)
        read = await read_leave(tx, actor, leave_id)
        # Teachers decide on leave within their days in the class, and can request only such leave.
        if draft.class_id is not None and not read["decides"]:
            raise AccessDenied("Access denied")
        return Document(read["document"]), made


async def find_or_request(
    tx: Transaction, leave: Mapping[str, object], request_id: str
) -> tuple[UUID, bool]:
    """The id of that leave, and whether this made it. The student is held.

    `leave` has the columns of a request, and as `actor_id` who asks: None is the student.
    """
    same = await tx.find_row(_SAME, **leave)
    made = same or await tx.row(_REQUEST, **leave, request_id=request_id)
    return made["id"], same is None


async def _find_student(tx: Transaction, actor: Actor, draft: LeaveDraft) -> UUID:
    named = {"actor_id": actor.user_id, "roll_key": roll_key(draft.roll_no)}
    if draft.class_id is None:
        row = await tx.row(_STUDENT, **named)
    else:
        row = await tx.row(_STUDENT_OF_CLASS, **named, class_id=draft.class_id)
    check(row)
    if row["student_id"] is None:
        raise _no_such_student()
    student_id: UUID = row["student_id"]
    return student_id


async def _days(tx: Transaction, draft: LeaveDraft) -> tuple[date, date, list[UUID] | None]:
    """The first and last day, and the sorted sessions if the leave is only for some of them."""
    if draft.session_ids is None:
        assert draft.first_day is not None
        assert draft.last_day is not None
        return draft.first_day, draft.last_day, None
    sessions = sorted(set(draft.session_ids))
    row = await tx.row(_DAYS_OF_SESSIONS, class_id=draft.class_id, session_ids=sessions)
    if row["found"] != len(sessions):
        raise _not_its_sessions()
    return row["first_day"], row["last_day"], sessions


def _no_such_student() -> Invalid:
    return Invalid.at("/rollNo", "unknown_student", "There is no such student in these classes.")


def _not_its_sessions() -> Invalid:
    return Invalid.at("/sessionIds", "unknown_session", "These are not all sessions of the class.")


async def lock_student(tx: Transaction, student_id: UUID) -> None:
    """Lock the student: nobody can enrol them, request leave for them or merge them meanwhile."""
    if await tx.find_row(_LOCK_STUDENT, student_id=student_id) is None:
        raise Unavailable("This student has just been merged. Please try again.", retry_after=1)
