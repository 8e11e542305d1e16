-- app.services.counting.as_of._GO_BACK
-- $1 at
SELECT set_config('search_path', 'as_of, public', true),
       set_config('aims.as_of', $1::timestamptz::text, true), count(v.id)
FROM as_of.attendance_sessions v WHERE false;

-- app.services.counting.institution_stats._DEFAULTERS
-- $1 actor_id, $2 term, $3 threshold, $4 after_class, $5 after_roll, $6 after_code, $7 after_section, $8 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
admin AS MATERIALIZED (SELECT * FROM staff WHERE role = 'admin'),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM admin) THEN 'denied'
                ELSE 'granted' END AS verdict
),
shown AS MATERIALIZED (
    SELECT c.* FROM classes c
    WHERE EXISTS (SELECT FROM admin) AND c.archived_at IS NULL
      AND of_term(c.term_id, $2, (SELECT id FROM v_current_term))
),
counts AS MATERIALIZED (
    SELECT k.* FROM shown CROSS JOIN LATERAL (
        SELECT * FROM v_attendance_counts v WHERE v.class_id = shown.id OFFSET 0) k
),
rules AS MATERIALIZED (
    SELECT jsonb_populate_record(r.rules, jsonb_strip_nulls(
               jsonb_build_object('threshold', $3::integer))) AS p
    FROM v_rules r
),
defaulters AS MATERIALIZED (
    SELECT k.*, c.code, c.name AS class_name, c.section, s.roll_key, s.roll_no, s.name
    FROM counts k
    CROSS JOIN rules
    JOIN class_students e ON e.class_id = k.class_id AND e.student_id = k.student_id
    JOIN shown c ON c.id = k.class_id
    JOIN students s ON s.id = k.student_id
    WHERE on_roster(e.periods) AND attendance_below(rules.p, k.attended, k.counted)
),
page AS MATERIALIZED (
    SELECT d.*, row_number() OVER (
               ORDER BY roll_key, code COLLATE "C", section COLLATE "C", class_id) AS n
    FROM defaulters d
    WHERE $4::uuid IS NULL
       OR (roll_key, code COLLATE "C", section COLLATE "C", class_id)
          > ($5::text, $6::text, $7::text, $4)
    ORDER BY roll_key, code COLLATE "C", section COLLATE "C", class_id
    LIMIT $8 + 1
)
SELECT verdict, $2 IN ('all', 'current') OR EXISTS (
    SELECT FROM terms WHERE id::text = $2) AS term_known, (
    SELECT coalesce(json_agg(student ORDER BY d.n), '[]')
    FROM page d CROSS JOIN rules CROSS JOIN LATERAL (
        SELECT d.student_id AS "studentId", d.roll_no AS "rollNo", d.name,
               d.class_id AS "classId", d.code, d.class_name AS "className", d.section,
               d.counted, d.attended * 0.01 AS attended,
               attendance_percentage(d.attended, d.counted) AS percentage,
               attendance_sessions_needed(rules.p, d.attended, d.counted) AS "sessionsNeeded",
               attendance_can_miss(rules.p, d.attended, d.counted) AS "canMiss"
    ) student
    WHERE d.n <= $8
)::text AS document, (
    SELECT last.class_id || '~' || last.roll_key FROM page last
    WHERE last.n = $8 AND EXISTS (SELECT FROM page WHERE n > $8)
) AS next_cursor
FROM verdict;

-- app.services.counting.institution_stats._TERM
-- $1 actor_id, $2 term
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
admin AS MATERIALIZED (SELECT * FROM staff WHERE role = 'admin'),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM admin) THEN 'denied'
                ELSE 'granted' END AS verdict
)
SELECT verdict, t.id, t.first_day, t.last_day, current_date AS today
FROM verdict LEFT JOIN terms t ON t.id::text = CASE $2
    WHEN 'current' THEN (SELECT id::text FROM v_current_term) ELSE $2 END;

-- app.services.counting.institution_stats._MISSING
-- $1 actor_id, $2 first, $3 after_day, $4 last, $5 now, $6 after_start, $7 after_code, $8 after_section, $9 after_class, $10 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
admin AS MATERIALIZED (SELECT * FROM staff WHERE role = 'admin'),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM admin) THEN 'denied'
                ELSE 'granted' END AS verdict
),
shown AS MATERIALIZED (
    SELECT c.* FROM classes c WHERE EXISTS (SELECT FROM admin) AND c.archived_at IS NULL
),
span AS (SELECT greatest($2::date, $3::date) AS first, $4::date AS last),
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
),
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
),
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
               WHEN $5 < m.starts_at THEN 'upcoming'
               WHEN $5 < m.ends_at THEN 'in_progress'
               ELSE 'missing' END AS state
    FROM timed m LEFT JOIN LATERAL (
        SELECT s.id, s.state FROM v_sessions s
        WHERE s.class_id = m.class_id AND s.session_date = m.day AND s.start_time = m.start_time
          AND (m.moved_to IS NULL OR NOT m.meets) LIMIT 1
    ) s ON true
),
page AS MATERIALIZED (
    SELECT m.*, row_number() OVER (
               ORDER BY day, start_time, code COLLATE "C", section COLLATE "C", class_id) AS n
    FROM judged m
    WHERE m.state = 'missing' AND (
        $3 IS NULL OR (day, start_time, code COLLATE "C", section COLLATE "C", class_id)
            > ($3, $6::time, $7::text, $8::text,
               $9::uuid))
)
SELECT verdict, (
    SELECT coalesce(json_agg(missing ORDER BY m.n), '[]')
    FROM page m JOIN classes c ON c.id = m.class_id JOIN users u ON u.id = c.teacher_id
    CROSS JOIN LATERAL (
        SELECT m.day AS date, json_time(m.start_time) AS start, json_time(m.end_time) AS end,
               m.class_id AS "classId", m.code, m.name, m.section, m.session_id AS "sessionId",
               u.id AS "teacherId", u.name AS "teacherName", u.email AS "teacherEmail"
    ) missing
    WHERE m.n <= $10
)::text AS document, (
    SELECT last.day || 'T' || json_time(last.start_time) || '~' || last.class_id FROM page last
    WHERE last.n = $10 AND EXISTS (SELECT FROM page WHERE n > $10)
) AS next_cursor
FROM verdict;

