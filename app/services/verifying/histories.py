"""Whether histories lead to what is there.

Each is replayed by the views of `as_of`, at an instant after everything (`aims.as_of` is
`infinity`): these read the history, so what they show must be what the tables hold.
"""

from app.services.verifying.findings import FOUND, Check
from app.sql import Statement

VERSIONS_HAVE_NO_GAPS = Check(
    "The requests that changed a session's marks made its versions 1, 2, 3 and so on.",
    Statement(
        """
made AS (
    SELECT class_id, session_id, count(*) AS requests, min(version) AS first, max(version) AS last
    FROM attendance_batches WHERE class_id = ANY(:class_ids::uuid[])
    GROUP BY class_id, session_id
),
wrong AS (
    SELECT s.class_id, s.id AS session_id, NULL::uuid AS student_id, format(
        'the session is at version %s, and its requests are %s', s.version, CASE
            WHEN requests IS NULL THEN 'missing'
            ELSE format('%s, from version %s to %s', requests, first, last) END) AS what
    FROM attendance_sessions s
    LEFT JOIN made ON made.class_id = s.class_id AND made.session_id = s.id
    WHERE s.class_id = ANY(:class_ids) AND (s.version, s.version, least(s.version, 1))
          IS DISTINCT FROM (coalesce(requests, 0), coalesce(last, 0), coalesce(first, 0))
)""",
        FOUND,
    ),
)

# A merge of two records makes a version that may only move marks from one to the other.
MARKS_HAVE_A_REQUEST = Check(
    "Every mark was made by a request on record, and every such request made marks.",
    Statement(
        """
states AS MATERIALIZED (
    SELECT class_id, session_id, student_id, version, marked_by FROM attendance_statuses
    WHERE class_id = ANY(:class_ids::uuid[])
    UNION ALL
    SELECT class_id, session_id, student_id, version, marked_by FROM superseded_statuses
    WHERE class_id = ANY(:class_ids)
),
requests AS MATERIALIZED (SELECT * FROM attendance_batches WHERE class_id = ANY(:class_ids)),
wrong AS (
    SELECT class_id, session_id, student_id, CASE
        WHEN r.actor_id IS NULL THEN format('no request on record made version %s', version)
        ELSE format('version %s is by somebody else than its request', version) END AS what
    FROM states LEFT JOIN requests r USING (class_id, session_id, version)
    WHERE r.actor_id IS DISTINCT FROM marked_by
    UNION ALL
    SELECT class_id, session_id, NULL, format('the marks of version %s are gone', version)
    FROM requests r
    LEFT JOIN (SELECT DISTINCT class_id, session_id, version FROM states) made
        USING (class_id, session_id, version)
    LEFT JOIN (SELECT DISTINCT request_id FROM audit_log WHERE action = 'students_merged') merge
        USING (request_id)
    WHERE made.class_id IS NULL AND merge.request_id IS NULL
)""",
        FOUND,
    ),
)

HISTORIES_LEAD_TO_MARKS = Check(
    "The history of each mark leads to the mark that is there.",
    Statement(
        """
told AS MATERIALIZED (
    SELECT class_id, session_id, student_id, concat_ws(' ', status, source, leave_kind) AS mark
    FROM as_of.attendance_statuses WHERE class_id = ANY(:class_ids::uuid[])
),
stored AS MATERIALIZED (
    SELECT class_id, session_id, student_id, concat_ws(' ', status, source, leave_kind) AS mark
    FROM attendance_statuses WHERE class_id = ANY(:class_ids)
),
wrong AS (
    SELECT class_id, session_id, student_id, format('the history ends with %s, there is %s',
        coalesce(told.mark, 'no mark'), coalesce(stored.mark, 'no mark')) AS what
    FROM told FULL JOIN stored USING (class_id, session_id, student_id)
    WHERE told.mark IS DISTINCT FROM stored.mark
    UNION ALL
    SELECT class_id, session_id, student_id, format(
        'a past mark has version %s, the present one %s', old.version, m.version)
    FROM superseded_statuses old JOIN attendance_statuses m USING (class_id, session_id, student_id)
    WHERE class_id = ANY(:class_ids) AND old.recorded_for = student_id AND old.version >= m.version
)""",
        FOUND,
    ),
)

HISTORIES_LEAD_TO_ROSTERS = Check(
    "The history of each session and enrolment leads to what it is now.",
    Statement(
        """
wrong AS (
    SELECT s.class_id, s.id AS session_id, NULL::uuid AS student_id, format(
        'the history ends with %s, the session is %s', told.status, s.status) AS what
    FROM attendance_sessions s
    LEFT JOIN as_of.attendance_sessions told ON told.class_id = s.class_id AND told.id = s.id
    WHERE s.class_id = ANY(:class_ids::uuid[]) AND told.status IS DISTINCT FROM s.status
    UNION ALL
    SELECT e.class_id, NULL, e.student_id, format(
        'the history ends with the days %s, the enrolment has %s', told.periods, e.periods)
    FROM class_students e
    LEFT JOIN as_of.class_students told
        ON told.class_id = e.class_id AND told.student_id = e.student_id
    WHERE e.class_id = ANY(:class_ids) AND told.periods IS DISTINCT FROM e.periods
)""",
        FOUND,
    ),
)

HISTORY_LEADS_TO_POLICY = Check(
    "The history of the rules leads to those in force.",
    Statement(
        """
wrong AS (
    SELECT NULL::uuid AS class_id, NULL::uuid AS session_id, NULL::uuid AS student_id, format(
        'the history ends with %s, in force is %s', said.then, said.now) AS what
    FROM (SELECT (SELECT to_jsonb(rules) - 'updated_at' FROM as_of.v_rules) AS then,
                 (SELECT to_jsonb(p) - 'updated_at' FROM policy p) AS now) said
    WHERE said.then IS DISTINCT FROM said.now
)""",
        FOUND,
    ),
    at_once=True,
)
