"""What attendance was at an instant: sessions, marks, rosters and the policy of then.

A mark stands from when it was made until the one that replaced it was; sessions that were made
later are not there yet. Rosters are read from the audit log, and where it says nothing of an
enrolment (it came with other data, or from a record merged into this one) they are today's, as
timetable, holidays and terms are.
"""

from app.services.counting.figures import ANY, Source
from app.services.counting.policies import policy_at


def source_at(at: str) -> Source:
    """Where `history(at)` puts what was then."""
    return Source(
        "sessions_then", "marks_then", "enrolments_then", policy_at(at), f"(({at})::date)"
    )


def history(at: str) -> str:
    """From `shown`, the classes, to their `sessions_then`, `marks_then` and `enrolments_then`."""
    return f"""
sessions_then AS MATERIALIZED (
    SELECT s.class_id, s.id, s.session_date, s.start_time, coalesce((
        SELECT v.status FROM session_events v
        WHERE v.class_id = s.class_id AND v.session_id = s.id AND v.at <= {at}
        ORDER BY v.at DESC LIMIT 1), 'open') AS status
    FROM attendance_sessions s
    WHERE s.class_id {ANY} AND s.created_at <= {at}
),
{_MARKS.format(at=at)},
{_ENROLMENTS.format(at=at)}"""


# Of two records that were merged both may have had a mark: the one that stayed counts.
_STATE = "class_id, session_id, student_id, version, status, source, leave_kind, marked_at"
_MARKS = f"""
marks_then AS MATERIALIZED (
    SELECT * FROM (
        SELECT DISTINCT ON (class_id, session_id, student_id) *
        FROM (
            SELECT {_STATE}, false AS merged FROM attendance_statuses
            WHERE class_id {ANY}
            UNION ALL
            SELECT {_STATE}, recorded_for <> student_id FROM superseded_statuses
            WHERE class_id {ANY}
        ) states
        WHERE marked_at <= {{at}}
        ORDER BY class_id, session_id, student_id, merged, version DESC
    ) last
    WHERE status IS NOT NULL
)"""

# Each act names the last period that an enrolment then had. It left those before it as they
# were, and took the place of any that touched or followed its first day. Nobody wrote down what
# periods a record had that was merged into this one, so nothing is known then.
_ENROLMENTS = f"""
enrolments_then AS MATERIALIZED (
    SELECT e.class_id, e.student_id,
           CASE WHEN acts.known THEN acts.periods ELSE e.periods END AS periods
    FROM class_students e
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_and(action <> 'students_merged'), false) AS known,
               count(*) FILTER (WHERE at <= {{at}}) > 0 AS made,
               coalesce(range_agg(period) FILTER (WHERE at <= {{at}} AND (
                   next_first IS NULL OR upper(period) < next_first)), '{{{{}}}}') AS periods
        FROM (
            SELECT l.at, l.action, CASE WHEN first_day > '-infinity'
                              THEN daterange(first_day, last_day, '[]') END AS period,
                   min(first_day) FILTER (WHERE l.at <= {{at}}) OVER (
                       ORDER BY l.at DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ) AS next_first
            FROM audit_log l
            CROSS JOIN LATERAL (
                SELECT coalesce((l.details->>'firstDay')::date, '-infinity') AS first_day,
                       (l.details->>'lastDay')::date AS last_day
            ) said
            WHERE l.subject_id = e.student_id
              AND (l.action = 'students_merged' OR (
                  l.action IN ('student_enrolled', 'student_withdrawn', 'enrolment_changed')
                  AND l.details->>'classId' = e.class_id::text))
        ) act
    ) acts
    WHERE e.class_id {ANY} AND CASE WHEN acts.known THEN acts.made ELSE e.added_at <= {{at}} END
)"""
