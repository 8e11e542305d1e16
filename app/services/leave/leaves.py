"""Leave: asked for, decided, withdrawn, and seen in marks.

A teacher decides on leave for a class of theirs, an administrator on any. Approved leave
excuses absences in sessions there are (`app.services.leave.leave_marks`) and in those to come.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document, instant
from app.errors import AccessDenied, Conflict, Flaw, Invalid
from app.schemas.leave import DecidedLeave, Leave, LeaveDraft, LeaveStatus
from app.schemas.words import roll_key
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.audit import RECORD, author
from app.services.leave import leave_marks

# Who decides: an admin, who owns the class, and others who teach it today, on leave that lies in
# their own days.
_MINE = f"""{access.COVERING},
mine AS MATERIALIZED (
    SELECT c.id, c.teacher_id FROM classes c CROSS JOIN actor WHERE {access.MAY}
)"""
_DECIDES = """(EXISTS (SELECT FROM actor WHERE role = 'admin') OR EXISTS (
        SELECT FROM mine CROSS JOIN actor
        WHERE mine.id = l.class_id AND (mine.teacher_id = actor.id OR EXISTS (
            SELECT FROM class_teachers t
            WHERE t.class_id = mine.id AND t.user_id = actor.id
              AND daterange(t.first_day, t.last_day, '[]')
                  @> daterange(l.first_day, l.last_day, '[]')))))"""
# Who sees it: whose class it is for, and for leave from all classes, in whose class the student is
# on one of its days.
_SEES = """(EXISTS (SELECT FROM actor WHERE role = 'admin')
        OR EXISTS (SELECT FROM mine WHERE mine.id = l.class_id)
        OR (l.class_id IS NULL AND EXISTS (
            SELECT FROM class_students e
            WHERE e.student_id = l.student_id AND e.class_id IN (SELECT id FROM mine)
              AND e.periods && daterange(l.first_day, l.last_day, '[]'))))"""

_DOCUMENT = f"""
CROSS JOIN LATERAL (
    SELECT l.id, l.student_id AS "studentId", st.roll_no AS "rollNo", st.name,
           l.class_id AS "classId", l.first_day AS "firstDay", l.last_day AS "lastDay",
           CASE WHEN l.by_session THEN (
               SELECT json_agg(ls.session_id ORDER BY ls.session_id)
               FROM leave_sessions ls WHERE ls.leave_id = l.id) END AS "sessionIds",
           l.kind, CASE WHEN {_DECIDES} OR l.requested_by = $1 THEN l.note END AS note,
           l.status, l.requested_by AS "requestedBy", l.decided_by AS "decidedBy",
           {instant("l.decided_at")} AS "decidedAt", {instant("l.created_at")} AS "createdAt"
    FROM students st WHERE st.id = l.student_id
) leave"""

_GET = f"""
WITH {access.ACTOR}, {_MINE},
l AS MATERIALIZED (SELECT l.*, {_SEES} AS sees, {_DECIDES} AS decides FROM leaves l WHERE id = $2)
SELECT CASE
    WHEN NOT EXISTS (SELECT FROM anybody) THEN 'signed_out'
    WHEN NOT EXISTS (SELECT FROM actor) THEN 'denied'
    WHEN NOT EXISTS (SELECT FROM l) THEN 'not_found'
    WHEN NOT (SELECT sees FROM l) THEN 'denied'
    ELSE 'granted'
