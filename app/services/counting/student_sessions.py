"""The sessions of a class for one of its students: their marks, and the percentage they led to.

What counts, the view `v_mark_counts` (migration 0014) says, as everywhere.
"""

from datetime import date, time
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.stats import StudentSession
from app.services.access import READ_CLASS, Actor, check
from app.services.counting.student_stats import not_in_class
from app.sql import Statement

# Newest first; within a date the untimed session comes last. Sessions from before a student came,
# or from between two enrolments, are not theirs unless they have a mark. Each has the percentage
# of all that counted up to and including it.
_LIST = Statement(
    READ_CLASS,
    """
enrolment AS MATERIALIZED (
    SELECT * FROM class_students
    WHERE class_id = (SELECT id FROM granted) AND student_id = :student_id
),
marks AS MATERIALIZED (
    SELECT m.* FROM attendance_statuses m JOIN enrolment USING (class_id, student_id)
),
counts AS MATERIALIZED (
    SELECT session_id, attended, counted FROM v_mark_counts
    WHERE class_id = (SELECT id FROM granted) AND student_id = :student_id
),
theirs AS MATERIALIZED (
    SELECT s.*, m.status AS mark, m.leave_kind, m.source, m.marked_by, m.marked_at,
           coalesce(k.attended, 0) AS attended, coalesce(k.counted, 0) AS counted,
           sum(k.attended) OVER so_far::bigint AS attended_so_far,
           sum(k.counted) OVER so_far::bigint AS counted_so_far
    FROM enrolment e JOIN attendance_sessions s ON s.class_id = e.class_id
    LEFT JOIN marks m ON m.session_id = s.id
    LEFT JOIN counts k ON k.session_id = s.id
    WHERE e.periods @> s.session_date OR m.session_id IS NOT NULL
    WINDOW so_far AS (ORDER BY s.session_date, s.start_time NULLS FIRST)
),
page AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY session_date DESC, start_time DESC NULLS LAST) AS n
    FROM theirs
    WHERE :after_day::date IS NULL OR session_date < :after_day
       OR (session_date = :after_day
           AND (start_time < :after_time
                OR (start_time IS NULL AND :after_time::time IS NOT NULL)))
    ORDER BY session_date DESC, start_time DESC NULLS LAST
    LIMIT :most + 1
),
documents AS (
    SELECT p.n, json_build_object(
        'sessionId', p.id, 'date', p.session_date, 'start', json_time(p.start_time),
        'end', json_time(p.end_time), 'status', p.status, 'mark', p.mark,
        'leaveKind', p.leave_kind, 'source', p.source, 'markedBy', p.marked_by,
        'markedByName', u.name, 'markedAt', json_instant(p.marked_at),
        'counted', p.counted > 0, 'attended', p.attended * 0.01,
        'percentage', CASE WHEN p.counted_so_far > 0 THEN
            attendance_percentage(p.attended_so_far, p.counted_so_far) END) AS document
    FROM page p LEFT JOIN users u ON u.id = p.marked_by
    WHERE p.n <= :most
)""",
    """
SELECT verdict, EXISTS (SELECT FROM enrolment) AS known,
       (SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents)::text AS document,
       (SELECT concat(last.session_date, 'T', json_time(last.start_time)) FROM page last
        WHERE last.n = :most AND EXISTS (SELECT FROM page WHERE n > :most)) AS next_cursor
FROM verdict
""",
)


async def sessions(
    db: Database,
    actor: Actor,
    class_id: UUID,
    student_id: UUID,
    limit: int,
    after: tuple[date, time | None] | None,
) -> Document[list[StudentSession]]:
    """The sessions of the class for that student, newest first: `limit` of them after `after`."""
    after_day, after_time = after or (None, None)
    row = await db.row(
        _LIST,
        actor_id=actor.user_id,
        class_id=class_id,
        student_id=student_id,
        after_day=after_day,
        after_time=after_time,
        most=limit,
    )
    check(row)
    if not row["known"]:
        raise not_in_class()
    return Document(row["document"], next_cursor=row["next_cursor"])
