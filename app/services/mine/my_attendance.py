"""A student's attendance in each of their classes, month by month, and "what if".

What counts, and where the line is, the views of migrations 0012, 0014 and 0015 say, as everywhere.
"""

from app.db import Database
from app.documents import Document
from app.schemas.mine import MyAttendance
from app.services.access import MY_CLASSES, STUDENT_VERDICT, StudentActor, check
from app.sql import Statement

# `OFFSET 0` has the figures of each class planned by itself; in one plan for all of them, the marks
# of everybody would be counted.
_ATTENDANCE = Statement(
    MY_CLASSES,
    STUDENT_VERDICT,
    """
months AS (
    SELECT class_id, json_agg(json_build_object(
        'month', month, 'held', counted, 'attended', attended * 0.01,
        'percentage', attendance_percentage(attended, counted)) ORDER BY month) AS months
    FROM (
        SELECT class_id, to_char(session_date, 'YYYY-MM') AS month,
               sum(attended)::bigint AS attended, sum(counted)::bigint AS counted
        FROM v_mark_counts
        WHERE student_id = (SELECT id FROM student)
          AND class_id = ANY(ARRAY(SELECT id FROM my_classes))
        GROUP BY class_id, month
    ) sums GROUP BY class_id
),
figures AS MATERIALIZED (
    SELECT c.id AS class_id, c.code, c.name, c.section, t.name AS term, r.rules, f.attended,
           f.counted, f.percentage, f.standing, f.sessions_needed, f.can_miss, m.meetings
    FROM my_classes c CROSS JOIN v_rules r
    LEFT JOIN terms t ON t.id = c.term_id
    LEFT JOIN v_meetings_left m ON m.class_id = c.id
    CROSS JOIN LATERAL (
        SELECT * FROM v_enrolment_attendance v
        WHERE v.class_id = c.id AND v.student_id = (SELECT id FROM student) OFFSET 0
    ) f
)""",
    """
SELECT verdict, (
    SELECT coalesce(
        json_agg(mine ORDER BY f.code COLLATE "C", f.section COLLATE "C", f.class_id), '[]')
    FROM figures f LEFT JOIN months USING (class_id)
    CROSS JOIN LATERAL (
        SELECT f.attended + 100 * coalesce(:attend, 0) AS attended,
               f.counted + coalesce(:attend, 0) + coalesce(:miss, 0) AS counted
    ) n
    CROSS JOIN LATERAL (
        SELECT f.class_id AS "classId", f.code, f.name, f.section, f.term, f.counted AS held,
               f.attended * 0.01 AS attended, f.percentage, f.standing,
               f.sessions_needed AS "sessionsNeeded", f.can_miss AS "canMiss",
               CASE WHEN f.meetings IS NOT NULL THEN attendance_percentage(
                   f.attended + 100 * f.meetings, f.counted + f.meetings) END AS "bestPossible",
               (f.rules).threshold, coalesce(months.months, '[]') AS months,
               CASE WHEN num_nonnulls(:attend::integer, :miss::integer) > 0
                    THEN json_build_object(
                        'attend', coalesce(:attend, 0), 'miss', coalesce(:miss, 0),
                        'percentage', attendance_percentage(n.attended, n.counted),
                        'standing', attendance_standing(f.rules, n.attended, n.counted),
                        'sessionsNeeded',
                        attendance_sessions_needed(f.rules, n.attended, n.counted),
                        'canMiss', attendance_can_miss(f.rules, n.attended, n.counted))
                    END AS "whatIf"
    ) mine
)::text AS document
FROM verdict
""",
)


async def attendance(
    db: Database, actor: StudentActor, attend: int | None, miss: int | None
) -> Document[list[MyAttendance]]:
    """The student's classes, by code and section.

    With `attend` or `miss`, what the figures would be after so many sessions more of each class.
    """
    row = await db.row(_ATTENDANCE, **actor.asks(), attend=attend, miss=miss)
    check(row)
    return Document(row["document"])
