-- app.services.sessions.attendance_service._FIND
-- $1 actor_id, $2 class_id, $3 day, $4 start_time, $5 today, $6 clock
WITH actor AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM actor WHERE role IN ('teacher', 'admin')),
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
granted AS MATERIALIZED (SELECT * FROM class WHERE may AND archived_at IS NULL),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT may FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
),
slots_on_day AS (
    SELECT w.start_time, w.end_time
    FROM class_schedules w
    WHERE w.class_id = $2 AND w.day_of_week = extract(isodow FROM $3::date)
      AND NOT EXISTS (
          SELECT FROM class_reschedules away
          WHERE away.class_id = $2 AND away.original_date = $3
            AND away.original_start_time = w.start_time)
    UNION ALL
    SELECT here.rescheduled_start_time, here.rescheduled_end_time
    FROM class_reschedules here
    WHERE here.class_id = $2 AND here.rescheduled_date = $3
),
existing AS MATERIALIZED (
    SELECT s.* FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.session_date = $3
),
chosen AS MATERIALIZED (
    SELECT CASE
        WHEN $4::time IS NOT NULL THEN $4
        WHEN $3 = $5::date THEN coalesce(
            (SELECT max(start_time) FROM slots_on_day
             WHERE start_time <= $6 AND end_time > $6),
            (SELECT max(start_time) FROM slots_on_day WHERE start_time <= $6),
            (SELECT min(start_time) FROM slots_on_day))
        WHEN (SELECT count(*) FROM existing) = 1 THEN (SELECT start_time FROM existing)
        ELSE (SELECT min(start_time) FROM slots_on_day)
    END AS start_time
),
sessions AS (
    SELECT e.* FROM existing e JOIN chosen ON e.start_time IS NOT DISTINCT FROM chosen.start_time
),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
)
SELECT verdict, chosen.start_time,
       (SELECT max(end_time) FROM slots_on_day slot WHERE slot.start_time = chosen.start_time)
           AS end_time,
       f.version, f."processedImageUrl" IS NULL AS no_image,
       (SELECT row_to_json(d) FROM (SELECT f.*, false AS created) d
        WHERE f."sessionId" IS NOT NULL)::text AS document
FROM verdict CROSS JOIN chosen LEFT JOIN fields f ON true;

-- app.services.sessions.attendance_service._OPEN
-- $1 actor_id, $2 class_id, $3 day, $4 start_time, $5 end_time, $6 image
WITH actor AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM actor WHERE role IN ('teacher', 'admin')),
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN staff ON staff.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> current_date
),
wanted AS (SELECT $2::uuid AS id),
class AS MATERIALIZED (
    SELECT c.*, (staff.role = 'admin' OR c.teacher_id = staff.id) AS owns, ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering))) AS may, staff.id AS actor_id, staff.role AS actor_role
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) FOR SHARE OF c
),
granted AS MATERIALIZED (SELECT * FROM class WHERE may AND archived_at IS NULL),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT may FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
),
sessions AS (
    INSERT INTO attendance_sessions AS s (
        class_id, session_date, start_time, end_time, teacher_id, processed_image_url)
    SELECT id, $3, $4, $5, actor_id, $6 FROM granted
    ON CONFLICT (class_id, session_date, start_time) DO UPDATE
    SET processed_image_url = coalesce(s.processed_image_url, excluded.processed_image_url)
    RETURNING s.*, s.xmax = 0 AS created
),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
)
SELECT verdict, s.id, s.version, s.created,
       (SELECT row_to_json(d) FROM (SELECT f.*, s.created FROM fields f) d)::text AS document
FROM verdict LEFT JOIN sessions s ON true;

-- app.services.sessions.attendance_service._OPENED_WITH_LEAVE
-- $1 class_id, $2 session_id
WITH sessions AS (
    SELECT * FROM attendance_sessions WHERE class_id = $1 AND id = $2
),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
)
SELECT f.version, row_to_json(d)::text AS document
FROM fields f CROSS JOIN LATERAL (SELECT f.*, true AS created) d;

-- app.services.sessions.attendance_service._LIST
-- $1 actor_id, $2 class_id, $3 first, $4 last, $5 after_day, $6 after_time, $7 most
WITH actor AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM actor WHERE role IN ('teacher', 'admin')),
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
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT may FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
),
page AS MATERIALIZED (
    SELECT s.*, row_number() OVER (ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST) AS n
    FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.session_date >= coalesce($3, '-infinity'::date)
      AND s.session_date <= coalesce($4, 'infinity'::date)
      AND ($5::date IS NULL OR s.session_date < $5
           OR (s.session_date = $5
               AND (s.start_time < $6
                    OR (s.start_time IS NULL AND $6 IS NOT NULL))))
    ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST
    LIMIT $7 + 1
),
sessions AS MATERIALIZED (SELECT * FROM page WHERE n <= $7),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
),
people AS MATERIALIZED (
    SELECT st.id, st.roll_key, st.roll_no, st.name
    FROM class_students e JOIN students st ON st.id = e.student_id
    WHERE e.class_id = (SELECT id FROM granted)
),
marks AS MATERIALIZED (
    SELECT m.session_id, json_agg(mark ORDER BY p.roll_key) AS statuses
    FROM attendance_statuses m
    JOIN people p ON p.id = m.student_id
    CROSS JOIN LATERAL (
        SELECT p.roll_no AS "rollNo", p.name, m.status,
               m.recognized_by_ai AS "recognizedByAi", m.similarity_score AS "similarityScore",
               m.remark, m.source, json_instant(m.marked_at) AS "markedAt"
    ) mark
    WHERE m.class_id = (SELECT id FROM granted)
      AND m.session_id = ANY(ARRAY(SELECT id FROM sessions))
    GROUP BY m.session_id
)
SELECT verdict, (
    SELECT coalesce(json_agg(d ORDER BY s.n), '[]')
    FROM sessions s
    JOIN fields f ON f."sessionId" = s.id
    LEFT JOIN marks ON marks.session_id = s.id
    CROSS JOIN LATERAL (
        SELECT f.*, s.status_reason AS "statusReason", coalesce(marks.statuses, '[]') AS statuses
    ) d
)::text AS document, (
    SELECT last.session_date || 'T' || coalesce(json_time(last.start_time), '')
    FROM page last
    WHERE last.n = $7 AND EXISTS (SELECT FROM page WHERE n > $7)
) AS next_cursor
FROM verdict;

