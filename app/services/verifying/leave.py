"""Whether leave shows where it should."""

from app.services.verifying.findings import FOUND, Check
from app.sql import Statement

# Written from docs/attendance-rules.md and not from the relations that apply leave, which it is
# to find mistakes of.
LEAVE_SHOWS = Check(
    "Approved leave excuses the absences that it covers, and nothing else is excused by leave.",
    Statement(
        """
covered AS MATERIALIZED (
    SELECT s.class_id, s.id AS session_id, e.student_id, e.periods @> s.session_date AS enrolled,
           (array_agg(l.id ORDER BY l.decided_at, l.id))[1] AS first_leave
    FROM leaves l
    JOIN class_students e ON e.student_id = l.student_id
        AND (l.class_id IS NULL OR l.class_id = e.class_id)
    JOIN attendance_sessions s ON s.class_id = e.class_id
        AND s.session_date BETWEEN l.first_day AND l.last_day
    WHERE l.status = 'approved' AND e.class_id = ANY(:class_ids::uuid[])
      AND (NOT l.by_session OR s.id IN (
          SELECT session_id FROM leave_sessions ls WHERE ls.leave_id = l.id))
    GROUP BY s.class_id, s.id, e.student_id, e.periods
),
marks AS MATERIALIZED (SELECT * FROM attendance_statuses WHERE class_id = ANY(:class_ids)),
judged AS (
    SELECT class_id, session_id, student_id, CASE
        WHEN m.status IS NULL AND enrolled THEN 'no mark, in spite of approved leave'
        WHEN m.leave_id IS NULL AND m.status = 'absent' THEN 'absent, in spite of approved leave'
        WHEN m.leave_id <> first_leave THEN 'excused by other leave than that approved first'
        WHEN m.leave_id IS NOT NULL AND m.said_status IS NULL AND NOT enrolled
        THEN 'excused by leave on a day without enrolment'
        WHEN m.leave_id IS NOT NULL AND (m.status, m.leave_kind) IS DISTINCT FROM (
            'excused', (SELECT kind FROM leaves l WHERE l.id = m.leave_id))
        THEN format('%s (%s), which is not what the leave says', m.status, m.leave_kind)
        END AS what
    FROM covered LEFT JOIN marks m USING (class_id, session_id, student_id)
    UNION ALL
    SELECT class_id, session_id, student_id, 'excused by leave that is not approved for it'
    FROM marks m LEFT JOIN covered c USING (class_id, session_id, student_id)
    WHERE m.leave_id IS NOT NULL AND c.first_leave IS NULL
),
wrong AS (SELECT * FROM judged WHERE what IS NOT NULL)""",
        FOUND,
    ),
)
