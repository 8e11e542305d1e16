-- app.services.students.confirming._CONFIRM
-- $1 actor_id, $2 roll_keys, $3 addresses
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
given AS (SELECT * FROM unnest($2::text[], $3::text[]) AS g(roll_key, address))
UPDATE students s SET confirmed_email = s.dtu_email
FROM given
WHERE s.roll_key = given.roll_key AND lower(btrim(s.dtu_email)) = lower(btrim(given.address))
  AND s.confirmed_email IS DISTINCT FROM s.dtu_email
  AND EXISTS (SELECT FROM staff WHERE role = 'admin');

-- app.services.students.merging._LOCK_CLASSES
-- $1 this, $2 other
WITH locked AS (
    SELECT id FROM classes
    WHERE id IN (SELECT class_id FROM class_students WHERE student_id IN ($1, $2))
    ORDER BY id FOR NO KEY UPDATE
)
SELECT coalesce(array_agg(id), '{}') AS class_ids FROM locked;

-- app.services.students.merging._LOCK_STUDENTS
-- $1 this, $2 other
WITH locked AS (
    SELECT FROM students WHERE id IN ($1, $2) ORDER BY roll_key COLLATE "C" FOR UPDATE
)
SELECT count(*) AS students FROM locked;

-- app.services.students.merging._COUNT_CLASSES
-- $1 this, $2 other
SELECT count(DISTINCT class_id) AS classes FROM class_students
WHERE student_id IN ($1, $2);

-- app.services.students.merging._CLOSED
-- $1 other, $2 window
SELECT EXISTS (
    SELECT FROM attendance_statuses m
    JOIN attendance_sessions s ON s.class_id = m.class_id AND s.id = m.session_id
    WHERE m.student_id = $1
      AND (s.status = 'finalised' OR s.session_date < current_date - $2::integer)
) AS closed;

-- app.services.students.merging._CLASHES
-- $1 this, $2 other, $3 kept
WITH said AS MATERIALIZED (
    SELECT m.class_id, m.session_id, m.student_id, n.*
    FROM attendance_statuses m CROSS JOIN LATERAL (
        SELECT m.status, m.recognized_by_ai, m.similarity_score, m.remark, m.leave_kind, m.source
        WHERE m.leave_id IS NULL
        UNION ALL
        SELECT m.said_status, false, m.said_score, m.said_remark, NULL, m.said_source
        WHERE m.leave_id IS NOT NULL
    ) n
    WHERE m.student_id IN ($1, $2)
),
differing AS MATERIALIZED (
    SELECT this.class_id, this.session_id, s.session_date, s.version, this.status IS NULL AS silent
    FROM said this JOIN said other USING (class_id, session_id)
    JOIN attendance_sessions s ON s.class_id = this.class_id AND s.id = this.session_id
    WHERE this.student_id = $1 AND other.student_id = $2 AND other.status IS NOT NULL
      AND (this.status, this.recognized_by_ai, this.similarity_score, this.remark, this.leave_kind)
          IS DISTINCT FROM (other.status, other.recognized_by_ai, other.similarity_score,
                            other.remark, other.leave_kind)
),
states AS (
    SELECT m.session_id, m.student_id, json_build_object(
        'status', m.status, 'recognizedByAi', m.recognized_by_ai,
        'similarityScore', m.similarity_score, 'remark', m.remark, 'source', m.source) AS state
    FROM said m
)
SELECT count(*) AS number, coalesce(json_agg(json_build_object(
    'sessionId', d.session_id, 'classId', d.class_id, 'sessionDate', d.session_date,
    'this', this.state, 'other', other.state, 'kept', $3::text
) ORDER BY d.session_date, d.session_id), '[]')::text AS clashes
FROM differing d
JOIN states this ON this.session_id = d.session_id AND this.student_id = $1
JOIN states other ON other.session_id = d.session_id AND other.student_id = $2
WHERE NOT d.silent;

-- app.services.students.merging._ENROL
-- $1 this, $2 other
INSERT INTO class_students AS e (class_id, student_id, added_at, periods)
SELECT class_id, $1, added_at, periods FROM class_students WHERE student_id = $2
ON CONFLICT (class_id, student_id) DO UPDATE
SET periods = e.periods + excluded.periods, added_at = least(e.added_at, excluded.added_at);

-- app.services.students.merging._END_EVENTS
-- $1 this, $2 actor_id, $3 request_id, $4 other
INSERT INTO enrolment_events (class_id, student_id, recorded_for, periods, actor_id, request_id)
SELECT class_id, student_id, student_id, CASE student_id WHEN $1 THEN periods ELSE '{}' END,
       $2::uuid, $3::text