-- app.services.sessions.attendance_service._GET
-- $1 actor_id, $2 session_id
WITH actor AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM actor WHERE role IN ('teacher', 'admin')),
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
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT may FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
),
sessions AS MATERIALIZED (
    SELECT s.* FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.id = $2
),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
),
people AS MATERIALIZED (
    SELECT st.id, st.roll_key, st.roll_no, st.name
    FROM class_students e JOIN students st ON st.id = e.student_id
    WHERE e.class_id = (SELECT id FROM granted)
),
marks AS MATERIALIZED (
    SELECT m.session_id, json_agg(mark ORDER BY p.roll_key) AS statuses
    FROM attendance_statuses m
    JOIN people p ON p.id = m.student_id
    CROSS JOIN LATERAL (
        SELECT p.roll_no AS "rollNo", p.name, m.status,
               m.recognized_by_ai AS "recognizedByAi", m.similarity_score AS "similarityScore",
               m.remark, m.source, json_instant(m.marked_at) AS "markedAt"
    ) mark
    WHERE m.class_id = (SELECT id FROM granted)
      AND m.session_id = ANY(ARRAY(SELECT id FROM sessions))
    GROUP BY m.session_id
),
unmarked AS (
    SELECT json_agg(person ORDER BY p.roll_key) AS people
    FROM sessions s
    JOIN class_students e ON e.class_id = s.class_id AND e.periods @> s.session_date
    JOIN people p ON p.id = e.student_id
    CROSS JOIN LATERAL (SELECT p.roll_no AS "rollNo", p.name) person
    WHERE e.student_id NOT IN (
        SELECT student_id FROM attendance_statuses
        WHERE class_id = (SELECT id FROM granted) AND session_id = (SELECT id FROM sessions))
)
SELECT verdict, s.version, (
    SELECT row_to_json(d)
    FROM fields f
    LEFT JOIN marks ON true
    LEFT JOIN unmarked ON true
    CROSS JOIN LATERAL (
        SELECT f.*, s.status_reason AS "statusReason", coalesce(marks.statuses, '[]') AS statuses,
               coalesce(unmarked.people, '[]') AS unmarked
    ) d
)::text AS document
FROM verdict LEFT JOIN sessions s ON true;

-- app.services.sessions.history._HISTORY
-- $1 actor_id, $2 session_id, $3 version, $4 roll_key, $5 student_id, $6 most
WITH actor AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM actor WHERE role IN ('teacher', 'admin')),
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
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT may FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
),
states AS MATERIALIZED (
    SELECT student_id, student_id AS recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, source, marked_by, marked_at
    FROM attendance_statuses
    WHERE class_id = (SELECT id FROM granted) AND session_id = $2
    UNION ALL
    SELECT student_id, recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, source, marked_by, marked_at
    FROM superseded_statuses
    WHERE class_id = (SELECT id FROM granted) AND session_id = $2
),
steps AS MATERIALIZED (
    SELECT states.*, state,
           lag(state) OVER (PARTITION BY student_id, recorded_for ORDER BY version) AS before
    FROM states
    CROSS JOIN LATERAL (
        SELECT CASE WHEN status IS NOT NULL THEN row_to_json(s) END AS state
        FROM (SELECT status, recognized_by_ai AS "recognizedByAi",
                     similarity_score AS "similarityScore", remark, source) s
    ) shaped
),
page AS MATERIALIZED (
    SELECT steps.*, st.roll_key, st.roll_no, st.name,
           row_number() OVER (
               ORDER BY steps.version DESC, st.roll_key, steps.recorded_for) AS n
    FROM steps JOIN students st ON st.id = steps.student_id
    WHERE $3::integer IS NULL OR steps.version < $3
       OR (steps.version = $3
           AND (st.roll_key, steps.recorded_for) > ($4, $5::uuid))
    ORDER BY steps.version DESC, st.roll_key, steps.recorded_for
    LIMIT $6 + 1
),
changes AS (
    SELECT page.n, json_build_object(
        'version', page.version, 'rollNo', page.roll_no, 'name', page.name,
        'from', page.before, 'to', page.state,
        'changedBy', page.marked_by, 'changedByName', u.name,
        'changedAt', json_instant(page.marked_at), 'requestId', b.request_id,
        'reason', b.reason) AS change
    FROM page
    LEFT JOIN attendance_batches b
        ON b.class_id = (SELECT id FROM granted) AND b.session_id = $2
       AND b.version = page.version
    LEFT JOIN users u ON u.id = page.marked_by
    WHERE page.n <= $6
)
SELECT verdict,
       (SELECT coalesce(json_agg(change ORDER BY n), '[]') FROM changes)::text AS document,
       (SELECT last.version || '~' || last.recorded_for || '~' || last.roll_key FROM page last
        WHERE last.n = $6 AND EXISTS (SELECT FROM page WHERE n > $6)) AS next_cursor
FROM verdict;