-- app.services.counting.institution_stats._OVERVIEW
-- $1 actor_id, $2 term, $3 first, $4 last, $5 now, $6 term_id
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
admin AS MATERIALIZED (SELECT * FROM staff WHERE role = 'admin'),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM admin) THEN 'denied'
                ELSE 'granted' END AS verdict
),
shown AS MATERIALIZED (
    SELECT c.* FROM classes c
    WHERE EXISTS (SELECT FROM admin) AND c.archived_at IS NULL
      AND of_term(c.term_id, $2, (SELECT id FROM v_current_term))
),
counts AS MATERIALIZED (
    SELECT k.* FROM shown CROSS JOIN LATERAL (
        SELECT * FROM v_attendance_counts v WHERE v.class_id = shown.id OFFSET 0) k
),
students AS MATERIALIZED (
    SELECT e.class_id, e.student_id, k.counts, n.attended, n.counted,
           attendance_standing(r.rules, n.attended, n.counted) AS standing
    FROM class_students e CROSS JOIN v_rules r
    LEFT JOIN counts k ON k.class_id = e.class_id AND k.student_id = e.student_id
    CROSS JOIN LATERAL (
        SELECT coalesce(k.attended, 0) AS attended, coalesce(k.counted, 0) AS counted OFFSET 0) n
    WHERE e.class_id = ANY(ARRAY(SELECT id FROM shown)) AND on_roster(e.periods)
),
by_class AS MATERIALIZED (
    SELECT c.id AS class_id, c.teacher_id, count(s.student_id) AS students,
           coalesce(sum(attended), 0)::bigint AS attended,
           coalesce(sum(counted), 0)::bigint AS counted,
           count(*) FILTER (WHERE standing = 'ok') AS ok,
           count(*) FILTER (WHERE standing = 'at_risk') AS at_risk,
           count(*) FILTER (WHERE standing = 'below') AS below,
           count(*) FILTER (WHERE standing = 'no_data') AS no_data
    FROM shown c LEFT JOIN students s ON s.class_id = c.id
    GROUP BY c.id, c.teacher_id
),
span AS (SELECT $3::date AS first, $4::date AS last),
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
),
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
),
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
               WHEN $5 < m.starts_at THEN 'upcoming'
               WHEN $5 < m.ends_at THEN 'in_progress'
               ELSE 'missing' END AS state
    FROM timed m LEFT JOIN LATERAL (
        SELECT s.id, s.state FROM v_sessions s
        WHERE s.class_id = m.class_id AND s.session_date = m.day AND s.start_time = m.start_time
          AND (m.moved_to IS NULL OR NOT m.meets) LIMIT 1
    ) s ON true
),
standings AS (
    SELECT coalesce(sum(ok), 0) AS ok, coalesce(sum(at_risk), 0) AS "atRisk",
           coalesce(sum(below), 0) AS below, coalesce(sum(no_data), 0) AS "noData"
    FROM by_class
),
departments AS (
    SELECT u.department, count(*) AS classes,
           attendance_percentage(sum(attended)::bigint, sum(counted)::bigint) AS percentage,
           json_build_object('ok', sum(ok), 'atRisk', sum(at_risk), 'below', sum(below),
                             'noData', sum(no_data)) AS standings
    FROM by_class JOIN users u ON u.id = teacher_id GROUP BY u.department
),
marks AS (SELECT (sum(counts)).* FROM students),
today AS (
    SELECT count(*) FILTER (WHERE state = 'taken') AS taken,
           count(*) FILTER (WHERE state = 'missing') AS missing,
           count(*) FILTER (WHERE state = 'in_progress') AS "inProgress",
           count(*) FILTER (WHERE state = 'upcoming') AS upcoming
    FROM judged WHERE day = current_date
)
SELECT verdict, json_build_object(
    'term', (SELECT json_build_object('id', id, 'name', name) FROM terms WHERE id = $6),
    'classes', (SELECT count(*) FROM shown),
    'students', (SELECT count(DISTINCT student_id) FROM students),
    'sessionsTaken', (
        SELECT count(*) FROM v_sessions
        WHERE class_id = ANY(ARRAY(SELECT id FROM shown)) AND state = 'taken'),
    'sessionsMissing', (SELECT count(*) FROM judged WHERE state = 'missing'),
    'marks', (SELECT row_to_json(marks) FROM marks),
    'percentage', (
        SELECT attendance_percentage(sum(attended)::bigint, sum(counted)::bigint)
        FROM by_class),
    'standings', (SELECT row_to_json(standings) FROM standings),
    'departments', (
        SELECT coalesce(json_agg(d ORDER BY department NULLS LAST), '[]') FROM departments d),
    'today', (SELECT row_to_json(today) FROM today))::text AS document
