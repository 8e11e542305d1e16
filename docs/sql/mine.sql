-- app.services.mine.my_attendance._ATTENDANCE
-- $1 actor_id, $2 let_in, $3 attend, $4 miss
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = $1 AND a.disabled_at IS NULL AND $2::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
),
my_classes AS MATERIALIZED (
    SELECT c.*, e.periods
    FROM class_students e JOIN classes c ON c.id = e.class_id
    WHERE e.student_id = (SELECT id FROM student) AND on_roster(e.periods)
      AND c.archived_at IS NULL
),
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                ELSE 'granted' END AS verdict
),
months AS (
    SELECT class_id, json_agg(json_build_object(
        'month', month, 'held', counted, 'attended', attended * 0.01,
        'percentage', attendance_percentage(attended, counted)) ORDER BY month) AS months
    FROM (
        SELECT class_id, to_char(session_date, 'YYYY-MM') AS month,
               sum(attended)::bigint AS attended, sum(counted)::bigint AS counted
        FROM v_mark_counts
        WHERE student_id = (SELECT id FROM student)
          AND class_id = ANY(ARRAY(SELECT id FROM my_classes))
        GROUP BY class_id, month
    ) sums GROUP BY class_id
),
figures AS MATERIALIZED (
    SELECT c.id AS class_id, c.code, c.name, c.section, t.name AS term, r.rules, f.attended,
           f.counted, f.percentage, f.standing, f.sessions_needed, f.can_miss, m.meetings
    FROM my_classes c CROSS JOIN v_rules r
    LEFT JOIN terms t ON t.id = c.term_id
    LEFT JOIN v_meetings_left m ON m.class_id = c.id
    CROSS JOIN LATERAL (
        SELECT * FROM v_enrolment_attendance v
        WHERE v.class_id = c.id AND v.student_id = (SELECT id FROM student) OFFSET 0
    ) f
)
SELECT verdict, (
    SELECT coalesce(
        json_agg(mine ORDER BY f.code COLLATE "C", f.section COLLATE "C", f.class_id), '[]')
    FROM figures f LEFT JOIN months USING (class_id)
    CROSS JOIN LATERAL (
        SELECT f.attended + 100 * coalesce($3, 0) AS attended,
               f.counted + coalesce($3, 0) + coalesce($4, 0) AS counted
    ) n
    CROSS JOIN LATERAL (
        SELECT f.class_id AS "classId", f.code, f.name, f.section, f.term, f.counted AS held,
               f.attended * 0.01 AS attended, f.percentage, f.standing,
               f.sessions_needed AS "sessionsNeeded", f.can_miss AS "canMiss",
               CASE WHEN f.meetings IS NOT NULL THEN attendance_percentage(
                   f.attended + 100 * f.meetings, f.counted + f.meetings) END AS "bestPossible",
               (f.rules).threshold, coalesce(months.months, '[]') AS months,
               CASE WHEN num_nonnulls($3::integer, $4::integer) > 0
                    THEN json_build_object(
                        'attend', coalesce($3, 0), 'miss', coalesce($4, 0),
                        'percentage', attendance_percentage(n.attended, n.counted),
                        'standing', attendance_standing(f.rules, n.attended, n.counted),
                        'sessionsNeeded',
                        attendance_sessions_needed(f.rules, n.attended, n.counted),
                        'canMiss', attendance_can_miss(f.rules, n.attended, n.counted))
                    END AS "whatIf"
    ) mine
)::text AS document
FROM verdict;

-- app.services.mine.my_leaves._LIST
-- $1 actor_id, $2 let_in, $3 after_at, $4 after_id, $5 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = $1 AND a.disabled_at IS NULL AND $2::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
),
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                ELSE 'granted' END AS verdict
),
page AS MATERIALIZED (
    SELECT l.*, json_instant(l.created_at) || '~' || l.id AS cursor,
           row_number() OVER (ORDER BY l.created_at DESC, l.id) AS n
    FROM leaves l
    WHERE l.student_id = (SELECT id FROM student)
      AND ($3::timestamptz IS NULL OR l.created_at < $3
           OR (l.created_at = $3 AND l.id > $4::uuid))
    ORDER BY l.created_at DESC, l.id
    LIMIT $5 + 1
),
shown AS (SELECT * FROM page WHERE n <= $5),
documents AS (
    SELECT l.id, json_build_object(
        'id', l.id, 'classId', l.class_id, 'firstDay', l.first_day, 'lastDay', l.last_day,
        'sessionIds', CASE WHEN l.by_session THEN (
            SELECT json_agg(ls.session_id ORDER BY ls.session_id)
            FROM leave_sessions ls WHERE ls.leave_id = l.id) END,
        'kind', l.kind, 'own', l.requested_by IS NULL,
        'note', CASE WHEN l.requested_by IS NULL THEN l.note END, 'status', l.status,
        'decidedAt', json_instant(l.decided_at), 'createdAt', json_instant(l.created_at)
    ) AS document
    FROM shown l
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $5 AND EXISTS (SELECT FROM page WHERE n > $5)
) AS next_cursor
FROM verdict;

