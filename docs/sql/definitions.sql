-- 0012_counting.py
CREATE VIEW as_of.attendance_sessions AS
SELECT s.class_id, s.id, s.session_date, s.start_time, coalesce((
           SELECT v.status FROM session_events v
           WHERE v.class_id = s.class_id AND v.session_id = s.id AND v.at <= as_of.instant()
           ORDER BY v.at DESC LIMIT 1), 'open') AS status
FROM attendance_sessions s
WHERE s.created_at <= as_of.instant();

-- 0012_counting.py
CREATE VIEW as_of.attendance_statuses AS
SELECT class_id, session_id, student_id, status, source, leave_kind
FROM (
    SELECT DISTINCT ON (class_id, session_id, student_id) *
    FROM (
        SELECT class_id, session_id, student_id, version, status, source, leave_kind, marked_at, false AS merged FROM attendance_statuses
        UNION ALL
        SELECT class_id, session_id, student_id, version, status, source, leave_kind, marked_at, recorded_for <> student_id FROM superseded_statuses
    ) states
    WHERE marked_at <= as_of.instant()
    ORDER BY class_id, session_id, student_id, merged, version DESC
) last
WHERE status IS NOT NULL;

-- 0012_counting.py
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
WHERE CASE WHEN told.known THEN told.made ELSE e.added_at <= as_of.instant() END;

-- 0012_counting.py
CREATE FUNCTION as_of.instant() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT current_setting('aims.as_of')::timestamptz
$$;

-- 0012_counting.py
CREATE VIEW as_of.v_rules AS
SELECT ROW(true, threshold, late_weight, excused, on_duty, minimum_sessions, since)::policy AS rules,
       as_of.instant()::date AS today
FROM policies WHERE since <= as_of.instant()
ORDER BY since DESC LIMIT 1;

