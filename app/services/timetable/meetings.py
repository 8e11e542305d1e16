"""When classes meet: how weekly slots and reschedules become meetings on dates."""

from app.sql import Relations

MAX_DAYS = 400  # of one request for meetings

# From `days` (class_id, day), the meetings planned on them. A slot of the weekday that was moved
# away has `moved_to`, as the API writes it; a meeting moved to the day has `moved_from`.
MEETINGS = """
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
)"""

# From `shown`, the classes, the number of meetings that each has left in its term (migration 0015).
REMAINING = """
remaining AS MATERIALIZED (
    SELECT * FROM v_meetings_left WHERE class_id = ANY(ARRAY(SELECT id FROM shown))
)"""

# From `shown`, the classes, and `span`, the dates, `judged`: their occurrences, each with its
# `state` at `:now` and its session.
#
# A session belongs to the meeting that begins at its time. Only if there is none, it belongs to a
# slot moved away: it was held before the move. A meeting never ends before its start, even if the
# clocks go forward over one of the two.
JUDGED: Relations = (
    """
dates AS MATERIALIZED (
    SELECT span.first + n AS day, (
        SELECT h.name FROM holidays h WHERE span.first + n BETWEEN h.first_day AND h.last_day
        ORDER BY h.first_day DESC, h.name LIMIT 1) AS holiday
    FROM span CROSS JOIN generate_series(0, span.last - span.first) n
),
days AS MATERIALIZED (
    SELECT c.id AS class_id, c.code, c.name, c.section, d.day, d.holiday
    FROM shown c LEFT JOIN terms t ON t.id = c.term_id
    JOIN dates d ON d.day >= coalesce(t.first_day, d.day) AND d.day <= coalesce(t.last_day, d.day)
)""",
    MEETINGS,
    """
timed AS MATERIALIZED (
    SELECT m.*, wall_instant(day + start_time) AS starts_at,
           greatest(wall_instant(day + start_time), wall_instant(day + end_time)) AS ends_at,
           bool_or(moved_to IS NULL) OVER (PARTITION BY class_id, day, start_time) AS meets
    FROM meetings m
),
judged AS (
    SELECT m.*, s.id AS session_id, CASE WHEN s.state <> 'open' THEN s.state
               WHEN m.moved_to IS NOT NULL THEN 'moved'
               WHEN m.holiday IS NOT NULL THEN 'holiday'
               WHEN :now < m.starts_at THEN 'upcoming'
               WHEN :now < m.ends_at THEN 'in_progress'
               ELSE 'missing' END AS state
    FROM timed m LEFT JOIN LATERAL (
        SELECT s.id, s.state FROM v_sessions s
        WHERE s.class_id = m.class_id AND s.session_date = m.day AND s.start_time = m.start_time
          AND (m.moved_to IS NULL OR NOT m.meets) LIMIT 1
    ) s ON true
)""",
)

# The slots of a class (`:class_id`) on a date (`:day`): those of its weekday that were not moved
# away, and those moved to it.
SLOTS_ON_DAY: Relations = (
    "days AS (SELECT :class_id::uuid AS class_id, :day::date AS day)",
    MEETINGS,
    "slots_on_day AS (SELECT start_time, end_time FROM meetings WHERE moved_to IS NULL)",
)