-- app.services.mine.my_leaves._MAY_ASK
-- $1 actor_id, $2 let_in, $3 class_id
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = $1 AND a.disabled_at IS NULL AND $2::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
),
my_classes AS MATERIALIZED (
    SELECT c.*, e.periods
    FROM class_students e JOIN classes c ON c.id = e.class_id
    WHERE e.student_id = (SELECT id FROM student) AND on_roster(e.periods)
      AND c.archived_at IS NULL
),
own AS (
    SELECT FROM student
    WHERE $3::uuid IS NULL OR $3 = ANY(ARRAY(SELECT id FROM my_classes))
),
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM own) THEN 'not_found'
                ELSE 'granted' END AS verdict
)
SELECT verdict, (SELECT id FROM student) AS student_id FROM verdict;

-- app.services.mine.my_leaves._READ
-- $1 leave_id, $2 student_id
WITH shown AS (SELECT * FROM leaves WHERE id = $1),
documents AS (
    SELECT l.id, json_build_object(
        'id', l.id, 'classId', l.class_id, 'firstDay', l.first_day, 'lastDay', l.last_day,
        'sessionIds', CASE WHEN l.by_session THEN (
            SELECT json_agg(ls.session_id ORDER BY ls.session_id)
            FROM leave_sessions ls WHERE ls.leave_id = l.id) END,
        'kind', l.kind, 'own', l.requested_by IS NULL,
        'note', CASE WHEN l.requested_by IS NULL THEN l.note END, 'status', l.status,
        'decidedAt', json_instant(l.decided_at), 'createdAt', json_instant(l.created_at)
    ) AS document
    FROM shown l
)
SELECT document::text, (
    SELECT count(*) FROM leaves
    WHERE student_id = $2 AND requested_by IS NULL AND status = 'pending') AS pending
FROM documents;

-- app.services.mine.my_leaves._WITHDRAW
-- $1 actor_id, $2 let_in, $3 leave_id, $4 request_id
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = $1 AND a.disabled_at IS NULL AND $2::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
),
own AS MATERIALIZED (
    SELECT l.* FROM leaves l JOIN student ON student.id = l.student_id WHERE l.id = $3
),
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM own) THEN 'not_found'
                ELSE 'granted' END AS verdict
),
withdrawn AS (
    UPDATE leaves l SET status = 'withdrawn', decided_at = clock_timestamp()
    FROM own WHERE l.id = own.id AND l.requested_by IS NULL AND l.status = 'pending'
    RETURNING l.*
),
acts AS (
    SELECT 'leave_withdrawn' AS action, 'leave' AS subject, id AS subject_id,
           jsonb_build_object('studentId', student_id) AS details
    FROM withdrawn
),
recorded AS (
    INSERT INTO audit_log (request_id, action, subject, subject_id, details)
    SELECT $4::text, action, subject, subject_id, details FROM acts
),
shown AS (
    SELECT * FROM withdrawn
    UNION ALL SELECT * FROM own WHERE requested_by IS NULL AND status = 'withdrawn'
),
documents AS (
    SELECT l.id, json_build_object(
        'id', l.id, 'classId', l.class_id, 'firstDay', l.first_day, 'lastDay', l.last_day,
        'sessionIds', CASE WHEN l.by_session THEN (
            SELECT json_agg(ls.session_id ORDER BY ls.session_id)
            FROM leave_sessions ls WHERE ls.leave_id = l.id) END,
        'kind', l.kind, 'own', l.requested_by IS NULL,
        'note', CASE WHEN l.requested_by IS NULL THEN l.note END, 'status', l.status,
        'decidedAt', json_instant(l.decided_at), 'createdAt', json_instant(l.created_at)
    ) AS document
    FROM shown l
)
SELECT verdict, own.requested_by IS NULL AS asked,
       (SELECT document FROM documents)::text AS document
