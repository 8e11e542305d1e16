-- app.services.leave.asking._STUDENT_OF_CLASS
-- $1 actor_id, $2 class_id, $3 roll_key
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
student AS (
    SELECT e.student_id
    FROM class_students e
    JOIN granted ON granted.id = e.class_id
    JOIN students st ON st.id = e.student_id
    WHERE st.roll_key = $3
)
SELECT verdict, (SELECT student_id FROM student) AS student_id FROM verdict;

-- app.services.leave.asking._STUDENT
-- $1 actor_id, $2 roll_key
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
student AS (
    SELECT st.id FROM students st CROSS JOIN staff
    WHERE st.roll_key = $2 AND (staff.role = 'admin' OR EXISTS (
        SELECT FROM class_students e
        WHERE e.student_id = st.id AND e.class_id IN (SELECT id FROM mine)))
)
SELECT verdict, (SELECT id FROM student) AS student_id FROM verdict;

-- app.services.leave.asking._DAYS_OF_SESSIONS
-- $1 class_id, $2 session_ids
SELECT count(*) AS found, min(session_date) AS first_day, max(session_date) AS last_day
FROM attendance_sessions WHERE class_id = $1 AND id = ANY($2::uuid[]);

-- app.services.leave.asking._SAME
-- $1 student_id, $2 class_id, $3 first_day, $4 last_day, $5 session_ids, $6 kind, $7 note, $8 actor_id
SELECT l.id FROM leaves l
WHERE l.student_id = $1 AND l.class_id IS NOT DISTINCT FROM $2
  AND l.first_day = $3 AND l.last_day = $4
  AND l.by_session = ($5::uuid[] IS NOT NULL)
  AND l.kind = $6 AND l.note IS NOT DISTINCT FROM $7
  AND l.requested_by IS NOT DISTINCT FROM $8::uuid
  AND l.status IN ('pending', 'approved')
  AND coalesce($5, '{}') = ARRAY(
      SELECT session_id FROM leave_sessions WHERE leave_id = l.id ORDER BY session_id);

-- app.services.leave.asking._REQUEST
-- $1 student_id, $2 class_id, $3 first_day, $4 last_day, $5 session_ids, $6 kind, $7 note, $8 actor_id, $9 request_id
WITH made AS (
    INSERT INTO leaves (
        student_id, class_id, first_day, last_day, by_session, kind, note, requested_by)
    VALUES ($1, $2, $3, $4, $5::uuid[] IS NOT NULL,
            $6, $7, $8::uuid)
    RETURNING id
),
sessions AS (
    INSERT INTO leave_sessions (leave_id, session_id)
    SELECT made.id, session_id FROM made CROSS JOIN unnest($5) session_id
),
acts AS (
    SELECT 'leave_requested' AS action, 'leave' AS subject, id AS subject_id,
           CASE WHEN $8 IS NULL THEN jsonb_build_object('studentId', $1::uuid)
                ELSE '{}' END AS details
    FROM made
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $8::uuid, $9::text, action, subject, subject_id, details FROM acts
)
SELECT id FROM made;

-- app.services.leave.asking._LOCK_STUDENT
-- $1 student_id
SELECT FROM students WHERE id = $1 FOR NO KEY UPDATE;

