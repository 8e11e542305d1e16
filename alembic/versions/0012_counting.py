"""Views that count attendance, views of the tables at an earlier instant, and columns for what
leave hid beneath replaced marks.

Revision: 0012, after 0011

The views define once what a mark counts for and how a student's standing follows. The schema
`as_of` has views named like the tables they replace, which show them as they were at the instant
in the setting `aims.as_of`, and the same counting views over these, made from the same text. With
`search_path = as_of, public`, a statement about the present answers about the past.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

RULES = "CREATE VIEW v_rules AS SELECT p AS rules, current_date AS today FROM policy p"

# Marks counted by status. Counts are passed on as one value of this type, so that a new status is
# added here and to the counting functions, but to no statement.
COUNTS = """
CREATE TYPE attendance_counts AS (present bigint, absent bigint, late bigint, excused bigint)
"""

ATTENDED = """
CREATE FUNCTION attendance_attended(p policy, k attendance_counts, on_duty bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT attendance_attended(p, k.present, k.late, k.excused, on_duty)
$$
"""

COUNTED = """
CREATE FUNCTION attendance_counted(p policy, k attendance_counts, on_duty bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT attendance_counted(p, k.present, k.absent, k.late, k.excused, on_duty)
$$
"""

NONE = """
CREATE FUNCTION attendance_no_counts() RETURNS attendance_counts
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT ROW(0, 0, 0, 0)::attendance_counts $$
"""

ADDED = """
CREATE FUNCTION attendance_counts_added(a attendance_counts, b attendance_counts)
RETURNS attendance_counts LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ROW(a.present + b.present, a.absent + b.absent, a.late + b.late,
               a.excused + b.excused)::attendance_counts
$$
"""

SUM = """
CREATE AGGREGATE sum(attendance_counts) (
    SFUNC = attendance_counts_added, STYPE = attendance_counts, INITCOND = '(0,0,0,0)')
"""

# Each status is counted by its name: one forgotten here would only be part of `total`.
_TALLY = """
           count(*) FILTER (WHERE m.status = 'present') AS present,
           count(*) FILTER (WHERE m.status = 'absent') AS absent,
           count(*) FILTER (WHERE m.status = 'late') AS late,
           count(*) FILTER (WHERE m.status = 'excused') AS excused,
           count(*) FILTER (WHERE m.leave_kind = 'on_duty') AS on_duty,
           count(m.status) AS total"""
_BY_THE_RULES = """
       attendance_attended(r.rules, n.counts, t.on_duty) AS attended,
       attendance_counted(r.rules, n.counts, t.on_duty) AS counted, n.counts"""
_AS_ONE = """CROSS JOIN v_rules r CROSS JOIN LATERAL (
    SELECT ROW(t.present, t.absent, t.late, t.excused)::attendance_counts AS counts) n"""

# There are few cancelled sessions, and looking them up costs a tenth of joining all sessions.
ATTENDANCE_COUNTS = f"""
CREATE OR REPLACE VIEW v_attendance_counts AS
SELECT t.*,{_BY_THE_RULES}
FROM (
    SELECT m.class_id, m.student_id,{_TALLY}
    FROM attendance_statuses m
    WHERE NOT EXISTS (
        SELECT FROM attendance_sessions s
        WHERE s.class_id = m.class_id AND s.id = m.session_id AND s.status = 'cancelled')
    GROUP BY m.class_id, m.student_id
) t {_AS_ONE}
"""

SESSION_COUNTS = f"""
CREATE VIEW v_session_counts AS
SELECT t.*,{_BY_THE_RULES}
FROM (
    SELECT s.class_id, s.id AS session_id,{_TALLY}
    FROM attendance_sessions s
    LEFT JOIN attendance_statuses m ON m.class_id = s.class_id AND m.session_id = s.id
    GROUP BY s.class_id, s.id
) t {_AS_ONE}
"""

SESSIONS_HELD = """
CREATE VIEW v_sessions_held AS
SELECT class_id, count(*) AS sessions,
       daterange(min(session_date), max(session_date), '[]') AS days,
       array_agg(id ORDER BY session_date DESC, start_time DESC NULLS LAST) AS newest_first
FROM attendance_sessions
WHERE status <> 'cancelled'
GROUP BY class_id
"""

# Marks from leave do not mean that attendance was taken.
SESSIONS = """
CREATE VIEW v_sessions AS
SELECT s.class_id, s.id, s.session_date, s.start_time, CASE
           WHEN s.status = 'cancelled' THEN 'cancelled'
           WHEN s.status = 'finalised' OR EXISTS (
               SELECT FROM attendance_statuses m
               WHERE m.class_id = s.class_id AND m.session_id = s.id AND m.source <> 'leave')
           THEN 'taken' ELSE 'open' END AS state
FROM attendance_sessions s
"""

# Most students were enrolled all the time and came to the last session, and for them nothing else
# is read. Subqueries, since a join would read the marks by class only; `OFFSET 0`, since otherwise
# each expression on the numbers would compute them again.
ENROLMENT_ATTENDANCE = """
CREATE OR REPLACE VIEW v_enrolment_attendance AS
SELECT e.class_id, e.student_id, s.roll_key, s.roll_no, s.name,
       e.periods && daterange(r.today, NULL) AS enrolled,
       (n.counts).present, (n.counts).absent, (n.counts).late, (n.counts).excused, n.total,
       attendance_percentage(n.attended, n.counted) AS percentage,
       n.counted, n.attended, n.on_duty, n.counts,
       attendance_standing(r.rules, n.attended, n.counted) AS standing,
       attendance_sessions_needed(r.rules, n.attended, n.counted) AS sessions_needed,
       attendance_can_miss(r.rules, n.attended, n.counted) AS can_miss,
       CASE WHEN (n.counts).absent = 0 OR (
           SELECT m.status FROM attendance_statuses m
           WHERE m.class_id = e.class_id AND m.session_id = held.newest_first[1]
             AND m.student_id = e.student_id) <> 'absent'
       THEN 0 ELSE (
           SELECT count((
               SELECT 1 FROM attendance_statuses m
               WHERE m.class_id = e.class_id AND m.session_id = d.id
                 AND m.student_id = e.student_id))
           FROM unnest(held.newest_first[1 : coalesce((
               SELECT d.place - 1 FROM unnest(held.newest_first) WITH ORDINALITY d(id, place)
               WHERE (SELECT m.status FROM attendance_statuses m
                      WHERE m.class_id = e.class_id AND m.session_id = d.id
                        AND m.student_id = e.student_id) <> 'absent'
               ORDER BY d.place LIMIT 1), held.sessions)]) d(id)
       ) END AS absent_in_a_row,
       CASE WHEN held.class_id IS NULL THEN 0
            WHEN e.periods @> held.days THEN held.sessions - n.total
            ELSE (
                SELECT count(*) FROM attendance_sessions h
                WHERE h.class_id = e.class_id AND h.status <> 'cancelled'
                  AND e.periods @> h.session_date AND NOT EXISTS (
                      SELECT FROM attendance_statuses m
                      WHERE m.class_id = h.class_id AND m.session_id = h.id
                        AND m.student_id = e.student_id))
       END AS unmarked
FROM class_students e
JOIN students s ON s.id = e.student_id
CROSS JOIN v_rules r
LEFT JOIN v_attendance_counts k ON k.class_id = e.class_id AND k.student_id = e.student_id
LEFT JOIN v_sessions_held held ON held.class_id = e.class_id
CROSS JOIN LATERAL (
    SELECT coalesce(k.counts, attendance_no_counts()) AS counts, coalesce(k.on_duty, 0) AS on_duty,
           coalesce(k.total, 0) AS total, coalesce(k.attended, 0) AS attended,
           coalesce(k.counted, 0) AS counted
    OFFSET 0
) n
"""

COUNTING = (ATTENDANCE_COUNTS, SESSION_COUNTS, SESSIONS, SESSIONS_HELD, ENROLMENT_ATTENDANCE)

# An error, rather than today's figures, if no instant is set.
INSTANT = """
CREATE FUNCTION as_of.instant() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT current_setting('aims.as_of')::timestamptz
$$
"""

RULES_THEN = """
CREATE VIEW as_of.v_rules AS
SELECT ROW(true, threshold, late_weight, excused, on_duty, minimum_sessions, since)::policy AS rules,
       as_of.instant()::date AS today
FROM policies WHERE since <= as_of.instant()
ORDER BY since DESC LIMIT 1
"""

SESSIONS_THEN = """
CREATE VIEW as_of.attendance_sessions AS
SELECT s.class_id, s.id, s.session_date, s.start_time, coalesce((
           SELECT v.status FROM session_events v
           WHERE v.class_id = s.class_id AND v.session_id = s.id AND v.at <= as_of.instant()
           ORDER BY v.at DESC LIMIT 1), 'open') AS status
FROM attendance_sessions s
WHERE s.created_at <= as_of.instant()
"""

# A mark is valid from when it was made until it was replaced. If two records were merged, both may
# have had one: the mark of the record that was kept counts.
_STATE = "class_id, session_id, student_id, version, status, source, leave_kind, marked_at"
MARKS_THEN = f"""
CREATE VIEW as_of.attendance_statuses AS
SELECT class_id, session_id, student_id, status, source, leave_kind
FROM (
    SELECT DISTINCT ON (class_id, session_id, student_id) *
    FROM (
        SELECT {_STATE}, false AS merged FROM attendance_statuses
        UNION ALL
        SELECT {_STATE}, recorded_for <> student_id FROM superseded_statuses
    ) states
    WHERE marked_at <= as_of.instant()
    ORDER BY class_id, session_id, student_id, merged, version DESC
) last
WHERE status IS NOT NULL
"""

# The periods of the last event; if two records were merged, of both. An enrolment without events,
# which was inserted by other means, is taken as it is today.
ENROLMENTS_THEN = """
CREATE VIEW as_of.class_students AS
SELECT e.class_id, e.student_id,
       CASE WHEN told.known THEN told.periods ELSE e.periods END AS periods
FROM class_students e
CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS known, count(*) FILTER (WHERE since <= as_of.instant()) > 0 AS made,
           range_agg(periods) FILTER (WHERE since <= as_of.instant() AND last) AS periods
    FROM (
        SELECT since, periods, since = max(since) FILTER (WHERE since <= as_of.instant())
                   OVER (PARTITION BY recorded_for) AS last
        FROM enrolment_events v
        WHERE v.class_id = e.class_id AND v.student_id = e.student_id
    ) events
) told
WHERE CASE WHEN told.known THEN told.made ELSE e.added_at <= as_of.instant() END
"""

THEN = (RULES_THEN, SESSIONS_THEN, MARKS_THEN, ENROLMENTS_THEN)

# Weekly slots and reschedules as the API writes them.
SLOT_JSON = """
CREATE FUNCTION slot_json(s class_schedules) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time))
$$
"""

MOVE_JSON = """
CREATE FUNCTION move_json(r class_reschedules) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object(
        'id', r.id, 'originalDate', r.original_date,
        'originalStartTime', json_time(r.original_start_time),
        'originalEndTime', json_time(r.original_end_time),
        'rescheduledDate', r.rescheduled_date,
        'rescheduledStartTime', json_time(r.rescheduled_start_time),
        'rescheduledEndTime', json_time(r.rescheduled_end_time),
        'reason', r.reason)