FROM verdict;

-- app.services.counting.institution_stats._CLASSES
-- $1 actor_id, $2 term, $3 department, $4 after_class, $5 after_code, $6 after_section, $7 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
admin AS MATERIALIZED (SELECT * FROM staff WHERE role = 'admin'),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM admin) THEN 'denied'
                ELSE 'granted' END AS verdict
),
page AS MATERIALIZED (
    SELECT c.*, u.name AS teacher_name, u.department, row_number() OVER (
               ORDER BY c.code COLLATE "C", c.section COLLATE "C", c.id) AS n
    FROM classes c JOIN users u ON u.id = c.teacher_id
    WHERE EXISTS (SELECT FROM admin) AND c.archived_at IS NULL
      AND of_term(c.term_id, $2, (SELECT id FROM v_current_term))
      AND ($3::text IS NULL OR coalesce(u.department, '') = $3)
      AND ($4::uuid IS NULL OR (c.code COLLATE "C", c.section COLLATE "C", c.id)
           > ($5::text, $6::text, $4))
    ORDER BY c.code COLLATE "C", c.section COLLATE "C", c.id
    LIMIT $7 + 1
),
shown AS MATERIALIZED (SELECT * FROM page WHERE n <= $7),
counts AS MATERIALIZED (
    SELECT k.* FROM shown CROSS JOIN LATERAL (
        SELECT * FROM v_attendance_counts v WHERE v.class_id = shown.id OFFSET 0) k
),
students AS MATERIALIZED (
    SELECT e.class_id, e.student_id, k.counts, n.attended, n.counted,
           attendance_standing(r.rules, n.attended, n.counted) AS standing
    FROM class_students e CROSS JOIN v_rules r
    LEFT JOIN counts k ON k.class_id = e.class_id AND k.student_id = e.student_id
    CROSS JOIN LATERAL (
        SELECT coalesce(k.attended, 0) AS attended, coalesce(k.counted, 0) AS counted OFFSET 0) n
    WHERE e.class_id = ANY(ARRAY(SELECT id FROM shown)) AND on_roster(e.periods)
),
by_class AS MATERIALIZED (
    SELECT c.id AS class_id, c.teacher_id, count(s.student_id) AS students,
           coalesce(sum(attended), 0)::bigint AS attended,
           coalesce(sum(counted), 0)::bigint AS counted,
           count(*) FILTER (WHERE standing = 'ok') AS ok,
           count(*) FILTER (WHERE standing = 'at_risk') AS at_risk,
           count(*) FILTER (WHERE standing = 'below') AS below,
           count(*) FILTER (WHERE standing = 'no_data') AS no_data
    FROM shown c LEFT JOIN students s ON s.class_id = c.id
    GROUP BY c.id, c.teacher_id
)
SELECT verdict, $2 IN ('all', 'current') OR EXISTS (
    SELECT FROM terms WHERE id::text = $2) AS term_known, (
    SELECT coalesce(json_agg(document ORDER BY c.n), '[]')
    FROM shown c JOIN by_class b ON b.class_id = c.id CROSS JOIN LATERAL (
        SELECT c.id AS "classId", c.code, c.name, c.section, c.teacher_name AS "teacherName",
               c.department, b.students, (
                   SELECT count(*) FROM v_sessions s
                   WHERE s.class_id = c.id AND s.state = 'taken') AS "sessionsTaken",
               attendance_percentage(b.attended, b.counted) AS percentage, json_build_object(
                   'ok', b.ok, 'atRisk', b.at_risk, 'below', b.below,
                   'noData', b.no_data) AS standings
    ) document
)::text AS document, (
    SELECT id::text FROM page WHERE n = $7 AND EXISTS (SELECT FROM page WHERE n > $7)
) AS next_cursor
FROM verdict;

-- app.services.counting.places._CLASS
-- $1 id
SELECT coalesce(max(code), '') AS code, coalesce(max(section), '') AS section
FROM classes WHERE id = $1;

-- app.services.counting.policies._GET
-- $1 actor_id
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                ELSE 'granted' END AS verdict
)
SELECT verdict, (
    SELECT json_build_object(
        'threshold', p.threshold, 'lateWeight', p.late_weight, 'excused', p.excused,
        'onDuty', p.on_duty, 'minimumSessions', p.minimum_sessions,
        'updatedAt', json_instant(p.updated_at))
    FROM policy p
)::text AS document
FROM verdict;

