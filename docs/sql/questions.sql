-- app.services.questions.answering._FIND
-- $1 actor_id, $2 question_id
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
wanted AS (SELECT class_id AS id FROM mark_questions WHERE id = $2),
class AS MATERIALIZED (
    SELECT c.*, (staff.role = 'admin' OR c.teacher_id = staff.id) AS owns, ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering))) AS may, staff.id AS actor_id, staff.role AS actor_role
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) FOR SHARE OF c
),
granted AS MATERIALIZED (SELECT * FROM class WHERE may AND archived_at IS NULL),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT may FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
),
shown AS (
    SELECT q.* FROM mark_questions q JOIN granted ON granted.id = q.class_id
    WHERE q.id = $2
)
SELECT verdict, q.session_id, q.status, q.answer, q.answered_by, st.roll_no, m.remark, s.version
FROM verdict LEFT JOIN shown q ON true
LEFT JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
LEFT JOIN students st ON st.id = q.student_id
LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
    AND m.student_id = q.student_id;

-- app.services.questions.answering._ANSWER
-- $1 outcome, $2 answer, $3 actor_id, $4 question_id, $5 request_id
WITH answered AS (
    UPDATE mark_questions
    SET status = $1::text, answer = $2, answered_by = $3::uuid,
        answered_at = clock_timestamp()
    WHERE id = $4 AND status = 'open'
    RETURNING *
),
acts AS (
    SELECT 'question_answered' AS action, 'question' AS subject, id AS subject_id,
           jsonb_build_object('classId', class_id, 'sessionId', session_id,
                              'studentId', student_id, 'outcome', status) AS details
    FROM answered
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $3::uuid, $5::text, action, subject, subject_id, details FROM acts
)
SELECT subject_id FROM acts;

-- app.services.questions.answering._GET
-- $1 question_id
WITH shown AS (SELECT * FROM mark_questions WHERE id = $1),
documents AS (
    SELECT q.id, s.version, json_build_object(
        'id', q.id, 'classId', q.class_id, 'code', c.code, 'section', c.section,
        'sessionId', q.session_id, 'date', s.session_date, 'start', json_time(s.start_time),
        'studentId', q.student_id, 'rollNo', st.roll_no, 'name', st.name, 'text', q.text,
        'said', q.said, 'mark', m.status, 'status', q.status,
        'askedAt', json_instant(q.asked_at), 'answer', q.answer, 'answeredBy', q.answered_by,
        'answeredAt', json_instant(q.answered_at)) AS document
    FROM shown q
    JOIN classes c ON c.id = q.class_id
    JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
    JOIN students st ON st.id = q.student_id
    LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
        AND m.student_id = q.student_id
)
SELECT document::text, version FROM documents;

-- app.services.questions.shown._LIST
-- $1 actor_id, $2 class_id, $3 status, $4 after_at, $5 after_id, $6 most
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
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                ELSE 'granted' END AS verdict
),
page AS MATERIALIZED (
    SELECT q.*, json_instant(q.asked_at) || '~' || q.id AS cursor,
           row_number() OVER (ORDER BY q.asked_at DESC, q.id) AS n
    FROM mark_questions q
    WHERE q.class_id = ANY(ARRAY(SELECT id FROM mine))
      AND ($2::uuid IS NULL OR q.class_id = $2)
      AND ($3::text IS NULL OR q.status = $3)
      AND ($4::timestamptz IS NULL OR q.asked_at < $4
           OR (q.asked_at = $4 AND q.id > $5::uuid))
    ORDER BY q.asked_at DESC, q.id
    LIMIT $6 + 1
),
shown AS (SELECT * FROM page WHERE n <= $6),
documents AS (
    SELECT q.id, s.version, json_build_object(
        'id', q.id, 'classId', q.class_id, 'code', c.code, 'section', c.section,
        'sessionId', q.session_id, 'date', s.session_date, 'start', json_time(s.start_time),
        'studentId', q.student_id, 'rollNo', st.roll_no, 'name', st.name, 'text', q.text,
        'said', q.said, 'mark', m.status, 'status', q.status,
        'askedAt', json_instant(q.asked_at), 'answer', q.answer, 'answeredBy', q.answered_by,
        'answeredAt', json_instant(q.answered_at)) AS document
    FROM shown q
    JOIN classes c ON c.id = q.class_id
    JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
    JOIN students st ON st.id = q.student_id
    LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
        AND m.student_id = q.student_id
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $6 AND EXISTS (SELECT FROM page WHERE n > $6)
) AS next_cursor
FROM verdict;

-- app.services.questions.shown._GET
-- $1 actor_id, $2 question_id
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
wanted AS (SELECT class_id AS id FROM mark_questions WHERE id = $2),
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
shown AS (
    SELECT q.* FROM mark_questions q JOIN granted ON granted.id = q.class_id
    WHERE q.id = $2
),
documents AS (
    SELECT q.id, s.version, json_build_object(
        'id', q.id, 'classId', q.class_id, 'code', c.code, 'section', c.section,
        'sessionId', q.session_id, 'date', s.session_date, 'start', json_time(s.start_time),
        'studentId', q.student_id, 'rollNo', st.roll_no, 'name', st.name, 'text', q.text,
        'said', q.said, 'mark', m.status, 'status', q.status,
        'askedAt', json_instant(q.asked_at), 'answer', q.answer, 'answeredBy', q.answered_by,
        'answeredAt', json_instant(q.answered_at)) AS document
    FROM shown q
    JOIN classes c ON c.id = q.class_id
    JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
    JOIN students st ON st.id = q.student_id
    LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
        AND m.student_id = q.student_id
)
SELECT verdict, document::text, version FROM verdict LEFT JOIN documents ON true;