-- app.services.leave.covered._PAGE
-- $1 actor_id, $2 leave_id, $3 after_day, $4 after_time, $5 after_id, $6 most
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
judged AS NOT MATERIALIZED (
    SELECT l.*, staff.role = 'admin' OR EXISTS (
        SELECT FROM mine WHERE mine.id = l.class_id AND (mine.teacher_id = staff.id OR EXISTS (
            SELECT FROM class_teachers t
            WHERE t.class_id = mine.id AND t.user_id = staff.id
              AND daterange(t.first_day, t.last_day, '[]')
                  @> daterange(l.first_day, l.last_day, '[]')))
    ) AS decides, staff.role = 'admin' OR EXISTS (SELECT FROM mine WHERE mine.id = l.class_id)
    OR (l.class_id IS NULL AND EXISTS (
        SELECT FROM class_students e
        WHERE e.student_id = l.student_id AND e.class_id IN (SELECT id FROM mine)
          AND e.periods && daterange(l.first_day, l.last_day, '[]'))) AS sees
    FROM leaves l CROSS JOIN staff
),
listed AS MATERIALIZED (SELECT * FROM judged WHERE id = $2),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM listed) THEN 'not_found'
        WHEN NOT (SELECT sees FROM listed) THEN 'denied'
        ELSE 'granted'
    END AS verdict
),
page AS MATERIALIZED (
    SELECT s.id, concat(s.session_date, 'T', json_time(s.start_time), '~', s.id) AS cursor,
           row_number() OVER (ORDER BY s.session_date, s.start_time NULLS FIRST, s.id) AS n
    FROM listed l
    JOIN class_students e ON e.student_id = l.student_id
        AND (l.class_id IS NULL OR l.class_id = e.class_id)
    JOIN mine ON mine.id = e.class_id
    JOIN attendance_sessions s ON s.class_id = e.class_id
        AND s.session_date BETWEEN l.first_day AND l.last_day
    WHERE (NOT l.by_session OR EXISTS (
          SELECT FROM leave_sessions ls WHERE ls.leave_id = l.id AND ls.session_id = s.id))
      AND (e.periods @> s.session_date OR EXISTS (
          SELECT FROM attendance_statuses m
          WHERE m.class_id = s.class_id AND m.session_id = s.id AND m.student_id = e.student_id))
      AND ($3::date IS NULL OR s.session_date > $3
           OR (s.session_date = $3
               AND (s.start_time > $4
                    OR (s.start_time IS NOT NULL AND $4::time IS NULL)
                    OR (s.start_time IS NOT DISTINCT FROM $4 AND s.id > $5::uuid))))
    ORDER BY s.session_date, s.start_time NULLS FIRST, s.id
    LIMIT $6 + 1
)
SELECT verdict, ARRAY(SELECT id FROM page WHERE n <= $6 ORDER BY n) AS session_ids,
       (SELECT cursor FROM page WHERE n = $6 AND EXISTS (SELECT FROM page WHERE n > $6)
       ) AS next_cursor
FROM verdict;