-- app.services.counting.policies._SET
-- $1 threshold, $2 late_weight, $3 excused, $4 on_duty, $5 minimum_sessions, $6 subject_id, $7 said, $8 actor_id, $9 request_id
WITH wanted AS (
    SELECT $1::integer AS threshold, $2::integer AS late_weight,
           $3::text AS excused, $4::text AS on_duty,
           $5::integer AS minimum_sessions
),
changed AS (
    UPDATE policy p
    SET threshold = w.threshold, late_weight = w.late_weight, excused = w.excused,
        on_duty = w.on_duty, minimum_sessions = w.minimum_sessions, updated_at = now()
    FROM wanted w
    WHERE (p.threshold, p.late_weight, p.excused, p.on_duty, p.minimum_sessions)
          IS DISTINCT FROM
          (w.threshold, w.late_weight, w.excused, w.on_duty, w.minimum_sessions)
    RETURNING p.single
),
history AS (
    INSERT INTO policies (since, threshold, late_weight, excused, on_duty, minimum_sessions)
    SELECT clock_timestamp(), w.* FROM wanted w WHERE EXISTS (SELECT FROM changed)
),
acts AS (
    SELECT 'policy_changed' AS action, 'policy' AS subject, $6::uuid AS subject_id,
           $7::jsonb AS details
    FROM changed
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $8::uuid, $9::text, action, subject, subject_id, details FROM acts
)
SELECT count(*) AS acts FROM acts;

-- app.services.counting.policies._PREVIEW
-- $1 actor_id, $2 threshold, $3 late_weight, $4 excused, $5 on_duty, $6 minimum_sessions, $7 after_class, $8 after_code, $9 after_section, $10 after_roll, $11 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
admin AS MATERIALIZED (SELECT * FROM staff WHERE role = 'admin'),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM admin) THEN 'denied'
                ELSE 'granted' END AS verdict
),
tried AS (
    SELECT ROW(true, $2, $3, $4, $5, $6,
               now())::policy AS rules
),
judged AS MATERIALIZED (
    SELECT v.class_id, v.student_id, v.roll_key, v.roll_no, v.name, v.percentage AS before,
           attendance_percentage(n.attended, n.counted) AS after,
           attendance_below(p, v.attended, v.counted) AS was_below,
           attendance_below(tried.rules, n.attended, n.counted) AS is_below
    FROM v_enrolment_attendance v
    CROSS JOIN policy p
    CROSS JOIN tried
    CROSS JOIN LATERAL (
        SELECT attendance_attended(tried.rules, v.counts, v.on_duty) AS attended,
               attendance_counted(tried.rules, v.counts, v.on_duty) AS counted
    ) n
    WHERE v.enrolled AND EXISTS (SELECT FROM admin)
),
crossing AS MATERIALIZED (
    SELECT judged.*, row_number() OVER (
               ORDER BY c.code COLLATE "C", c.section COLLATE "C", c.id, judged.roll_key) AS place,
           c.code, c.section, CASE WHEN is_below THEN 'falls' ELSE 'rises' END AS direction
    FROM judged JOIN classes c ON c.id = judged.class_id AND c.archived_at IS NULL
    WHERE was_below <> is_below
),
page AS MATERIALIZED (
    SELECT crossing.*, row_number() OVER (ORDER BY place) AS n
    FROM crossing
    WHERE $7::uuid IS NULL
       OR (code COLLATE "C", section COLLATE "C", class_id, roll_key)
          > ($8::text, $9::text, $7, $10::text)
    ORDER BY place
    LIMIT $11 + 1
),
students AS (
    SELECT n, json_build_object(
        'classId', class_id, 'code', code, 'section', section, 'studentId', student_id,
        'rollNo', roll_no, 'name', name, 'direction', direction, 'before', before,
        'after', after) AS student
    FROM page WHERE n <= $11
)
SELECT verdict, json_build_object(
    'falls', (SELECT count(*) FROM crossing WHERE is_below),
    'rises', (SELECT count(*) FROM crossing WHERE was_below),
    'students', (SELECT coalesce(json_agg(student ORDER BY n), '[]') FROM students)
)::text AS document, (
    SELECT last.class_id || '~' || last.roll_key FROM page last
    WHERE last.n = $11 AND EXISTS (SELECT FROM page WHERE n > $11)
) AS next_cursor
FROM verdict;

