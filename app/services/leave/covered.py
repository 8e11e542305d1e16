"""The sessions that a leave covers, with what it makes of the student's marks."""

from datetime import date, time
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.leave_sessions import LeaveSession
from app.services.access import Actor, check
from app.services.leave.leaves import READ_LEAVE
from app.services.sessions.mark_changes import ON_LEAVE, SHOWN
from app.sql import Statement

# Those of the actor's classes, in order of time; on one date the untimed session comes first. One
# in which the student was not enrolled and has no mark is not theirs.
_PAGE = Statement(
    READ_LEAVE,
    """
page AS MATERIALIZED (
    SELECT s.id, concat(s.session_date, 'T', json_time(s.start_time), '~', s.id) AS cursor,
           row_number() OVER (ORDER BY s.session_date, s.start_time NULLS FIRST, s.id) AS n
    FROM listed l
    JOIN class_students e ON e.student_id = l.student_id
        AND (l.class_id IS NULL OR l.class_id = e.class_id)
    JOIN mine ON mine.id = e.class_id
    JOIN attendance_sessions s ON s.class_id = e.class_id
        AND s.session_date BETWEEN l.first_day AND l.last_day
    WHERE (NOT l.by_session OR EXISTS (
          SELECT FROM leave_sessions ls WHERE ls.leave_id = l.id AND ls.session_id = s.id))
      AND (e.periods @> s.session_date OR EXISTS (
          SELECT FROM attendance_statuses m
          WHERE m.class_id = s.class_id AND m.session_id = s.id AND m.student_id = e.student_id))
      AND (:after_day::date IS NULL OR s.session_date > :after_day
           OR (s.session_date = :after_day
               AND (s.start_time > :after_time
                    OR (s.start_time IS NOT NULL AND :after_time::time IS NULL)
                    OR (s.start_time IS NOT DISTINCT FROM :after_time AND s.id > :after_id::uuid))))
    ORDER BY s.session_date, s.start_time NULLS FIRST, s.id
    LIMIT :most + 1
)""",
    """
SELECT verdict, ARRAY(SELECT id FROM page WHERE n <= :most ORDER BY n) AS session_ids,
       (SELECT cursor FROM page WHERE n = :most AND EXISTS (SELECT FROM page WHERE n > :most)
       ) AS next_cursor
FROM verdict
""",
)

# The rule of leave, applied to the student, for whom this leave is approved, and to a double, who
# has all their approved leave but this one and stands under its id. `ON_LEAVE` reads `leaves`.
_COVERED = Statement(
    """
leave AS MATERIALIZED (SELECT * FROM leaves WHERE id = :leave_id),
leaves AS MATERIALIZED (
    SELECT one.id AS student_id, l.id, l.class_id, l.first_day, l.last_day, l.by_session, l.kind,
           'approved' AS status, CASE WHEN l.status = 'approved' THEN l.decided_at END AS decided_at
    FROM leave JOIN leaves l USING (student_id)
    CROSS JOIN LATERAL (VALUES (leave.student_id), (leave.id)) one(id)
    WHERE CASE WHEN l.id = leave.id THEN one.id <> leave.id ELSE l.status = 'approved' END
),
sessions AS MATERIALIZED (
    SELECT class_id, id AS session_id, session_date AS day, start_time, end_time, status AS state
    FROM attendance_sessions WHERE id = ANY(:session_ids::uuid[])
),
enrolments AS MATERIALIZED (
    SELECT e.class_id, one.id AS student_id, e.periods
    FROM leave JOIN class_students e USING (student_id)
    CROSS JOIN LATERAL (VALUES (leave.student_id), (leave.id)) one(id)
)""",
    ON_LEAVE,
    """
said AS MATERIALIZED (
    SELECT s.class_id, s.session_id, e.student_id,
           CASE WHEN m.leave_id IS NULL THEN m.status ELSE m.said_status END AS status,
           CASE WHEN m.leave_id IS NULL THEN m.leave_kind END AS leave_kind,
           false AS recognized_by_ai, NULL::numeric AS similarity_score, NULL::text AS remark,
           NULL::text AS source, NULL::text AS note
    FROM sessions s JOIN enrolments e USING (class_id) CROSS JOIN leave
    LEFT JOIN attendance_statuses m ON m.class_id = s.class_id AND m.session_id = s.session_id
        AND m.student_id = leave.student_id
)""",
    SHOWN,
    """
marks AS (
    SELECT session_id, student_id, json_build_object(
        'mark', w.status, 'leaveKind', w.leave_kind,
        'counted', coalesce(k.counted, 0) > 0, 'attended', coalesce(k.attended, 0) * 0.01) AS mark
    FROM shown w JOIN sessions s USING (class_id, session_id) CROSS JOIN v_rules r
    CROSS JOIN LATERAL (
        SELECT ROW((w.status = 'present')::integer, (w.status = 'absent')::integer,
                   (w.status = 'late')::integer, (w.status = 'excused')::integer
               )::attendance_counts AS counts,
               (w.leave_kind IS NOT DISTINCT FROM 'on_duty')::integer AS on_duty
    ) n
    LEFT JOIN LATERAL (
        SELECT attendance_attended(r.rules, n.counts, n.on_duty) AS attended,
               attendance_counted(r.rules, n.counts, n.on_duty) AS counted
    ) k ON s.state <> 'cancelled'
)""",
    """
SELECT coalesce(json_agg(json_build_object(
    'sessionId', s.session_id, 'classId', s.class_id, 'code', c.code, 'section', c.section,
    'date', s.day, 'start', json_time(s.start_time), 'end', json_time(s.end_time),
    'status', s.state, 'withLeave', theirs.mark, 'withoutLeave', doubles.mark)
    ORDER BY s.day, s.start_time NULLS FIRST, s.session_id), '[]')::text AS document
FROM leave CROSS JOIN sessions s JOIN classes c ON c.id = s.class_id
JOIN marks theirs ON theirs.session_id = s.session_id AND theirs.student_id = leave.student_id
JOIN marks doubles ON doubles.session_id = s.session_id AND doubles.student_id = leave.id
""",
)


async def sessions(
    db: Database,
    actor: Actor,
    leave_id: UUID,
    limit: int,
    after: tuple[date, time | None, UUID] | None,
) -> Document[list[LeaveSession]]:
    """The sessions of the actor's classes that the leave covers, `limit` of them after `after`.

    Each has the student's mark with the leave approved, whether it is or not, and without it.
    """
    after_day, after_time, after_id = after or (None, None, None)
    page = await db.row(
        _PAGE,
        actor_id=actor.user_id,
        leave_id=leave_id,
        after_day=after_day,
        after_time=after_time,
        after_id=after_id,
        most=limit,
    )
    check(page, "leave")
    row = await db.row(_COVERED, leave_id=leave_id, session_ids=page["session_ids"])
    return Document(row["document"], next_cursor=page["next_cursor"])