-- app.services.leave.covered._COVERED
-- $1 leave_id, $2 session_ids
WITH leave AS MATERIALIZED (SELECT * FROM leaves WHERE id = $1),
leaves AS MATERIALIZED (
    SELECT one.id AS student_id, l.id, l.class_id, l.first_day, l.last_day, l.by_session, l.kind,
           'approved' AS status, CASE WHEN l.status = 'approved' THEN l.decided_at END AS decided_at
    FROM leave JOIN leaves l USING (student_id)
    CROSS JOIN LATERAL (VALUES (leave.student_id), (leave.id)) one(id)
    WHERE CASE WHEN l.id = leave.id THEN one.id <> leave.id ELSE l.status = 'approved' END
),
sessions AS MATERIALIZED (
    SELECT class_id, id AS session_id, session_date AS day, start_time, end_time, status AS state
    FROM attendance_sessions WHERE id = ANY($2::uuid[])
),
enrolments AS MATERIALIZED (
    SELECT e.class_id, one.id AS student_id, e.periods
    FROM leave JOIN class_students e USING (student_id)
    CROSS JOIN LATERAL (VALUES (leave.student_id), (leave.id)) one(id)
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
said AS MATERIALIZED (
    SELECT s.class_id, s.session_id, e.student_id,
           CASE WHEN m.leave_id IS NULL THEN m.status ELSE m.said_status END AS status,
           CASE WHEN m.leave_id IS NULL THEN m.leave_kind END AS leave_kind,
           false AS recognized_by_ai, NULL::numeric AS similarity_score, NULL::text AS remark,
           NULL::text AS source, NULL::text AS note
    FROM sessions s JOIN enrolments e USING (class_id) CROSS JOIN leave
    LEFT JOIN attendance_statuses m ON m.class_id = s.class_id AND m.session_id = s.session_id
        AND m.student_id = leave.student_id
),
shown AS MATERIALIZED (
    SELECT said.class_id, said.session_id, said.student_id, mark.*
    FROM said LEFT JOIN on_leave l USING (class_id, session_id, student_id)
    CROSS JOIN LATERAL (
        SELECT 'excused' AS status, false AS recognized_by_ai, NULL::numeric AS similarity_score,
               note AS remark, 'leave' AS source, l.leave_id, l.kind AS leave_kind,
               status AS said_status, similarity_score AS said_score, remark AS said_remark,
               source AS said_source
        WHERE l.leave_id IS NOT NULL AND coalesce(status = 'absent', l.enrolled)
        UNION ALL
        SELECT status, recognized_by_ai, similarity_score, remark, source, NULL, leave_kind,
               NULL, NULL, NULL, NULL
        WHERE l.leave_id IS NULL OR NOT coalesce(status = 'absent', l.enrolled)
    ) mark
),
marks AS (
    SELECT session_id, student_id, json_build_object(
        'mark', w.status, 'leaveKind', w.leave_kind,
        'counted', coalesce(k.counted, 0) > 0, 'attended', coalesce(k.attended, 0) * 0.01) AS mark
    FROM shown w JOIN sessions s USING (class_id, session_id) CROSS JOIN v_rules r
    CROSS JOIN LATERAL (
        SELECT ROW((w.status = 'present')::integer, (w.status = 'absent')::integer,
                   (w.status = 'late')::integer, (w.status = 'excused')::integer
               )::attendance_counts AS counts,
               (w.leave_kind IS NOT DISTINCT FROM 'on_duty')::integer AS on_duty
    ) n
    LEFT JOIN LATERAL (
        SELECT attendance_attended(r.rules, n.counts, n.on_duty) AS attended,
               attendance_counted(r.rules, n.counts, n.on_duty) AS counted
    ) k ON s.state <> 'cancelled'
)
SELECT coalesce(json_agg(json_build_object(
    'sessionId', s.session_id, 'classId', s.class_id, 'code', c.code, 'section', c.section,
    'date', s.day, 'start', json_time(s.start_time), 'end', json_time(s.end_time),
    'status', s.state, 'withLeave', theirs.mark, 'withoutLeave', doubles.mark)
    ORDER BY s.day, s.start_time NULLS FIRST, s.session_id), '[]')::text AS document
FROM leave CROSS JOIN sessions s JOIN classes c ON c.id = s.class_id
JOIN marks theirs ON theirs.session_id = s.session_id AND theirs.student_id = leave.student_id
JOIN marks doubles ON doubles.session_id = s.session_id AND doubles.student_id = leave.id;

-- app.services.leave.deciding._LOCK_CLASSES
-- $1 student_id, $2 class_id
WITH locked AS (
    SELECT id FROM classes
    WHERE id IN (
        SELECT class_id FROM class_students
        WHERE student_id = $1 AND ($2::uuid IS NULL OR class_id = $2))
    ORDER BY id FOR NO KEY UPDATE
)
SELECT coalesce(array_agg(id), '{}') AS class_ids FROM locked;

-- app.services.leave.deciding._COUNT_CLASSES
-- $1 student_id, $2 class_id
SELECT count(*) AS classes FROM class_students
WHERE student_id = $1 AND ($2::uuid IS NULL OR class_id = $2);

-- app.services.leave.deciding._LOCK
-- $1 leave_id
SELECT FROM leaves WHERE id = $1 FOR UPDATE;

-- app.services.leave.deciding._DECIDE
-- $1 status, $2 actor_id, $3 leave_id, $4 request_id
WITH decided AS (
    UPDATE leaves SET status = $1, decided_by = $2, decided_at = clock_timestamp()
    WHERE id = $3
),
acts AS (
    SELECT 'leave_' || $1::text AS action, 'leave' AS subject,
           $3::uuid AS subject_id, '{}'::jsonb AS details
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $2::uuid, $4::text, action, subject, subject_id, details FROM acts
)
SELECT;

-- app.services.leave.leaves._GET
-- $1 actor_id, $2 leave_id
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
judged AS NOT MATERIALIZED (
    SELECT l.*, staff.role = 'admin' OR EXISTS (
        SELECT FROM mine WHERE mine.id = l.class_id AND (mine.teacher_id = staff.id OR EXISTS (
            SELECT FROM class_teachers t
            WHERE t.class_id = mine.id AND t.user_id = staff.id
              AND daterange(t.first_day, t.last_day, '[]')
                  @> daterange(l.first_day, l.last_day, '[]')))
    ) AS decides, staff.role = 'admin' OR EXISTS (SELECT FROM mine WHERE mine.id = l.class_id)
    OR (l.class_id IS NULL AND EXISTS (
        SELECT FROM class_students e
        WHERE e.student_id = l.student_id AND e.class_id IN (SELECT id FROM mine)
          AND e.periods && daterange(l.first_day, l.last_day, '[]'))) AS sees
    FROM leaves l CROSS JOIN staff
),
listed AS MATERIALIZED (SELECT * FROM judged WHERE id = $2),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM listed) THEN 'not_found'
        WHEN NOT (SELECT sees FROM listed) THEN 'denied'
        ELSE 'granted'
    END AS verdict
),
documents AS (
    SELECT l.id, json_build_object(
        'id', l.id, 'studentId', l.student_id, 'rollNo', st.roll_no, 'name', st.name,
        'classId', l.class_id, 'code', c.code, 'className', c.name, 'section', c.section,
        'firstDay', l.first_day, 'lastDay', l.last_day,
        'sessionIds', CASE WHEN l.by_session THEN (
            SELECT json_agg(ls.session_id ORDER BY ls.session_id)
            FROM leave_sessions ls WHERE ls.leave_id = l.id) END,
        'kind', l.kind, 'note', CASE WHEN l.decides OR l.requested_by = $1 THEN l.note END,
        'status', l.status, 'requestedBy', l.requested_by, 'requestedByName', r.name,
        'decidedBy', l.decided_by, 'decidedByName', d.name,
        'decidedAt', json_instant(l.decided_at), 'createdAt', json_instant(l.created_at),
        'mayDecide', l.decides
    ) AS document
    FROM listed l
    JOIN students st ON st.id = l.student_id
    LEFT JOIN classes c ON c.id = l.class_id
    LEFT JOIN users r ON r.id = l.requested_by
    LEFT JOIN users d ON d.id = l.decided_by
)
SELECT verdict, (SELECT role FROM staff) AS actor_role, l.student_id, l.class_id, l.first_day,
       l.last_day, l.status, l.decides, l.requested_by,
       (SELECT document FROM documents)::text AS document