-- app.services.counting.registers._REGISTER
-- $1 actor_id, $2 class_id, $3 first, $4 last, $5 most_sessions, $6 least_cells, $7 most_cells
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN staff ON staff.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> current_date
),
wanted AS (SELECT $2::uuid AS id),
class AS MATERIALIZED (
    SELECT c.*, (staff.role = 'admin' OR c.teacher_id = staff.id) AS owns, ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering))) AS may, staff.id AS actor_id, staff.role AS actor_role
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) 
),
granted AS MATERIALIZED (SELECT * FROM class WHERE may),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT may FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
),
held AS MATERIALIZED (
    SELECT s.class_id, s.id, s.session_date, s.start_time
    FROM granted c JOIN attendance_sessions s ON s.class_id = c.id
    WHERE s.status <> 'cancelled'
),
whole AS MATERIALIZED (
    SELECT t.name AS term, t.id IS NOT NULL AS in_term,
           coalesce(least(t.first_day, min(h.session_date)), current_date) AS first,
           coalesce(greatest(t.last_day, max(h.session_date)), current_date) AS last
    FROM granted c LEFT JOIN terms t ON t.id = c.term_id LEFT JOIN held h ON true
    GROUP BY t.id
),
period AS MATERIALIZED (
    SELECT coalesce($3::date, least(first, $4::date)) AS first,
           coalesce($4::date, greatest(last, $3::date)) AS last
    FROM whole
),
sessions AS MATERIALIZED (
    SELECT h.*, row_number() OVER (ORDER BY h.session_date, h.start_time NULLS FIRST) AS n
    FROM held h JOIN period p ON h.session_date BETWEEN p.first AND p.last
),
marks AS MATERIALIZED (
    SELECT m.student_id, s.n, m.status, m.leave_kind
    FROM attendance_statuses m JOIN sessions s ON s.id = m.session_id
    WHERE m.class_id = (SELECT id FROM granted)
      AND m.session_id = ANY(ARRAY(SELECT id FROM sessions))
),
counts AS MATERIALIZED (
    SELECT student_id, sum(on_duty) AS on_duty, jsonb_populate_record(
               attendance_no_counts(), jsonb_object_agg(status, marks)) AS counts
    FROM (SELECT student_id, status, count(*) AS marks,
                 count(*) FILTER (WHERE leave_kind = 'on_duty') AS on_duty
          FROM marks GROUP BY student_id, status) tallied
    GROUP BY student_id
),
people AS MATERIALIZED (
    SELECT e.student_id, e.periods, coalesce(k.counts, attendance_no_counts()) AS counts,
           coalesce(k.on_duty, 0)::bigint AS on_duty
    FROM granted c JOIN class_students e ON e.class_id = c.id CROSS JOIN period p
    LEFT JOIN counts k ON k.student_id = e.student_id
    WHERE k.student_id IS NOT NULL OR e.periods && daterange(p.first, p.last, '[]')
       OR ($4 IS NULL AND on_roster(e.periods))
),
size AS MATERIALIZED (
    SELECT n <= $5
           AND greatest(n, $6) * (SELECT count(*) FROM people) <= $7 AS fits
    FROM (SELECT count(*) AS n FROM sessions) s
),
columns AS (
    SELECT s.n, json_build_object(
               'date', s.session_date, 'start', json_time(s.start_time),
               'attended', count(*) FILTER (WHERE m.status IN ('present', 'late'))) AS document
    FROM sessions s LEFT JOIN marks m ON m.n = s.n GROUP BY s.n, s.session_date, s.start_time
),
letters AS (
    SELECT p.student_id, string_agg(
        CASE WHEN m.leave_kind = 'on_duty' THEN 'o' WHEN m.status IS NOT NULL THEN left(m.status, 1)
             WHEN p.periods @> s.session_date THEN ' ' ELSE '-' END, '' ORDER BY s.n) AS marks
    FROM people p CROSS JOIN sessions s LEFT JOIN marks m
        ON m.student_id = p.student_id AND m.n = s.n
    WHERE (SELECT fits FROM size)
    GROUP BY p.student_id
),
rows AS (
    SELECT st.roll_key, d AS document
    FROM people p JOIN students st ON st.id = p.student_id CROSS JOIN v_rules r
    LEFT JOIN letters ON letters.student_id = p.student_id
    CROSS JOIN LATERAL (
        SELECT attendance_attended(r.rules, p.counts, p.on_duty) AS attended,
               attendance_counted(r.rules, p.counts, p.on_duty) AS counted) n
    CROSS JOIN LATERAL (
        SELECT st.roll_no AS "rollNo", st.name, coalesce(letters.marks, '') AS marks,
               (p.counts).*, n.counted, n.attended * 0.01 AS attended,
               attendance_percentage(n.attended, n.counted) AS percentage,
               attendance_below(r.rules, n.attended, n.counted) AS below) d
)
SELECT verdict, (SELECT fits FROM size) AS fits,
       (SELECT in_term AND (p.first < whole.first OR p.last > whole.last)
        FROM whole CROSS JOIN period p) AS beyond_term, (
    SELECT json_build_object(
        'classId', c.id, 'code', c.code, 'name', c.name, 'section', c.section,
        'teacher', owner.name, 'teacherEmail', owner.email, 'term', whole.term,
        'first', p.first, 'last', p.last, 'generatedBy', (
            SELECT name FROM users WHERE id = c.actor_id),
        'threshold', (r.rules).threshold / 100.0,
        'sessions', (SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM columns),
        'students', (SELECT coalesce(json_agg(document ORDER BY roll_key), '[]') FROM rows))
    FROM granted c JOIN users owner ON owner.id = c.teacher_id
    CROSS JOIN whole CROSS JOIN period p CROSS JOIN v_rules r
    WHERE (SELECT fits FROM size)
)::text AS document
FROM verdict;

