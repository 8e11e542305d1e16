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
    SELECT l.*, row_number() OVER (ORDER BY l.at DESC, l.id) AS n
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
    SELECT json_instant(last.at) || '~' || last.id FROM page last
    WHERE last.n = $9 AND EXISTS (SELECT FROM page WHERE n > $9)
) AS next_cursor
FROM verdict;