FROM verdict LEFT JOIN own ON true;

-- app.services.mine.my_questions._LOCK
-- $1 actor_id, $2 let_in
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = $1 AND a.disabled_at IS NULL AND $2::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
),
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                ELSE 'granted' END AS verdict
),
locked AS (SELECT FROM students WHERE id = (SELECT id FROM student) FOR NO KEY UPDATE)
SELECT verdict, (SELECT count(*) FROM locked) AS locked FROM verdict;

-- app.services.mine.my_questions._ASK
-- $1 actor_id, $2 let_in, $3 class_id, $4 session_id, $5 text, $6 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = $1 AND a.disabled_at IS NULL AND $2::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
),
my_classes AS MATERIALIZED (
    SELECT c.*, e.periods
    FROM class_students e JOIN classes c ON c.id = e.class_id
    WHERE e.student_id = (SELECT id FROM student) AND on_roster(e.periods)
      AND c.archived_at IS NULL
),
own AS MATERIALIZED (
    SELECT m.class_id, m.session_id, m.student_id, m.status
    FROM attendance_statuses m JOIN student ON student.id = m.student_id
    WHERE m.class_id = $3 AND m.session_id = $4
      AND m.class_id IN (SELECT id FROM my_classes)
),
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM own) THEN 'not_found'
                ELSE 'granted' END AS verdict
),
pending AS MATERIALIZED (
    SELECT q.* FROM mark_questions q JOIN student ON student.id = q.student_id
    WHERE q.class_id = $3 AND q.status = 'open'
),
same AS (SELECT * FROM pending WHERE session_id = $4),
asked AS (
    INSERT INTO mark_questions (class_id, session_id, student_id, text, said)
    SELECT class_id, session_id, student_id, $5, status FROM own
    WHERE NOT EXISTS (SELECT FROM same) AND (SELECT count(*) FROM pending) < $6::integer
    RETURNING *
),
shown AS (SELECT * FROM asked UNION ALL SELECT * FROM same WHERE text = $5),
documents AS (
    SELECT q.id, json_build_object(
        'id', q.id, 'classId', q.class_id, 'code', c.code, 'sessionId', q.session_id,
        'date', s.session_date, 'start', json_time(s.start_time), 'text', q.text,
        'said', q.said, 'mark', m.status, 'status', q.status,
        'askedAt', json_instant(q.asked_at), 'answer', q.answer,
        'answeredAt', json_instant(q.answered_at)) AS document
    FROM shown q
    JOIN classes c ON c.id = q.class_id
    JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
    LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
        AND m.student_id = q.student_id
)
SELECT verdict, EXISTS (SELECT FROM asked) AS made, EXISTS (SELECT FROM same) AS open,
       (SELECT document FROM documents)::text AS document
FROM verdict;

-- app.services.mine.my_questions._LIST
-- $1 actor_id, $2 let_in, $3 after_at, $4 after_id, $5 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = $1 AND a.disabled_at IS NULL AND $2::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
),
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                ELSE 'granted' END AS verdict
),
page AS MATERIALIZED (
    SELECT q.*, json_instant(q.asked_at) || '~' || q.id AS cursor,
           row_number() OVER (ORDER BY q.asked_at DESC, q.id) AS n
    FROM mark_questions q
    WHERE q.student_id = (SELECT id FROM student)
      AND ($3::timestamptz IS NULL OR q.asked_at < $3
           OR (q.asked_at = $3 AND q.id > $4::uuid))
    ORDER BY q.asked_at DESC, q.id
    LIMIT $5 + 1
),
shown AS (SELECT * FROM page WHERE n <= $5),
documents AS (
    SELECT q.id, json_build_object(
        'id', q.id, 'classId', q.class_id, 'code', c.code, 'sessionId', q.session_id,
        'date', s.session_date, 'start', json_time(s.start_time), 'text', q.text,
        'said', q.said, 'mark', m.status, 'status', q.status,
        'askedAt', json_instant(q.asked_at), 'answer', q.answer,
        'answeredAt', json_instant(q.answered_at)) AS document
    FROM shown q
    JOIN classes c ON c.id = q.class_id
    JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
    LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
        AND m.student_id = q.student_id
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $5 AND EXISTS (SELECT FROM page WHERE n > $5)
) AS next_cursor
FROM verdict;