-- app.services.counting.session_stats._OF_CLASS
-- $1 actor_id, $2 class_id
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN staff ON staff.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> current_date
),
wanted AS (SELECT $2::uuid AS id),
class AS MATERIALIZED (
    SELECT c.*, (staff.role = 'admin' OR c.teacher_id = staff.id) AS owns, ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering))) AS may, staff.id AS actor_id, staff.role AS actor_role
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) 
),
granted AS MATERIALIZED (SELECT * FROM class WHERE may),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT may FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
),
held AS MATERIALIZED (
    SELECT s.id, s.session_date, s.start_time FROM attendance_sessions s
    WHERE s.class_id = (SELECT id FROM granted) AND s.status <> 'cancelled'
),
enrolled AS MATERIALIZED (
    SELECT h.id AS session_id, count(*) FILTER (
        WHERE e.periods @> h.session_date AND m.student_id IS NULL) AS unmarked
    FROM held h CROSS JOIN class_students e
    LEFT JOIN attendance_statuses m
        ON m.class_id = e.class_id AND m.session_id = h.id AND m.student_id = e.student_id
    WHERE e.class_id = (SELECT id FROM granted)
    GROUP BY h.id
)
SELECT verdict, (
    SELECT coalesce(json_agg(stats ORDER BY h.session_date, h.start_time NULLS FIRST), '[]')
    FROM held h
    JOIN v_session_counts k ON k.class_id = (SELECT id FROM granted) AND k.session_id = h.id
    LEFT JOIN enrolled e ON e.session_id = h.id
    CROSS JOIN LATERAL (
        SELECT h.id AS "sessionId", h.session_date AS date, json_time(h.start_time) AS start,
               (k.counts).*, coalesce(e.unmarked, 0) AS unmarked,
               attendance_percentage(k.attended, k.counted) AS percentage
    ) stats
)::text AS document
FROM verdict;

-- app.services.counting.sheets._SHEET
-- $1 actor_id, $2 session_id, $3 window
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN staff ON staff.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> current_date
),
wanted AS (SELECT class_id AS id FROM attendance_sessions WHERE id = $2),
class AS MATERIALIZED (
    SELECT c.*, (staff.role = 'admin' OR c.teacher_id = staff.id) AS owns, ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering))) AS may, staff.id AS actor_id, staff.role AS actor_role
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) 
),
granted AS MATERIALIZED (SELECT * FROM class WHERE may),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT may FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
),
head AS MATERIALIZED (
    SELECT s.*, coalesce(s.session_date < current_date - $3::integer, false) AS late
    FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.id = $2
),
sessions AS (SELECT class_id, id AS session_id, session_date AS day FROM head),
enrolments AS MATERIALIZED (
    SELECT e.class_id, e.student_id, e.periods
    FROM class_students e CROSS JOIN head h
    WHERE e.class_id = (SELECT id FROM granted)
      AND (e.periods @> h.session_date OR e.student_id IN (
          SELECT student_id FROM attendance_statuses
          WHERE class_id = (SELECT id FROM granted) AND session_id = $2))
),
on_leave AS MATERIALIZED (
    SELECT DISTINCT ON (s.session_id, l.student_id) s.class_id, s.session_id, l.student_id,
           l.id AS leave_id, l.kind, e.periods @> s.day AS enrolled
    FROM enrolments e
    JOIN leaves l ON l.student_id = e.student_id AND l.status = 'approved'
        AND (l.class_id IS NULL OR l.class_id = e.class_id)
    JOIN sessions s ON s.class_id = e.class_id AND s.day BETWEEN l.first_day AND l.last_day
    WHERE NOT l.by_session OR EXISTS (
        SELECT FROM leave_sessions ls WHERE ls.leave_id = l.id AND ls.session_id = s.session_id)
    ORDER BY s.session_id, l.student_id, l.decided_at, l.id
),
previous AS MATERIALIZED (
    SELECT s.id, s.start_time
    FROM attendance_sessions s JOIN head h USING (class_id, session_date)
    WHERE s.status <> 'cancelled'
      AND (s.start_time < h.start_time OR (s.start_time IS NULL AND h.start_time IS NOT NULL))
    ORDER BY s.start_time DESC NULLS LAST LIMIT 1
),
figures AS MATERIALIZED (
    SELECT student_id, percentage, standing, absent_in_a_row FROM v_enrolment_attendance
    WHERE class_id = (SELECT id FROM granted)
),
students_listed AS (
    SELECT json_agg(student ORDER BY st.roll_key) AS list
    FROM enrolments e
    JOIN students st ON st.id = e.student_id
    JOIN figures f ON f.student_id = e.student_id
    LEFT JOIN attendance_statuses m ON m.class_id = e.class_id AND m.session_id = $2
        AND m.student_id = e.student_id
    LEFT JOIN attendance_statuses p ON p.class_id = e.class_id
        AND p.session_id = (SELECT id FROM previous) AND p.student_id = e.student_id
    LEFT JOIN on_leave l ON l.student_id = e.student_id AND (l.enrolled OR m.source = 'leave')
    CROSS JOIN LATERAL (
        SELECT st.id AS "studentId", st.roll_no AS "rollNo", st.name, st.photo_url AS "photoUrl",
               CASE WHEN m.student_id IS NOT NULL THEN json_build_object(
                   'status', m.status, 'recognizedByAi', m.recognized_by_ai,
                   'similarityScore', m.similarity_score, 'remark', m.remark,
                   'source', m.source, 'markedAt', json_instant(m.marked_at)) END AS mark,
               CASE WHEN l.student_id IS NOT NULL
                    THEN json_build_object('kind', l.kind) END AS leave,
               f.percentage, f.standing, f.absent_in_a_row AS "absentInARow", p.status AS previous
    ) student
)
SELECT verdict, h.version, (
    SELECT row_to_json(sheet) FROM (
        SELECT h.id AS "sessionId", c.id AS "classId", c.code, c.name, c.section,
               h.session_date AS "sessionDate", json_time(h.start_time) AS "startTime",
               json_time(h.end_time) AS "endTime", h.status, h.version,
               h.status = 'open' AND c.archived_at IS NULL
                   AND (c.actor_role = 'admin' OR NOT h.late) AS editable,
               h.late AS "needsReason",
               (SELECT json_build_object('sessionId', id, 'startTime', json_time(start_time))
                FROM previous) AS "previousSession",
               coalesce((SELECT list FROM students_listed), '[]') AS students
        FROM granted c WHERE c.id = h.class_id
    ) sheet
)::text AS document
FROM verdict LEFT JOIN head h ON true;

