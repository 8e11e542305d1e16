-- app.services.counting.policies._GET
-- $1 actor_id
WITH actor AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM actor WHERE role IN ('teacher', 'admin')),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        ELSE 'granted'
    END AS verdict
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
-- $1 actor_id, $2 threshold, $3 late_weight, $4 excused, $5 on_duty, $6 minimum_sessions, $7 after_class, $8 after_roll, $9 most
WITH actor AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM actor WHERE role IN ('teacher', 'admin')),
admin AS MATERIALIZED (SELECT * FROM staff WHERE role = 'admin'),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM admin) THEN 'denied'
        ELSE 'granted'
    END AS verdict
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
        SELECT attendance_attended(tried.rules, v.present, v.late, v.excused, v.on_duty)
                   AS attended,
               attendance_counted(
                   tried.rules, v.present, v.absent, v.late, v.excused, v.on_duty) AS counted
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
       OR (code COLLATE "C", section COLLATE "C", class_id, roll_key) > (
           SELECT code, section, id, $8::text FROM classes WHERE id = $7)
    ORDER BY place
    LIMIT $9 + 1
),
students AS (
    SELECT n, json_build_object(
        'classId', class_id, 'code', code, 'section', section, 'studentId', student_id,
        'rollNo', roll_no, 'name', name, 'direction', direction, 'before', before,
        'after', after) AS student
    FROM page WHERE n <= $9
)
SELECT verdict, json_build_object(
    'falls', (SELECT count(*) FROM crossing WHERE is_below),
    'rises', (SELECT count(*) FROM crossing WHERE was_below),
    'students', (SELECT coalesce(json_agg(student ORDER BY n), '[]') FROM students)
)::text AS document, (
    SELECT last.class_id || '~' || last.roll_key FROM page last
    WHERE last.n = $9 AND EXISTS (SELECT FROM page WHERE n > $9)
) AS next_cursor
FROM verdict;
