-- app.services.audit._LIST
-- $1 actor_id, $2 by, $3 subject_id, $4 action, $5 first, $6 last, $7 after_at, $8 after_id, $9 most
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
    SELECT l.*, json_instant(l.at) || '~' || l.id AS cursor,
           row_number() OVER (ORDER BY l.at DESC, l.id) AS n
    FROM audit_log l
    WHERE EXISTS (SELECT FROM admin)
      AND ($2::uuid IS NULL OR l.actor_id = $2)
      AND ($3::uuid IS NULL OR l.subject_id = $3)
      AND ($4::text IS NULL OR l.action = $4)
      AND ($5::date IS NULL OR l.at >= $5)
      AND ($6::date IS NULL OR l.at < $6 + 1)
      AND ($7::timestamptz IS NULL OR l.at < $7
           OR (l.at = $7 AND l.id > $8::uuid))
    ORDER BY l.at DESC, l.id
    LIMIT $9 + 1
),
documents AS (
    SELECT id, json_build_object(
        'id', id, 'at', json_instant(at), 'actorId', actor_id, 'requestId', request_id,
        'action', action, 'subject', subject, 'subjectId', subject_id, 'details', details
    ) AS document
    FROM page WHERE n <= $9
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $9 AND EXISTS (SELECT FROM page WHERE n > $9)
) AS next_cursor
FROM verdict;

-- app.services.audit._NAMES
-- $1 actor_id, $2 ids
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
asked AS (SELECT unnest($2::uuid[]) AS id FROM admin),
of_people AS (
    SELECT id, 'user' AS kind, name FROM users JOIN asked USING (id)
    UNION ALL
    SELECT id, 'allowed_email', email FROM allowed_emails JOIN asked USING (id)
    UNION ALL
    SELECT id, 'student', concat_ws(' ', roll_no, name) FROM students JOIN asked USING (id)
    UNION ALL
    SELECT l.id, 'leave', concat_ws(' ', s.roll_no, s.name)
    FROM leaves l JOIN asked USING (id) JOIN students s ON s.id = l.student_id
    UNION ALL
    SELECT q.id, 'question', concat_ws(' ', s.roll_no, s.name)
    FROM mark_questions q JOIN asked USING (id) JOIN students s ON s.id = q.student_id
),
of_classes AS (
    SELECT id, 'class' AS kind, concat_ws(' ', code, name, section) AS name
    FROM classes JOIN asked USING (id)
    UNION ALL
    SELECT t.id, 'session', concat_ws(' ', c.code, c.section, t.session_date)
    FROM attendance_sessions t JOIN asked USING (id) JOIN classes c ON c.id = t.class_id
    UNION ALL
    SELECT id, 'term', name FROM terms JOIN asked USING (id)
    UNION ALL
    SELECT id, 'holiday', name FROM holidays JOIN asked USING (id)
),
named AS (SELECT * FROM of_people UNION ALL SELECT * FROM of_classes)
SELECT verdict, (
    SELECT coalesce(json_agg(json_build_object('id', id, 'kind', kind, 'name', name)), '[]')
    FROM named
)::text AS document
FROM verdict;