-- app.services.counting.student_sessions._LIST
-- $1 actor_id, $2 class_id, $3 student_id, $4 after_day, $5 after_time, $6 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN staff ON staff.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> current_date
),
wanted AS (SELECT $2::uuid AS id),
class AS MATERIALIZED (
    SELECT c.*, (staff.role = 'admin' OR c.teacher_id = staff.id) AS owns, ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering))) AS may, staff.id AS actor_id, staff.role AS actor_role
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) 
),
granted AS MATERIALIZED (SELECT * FROM class WHERE may),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT may FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
),
enrolment AS MATERIALIZED (
    SELECT * FROM class_students
    WHERE class_id = (SELECT id FROM granted) AND student_id = $3
),
marks AS MATERIALIZED (
    SELECT m.* FROM attendance_statuses m JOIN enrolment USING (class_id, student_id)
),
counts AS MATERIALIZED (
    SELECT session_id, attended, counted FROM v_mark_counts
    WHERE class_id = (SELECT id FROM granted) AND student_id = $3
),
theirs AS MATERIALIZED (
    SELECT s.*, m.status AS mark, m.leave_kind, m.source, m.marked_by, m.marked_at,
           coalesce(k.attended, 0) AS attended, coalesce(k.counted, 0) AS counted,
           sum(k.attended) OVER so_far::bigint AS attended_so_far,
           sum(k.counted) OVER so_far::bigint AS counted_so_far
    FROM enrolment e JOIN attendance_sessions s ON s.class_id = e.class_id
    LEFT JOIN marks m ON m.session_id = s.id
    LEFT JOIN counts k ON k.session_id = s.id
    WHERE e.periods @> s.session_date OR m.session_id IS NOT NULL
    WINDOW so_far AS (ORDER BY s.session_date, s.start_time NULLS FIRST)
),
page AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY session_date DESC, start_time DESC NULLS LAST) AS n
    FROM theirs
    WHERE $4::date IS NULL OR session_date < $4
       OR (session_date = $4
           AND (start_time < $5
                OR (start_time IS NULL AND $5::time IS NOT NULL)))
    ORDER BY session_date DESC, start_time DESC NULLS LAST
    LIMIT $6 + 1
),
documents AS (
    SELECT p.n, json_build_object(
        'sessionId', p.id, 'date', p.session_date, 'start', json_time(p.start_time),
        'end', json_time(p.end_time), 'status', p.status, 'mark', p.mark,
        'leaveKind', p.leave_kind, 'source', p.source, 'markedBy', p.marked_by,
        'markedByName', u.name, 'markedAt', json_instant(p.marked_at),
        'counted', p.counted > 0, 'attended', p.attended * 0.01,
        'percentage', CASE WHEN p.counted_so_far > 0 THEN
            attendance_percentage(p.attended_so_far, p.counted_so_far) END) AS document
    FROM page p LEFT JOIN users u ON u.id = p.marked_by
    WHERE p.n <= $6
)
SELECT verdict, EXISTS (SELECT FROM enrolment) AS known,
       (SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents)::text AS document,
       (SELECT concat(last.session_date, 'T', json_time(last.start_time)) FROM page last
        WHERE last.n = $6 AND EXISTS (SELECT FROM page WHERE n > $6)) AS next_cursor
FROM verdict;

-- app.services.counting.student_stats._OF_CLASS
-- $1 actor_id, $2 class_id, $3 withdrawn
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN staff ON staff.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> current_date
),
wanted AS (SELECT $2::uuid AS id),
class AS MATERIALIZED (
    SELECT c.*, (staff.role = 'admin' OR c.teacher_id = staff.id) AS owns, ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering))) AS may, staff.id AS actor_id, staff.role AS actor_role
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) 
),
granted AS MATERIALIZED (SELECT * FROM class WHERE may),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT may FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
),
shown AS (SELECT * FROM granted),
remaining AS MATERIALIZED (
    SELECT * FROM v_meetings_left WHERE class_id = ANY(ARRAY(SELECT id FROM shown))
),
figures AS (
    SELECT v.*, n AS numbers
    FROM v_enrolment_attendance v
    LEFT JOIN remaining r ON r.class_id = v.class_id
    CROSS JOIN LATERAL (
        SELECT (v.counts).*, v.total, v.counted,
               v.attended * 0.01 AS attended, v.percentage, v.standing,
               v.sessions_needed AS "sessionsNeeded", v.can_miss AS "canMiss",
               CASE WHEN r.class_id IS NOT NULL THEN attendance_percentage(
                   v.attended + 100 * r.meetings, v.counted + r.meetings) END AS "bestPossible",
               v.absent_in_a_row AS "absentInARow", v.unmarked
    ) n
)
SELECT verdict, (
    SELECT coalesce(json_agg(student ORDER BY f.roll_key), '[]')
    FROM figures f CROSS JOIN LATERAL (
        SELECT f.student_id AS "studentId", f.roll_no AS "rollNo", f.name, (f.numbers).*
    ) student
    WHERE f.class_id = (SELECT id FROM granted) AND ($3 OR f.enrolled)
)::text AS document
FROM verdict;