FROM class_students
WHERE student_id IN ($1, $4)
  AND class_id IN (SELECT class_id FROM class_students WHERE student_id = $4);

-- app.services.students.merging._MOVE_EVENTS
-- $1 this, $2 other
UPDATE enrolment_events SET student_id = $1 WHERE student_id = $2;

-- app.services.students.merging._COUNT_VERSIONS
-- $1 other, $2 actor_id, $3 request_id, $4 reason
WITH counted AS (
    UPDATE attendance_sessions s SET version = s.version + 1
    FROM attendance_statuses m
    WHERE m.student_id = $1 AND s.class_id = m.class_id AND s.id = m.session_id
    RETURNING s.class_id, s.id, s.version
),
recorded AS (
    INSERT INTO attendance_batches (
        class_id, session_id, version, actor_id, request_id, made_at, reason)
    SELECT class_id, id, version, $2::uuid, $3::text, statement_timestamp(),
           $4::text
    FROM counted
)
SELECT count(*) AS marks FROM counted;

-- app.services.students.merging._BEGIN_ANEW
-- $1 other, $2 this, $3 actor_id
WITH begun AS MATERIALIZED (
    SELECT other.*, s.version AS next
    FROM attendance_statuses other
    JOIN attendance_sessions s ON s.class_id = other.class_id AND s.id = other.session_id
    WHERE other.student_id = $1
      AND (other.class_id, other.session_id) IN (
          SELECT class_id, session_id FROM superseded_statuses WHERE student_id = $2)
      AND (other.class_id, other.session_id) NOT IN (
          SELECT class_id, session_id FROM attendance_statuses WHERE student_id = $2)
),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, status, recognized_by_ai,
        similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status,
        said_score, said_remark, said_source)
    SELECT class_id, session_id, $2, student_id, version, status, recognized_by_ai,
           similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status,
           said_score, said_remark, said_source
    FROM begun
)
UPDATE attendance_statuses m
SET version = begun.next, marked_by = $3, marked_at = statement_timestamp()
FROM begun
WHERE m.class_id = begun.class_id AND m.session_id = begun.session_id AND m.student_id = $1;

-- app.services.students.merging._MOVE_HISTORY
-- $1 this, $2 other
WITH shared AS MATERIALIZED (
    SELECT class_id, session_id FROM attendance_statuses WHERE student_id = $1
    UNION
    SELECT class_id, session_id FROM superseded_statuses WHERE student_id = $1
)
UPDATE superseded_statuses h
SET student_id = $1,
    recorded_for = CASE
        WHEN h.recorded_for <> $2
          OR (h.class_id, h.session_id) IN (SELECT class_id, session_id FROM shared)
        THEN h.recorded_for ELSE $1 END
WHERE h.student_id = $2;

-- app.services.students.merging._TAKE_OTHERS_MARKS
-- $1 this, $2 other, $3 kept, $4 actor_id
WITH said AS MATERIALIZED (
    SELECT m.class_id, m.session_id, m.student_id, n.*
    FROM attendance_statuses m CROSS JOIN LATERAL (
        SELECT m.status, m.recognized_by_ai, m.similarity_score, m.remark, m.leave_kind, m.source
        WHERE m.leave_id IS NULL
        UNION ALL
        SELECT m.said_status, false, m.said_score, m.said_remark, NULL, m.said_source
        WHERE m.leave_id IS NOT NULL
    ) n
    WHERE m.student_id IN ($1, $2)
),
differing AS MATERIALIZED (
    SELECT this.class_id, this.session_id, s.session_date, s.version, this.status IS NULL AS silent
    FROM said this JOIN said other USING (class_id, session_id)
    JOIN attendance_sessions s ON s.class_id = this.class_id AND s.id = this.session_id
    WHERE this.student_id = $1 AND other.student_id = $2 AND other.status IS NOT NULL
      AND (this.status, this.recognized_by_ai, this.similarity_score, this.remark, this.leave_kind)
          IS DISTINCT FROM (other.status, other.recognized_by_ai, other.similarity_score,
                            other.remark, other.leave_kind)
),
taken AS (SELECT * FROM differing WHERE silent OR $3::text = 'other'),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, status, recognized_by_ai,
        similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status,
        said_score, said_remark, said_source)
    SELECT m.class_id, m.session_id, m.student_id, m.student_id, m.version, m.status,
           m.recognized_by_ai, m.similarity_score, m.remark, m.source, m.leave_kind, m.marked_by,
           m.marked_at, m.said_status, m.said_score, m.said_remark, m.said_source
    FROM taken JOIN attendance_statuses m USING (class_id, session_id)
    WHERE m.student_id = $1
)
UPDATE attendance_statuses m
SET status = o.status, recognized_by_ai = o.recognized_by_ai,
    similarity_score = o.similarity_score, remark = o.remark, source = o.source,
    leave_id = o.leave_id, leave_kind = o.leave_kind, said_status = o.said_status,
    said_score = o.said_score, said_remark = o.said_remark, said_source = o.said_source,
    version = t.version, marked_by = $4, marked_at = statement_timestamp()
