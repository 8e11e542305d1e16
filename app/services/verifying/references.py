"""Whether rows belong to what they name.

Most of it is kept by foreign keys; a backup that was restored with triggers off may have broken
these, and some columns have none, for speed.
"""

from app.services.verifying.findings import FOUND, Check
from app.sql import Statement

MARKS_HAVE_A_PLACE = Check(
    "Every mark, present or past, is of a student of the class in one of its sessions.",
    Statement(
        """
marks AS NOT MATERIALIZED (
    SELECT class_id, session_id, student_id FROM attendance_statuses
    UNION ALL
    SELECT class_id, session_id, student_id FROM superseded_statuses
),
wrong AS (
    SELECT m.*, 'the student is not enrolled in the class' AS what
    FROM marks m
    WHERE m.class_id = ANY(:class_ids::uuid[]) AND NOT EXISTS (
        SELECT FROM class_students e
        WHERE e.class_id = m.class_id AND e.student_id = m.student_id)
    UNION ALL
    SELECT m.*, 'the class has no such session'
    FROM marks m
    WHERE m.class_id = ANY(:class_ids) AND NOT EXISTS (
        SELECT FROM attendance_sessions s WHERE s.class_id = m.class_id AND s.id = m.session_id)
)""",
        FOUND,
    ),
)

NAMES_LEAD_SOMEWHERE = Check(
    "What has no foreign key names a class, session, leave or user that is there.",
    Statement(
        """
wrong AS (
    SELECT m.class_id, m.session_id, m.student_id, 'a past mark of a class that is gone' AS what
    FROM superseded_statuses m WHERE NOT EXISTS (SELECT FROM classes c WHERE c.id = m.class_id)
    UNION ALL
    SELECT m.class_id, m.session_id, m.student_id, 'the mark is by a user who is gone'
    FROM attendance_statuses m WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = m.marked_by)
    UNION ALL
    SELECT m.class_id, m.session_id, m.student_id, 'a past mark is by a user who is gone'
    FROM superseded_statuses m WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = m.marked_by)
    UNION ALL
    SELECT m.class_id, m.session_id, m.student_id, 'the mark is excused by leave that is gone'
    FROM attendance_statuses m
    WHERE m.leave_id IS NOT NULL AND NOT EXISTS (SELECT FROM leaves l WHERE l.id = m.leave_id)
    UNION ALL
    SELECT NULL, ls.session_id, l.student_id, 'leave is for a session that is gone'
    FROM leave_sessions ls JOIN leaves l ON l.id = ls.leave_id
    WHERE NOT EXISTS (SELECT FROM attendance_sessions s WHERE s.id = ls.session_id)
)""",
        FOUND,
    ),
    at_once=True,
)