$$
"""

# The other end of a moved meeting, or null if it was not moved.
MEETING_JSON = """
CREATE FUNCTION meeting_json(day date, starts time, ends time) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN day IS NOT NULL THEN json_build_object(
        'date', day, 'start', json_time(starts), 'end', json_time(ends)) END
$$
"""

# When a class meets: weekly slots, and meetings that were moved to a day.
TIMETABLE = """
CREATE VIEW v_timetable AS
SELECT class_id, day_of_week, NULL::date AS day, start_time, end_time, NULL::json AS moved_from
FROM class_schedules
UNION ALL
SELECT class_id, NULL, rescheduled_date, rescheduled_start_time, rescheduled_end_time,
       meeting_json(original_date, original_start_time, original_end_time)
FROM class_reschedules
"""

# The term that covers today: of several the one that began last; if there is none, the latest.
CURRENT_TERM = """
CREATE VIEW v_current_term AS
SELECT id, name, first_day, last_day FROM terms
ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC, name
LIMIT 1
"""

# Whether a class belongs to the requested term: its id as text, `all`, or `current`, which
# includes classes without a term.
OF_TERM = """
CREATE FUNCTION of_term(term_id uuid, asked text, current_id uuid) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE asked WHEN 'all' THEN true
                      WHEN 'current' THEN term_id IS NULL OR term_id = current_id
                      ELSE term_id::text = asked END
