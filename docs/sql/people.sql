-- app.services.people.accounts._SIGN_IN
-- $1 name, $2 email, $3 issuer, $4 subject
WITH allowed AS MATERIALIZED (
    SELECT btrim(email) AS email, role, coalesce(nullif(btrim(name), ''), $1) AS name
    FROM allowed_emails
    WHERE lower(btrim(email)) = lower(btrim($2))
),
known AS (
    UPDATE users u
    SET email = CASE WHEN lower(btrim(u.email)) = lower(allowed.email)
                     THEN u.email ELSE allowed.email END,
        name = allowed.name,
        last_login_at = now()
    FROM allowed
    WHERE (u.issuer, u.google_sub) = ($3, $4) AND u.disabled_at IS NULL
    RETURNING u.id, u.email, u.name
),
bound AS (
    INSERT INTO users AS u (email, name, issuer, google_sub, last_login_at)
    SELECT email, name, $3, $4, now()
    FROM allowed
    WHERE NOT EXISTS (SELECT FROM users WHERE (issuer, google_sub) = ($3, $4))
    ON CONFLICT (lower(btrim(email))) DO UPDATE
    SET issuer = excluded.issuer, google_sub = excluded.google_sub, name = excluded.name,
        last_login_at = now()
    WHERE (u.google_sub IS NULL
           OR (u.issuer, u.google_sub) = (excluded.issuer, excluded.google_sub))
      AND u.disabled_at IS NULL
    RETURNING u.id, u.email, u.name
),
person AS (SELECT * FROM known UNION ALL SELECT * FROM bound)
SELECT allowed.role, person.id, person.email, person.name,
       EXISTS (
           SELECT FROM users
           WHERE disabled_at IS NOT NULL
             AND ((issuer, google_sub) = ($3, $4)
                  OR lower(btrim(email)) = lower(btrim($2)))
       ) AS disabled
FROM (SELECT) AS always
LEFT JOIN allowed ON true
LEFT JOIN person ON true;

-- app.services.people.accounts._ME
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
        'id', u.id, 'email', u.email, 'name', u.name, 'role', staff.role,
        'department', u.department, 'employeeId', u.employee_id,
        'lastLoginAt', json_instant(u.last_login_at), 'createdAt', json_instant(u.created_at))
    FROM users u JOIN staff ON staff.id = u.id
) AS document
FROM verdict;

-- app.services.people.allow_list._LOCK
LOCK TABLE allowed_emails IN SHARE ROW EXCLUSIVE MODE;

-- app.services.people.allow_list._ADMINS
SELECT count(*) AS admins
FROM allowed_emails a
LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(a.email))
WHERE a.role = 'admin' AND u.disabled_at IS NULL;

-- app.services.people.allow_list._ALLOW
-- $1 emails, $2 roles, $3 names, $4 actor_id, $5 request_id
WITH written AS (
    INSERT INTO allowed_emails AS a (email, role, name)
    SELECT btrim(given.email), coalesce(given.role, there.role, 'teacher'), given.name
    FROM unnest($1::text[], $2::text[], $3::text[]) AS given(email, role, name)
    LEFT JOIN allowed_emails there ON lower(btrim(there.email)) = lower(btrim(given.email))
    ON CONFLICT (lower(btrim(email))) DO UPDATE
    SET role = excluded.role, name = coalesce(excluded.name, a.name), updated_at = now()
    WHERE (a.role, a.name) IS DISTINCT FROM (excluded.role, coalesce(excluded.name, a.name))
    RETURNING a.id, a.role, lower(btrim(a.email)) AS key, a.xmax = 0 AS added
),
acts AS (
    SELECT CASE WHEN added THEN 'email_allowed' ELSE 'allowed_email_changed' END AS action,
           'allowed_email' AS subject, id AS subject_id,
           jsonb_build_object('role', role) AS details
    FROM written
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $4::uuid, $5::text, action, subject, subject_id, details FROM acts
)
SELECT coalesce(array_agg(key) FILTER (WHERE added), ARRAY[]::text[]) AS added,
       coalesce(array_agg(key) FILTER (WHERE NOT added), ARRAY[]::text[]) AS changed