-- app.services.counting.student_stats._OF_ONE
-- $1 actor_id, $2 class_id, $3 student_id
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN staff ON staff.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> current_date
),
wanted AS (SELECT $2::uuid AS id),
class AS MATERIALIZED (
    SELECT c.*, (staff.role = 'admin' OR c.teacher_id = staff.id) AS owns, ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering))) AS may, staff.id AS actor_id, staff.role AS actor_role
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) 
),
granted AS MATERIALIZED (SELECT * FROM class WHERE may),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT may FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
),
shown AS (SELECT * FROM granted),
remaining AS MATERIALIZED (
    SELECT * FROM v_meetings_left WHERE class_id = ANY(ARRAY(SELECT id FROM shown))
),
figures AS (
    SELECT v.*, n AS numbers
    FROM v_enrolment_attendance v
    LEFT JOIN remaining r ON r.class_id = v.class_id
    CROSS JOIN LATERAL (
        SELECT (v.counts).*, v.total, v.counted,
               v.attended * 0.01 AS attended, v.percentage, v.standing,
               v.sessions_needed AS "sessionsNeeded", v.can_miss AS "canMiss",
               CASE WHEN r.class_id IS NOT NULL THEN attendance_percentage(
                   v.attended + 100 * r.meetings, v.counted + r.meetings) END AS "bestPossible",
               v.absent_in_a_row AS "absentInARow", v.unmarked
    ) n
)
SELECT verdict, (
    SELECT row_to_json(student)
    FROM figures f CROSS JOIN v_rules r CROSS JOIN LATERAL (
        SELECT f.student_id AS "studentId", f.roll_no AS "rollNo", f.name, f.enrolled,
               (r.rules).threshold, (f.numbers).*
    ) student
    WHERE f.class_id = (SELECT id FROM granted) AND f.student_id = $3
)::text AS document
FROM verdict;

-- app.services.counting.student_stats._OF_STUDENT
-- $1 actor_id, $2 roll_key, $3 withdrawn
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN staff ON staff.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> current_date
),
mine AS NOT MATERIALIZED (SELECT c.* FROM classes c CROSS JOIN staff WHERE ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering)))),
student AS MATERIALIZED (SELECT * FROM students WHERE roll_key = $2),
shown AS MATERIALIZED (
    SELECT c.* FROM mine c
    JOIN class_students e ON e.class_id = c.id AND e.student_id = (SELECT id FROM student)
    WHERE c.archived_at IS NULL
),
remaining AS MATERIALIZED (
    SELECT * FROM v_meetings_left WHERE class_id = ANY(ARRAY(SELECT id FROM shown))
),
figures AS (
    SELECT v.*, n AS numbers
    FROM v_enrolment_attendance v
    LEFT JOIN remaining r ON r.class_id = v.class_id
    CROSS JOIN LATERAL (
        SELECT (v.counts).*, v.total, v.counted,
               v.attended * 0.01 AS attended, v.percentage, v.standing,
               v.sessions_needed AS "sessionsNeeded", v.can_miss AS "canMiss",
               CASE WHEN r.class_id IS NOT NULL THEN attendance_percentage(
                   v.attended + 100 * r.meetings, v.counted + r.meetings) END AS "bestPossible",
               v.absent_in_a_row AS "absentInARow", v.unmarked
    ) n
),
enrolled AS MATERIALIZED (
    SELECT c.code, c.name AS class_name, c.section, t.id AS term_id, t.name AS term, f.*
    FROM shown c LEFT JOIN terms t ON t.id = c.term_id
    CROSS JOIN LATERAL (
        SELECT * FROM figures
        WHERE class_id = c.id AND student_id = (SELECT id FROM student) OFFSET 0
    ) f
    WHERE $3 OR f.enrolled
),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM enrolled) THEN 'not_found'
                ELSE 'granted' END AS verdict
)
SELECT verdict, (
    SELECT json_build_object(
        'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name,
        'classes', json_agg(stats ORDER BY e.code COLLATE "C", e.section COLLATE "C", e.class_id),
        'total', (
            SELECT row_to_json(sums) FROM (
                SELECT (sum(counts)).*, sum(total) AS total, sum(counted) AS counted,
                       sum(attended) * 0.01 AS attended, attendance_percentage(
                           sum(attended)::bigint, sum(counted)::bigint) AS percentage,
                       sum(unmarked) AS unmarked
                FROM enrolled
            ) sums))
    FROM student s CROSS JOIN enrolled e CROSS JOIN LATERAL (
        SELECT e.class_id AS "classId", e.code, e.class_name AS name, e.section,
               e.term_id AS "termId", e.term, (e.numbers).*
    ) stats
    GROUP BY s.id, s.roll_no, s.name
)::text AS document
FROM verdict;