$$
"""

_SAID = (
    ("said_status", sa.Text()),
    ("said_score", sa.Numeric(5, 2)),
    ("said_remark", sa.Text()),
    ("said_source", sa.Text()),
)

FUNCTIONS = {
    "attendance_attended(policy, attendance_counts, bigint)": ATTENDED,
    "attendance_counted(policy, attendance_counts, bigint)": COUNTED,
    "attendance_no_counts()": NONE,
    "attendance_counts_added(attendance_counts, attendance_counts)": ADDED,
    "slot_json(class_schedules)": SLOT_JSON,
    "move_json(class_reschedules)": MOVE_JSON,
    "meeting_json(date, time, time)": MEETING_JSON,
    "of_term(uuid, text, uuid)": OF_TERM,
}

# As created by migration 0006.
FORMER_ATTENDANCE_COUNTS = """
CREATE VIEW v_attendance_counts AS
SELECT m.class_id, m.student_id,
       count(*) FILTER (WHERE m.status = 'present') AS present,
       count(*) FILTER (WHERE m.status = 'absent') AS absent,
       count(*) FILTER (WHERE m.status = 'late') AS late,
       count(*) FILTER (WHERE m.status = 'excused') AS excused,
       count(*) FILTER (WHERE m.status = 'excused' AND m.leave_kind = 'on_duty') AS on_duty,
       count(*) AS total