FROM written;

-- app.services.people.allow_list._DISALLOW
-- $1 email, $2 actor_id, $3 request_id
WITH acts AS (
    DELETE FROM allowed_emails WHERE lower(btrim(email)) = lower(btrim($1))
    RETURNING 'email_disallowed' AS action, 'allowed_email' AS subject, id AS subject_id,
              '{}'::jsonb AS details
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $2::uuid, $3::text, action, subject, subject_id, details FROM acts
)
SELECT subject_id FROM acts;

-- app.services.people.allow_list._MAKE_USERS
-- $1 emails
WITH made AS (
    INSERT INTO users (email, name)
    SELECT btrim(a.email), coalesce(nullif(btrim(a.name), ''), btrim(a.email))
    FROM allowed_emails a
    WHERE lower(btrim(a.email)) IN (
        SELECT lower(btrim(given.email)) FROM unnest($1::text[]) AS given(email))
    ORDER BY lower(btrim(a.email))
    ON CONFLICT (lower(btrim(email))) DO NOTHING
    RETURNING id
)
SELECT count(*) AS made FROM made;

-- app.services.people.allow_list._USER
-- $1 email
SELECT u.id FROM users u
JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
WHERE lower(btrim(u.email)) = lower(btrim($1));

-- app.services.people.allow_list._ADMIN_ADDRESSES
SELECT coalesce(array_agg(btrim(a.email) ORDER BY a.created_at), '{}') AS emails
FROM allowed_emails a
LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(a.email))
WHERE a.role = 'admin' AND u.disabled_at IS NULL;

-- app.services.people.allow_list._ADD
-- $1 email, $2 role, $3 name, $4 actor_id, $5 request_id
WITH entries AS (
    INSERT INTO allowed_emails (email, role, name) VALUES ($1, $2, $3)
    ON CONFLICT (lower(btrim(email))) DO NOTHING
    RETURNING *
),
acts AS (
    SELECT 'email_allowed' AS action, 'allowed_email' AS subject, id AS subject_id,
           jsonb_build_object('role', role) AS details
    FROM entries
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $4::uuid, $5::text, action, subject, subject_id, details FROM acts
),
documents AS (
    SELECT id, json_build_object(
        'id', id, 'email', email, 'name', name, 'role', role,
        'createdAt', json_instant(created_at), 'updatedAt', json_instant(updated_at)) AS document
    FROM entries
)
SELECT document::text AS document FROM documents;

-- app.services.people.allow_list._SAME
-- $1 email, $2 role, $3 name
WITH entries AS (
    SELECT * FROM allowed_emails
    WHERE lower(btrim(email)) = lower($1) AND role = $2 AND name IS NOT DISTINCT FROM $3
),
documents AS (
    SELECT id, json_build_object(
        'id', id, 'email', email, 'name', name, 'role', role,
        'createdAt', json_instant(created_at), 'updatedAt', json_instant(updated_at)) AS document
    FROM entries
)
SELECT document::text AS document FROM documents;

-- app.services.people.allow_list._CHANGE
-- $1 given, $2 email, $3 role, $4 name, $5 id, $6 actor_id, $7 request_id
WITH entries AS (
    UPDATE allowed_emails
    SET email = CASE WHEN 'email' = ANY($1::text[]) THEN $2 ELSE email END,
        role = CASE WHEN 'role' = ANY($1) THEN $3 ELSE role END,
        name = CASE WHEN 'name' = ANY($1) THEN $4 ELSE name END,
        updated_at = now()
    WHERE id = $5
    RETURNING *
),
acts AS (
    SELECT 'allowed_email_changed' AS action, 'allowed_email' AS subject, id AS subject_id,
           jsonb_build_object('role', role, 'fields', $1) AS details
    FROM entries
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $6::uuid, $7::text, action, subject, subject_id, details FROM acts
),
documents AS (
    SELECT id, json_build_object(
        'id', id, 'email', email, 'name', name, 'role', role,
        'createdAt', json_instant(created_at), 'updatedAt', json_instant(updated_at)) AS document
    FROM entries
)
SELECT document::text AS document FROM documents;