FROM verdict LEFT JOIN listed l ON true;

-- app.services.leave.leaves._LIST
-- $1 actor_id, $2 class_id, $3 roll_key, $4 status, $5 first, $6 last, $7 after_at, $8 after_id, $9 most
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
judged AS NOT MATERIALIZED (
    SELECT l.*, staff.role = 'admin' OR EXISTS (
        SELECT FROM mine WHERE mine.id = l.class_id AND (mine.teacher_id = staff.id OR EXISTS (
            SELECT FROM class_teachers t
            WHERE t.class_id = mine.id AND t.user_id = staff.id
              AND daterange(t.first_day, t.last_day, '[]')
                  @> daterange(l.first_day, l.last_day, '[]')))
    ) AS decides, staff.role = 'admin' OR EXISTS (SELECT FROM mine WHERE mine.id = l.class_id)
    OR (l.class_id IS NULL AND EXISTS (
        SELECT FROM class_students e
        WHERE e.student_id = l.student_id AND e.class_id IN (SELECT id FROM mine)
          AND e.periods && daterange(l.first_day, l.last_day, '[]'))) AS sees
    FROM leaves l CROSS JOIN staff
),
page AS MATERIALIZED (
    SELECT l.*, json_instant(l.created_at) || '~' || l.id AS cursor,
           row_number() OVER (ORDER BY l.created_at DESC, l.id) AS n
    FROM judged l
    WHERE l.sees
      AND ($2::uuid IS NULL OR l.class_id = $2)
      AND ($3::text IS NULL
           OR l.student_id = (SELECT id FROM students st WHERE st.roll_key = $3))
      AND ($4::text IS NULL OR l.status = $4)
      AND l.last_day >= coalesce($5, '-infinity'::date)
      AND l.first_day <= coalesce($6, 'infinity'::date)
      AND ($7::timestamptz IS NULL OR l.created_at < $7
           OR (l.created_at = $7 AND l.id > $8::uuid))
    ORDER BY l.created_at DESC, l.id
    LIMIT $9 + 1
),
listed AS (SELECT * FROM page WHERE n <= $9),
documents AS (
    SELECT l.id, json_build_object(
        'id', l.id, 'studentId', l.student_id, 'rollNo', st.roll_no, 'name', st.name,
        'classId', l.class_id, 'code', c.code, 'className', c.name, 'section', c.section,
        'firstDay', l.first_day, 'lastDay', l.last_day,
        'sessionIds', CASE WHEN l.by_session THEN (
            SELECT json_agg(ls.session_id ORDER BY ls.session_id)
            FROM leave_sessions ls WHERE ls.leave_id = l.id) END,
        'kind', l.kind, 'note', CASE WHEN l.decides OR l.requested_by = $1 THEN l.note END,
        'status', l.status, 'requestedBy', l.requested_by, 'requestedByName', r.name,
        'decidedBy', l.decided_by, 'decidedByName', d.name,
        'decidedAt', json_instant(l.decided_at), 'createdAt', json_instant(l.created_at),
        'mayDecide', l.decides
    ) AS document
    FROM listed l
    JOIN students st ON st.id = l.student_id
    LEFT JOIN classes c ON c.id = l.class_id
    LEFT JOIN users r ON r.id = l.requested_by
    LEFT JOIN users d ON d.id = l.decided_by
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $9 AND EXISTS (SELECT FROM page WHERE n > $9)
) AS next_cursor
FROM verdict;
