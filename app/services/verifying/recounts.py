"""Whether the statistics are what one gets by going through the marks one by one."""

from app.services.verifying.findings import FOUND, Check
from app.sql import Statement

# What each mark is worth, in hundredths of a session, and how many sessions it counts for; `back`
# numbers a student's marks from the latest. Written from docs/attendance-rules.md.
_WORTH = """
marks AS MATERIALIZED (
    SELECT m.class_id, m.session_id, m.student_id, m.status, s.status <> 'cancelled' AS held,
           CASE m.status WHEN 'present' THEN 100 WHEN 'late' THEN p.late_weight
                         WHEN 'excused' THEN CASE way WHEN 'present' THEN 100 ELSE 0 END
                         ELSE 0 END AS worth,
           CASE WHEN m.status = 'excused' AND way = 'excluded' THEN 0 ELSE 1 END AS counts,
           row_number() OVER (PARTITION BY m.class_id, m.student_id, s.status <> 'cancelled'
               ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST) AS back
    FROM attendance_statuses m
    JOIN attendance_sessions s ON s.class_id = m.class_id AND s.id = m.session_id
    CROSS JOIN policy p
    CROSS JOIN LATERAL (
        SELECT CASE m.leave_kind WHEN 'on_duty' THEN p.on_duty ELSE p.excused END AS way) w
    WHERE m.class_id = ANY(:class_ids::uuid[])
)"""

# One class after the other: of several, the view would count the marks of all there are.
_NUMBERS = """
numbers AS MATERIALIZED (
    SELECT v.* FROM unnest(:class_ids::uuid[]) c(id) CROSS JOIN LATERAL (
        SELECT * FROM v_enrolment_attendance e WHERE e.class_id = c.id OFFSET 0) v
)"""

# From `sides`, what a view says and what a recount says, the numbers in which they differ.
_DIFFERING = """
wrong AS (
    SELECT class_id, session_id, student_id, (
        SELECT string_agg(format('%s is %s, recounted %s', key, s.value, r.value), '; '
                          ORDER BY key)
        FROM jsonb_each_text(said) s JOIN jsonb_each_text(recounted) r USING (key)
        WHERE s.value::numeric IS DISTINCT FROM r.value::numeric) AS what
    FROM sides WHERE said <> recounted
)"""

STUDENTS_ARE_COUNTED = Check(
    "The numbers of each student in each class equal a recount of the marks.",
    Statement(
        _WORTH,
        _NUMBERS,
        """
sums AS MATERIALIZED (
    SELECT class_id, student_id, sum((status = 'present')::integer) AS present,
           sum((status = 'absent')::integer) AS absent, sum((status = 'late')::integer) AS late,
           sum((status = 'excused')::integer) AS excused, count(*) AS total,
           sum(worth) AS attended, sum(counts) AS counted,
           coalesce(min(back) FILTER (WHERE status <> 'absent') - 1, count(*)) AS absent_in_a_row
    FROM marks WHERE held GROUP BY class_id, student_id
),
gaps AS MATERIALIZED (
    SELECT e.class_id, e.student_id, count(*) AS unmarked
    FROM class_students e
    JOIN attendance_sessions s ON s.class_id = e.class_id AND s.status <> 'cancelled'
        AND e.periods @> s.session_date
    LEFT JOIN marks m ON m.class_id = s.class_id AND m.session_id = s.id
        AND m.student_id = e.student_id
    WHERE e.class_id = ANY(:class_ids) AND m.status IS NULL
    GROUP BY e.class_id, e.student_id
),
sides AS (
    SELECT v.class_id, NULL::uuid AS session_id, v.student_id, jsonb_build_object(
        'present', v.present, 'absent', v.absent, 'late', v.late, 'excused', v.excused,
        'total', v.total, 'attended', v.attended, 'counted', v.counted,
        'percentage', v.percentage, 'absent in a row', v.absent_in_a_row,
        'unmarked', v.unmarked) AS said, jsonb_build_object(
        'present', coalesce(n.present, 0), 'absent', coalesce(n.absent, 0),
        'late', coalesce(n.late, 0), 'excused', coalesce(n.excused, 0),
        'total', coalesce(n.total, 0), 'attended', coalesce(n.attended, 0),
        'counted', coalesce(n.counted, 0),
        'percentage', coalesce(round((200 * n.attended + n.counted)::bigint
            / nullif(2 * n.counted, 0)::bigint / 100.0, 2), 0),
        'absent in a row', coalesce(n.absent_in_a_row, 0),
        'unmarked', coalesce(gaps.unmarked, 0)) AS recounted
    FROM numbers v
    LEFT JOIN sums n USING (class_id, student_id)
    LEFT JOIN gaps USING (class_id, student_id)
)""",
        _DIFFERING,
        FOUND,
    ),
)

SESSIONS_ARE_COUNTED = Check(
    "The numbers of each session equal a recount of its marks.",
    Statement(
        _WORTH,
        """
sums AS MATERIALIZED (
    SELECT class_id, session_id, sum((status = 'present')::integer) AS present,
           sum((status = 'absent')::integer) AS absent, sum((status = 'late')::integer) AS late,
           sum((status = 'excused')::integer) AS excused, count(*) AS total,
           sum(worth) AS attended, sum(counts) AS counted
    FROM marks GROUP BY class_id, session_id
),
sides AS (
    SELECT v.class_id, v.session_id, NULL::uuid AS student_id, jsonb_build_object(
        'present', v.present, 'absent', v.absent, 'late', v.late, 'excused', v.excused,
        'total', v.total, 'attended', v.attended, 'counted', v.counted) AS said,
        jsonb_build_object(
        'present', coalesce(n.present, 0), 'absent', coalesce(n.absent, 0),
        'late', coalesce(n.late, 0), 'excused', coalesce(n.excused, 0),
        'total', coalesce(n.total, 0), 'attended', coalesce(n.attended, 0),
        'counted', coalesce(n.counted, 0)) AS recounted
    FROM v_session_counts v LEFT JOIN sums n USING (class_id, session_id)
    WHERE v.class_id = ANY(:class_ids)
)""",
        _DIFFERING,
        FOUND,
    ),
)