-- app.services.people.allow_list._REMOVE
-- $1 id, $2 actor_id, $3 request_id
WITH acts AS (
    DELETE FROM allowed_emails WHERE id = $1
    RETURNING 'email_disallowed' AS action, 'allowed_email' AS subject, id AS subject_id,
              '{}'::jsonb AS details
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $2::uuid, $3::text, action, subject, subject_id, details FROM acts
)
SELECT subject_id FROM acts;

-- app.services.people.allowed._LIST
-- $1 actor_id, $2 after, $3 query, $4 most
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
    SELECT a.*, lower(btrim(a.email)) AS cursor,
           row_number() OVER (ORDER BY lower(btrim(a.email)) COLLATE "C") AS n
    FROM allowed_emails a
    WHERE EXISTS (SELECT FROM admin)
      AND ($2::text IS NULL OR lower(btrim(a.email)) COLLATE "C" > $2)
      AND ($3::text IS NULL
           OR strpos(lower(a.email || ' ' || coalesce(a.name, '')), lower($3)) > 0)
    ORDER BY lower(btrim(a.email)) COLLATE "C"
    LIMIT $4 + 1
),
entries AS (SELECT * FROM page WHERE n <= $4),
documents AS (
    SELECT id, json_build_object(
        'id', id, 'email', email, 'name', name, 'role', role,
        'createdAt', json_instant(created_at), 'updatedAt', json_instant(updated_at)) AS document
    FROM entries
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $4 AND EXISTS (SELECT FROM page WHERE n > $4)
) AS next_cursor
FROM verdict;

-- app.services.people.allowed._READ
-- $1 actor_id, $2 id
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
entries AS (SELECT * FROM allowed_emails WHERE id = $2 AND EXISTS (SELECT FROM admin)),
documents AS (
    SELECT id, json_build_object(
        'id', id, 'email', email, 'name', name, 'role', role,
        'createdAt', json_instant(created_at), 'updatedAt', json_instant(updated_at)) AS document
    FROM entries
)
SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict;

-- app.services.people.student_accounts._LOCK
-- $1 email
WITH locked AS (
    SELECT id, lower(btrim(confirmed_email)) IS NOT DISTINCT FROM lower(btrim($1)) AS confirmed
    FROM students WHERE lower(btrim(dtu_email)) = lower(btrim($1))
    ORDER BY roll_key COLLATE "C" FOR NO KEY UPDATE
)
SELECT coalesce(array_agg(id ORDER BY id) FILTER (WHERE confirmed), '{}') AS confirmed,
       coalesce(array_agg(id ORDER BY id) FILTER (WHERE NOT confirmed), '{}') AS unconfirmed
FROM locked;

-- app.services.people.student_accounts._REPORT
-- $1 student_ids, $2 code, $3 actor_id, $4 request_id
WITH acts AS (
    SELECT 'student_sign_in_refused' AS action, 'student' AS subject,
           ($1::uuid[])[1] AS subject_id,
           jsonb_build_object('students', $1, 'code', $2::text) AS details
    WHERE NOT EXISTS (
        SELECT FROM audit_log l
        WHERE l.subject_id = ($1)[1] AND l.action = 'student_sign_in_refused'
          AND l.details ->> 'code' = $2 AND l.at >= current_date)
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $3::uuid, $4::text, action, subject, subject_id, details FROM acts
)
SELECT;

-- app.services.people.student_accounts._LEAVE_OTHERS
-- $1 issuer, $2 subject, $3 student_id
DELETE FROM student_accounts
WHERE issuer = $1 AND subject = $2 AND student_id <> $3 AND disabled_at IS NULL;