-- 0012_counting.py
CREATE FUNCTION attendance_attended(p policy, k attendance_counts, on_duty bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT attendance_attended(p, k.present, k.late, k.excused, on_duty)
$$;

-- 0006_policy.py
CREATE FUNCTION attendance_below(p policy, attended bigint, counted bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT counted > 0 AND counted >= p.minimum_sessions
       AND attended * 100 < p.threshold * counted
$$;

-- 0007_standing.py
CREATE FUNCTION attendance_can_miss(p policy, attended bigint, counted bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p.threshold > 0
                THEN greatest(attended * 100 / p.threshold - counted, 0) END
$$;

-- 0012_counting.py
CREATE FUNCTION attendance_counted(p policy, k attendance_counts, on_duty bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT attendance_counted(p, k.present, k.absent, k.late, k.excused, on_duty)
$$;

-- 0012_counting.py
CREATE TYPE attendance_counts AS (present bigint, absent bigint, late bigint, excused bigint);

-- 0012_counting.py
CREATE FUNCTION attendance_counts_added(a attendance_counts, b attendance_counts)
RETURNS attendance_counts LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ROW(a.present + b.present, a.absent + b.absent, a.late + b.late,
               a.excused + b.excused)::attendance_counts
$$;

-- 0012_counting.py
CREATE FUNCTION attendance_no_counts() RETURNS attendance_counts
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT ROW(0, 0, 0, 0)::attendance_counts $$;

-- 0007_standing.py
CREATE FUNCTION attendance_percentage(attended bigint, counted bigint)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN counted > 0
                THEN (200 * attended + counted) / (2 * counted) * 0.01 ELSE 0.00 END
$$;

-- 0007_standing.py
CREATE FUNCTION attendance_sessions_needed(p policy, attended bigint, counted bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN attended * 100 >= p.threshold * counted THEN 0
        WHEN p.threshold < 10000
        THEN (p.threshold * counted - attended * 100 + 9999 - p.threshold)
             / (10000 - p.threshold)
    END
$$;

-- 0007_standing.py
CREATE FUNCTION attendance_standing(p policy, attended bigint, counted bigint)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN counted = 0 OR counted < p.minimum_sessions THEN 'no_data'
        WHEN attendance_below(p, attended, counted) THEN 'below'
        WHEN attendance_below(p, attended, counted + 1) THEN 'at_risk'
        ELSE 'ok'
    END
$$;

-- 0008_sql_functions.py
CREATE FUNCTION enrolled_from(periods datemultirange) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN datemultirange(range_merge(periods)) = periods THEN lower(periods)
                ELSE last_period_start(periods) END
$$;

-- 0008_sql_functions.py
CREATE FUNCTION json_instant(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT replace((moment AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'
$$;

-- 0008_sql_functions.py
CREATE FUNCTION json_time(clock time) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT left(clock::text, 5) $$;

-- 0008_sql_functions.py
CREATE FUNCTION last_period_start(periods datemultirange) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT max(lower(period)) FROM unnest(periods) period
$$;

-- 0012_counting.py
CREATE FUNCTION meeting_json(day date, starts time, ends time) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN day IS NOT NULL THEN json_build_object(
        'date', day, 'start', json_time(starts), 'end', json_time(ends)) END
$$;

-- 0012_counting.py
CREATE FUNCTION move_json(r class_reschedules) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object(
        'id', r.id, 'originalDate', r.original_date,
        'originalStartTime', json_time(r.original_start_time),
        'originalEndTime', json_time(r.original_end_time),
        'rescheduledDate', r.rescheduled_date,
        'rescheduledStartTime', json_time(r.rescheduled_start_time),
        'rescheduledEndTime', json_time(r.rescheduled_end_time),
        'reason', r.reason)
$$;

-- 0012_counting.py
CREATE FUNCTION of_term(term_id uuid, asked text, current_id uuid) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE asked WHEN 'all' THEN true
                      WHEN 'current' THEN term_id IS NULL OR term_id = current_id
                      ELSE term_id::text = asked END
$$;

-- 0008_sql_functions.py
CREATE FUNCTION on_roster(periods datemultirange) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT periods && daterange(current_date, NULL) $$;

-- 0012_counting.py
CREATE FUNCTION slot_json(s class_schedules) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time))
$$;

-- 0012_counting.py
CREATE AGGREGATE sum(attendance_counts) (
    SFUNC = attendance_counts_added, STYPE = attendance_counts, INITCOND = '(0,0,0,0)');

-- 0012_counting.py
CREATE OR REPLACE VIEW v_attendance_counts AS
SELECT t.*,
       attendance_attended(r.rules, n.counts, t.on_duty) AS attended,
       attendance_counted(r.rules, n.counts, t.on_duty) AS counted, n.counts
FROM (
    SELECT m.class_id, m.student_id,
           count(*) FILTER (WHERE m.status = 'present') AS present,
           count(*) FILTER (WHERE m.status = 'absent') AS absent,
           count(*) FILTER (WHERE m.status = 'late') AS late,
           count(*) FILTER (WHERE m.status = 'excused') AS excused,
           count(*) FILTER (WHERE m.leave_kind = 'on_duty') AS on_duty,
           count(m.status) AS total
    FROM attendance_statuses m
    WHERE NOT EXISTS (
        SELECT FROM attendance_sessions s
        WHERE s.class_id = m.class_id AND s.id = m.session_id AND s.status = 'cancelled')
    GROUP BY m.class_id, m.student_id
) t CROSS JOIN v_rules r CROSS JOIN LATERAL (
    SELECT ROW(t.present, t.absent, t.late, t.excused)::attendance_counts AS counts) n;

-- 0012_counting.py
CREATE VIEW v_current_term AS
SELECT id, name, first_day, last_day FROM terms
ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC, name
LIMIT 1;

-- 0019_absent_throughout.py
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
       THEN 0 WHEN (n.counts).absent = n.total THEN n.total ELSE (
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
) n;

-- 0014_students.py
CREATE VIEW v_mark_counts AS
SELECT m.class_id, m.session_id, m.student_id, s.session_date,
       attendance_attended(r.rules, n.counts, n.on_duty) AS attended,
       attendance_counted(r.rules, n.counts, n.on_duty) AS counted
FROM attendance_statuses m
JOIN attendance_sessions s ON s.class_id = m.class_id AND s.id = m.session_id
CROSS JOIN v_rules r
CROSS JOIN LATERAL (
    SELECT ROW((m.status = 'present')::integer, (m.status = 'absent')::integer,
               (m.status = 'late')::integer, (m.status = 'excused')::integer
           )::attendance_counts AS counts,
           (m.leave_kind IS NOT DISTINCT FROM 'on_duty')::integer AS on_duty
) n
WHERE s.status <> 'cancelled';

-- 0015_meetings_left.py
CREATE VIEW v_meetings_left AS
SELECT c.id AS class_id, (
    SELECT count(*)
    FROM generate_series(0, t.last_day - greatest(t.first_day, r.today)) n
    CROSS JOIN LATERAL (SELECT greatest(t.first_day, r.today) + n AS day) d
    JOIN v_timetable w ON w.class_id = c.id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    WHERE NOT EXISTS (SELECT FROM holidays h WHERE d.day BETWEEN h.first_day AND h.last_day)
      AND NOT EXISTS (
          SELECT FROM class_reschedules a
          WHERE w.day IS NULL AND a.class_id = c.id AND a.original_date = d.day
            AND a.original_start_time = w.start_time)
      AND NOT EXISTS (
          SELECT FROM v_sessions s
          WHERE s.class_id = c.id AND s.session_date = d.day AND s.start_time = w.start_time
            AND s.state <> 'open')) AS meetings
FROM classes c CROSS JOIN v_rules r
JOIN terms t ON t.id = c.term_id AND t.last_day - t.first_day < 400;

-- 0012_counting.py
CREATE VIEW v_rules AS SELECT p AS rules, current_date AS today FROM policy p;

-- 0012_counting.py
CREATE VIEW v_session_counts AS
SELECT t.*,
       attendance_attended(r.rules, n.counts, t.on_duty) AS attended,
       attendance_counted(r.rules, n.counts, t.on_duty) AS counted, n.counts
FROM (
    SELECT s.class_id, s.id AS session_id,
           count(*) FILTER (WHERE m.status = 'present') AS present,
           count(*) FILTER (WHERE m.status = 'absent') AS absent,
           count(*) FILTER (WHERE m.status = 'late') AS late,
           count(*) FILTER (WHERE m.status = 'excused') AS excused,
           count(*) FILTER (WHERE m.leave_kind = 'on_duty') AS on_duty,
           count(m.status) AS total
    FROM attendance_sessions s
    LEFT JOIN attendance_statuses m ON m.class_id = s.class_id AND m.session_id = s.id
    GROUP BY s.class_id, s.id
) t CROSS JOIN v_rules r CROSS JOIN LATERAL (
    SELECT ROW(t.present, t.absent, t.late, t.excused)::attendance_counts AS counts) n;

-- 0012_counting.py
CREATE VIEW v_sessions AS
SELECT s.class_id, s.id, s.session_date, s.start_time, CASE
           WHEN s.status = 'cancelled' THEN 'cancelled'
           WHEN s.status = 'finalised' OR EXISTS (
               SELECT FROM attendance_statuses m
               WHERE m.class_id = s.class_id AND m.session_id = s.id AND m.source <> 'leave')
           THEN 'taken' ELSE 'open' END AS state
FROM attendance_sessions s;

-- 0012_counting.py
CREATE VIEW v_sessions_held AS
SELECT class_id, count(*) AS sessions,
       daterange(min(session_date), max(session_date), '[]') AS days,
       array_agg(id ORDER BY session_date DESC, start_time DESC NULLS LAST) AS newest_first
FROM attendance_sessions
WHERE status <> 'cancelled'
GROUP BY class_id;

-- 0012_counting.py
CREATE VIEW v_student_attendance_summary AS
SELECT class_id, student_id, roll_no, name, present, absent, late, excused, total, percentage
FROM v_enrolment_attendance
WHERE enrolled;

-- 0012_counting.py
CREATE VIEW v_timetable AS
SELECT class_id, day_of_week, NULL::date AS day, start_time, end_time, NULL::json AS moved_from
FROM class_schedules
UNION ALL
SELECT class_id, NULL, rescheduled_date, rescheduled_start_time, rescheduled_end_time,
       meeting_json(original_date, original_start_time, original_end_time)
FROM class_reschedules;

-- 0008_sql_functions.py
CREATE FUNCTION wall_instant(wall timestamp) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN wall_instant_before(wall, wall::timestamptz - interval '24 hours')::timestamp = wall
        THEN wall_instant_before(wall, wall::timestamptz - interval '24 hours')
        ELSE wall::timestamptz
    END
$$;

-- 0008_sql_functions.py
CREATE FUNCTION wall_instant_before(wall timestamp, day_before timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (wall - (day_before::timestamp - day_before AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC'
$$;