FROM taken t JOIN attendance_statuses o USING (class_id, session_id)
WHERE o.student_id = $2 AND m.student_id = $1
  AND m.class_id = t.class_id AND m.session_id = t.session_id;

-- app.services.students.merging._RETIRE_OTHERS_MARKS
-- $1 other, $2 this
WITH retired AS (
    DELETE FROM attendance_statuses other USING attendance_statuses this
    WHERE other.student_id = $1 AND this.student_id = $2
      AND this.class_id = other.class_id AND this.session_id = other.session_id
    RETURNING other.*
)
INSERT INTO superseded_statuses (
    class_id, session_id, student_id, recorded_for, version, status, recognized_by_ai,
    similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status, said_score,
    said_remark, said_source)
SELECT class_id, session_id, $2, student_id, version, status, recognized_by_ai,
       similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status, said_score,
       said_remark, said_source
FROM retired;

-- app.services.students.merging._MOVE_LEAVES
-- $1 this, $2 other
UPDATE leaves SET student_id = $1 WHERE student_id = $2;

-- app.services.students.merging._MOVE_MARKS
-- $1 this, $2 other
UPDATE attendance_statuses SET student_id = $1 WHERE student_id = $2;

-- app.services.students.merging._MOVE_QUESTIONS
-- $1 this, $2 other
UPDATE mark_questions q
SET student_id = $1, status = CASE WHEN q.status = 'open' AND EXISTS (
        SELECT FROM mark_questions this
        WHERE this.class_id = q.class_id AND this.session_id = q.session_id
          AND this.student_id = $1 AND this.status = 'open')
    THEN 'withdrawn' ELSE q.status END
WHERE q.student_id = $2;

-- app.services.students.merging._JOIN_ACCOUNTS
-- $1 this, $2 other
WITH fates AS MATERIALIZED (
    SELECT a.id, CASE
        WHEN a.student_id = $1 THEN 'kept'
        WHEN EXISTS (SELECT FROM student_accounts WHERE student_id = $1) THEN 'removed'
        WHEN lower(btrim(a.email)) = lower(btrim(coalesce(
            (SELECT nullif(dtu_email, '') FROM students WHERE id = $1),
            (SELECT dtu_email FROM students WHERE id = $2)))) THEN 'moved'
        ELSE 'removed' END AS fate
    FROM student_accounts a WHERE a.student_id IN ($1, $2)
),
moved AS (
    UPDATE student_accounts SET student_id = $1
    WHERE id IN (SELECT id FROM fates WHERE fate = 'moved')
),
removed AS (
    DELETE FROM student_accounts WHERE id IN (SELECT id FROM fates WHERE fate = 'removed')
)
SELECT array_agg(fate ORDER BY fate) AS accounts FROM fates;

-- app.services.students.merging._LEAVE_CLASSES
-- $1 other
WITH gone AS (DELETE FROM class_students WHERE student_id = $1 RETURNING class_id)
SELECT count(*) AS classes FROM gone;

-- app.services.students.merging._FILL_AND_REMOVE
-- $1 other, $2 this
WITH gone AS (DELETE FROM students WHERE id = $1 RETURNING *)
UPDATE students s
SET name = coalesce(nullif(s.name, ''), gone.name),
    photo_url = coalesce(nullif(s.photo_url, ''), gone.photo_url),
    program = coalesce(nullif(s.program, ''), gone.program),
    sp_code = coalesce(nullif(s.sp_code, ''), gone.sp_code),
    semester = coalesce(nullif(s.semester, ''), gone.semester),
    status = coalesce(nullif(s.status, ''), gone.status),
    duration = coalesce(nullif(s.duration, ''), gone.duration),
    email = coalesce(nullif(s.email, ''), gone.email),
    dtu_email = coalesce(nullif(s.dtu_email, ''), gone.dtu_email),
    confirmed_email = CASE
        WHEN lower(btrim(coalesce(nullif(s.dtu_email, ''), gone.dtu_email)))
           = lower(btrim(gone.confirmed_email)) THEN gone.confirmed_email
        ELSE s.confirmed_email END,
    phone = coalesce(nullif(s.phone, ''), gone.phone)
FROM gone WHERE s.id = $2;