END AS verdict, l.student_id, l.class_id, l.status, l.decides, l.requested_by,
(SELECT row_to_json(leave) FROM l {_DOCUMENT})::text AS document
FROM (SELECT) AS always LEFT JOIN l ON true
"""


async def get_leave(db: Database | Transaction, actor: Actor, leave_id: UUID) -> Document[Leave]:
    """One leave, for whom it concerns."""
    return Document((await _read(db, actor, leave_id))["document"])


async def _read(db: Database | Transaction, actor: Actor, leave_id: UUID) -> asyncpg.Record:
    row = await db.row(_GET, actor.user_id, leave_id)
    check(row, "leave")
    return row


@dataclass(frozen=True)
class Filter:
    """Which leaves to show; None shows all. Dates are inclusive: leave that touches them."""

    class_id: UUID | None = None
    roll_no: str | None = None
    status: LeaveStatus | None = None
    first: date | None = None
    last: date | None = None


_LIST = f"""
WITH {access.ACTOR}, {_MINE},
page AS MATERIALIZED (
    SELECT l.*, row_number() OVER (ORDER BY l.created_at DESC, l.id) AS n
    FROM leaves l
    WHERE {_SEES}
      AND ($2::uuid IS NULL OR l.class_id = $2)
      AND ($3::text IS NULL
           OR l.student_id = (SELECT id FROM students WHERE students.roll_key = $3))
      AND ($4::text IS NULL OR l.status = $4)
      AND l.last_day >= coalesce($5, '-infinity'::date)
      AND l.first_day <= coalesce($6, 'infinity'::date)
      AND ($7::timestamptz IS NULL OR l.created_at < $7
           OR (l.created_at = $7 AND l.id > $8::uuid))
    ORDER BY l.created_at DESC, l.id
    LIMIT $9 + 1
)
SELECT {access.SIGNED_OUT}, (
    SELECT coalesce(json_agg(leave ORDER BY l.n), '[]') FROM page l {_DOCUMENT} WHERE l.n <= $9
)::text AS document, (
    SELECT {instant("last.created_at")} || '~' || last.id FROM page last
    WHERE last.n = $9 AND EXISTS (SELECT FROM page WHERE n > $9)
) AS next_cursor
"""


async def list_leaves(
    db: Database,
    actor: Actor,
    shown: Filter,
    limit: int,
    after: tuple[datetime, UUID] | None,
) -> Document[list[Leave]]:
    """The leaves that concern the actor, newest first, `limit` of them after `after`."""
    at, leave_id = after or (None, None)
    key = roll_key(shown.roll_no) if shown.roll_no is not None else None
    row = await db.row(
        _LIST,
        actor.user_id,
        shown.class_id,
        key,
        shown.status,
        shown.first,
        shown.last,
        at,
        leave_id,
        limit,
    )
    check(row)
    return Document(row["document"], next_cursor=row["next_cursor"])


_STUDENT_OF_CLASS = f"""
{access.WRITE_CLASS}
SELECT {access.VERDICT}, (
    SELECT e.student_id FROM class_students e JOIN students st ON st.id = e.student_id
    WHERE e.class_id = (SELECT id FROM granted) AND st.roll_key = $3
) AS student_id
"""

_STUDENT = f"""
WITH {access.ACTOR}, {_MINE}
SELECT {access.SIGNED_OUT}, (
    SELECT st.id FROM students st
    WHERE st.roll_key = $2 AND (
        EXISTS (SELECT FROM actor WHERE role = 'admin') OR EXISTS (
            SELECT FROM class_students e
            WHERE e.student_id = st.id AND e.class_id IN (SELECT id FROM mine)))
) AS student_id
"""

_DAYS_OF_SESSIONS = """
SELECT count(*) AS found, min(session_date) AS first_day, max(session_date) AS last_day
FROM attendance_sessions WHERE class_id = $1 AND id = ANY($2::uuid[])
"""

_SAME = """
SELECT l.id FROM leaves l
WHERE l.student_id = $1 AND l.class_id IS NOT DISTINCT FROM $2
  AND l.first_day = $3 AND l.last_day = $4 AND l.by_session = ($5::uuid[] IS NOT NULL)
  AND l.kind = $6 AND l.note IS NOT DISTINCT FROM $7 AND l.requested_by = $8
  AND l.status IN ('pending', 'approved')
  AND coalesce($5::uuid[], '{}') = ARRAY(
      SELECT session_id FROM leave_sessions WHERE leave_id = l.id ORDER BY session_id)
