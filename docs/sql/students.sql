-- app.services.students.records._LIST
-- $1 actor_id, $2 after, $3 query, $4 roll_key, $5 most
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
page AS MATERIALIZED (
    SELECT s.*, row_number() OVER (ORDER BY s.roll_key) AS n
    FROM students s
    WHERE EXISTS (SELECT FROM admin)
      AND ($2::text IS NULL OR s.roll_key > $2)
      AND ($3::text IS NULL OR strpos(s.roll_key, $4) > 0
           OR strpos(lower(concat_ws(' ', s.name, s.email, s.dtu_email)), lower($3)) > 0)
    ORDER BY s.roll_key
    LIMIT $5 + 1
),
found AS (SELECT * FROM page WHERE n <= $5),
documents AS (
    SELECT s.roll_key, json_build_object(
        'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name, 'photoUrl', s.photo_url,
        'program', s.program, 'spCode', s.sp_code, 'semester', s.semester, 'status', s.status,
        'duration', s.duration, 'email', s.email, 'dtuEmail', s.dtu_email, 'phone', s.phone,
        'createdAt', json_instant(s.created_at), 'classes', (
            SELECT count(*) FROM class_students e
            WHERE e.student_id = s.id AND on_roster(e.periods))) AS document
    FROM found s
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY roll_key), '[]') FROM documents
)::text AS document, (
    SELECT roll_key FROM page WHERE n = $5 AND EXISTS (SELECT FROM page WHERE n > $5)
) AS next_cursor
FROM verdict;

-- app.services.students.records._CHANGE
-- $1 given, $2 roll_no, $3 roll_key, $4 name, $5 photo_url, $6 program, $7 sp_code, $8 semester, $9 status, $10 duration, $11 email, $12 dtu_email, $13 phone, $14 id, $15 recorded, $16 actor_id, $17 request_id
WITH changed AS (
    UPDATE students s
    SET roll_no = CASE WHEN 'roll_no' = ANY($1::text[]) THEN $2 ELSE s.roll_no END,
        roll_key = CASE WHEN 'roll_no' = ANY($1) THEN $3 ELSE s.roll_key END,
        name = CASE WHEN 'name' = ANY($1) THEN $4 ELSE s.name END,
        photo_url = CASE WHEN 'photo_url' = ANY($1) THEN $5 ELSE s.photo_url END,
        program = CASE WHEN 'program' = ANY($1) THEN $6 ELSE s.program END,
        sp_code = CASE WHEN 'sp_code' = ANY($1) THEN $7 ELSE s.sp_code END,
        semester = CASE WHEN 'semester' = ANY($1) THEN $8 ELSE s.semester END,
        status = CASE WHEN 'status' = ANY($1) THEN $9 ELSE s.status END,
        duration = CASE WHEN 'duration' = ANY($1) THEN $10 ELSE s.duration END,
        email = CASE WHEN 'email' = ANY($1) THEN $11 ELSE s.email END,
        dtu_email = CASE WHEN 'dtu_email' = ANY($1) THEN $12 ELSE s.dtu_email END,
        phone = CASE WHEN 'phone' = ANY($1) THEN $13 ELSE s.phone END
    WHERE s.id = $14
    RETURNING s.id
),
acts AS (
    SELECT 'student_changed' AS action, 'student' AS subject, id AS subject_id,
           jsonb_build_object('fields', $15::text[]) AS details
    FROM changed
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $16::uuid, $17::text, action, subject, subject_id, details FROM acts
)
SELECT subject_id FROM acts;

-- app.services.students.records._GET
-- $1 id
WITH found AS (SELECT * FROM students WHERE id = $1),
documents AS (
    SELECT s.roll_key, json_build_object(
        'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name, 'photoUrl', s.photo_url,
        'program', s.program, 'spCode', s.sp_code, 'semester', s.semester, 'status', s.status,
        'duration', s.duration, 'email', s.email, 'dtuEmail', s.dtu_email, 'phone', s.phone,
        'createdAt', json_instant(s.created_at), 'classes', (
            SELECT count(*) FROM class_students e
            WHERE e.student_id = s.id AND on_roster(e.periods))) AS document
    FROM found s
)
SELECT document::text FROM documents;