-- app.services.students.merging._RECORD
-- $1 this, $2 other, $3 accounts, $4 actor_id, $5 request_id
WITH acts AS (
    SELECT 'students_merged' AS action, 'student' AS subject, $1::uuid AS subject_id,
           jsonb_strip_nulls(jsonb_build_object(
               'other', $2::uuid, 'accounts', $3::text[])) AS details
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $4::uuid, $5::text, action, subject, subject_id, details FROM acts
)
SELECT;

-- app.services.students.records._LIST
-- $1 actor_id, $2 after, $3 query, $4 roll_key, $5 most
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
    SELECT s.*, s.roll_key AS cursor, row_number() OVER (ORDER BY s.roll_key) AS n
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
    SELECT s.id, json_build_object(
        'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name, 'photoUrl', s.photo_url,
        'program', s.program, 'spCode', s.sp_code, 'semester', s.semester, 'status', s.status,
        'duration', s.duration, 'email', s.email, 'dtuEmail', s.dtu_email, 'phone', s.phone,
        'dtuEmailConfirmed',
        coalesce(lower(btrim(s.dtu_email)) = lower(btrim(s.confirmed_email)), false),
        'createdAt', json_instant(s.created_at), 'classes', (
            SELECT count(*) FROM class_students e
            WHERE e.student_id = s.id AND on_roster(e.periods))) AS document
    FROM found s
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $5 AND EXISTS (SELECT FROM page WHERE n > $5)
) AS next_cursor
FROM verdict;

-- app.services.students.records._READ
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
found AS (SELECT * FROM students WHERE id = $2 AND EXISTS (SELECT FROM admin)),
documents AS (
    SELECT s.id, json_build_object(
        'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name, 'photoUrl', s.photo_url,
        'program', s.program, 'spCode', s.sp_code, 'semester', s.semester, 'status', s.status,
        'duration', s.duration, 'email', s.email, 'dtuEmail', s.dtu_email, 'phone', s.phone,
        'dtuEmailConfirmed',
        coalesce(lower(btrim(s.dtu_email)) = lower(btrim(s.confirmed_email)), false),
        'createdAt', json_instant(s.created_at), 'classes', (
            SELECT count(*) FROM class_students e
            WHERE e.student_id = s.id AND on_roster(e.periods))) AS document
    FROM found s
)
SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict;

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
        confirmed_email = CASE WHEN 'dtu_email' = ANY($1) THEN $12
                               ELSE s.confirmed_email END,
        phone = CASE WHEN 'phone' = ANY($1) THEN $13 ELSE s.phone END
    WHERE s.id = $14
    RETURNING s.id
),
ended AS (
    DELETE FROM student_accounts
    WHERE student_id = $14 AND 'dtu_email' = ANY($1) AND disabled_at IS NULL
      AND lower(btrim(email)) IS DISTINCT FROM lower(btrim($12))
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
    SELECT s.id, json_build_object(
        'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name, 'photoUrl', s.photo_url,
        'program', s.program, 'spCode', s.sp_code, 'semester', s.semester, 'status', s.status,
        'duration', s.duration, 'email', s.email, 'dtuEmail', s.dtu_email, 'phone', s.phone,
        'dtuEmailConfirmed',
        coalesce(lower(btrim(s.dtu_email)) = lower(btrim(s.confirmed_email)), false),
        'createdAt', json_instant(s.created_at), 'classes', (
            SELECT count(*) FROM class_students e
            WHERE e.student_id = s.id AND on_roster(e.periods))) AS document
    FROM found s
)
SELECT document::text FROM documents;

-- app.services.students.shared_addresses._SHARED
-- $1 actor_id, $2 after, $3 most, $4 most_students
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
    SELECT address AS id, address AS cursor, count(*) AS records,
           count(*) FILTER (WHERE lower(btrim(s.confirmed_email)) = address) AS confirmed,
           row_number() OVER (ORDER BY address) AS n
    FROM students s CROSS JOIN LATERAL (SELECT lower(btrim(s.dtu_email)) AS address) a
    WHERE EXISTS (SELECT FROM admin) AND address <> ''
      AND ($2::text IS NULL OR address > $2)
    GROUP BY address HAVING count(*) > 1
    ORDER BY address
    LIMIT $3 + 1
),
documents AS (
    SELECT p.id, json_build_object(
        'address', p.id, 'records', p.records, 'confirmed', p.confirmed, 'students', (
            SELECT json_agg(json_build_object(
                'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name,
                'dtuEmailConfirmed', coalesce(lower(btrim(s.confirmed_email)) = p.id, false))
                ORDER BY s.roll_key)
            FROM (
                SELECT * FROM students WHERE lower(btrim(dtu_email)) = p.id
                ORDER BY roll_key LIMIT $4
            ) s
        )) AS document
    FROM page p WHERE p.n <= $3
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $3 AND EXISTS (SELECT FROM page WHERE n > $3)
) AS next_cursor
FROM verdict;