"""

_REQUEST = f"""
WITH made AS (
    INSERT INTO leaves (
        student_id, class_id, first_day, last_day, by_session, kind, note, requested_by)
    VALUES ($1, $2, $3, $4, $5::uuid[] IS NOT NULL, $6, $7, $8)
    RETURNING id
),
sessions AS (
    INSERT INTO leave_sessions (leave_id, session_id)
    SELECT made.id, session_id FROM made CROSS JOIN unnest($5::uuid[]) session_id
),
recorded AS (
    {RECORD} SELECT $8, $9, 'leave_requested', 'leave', id, '{{}}' FROM made
)
SELECT id FROM made
"""


async def request_leave(
    db: Database, actor: Actor, draft: LeaveDraft
) -> tuple[Document[Leave], bool]:
    """The leave asked for, and whether this request made it: the very same again is found."""
    async with db.transaction() as tx:
        student_id = await _find_student(tx, actor, draft)
        # Requests for one student wait for each other, so that a repeat finds the first.
        await leave_marks.lock_student(tx, student_id)
        first, last, sessions = await _when(tx, draft)
        values = (
            *(student_id, draft.class_id, first, last, sessions),
            *(draft.kind, draft.note, actor.user_id),
        )
        same = await tx.find_row(_SAME, *values)
        leave = same or await tx.row(_REQUEST, *values, actor.request_id)
        return await get_leave(tx, actor, leave["id"]), same is None


async def _find_student(tx: Transaction, actor: Actor, draft: LeaveDraft) -> UUID:
    key = roll_key(draft.roll_no)
    if draft.class_id is None:
        row = await tx.row(_STUDENT, actor.user_id, key)
    else:
        row = await tx.row(_STUDENT_OF_CLASS, actor.user_id, draft.class_id, key)
    check(row)
    if row["student_id"] is None:
        raise _no_such_student()
    student_id: UUID = row["student_id"]
    return student_id


async def _when(tx: Transaction, draft: LeaveDraft) -> tuple[date, date, list[UUID] | None]:
    """First and last day, and the sessions in order if it is for some of them alone."""
    if draft.session_ids is None:
        assert draft.first_day is not None
        assert draft.last_day is not None
        return draft.first_day, draft.last_day, None
    sessions = sorted(set(draft.session_ids))
    row = await tx.row(_DAYS_OF_SESSIONS, draft.class_id, sessions)
    if row["found"] != len(sessions):
        raise _not_its_sessions()
    return row["first_day"], row["last_day"], sessions


def _no_such_student() -> Invalid:
    sentence = "There is no such student in these classes."
    return Invalid(
        sentence,
        code="unknown_student",
        flaws=(Flaw("/rollNo", "unknown_student", sentence),),
    )


def _not_its_sessions() -> Invalid:
    sentence = "These are not all sessions of the class."
    return Invalid(
        sentence,
        code="unknown_session",
        flaws=(Flaw("/sessionIds", "unknown_session", sentence),),
    )


class Decision(Enum):
    """What may be decided: from which statuses to which."""

    APPROVE = (("pending",), "approved")
    REJECT = (("pending",), "rejected")
    WITHDRAW = (("pending", "approved"), "withdrawn")


_LOCK = "SELECT FROM leaves WHERE id = $1 FOR UPDATE"

_DECIDE = f"""
WITH decided AS (
    UPDATE leaves SET status = $4, decided_by = $1, decided_at = clock_timestamp() WHERE id = $3
)
{RECORD} VALUES ($1, $2, 'leave_' || $4::text, 'leave', $3, '{{}}')
"""


async def decide(
    db: Database, actor: Actor, leave_id: UUID, decision: Decision
) -> Document[DecidedLeave]:
    """Bring the leave to its new status and change the marks that this changes.

    Deciding the same again changes nothing. Who asked for leave may withdraw it undecided.
    """
    sources, goal = decision.value
    changed = 0
    async with db.transaction() as tx:
        leave = await _read_to_decide(tx, actor, leave_id, decision)
        await leave_marks.lock_marks(tx, leave["student_id"], leave["class_id"])
        await tx.find_row(_LOCK, leave_id)
        # Whoever was waited for may have decided it, or taken it or the right to decide away.
        leave = await _read_to_decide(tx, actor, leave_id, decision)
        if leave["status"] in sources:
            await tx.find_row(_DECIDE, *author(actor), leave_id, goal)
            if decision is Decision.APPROVE:
                changed = await leave_marks.apply(tx, actor, leave_id)
            elif leave["status"] == "approved":
                changed = await leave_marks.take_back(tx, actor, leave_id)
        elif leave["status"] != goal:
            raise _decided_already(leave["status"])
        document = (await get_leave(tx, actor, leave_id)).json
    return Document(f'{{"leave":{document},"changed":{changed}}}')


def _decided_already(status: str) -> Conflict:
    if status == "approved":
        return Conflict("This leave is approved: withdraw it.", code="leave_approved")
    if status == "rejected":
        return Conflict("This leave was rejected: ask for it again.", code="leave_rejected")
    return Conflict("This leave was withdrawn: ask for it again.", code="leave_withdrawn")


async def _read_to_decide(
    tx: Transaction, actor: Actor, leave_id: UUID, decision: Decision
) -> asyncpg.Record:
    leave = await _read(tx, actor, leave_id)
    own_request = leave["requested_by"] == actor.user_id and leave["status"] != "approved"
    if not leave["decides"] and not (decision is Decision.WITHDRAW and own_request):
        raise AccessDenied("Access denied")
    return leave