-- app.services.people.student_accounts._BIND
-- $1 student_id, $2 issuer, $3 subject, $4 email, $5 name
WITH bound AS (
    INSERT INTO student_accounts AS a (student_id, issuer, subject, email, last_login_at)
    SELECT $1, $2, $3, btrim($4), now()
    WHERE NOT EXISTS (
        SELECT FROM student_accounts
        WHERE issuer = $2 AND subject = $3 AND student_id <> $1)
    ON CONFLICT (student_id) DO UPDATE
    SET issuer = excluded.issuer, subject = excluded.subject, email = excluded.email,
        last_login_at = excluded.last_login_at
    WHERE a.disabled_at IS NULL
      AND ((a.issuer, a.subject) = (excluded.issuer, excluded.subject)
           OR lower(btrim(a.email)) <> lower(btrim(excluded.email)))
    RETURNING a.id
)
SELECT (SELECT id FROM bound) AS id, coalesce(nullif(s.name, ''), $5) AS name, EXISTS (
    SELECT FROM student_accounts
    WHERE disabled_at IS NOT NULL
      AND (student_id = $1 OR (issuer, subject) = ($2, $3))) AS disabled
FROM students s WHERE s.id = $1;

-- app.services.people.users._LIST
-- $1 actor_id, $2 after, $3 query, $4 most
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
    SELECT u.*, lower(btrim(u.email)) AS cursor,
           row_number() OVER (ORDER BY lower(btrim(u.email)) COLLATE "C") AS n
    FROM users u
    WHERE EXISTS (SELECT FROM admin)
      AND ($2::text IS NULL OR lower(btrim(u.email)) COLLATE "C" > $2)
      AND ($3::text IS NULL OR strpos(
          lower(concat_ws(' ', u.email, u.name, u.department, u.employee_id)), lower($3)) > 0)
    ORDER BY lower(btrim(u.email)) COLLATE "C"
    LIMIT $4 + 1
),
people AS (SELECT * FROM page WHERE n <= $4),
documents AS (
    SELECT u.id, json_build_object(
        'id', u.id, 'email', u.email, 'name', u.name, 'role', a.role,
        'department', u.department, 'employeeId', u.employee_id,
        'lastLoginAt', json_instant(u.last_login_at), 'disabledAt', json_instant(u.disabled_at),
        'createdAt', json_instant(u.created_at)) AS document
    FROM people u
    LEFT JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $4 AND EXISTS (SELECT FROM page WHERE n > $4)
) AS next_cursor
FROM verdict;

-- app.services.people.users._READ
-- $1 actor_id, $2 id
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
people AS (SELECT * FROM users WHERE id = $2 AND EXISTS (SELECT FROM admin)),
documents AS (
    SELECT u.id, json_build_object(
        'id', u.id, 'email', u.email, 'name', u.name, 'role', a.role,
        'department', u.department, 'employeeId', u.employee_id,
        'lastLoginAt', json_instant(u.last_login_at), 'disabledAt', json_instant(u.disabled_at),
        'createdAt', json_instant(u.created_at)) AS document
    FROM people u
    LEFT JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
)
SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict;

-- app.services.people.users._CHANGE
-- $1 given, $2 disabled, $3 department, $4 employee_id, $5 id, $6 actor_id, $7 request_id
WITH people AS (
    UPDATE users
    SET disabled_at = CASE WHEN NOT 'disabled' = ANY($1::text[]) THEN disabled_at
                           WHEN $2 THEN coalesce(disabled_at, now()) END,
        department = CASE WHEN 'department' = ANY($1) THEN $3 ELSE department END,
        employee_id = CASE WHEN 'employee_id' = ANY($1) THEN $4 ELSE employee_id END
    WHERE id = $5
    RETURNING *
),
acts AS (
    SELECT CASE WHEN NOT 'disabled' = ANY($1) THEN 'user_changed'
                WHEN $2 THEN 'user_disabled' ELSE 'user_enabled' END AS action,
           'user' AS subject, id AS subject_id, jsonb_build_object('fields', $1) AS details
    FROM people
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $6::uuid, $7::text, action, subject, subject_id, details FROM acts
),
documents AS (
    SELECT u.id, json_build_object(
        'id', u.id, 'email', u.email, 'name', u.name, 'role', a.role,
        'department', u.department, 'employeeId', u.employee_id,
        'lastLoginAt', json_instant(u.last_login_at), 'disabledAt', json_instant(u.disabled_at),
        'createdAt', json_instant(u.created_at)) AS document
    FROM people u
    LEFT JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
)
SELECT document::text FROM documents;