-- app.services.mine.my_questions._WITHDRAW
-- $1 actor_id, $2 let_in, $3 question_id
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = $1 AND a.disabled_at IS NULL AND $2::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
),
own AS MATERIALIZED (
    SELECT q.* FROM mark_questions q JOIN student ON student.id = q.student_id
    WHERE q.id = $3
),
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM own) THEN 'not_found'
                ELSE 'granted' END AS verdict
),
withdrawn AS (
    UPDATE mark_questions q SET status = 'withdrawn'
    FROM own WHERE q.id = own.id AND q.class_id = own.class_id AND q.status = 'open'
    RETURNING q.*
),
shown AS (SELECT * FROM withdrawn UNION ALL SELECT * FROM own WHERE status = 'withdrawn'),
documents AS (
    SELECT q.id, json_build_object(
        'id', q.id, 'classId', q.class_id, 'code', c.code, 'sessionId', q.session_id,
        'date', s.session_date, 'start', json_time(s.start_time), 'text', q.text,
        'said', q.said, 'mark', m.status, 'status', q.status,
        'askedAt', json_instant(q.asked_at), 'answer', q.answer,
        'answeredAt', json_instant(q.answered_at)) AS document
    FROM shown q
    JOIN classes c ON c.id = q.class_id
    JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
    LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
        AND m.student_id = q.student_id
)
SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict;

-- app.services.mine.my_sessions._LIST
-- $1 actor_id, $2 let_in, $3 class_id, $4 first, $5 last, $6 after_day, $7 after_time, $8 after_id, $9 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = $1 AND a.disabled_at IS NULL AND $2::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
),
my_classes AS MATERIALIZED (
    SELECT c.*, e.periods
    FROM class_students e JOIN classes c ON c.id = e.class_id
    WHERE e.student_id = (SELECT id FROM student) AND on_roster(e.periods)
      AND c.archived_at IS NULL
),
own AS (
    SELECT FROM student
    WHERE $3::uuid IS NULL OR $3 = ANY(ARRAY(SELECT id FROM my_classes))
),
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM own) THEN 'not_found'
                ELSE 'granted' END AS verdict
),
page AS MATERIALIZED (
    SELECT s.*, c.code,
           concat(s.session_date, 'T', json_time(s.start_time), '~', s.id) AS cursor,
           row_number() OVER (
               ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST, s.id) AS n
    FROM my_classes c JOIN attendance_sessions s ON s.class_id = c.id
    WHERE ($3 IS NULL OR c.id = $3)
      AND s.session_date >= coalesce($4, '-infinity'::date)
      AND s.session_date <= coalesce($5, 'infinity'::date)
      AND (c.periods @> s.session_date OR EXISTS (
          SELECT FROM attendance_statuses m
          WHERE m.class_id = s.class_id AND m.session_id = s.id
            AND m.student_id = (SELECT id FROM student)))
      AND ($6::date IS NULL OR s.session_date < $6
           OR (s.session_date = $6
               AND (s.start_time < $7
                    OR (s.start_time IS NULL AND $7 IS NOT NULL)
                    OR (s.start_time IS NOT DISTINCT FROM $7 AND s.id > $8::uuid))))
    ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST, s.id
    LIMIT $9 + 1
),
documents AS (
    SELECT p.id, json_build_object(
        'sessionId', p.id, 'classId', p.class_id, 'code', p.code, 'date', p.session_date,
        'start', json_time(p.start_time), 'end', json_time(p.end_time), 'status', p.status,
        'mark', m.status, 'leaveKind', m.leave_kind, 'markedAt', json_instant(m.marked_at),
        'counted', coalesce(k.counted, 0) > 0, 'attended', coalesce(k.attended, 0) * 0.01,
        'question', (
            SELECT json_build_object('id', q.id, 'status', q.status) FROM mark_questions q
            WHERE q.class_id = p.class_id AND q.session_id = p.id AND q.student_id = student.id
            ORDER BY q.asked_at DESC LIMIT 1)) AS document
    FROM page p CROSS JOIN student
    LEFT JOIN attendance_statuses m ON m.class_id = p.class_id AND m.session_id = p.id
        AND m.student_id = student.id
    LEFT JOIN v_mark_counts k ON k.class_id = p.class_id AND k.session_id = p.id
        AND k.student_id = student.id
    WHERE p.n <= $9
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $9 AND EXISTS (SELECT FROM page WHERE n > $9)
) AS next_cursor
FROM verdict;
