"""What attendance was at an instant: sessions, marks, rosters and the policy of then.

A mark stands from when it was made until the one that replaced it was; sessions that were made
later are not there yet. Rosters are those of `enrolment_events`, and an enrolment of which these
know nothing is today's, as timetable, holidays and terms are. The rules are those of `policies`.
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
{_ENROLMENTS.format(at=at, ANY=ANY)}"""


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

# What the last event said; of two records that were merged, both. Of an enrolment that came into
# the database by another way nothing is known, and it is today's.
_ENROLMENTS = """
enrolments_then AS MATERIALIZED (
    SELECT e.class_id, e.student_id, CASE WHEN told.known THEN told.periods ELSE e.periods END
               AS periods
    FROM class_students e
    CROSS JOIN LATERAL (
        SELECT count(*) > 0 AS known, count(*) FILTER (WHERE since <= {at}) > 0 AS made,
               range_agg(periods) FILTER (WHERE since <= {at} AND last) AS periods
        FROM (
            SELECT since, periods, since = max(since) FILTER (WHERE since <= {at})
                       OVER (PARTITION BY recorded_for) AS last
            FROM enrolment_events v
            WHERE v.class_id = e.class_id AND v.student_id = e.student_id
        ) events
    ) told
    WHERE e.class_id {ANY} AND CASE WHEN told.known THEN told.made ELSE e.added_at <= {at} END
)"""