FROM attendance_statuses m
WHERE NOT EXISTS (
    SELECT FROM attendance_sessions s
    WHERE s.class_id = m.class_id AND s.id = m.session_id AND s.status = 'cancelled')
GROUP BY m.class_id, m.student_id
"""

FORMER_ENROLMENT_ATTENDANCE = """
CREATE VIEW v_enrolment_attendance AS
SELECT e.class_id, e.student_id, s.roll_key, s.roll_no, s.name,
       e.periods && daterange(current_date, NULL) AS enrolled,
       n.present, n.absent, n.late, n.excused, n.total,
       CASE WHEN n.counted > 0
            THEN round(n.attended::numeric / n.counted, 2)
            ELSE 0.00 END AS percentage,
       n.counted, n.attended, n.on_duty
FROM class_students e
JOIN students s ON s.id = e.student_id
LEFT JOIN v_attendance_counts m ON m.class_id = e.class_id AND m.student_id = e.student_id
CROSS JOIN policy p
CROSS JOIN LATERAL (
    SELECT coalesce(m.present, 0) AS present, coalesce(m.absent, 0) AS absent,
           coalesce(m.late, 0) AS late, coalesce(m.excused, 0) AS excused,
           coalesce(m.on_duty, 0) AS on_duty, coalesce(m.total, 0) AS total,
           coalesce(
               attendance_attended(p, m.present, m.late, m.excused, m.on_duty), 0) AS attended,
           coalesce(attendance_counted(
               p, m.present, m.absent, m.late, m.excused, m.on_duty), 0) AS counted
) n
"""

STUDENT_SUMMARY = """
CREATE VIEW v_student_attendance_summary AS
SELECT class_id, student_id, roll_no, name, present, absent, late, excused, total, percentage
FROM v_enrolment_attendance
WHERE enrolled
"""


def upgrade() -> None:
    for name, kind in _SAID:
        op.add_column("superseded_statuses", sa.Column(name, kind, nullable=True))
    op.execute(COUNTS)
    for statement in (*FUNCTIONS.values(), SUM, TIMETABLE, CURRENT_TERM, RULES, *COUNTING):
        op.execute(statement)
    op.execute("CREATE SCHEMA as_of")
    for statement in (INSTANT, *THEN):
        op.execute(statement)
    op.execute("SET LOCAL search_path = as_of, public")
    for statement in COUNTING:
        op.execute(statement)
    op.execute("SET LOCAL search_path TO DEFAULT")


def downgrade() -> None:
    op.execute("DROP SCHEMA as_of CASCADE")
    for view in (
        *("v_student_attendance_summary", "v_enrolment_attendance", "v_attendance_counts"),
        *("v_session_counts", "v_sessions", "v_sessions_held", "v_rules", "v_current_term"),
        "v_timetable",
    ):
        op.execute(f"DROP VIEW {view}")
    for statement in (FORMER_ATTENDANCE_COUNTS, FORMER_ENROLMENT_ATTENDANCE, STUDENT_SUMMARY):
        op.execute(statement)
    op.execute("DROP AGGREGATE sum(attendance_counts)")
    for signature in FUNCTIONS:
        op.execute(f"DROP FUNCTION {signature}")
    op.execute("DROP TYPE attendance_counts")
    for name, _ in _SAID:
        op.drop_column("superseded_statuses", name)
