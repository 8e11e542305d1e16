-- app.services.classes.class_service._LIST[True]
-- $1 actor_id, $2 archived, $3 term
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
listed AS MATERIALIZED (
    SELECT * FROM mine
    WHERE (archived_at IS NOT NULL) = $2
      AND of_term(term_id, $3, (SELECT id FROM v_current_term))
),
schedules AS MATERIALIZED (
    SELECT class_id, json_agg(slot_json(s) ORDER BY day_of_week, start_time) AS schedule
    FROM class_schedules s WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
),
reschedules AS MATERIALIZED (
    SELECT class_id, json_agg(move_json(r) ORDER BY original_date, original_start_time)
               AS reschedules
    FROM class_reschedules r WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
),
shown AS (
    SELECT l.id, l.code, l.name, l.section, l.ltp_pattern AS "ltpPattern",
           l.teacher_type AS "teacherType", l.practical_group AS "practicalGroup",
           l.teacher_id AS "teacherId", l.term_id AS "termId",
           CASE WHEN l.teacher_id = staff.id THEN 'owner' WHEN staff.role = 'admin' THEN 'admin'
                ELSE (SELECT role FROM covering WHERE class_id = l.id) END AS "myRole",
           json_instant(l.created_at) AS "createdAt", json_instant(l.updated_at) AS "updatedAt",
           json_instant(l.archived_at) AS "archivedAt",
           coalesce(schedules.schedule, '[]') AS schedule,
           coalesce(reschedules.reschedules, '[]') AS reschedules
    FROM listed l CROSS JOIN staff
    LEFT JOIN schedules ON schedules.class_id = l.id
    LEFT JOIN reschedules ON reschedules.class_id = l.id
),
rosters AS MATERIALIZED (
    SELECT e.class_id, json_agg(student ORDER BY s.roll_key) AS students
    FROM class_students e
    JOIN students s ON s.id = e.student_id
    CROSS JOIN LATERAL (
        SELECT s.id AS "studentId", s.roll_no AS "rollNo", s.name, s.photo_url AS "photoUrl",
               s.program, s.sp_code AS "spCode", s.semester, s.status, s.duration, s.email,
               s.dtu_email AS "dtuEmail", s.phone, enrolled_from(e.periods) AS "enrolledFrom",
               upper(e.periods) - 1 AS "enrolledUntil"
    ) student
    WHERE e.class_id IN (SELECT id FROM listed) AND on_roster(e.periods)
    GROUP BY e.class_id
),
documents AS (
    SELECT shown.code, shown.section, shown.id, row_to_json(document) AS document
    FROM shown LEFT JOIN rosters ON rosters.class_id = shown.id
    CROSS JOIN LATERAL (
        SELECT shown.*, coalesce(rosters.students, '[]') AS students
    ) document
),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                ELSE 'granted' END AS verdict
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY code COLLATE "C", section COLLATE "C", id), '[]')
    FROM documents
)::text AS document,
$3 IN ('all', 'current') OR EXISTS (SELECT FROM terms WHERE id::text = $3) AS term_known
FROM verdict;

-- app.services.classes.class_service._LIST[False]
-- $1 actor_id, $2 archived, $3 term
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
listed AS MATERIALIZED (
    SELECT * FROM mine
    WHERE (archived_at IS NOT NULL) = $2
      AND of_term(term_id, $3, (SELECT id FROM v_current_term))
),
schedules AS MATERIALIZED (
    SELECT class_id, json_agg(slot_json(s) ORDER BY day_of_week, start_time) AS schedule
    FROM class_schedules s WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
),
reschedules AS MATERIALIZED (
    SELECT class_id, json_agg(move_json(r) ORDER BY original_date, original_start_time)
               AS reschedules
    FROM class_reschedules r WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
),
shown AS (
    SELECT l.id, l.code, l.name, l.section, l.ltp_pattern AS "ltpPattern",
           l.teacher_type AS "teacherType", l.practical_group AS "practicalGroup",
           l.teacher_id AS "teacherId", l.term_id AS "termId",
           CASE WHEN l.teacher_id = staff.id THEN 'owner' WHEN staff.role = 'admin' THEN 'admin'
                ELSE (SELECT role FROM covering WHERE class_id = l.id) END AS "myRole",
           json_instant(l.created_at) AS "createdAt", json_instant(l.updated_at) AS "updatedAt",
           json_instant(l.archived_at) AS "archivedAt",
           coalesce(schedules.schedule, '[]') AS schedule,
           coalesce(reschedules.reschedules, '[]') AS reschedules
    FROM listed l CROSS JOIN staff
    LEFT JOIN schedules ON schedules.class_id = l.id
    LEFT JOIN reschedules ON reschedules.class_id = l.id
),
rosters AS MATERIALIZED (
    SELECT class_id, count(*) AS students FROM class_students
    WHERE class_id IN (SELECT id FROM listed) AND on_roster(periods) GROUP BY class_id
),
documents AS (
    SELECT shown.code, shown.section, shown.id, row_to_json(document) AS document
    FROM shown LEFT JOIN rosters ON rosters.class_id = shown.id
    CROSS JOIN LATERAL (SELECT shown.*, coalesce(rosters.students, 0) AS "studentCount") document
),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                ELSE 'granted' END AS verdict
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY code COLLATE "C", section COLLATE "C", id), '[]')
    FROM documents
)::text AS document,
$3 IN ('all', 'current') OR EXISTS (SELECT FROM terms WHERE id::text = $3) AS term_known
FROM verdict;

-- app.services.classes.class_service._GET[True]
-- $1 actor_id, $2 class_id
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
listed AS (SELECT * FROM granted),
schedules AS MATERIALIZED (
    SELECT class_id, json_agg(slot_json(s) ORDER BY day_of_week, start_time) AS schedule
    FROM class_schedules s WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
),
reschedules AS MATERIALIZED (
    SELECT class_id, json_agg(move_json(r) ORDER BY original_date, original_start_time)
               AS reschedules
    FROM class_reschedules r WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
),
shown AS (
    SELECT l.id, l.code, l.name, l.section, l.ltp_pattern AS "ltpPattern",
           l.teacher_type AS "teacherType", l.practical_group AS "practicalGroup",
           l.teacher_id AS "teacherId", l.term_id AS "termId",
           CASE WHEN l.teacher_id = staff.id THEN 'owner' WHEN staff.role = 'admin' THEN 'admin'
                ELSE (SELECT role FROM covering WHERE class_id = l.id) END AS "myRole",
           json_instant(l.created_at) AS "createdAt", json_instant(l.updated_at) AS "updatedAt",
           json_instant(l.archived_at) AS "archivedAt",
           coalesce(schedules.schedule, '[]') AS schedule,
           coalesce(reschedules.reschedules, '[]') AS reschedules
    FROM listed l CROSS JOIN staff
    LEFT JOIN schedules ON schedules.class_id = l.id
    LEFT JOIN reschedules ON reschedules.class_id = l.id
),
rosters AS MATERIALIZED (
    SELECT e.class_id, json_agg(student ORDER BY s.roll_key) AS students
    FROM class_students e
    JOIN students s ON s.id = e.student_id
    CROSS JOIN LATERAL (
        SELECT s.id AS "studentId", s.roll_no AS "rollNo", s.name, s.photo_url AS "photoUrl",
               s.program, s.sp_code AS "spCode", s.semester, s.status, s.duration, s.email,
               s.dtu_email AS "dtuEmail", s.phone, enrolled_from(e.periods) AS "enrolledFrom",
               upper(e.periods) - 1 AS "enrolledUntil"
    ) student
    WHERE e.class_id IN (SELECT id FROM listed) AND on_roster(e.periods)
    GROUP BY e.class_id
),
documents AS (
    SELECT shown.code, shown.section, shown.id, row_to_json(document) AS document
    FROM shown LEFT JOIN rosters ON rosters.class_id = shown.id
    CROSS JOIN LATERAL (
        SELECT shown.*, coalesce(rosters.students, '[]') AS students
    ) document
)
SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict;

-- app.services.classes.class_service._GET[False]
-- $1 actor_id, $2 class_id
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
listed AS (SELECT * FROM granted),
schedules AS MATERIALIZED (
    SELECT class_id, json_agg(slot_json(s) ORDER BY day_of_week, start_time) AS schedule
    FROM class_schedules s WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
),
reschedules AS MATERIALIZED (
    SELECT class_id, json_agg(move_json(r) ORDER BY original_date, original_start_time)
               AS reschedules
    FROM class_reschedules r WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
),
shown AS (
    SELECT l.id, l.code, l.name, l.section, l.ltp_pattern AS "ltpPattern",
           l.teacher_type AS "teacherType", l.practical_group AS "practicalGroup",
           l.teacher_id AS "teacherId", l.term_id AS "termId",
           CASE WHEN l.teacher_id = staff.id THEN 'owner' WHEN staff.role = 'admin' THEN 'admin'
                ELSE (SELECT role FROM covering WHERE class_id = l.id) END AS "myRole",
           json_instant(l.created_at) AS "createdAt", json_instant(l.updated_at) AS "updatedAt",
           json_instant(l.archived_at) AS "archivedAt",
           coalesce(schedules.schedule, '[]') AS schedule,
           coalesce(reschedules.reschedules, '[]') AS reschedules
    FROM listed l CROSS JOIN staff
    LEFT JOIN schedules ON schedules.class_id = l.id
    LEFT JOIN reschedules ON reschedules.class_id = l.id
),
rosters AS MATERIALIZED (
    SELECT class_id, count(*) AS students FROM class_students
    WHERE class_id IN (SELECT id FROM listed) AND on_roster(periods) GROUP BY class_id
),
documents AS (
    SELECT shown.code, shown.section, shown.id, row_to_json(document) AS document
    FROM shown LEFT JOIN rosters ON rosters.class_id = shown.id
    CROSS JOIN LATERAL (SELECT shown.*, coalesce(rosters.students, 0) AS "studentCount") document
)
SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict;

-- app.services.classes.class_service._CREATE
-- $1 actor_id, $2 teacher_id, $3 code, $4 name, $5 section, $6 ltp_pattern, $7 teacher_type, $8 practical_group, $9 term_id
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
owner AS MATERIALIZED (
    SELECT u.id FROM users u JOIN staff ON u.id = coalesce($2, staff.id)
),
made AS (
    INSERT INTO classes (
        teacher_id, code, name, section, ltp_pattern, teacher_type, practical_group, term_id)
    SELECT owner.id, $3, $4, $5, $6, $7, $8,
           coalesce($9, (SELECT id FROM v_current_term))
    FROM owner JOIN staff ON staff.role = 'admin' OR owner.id = staff.id
    RETURNING id
),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (
            SELECT FROM staff WHERE role = 'admin' OR id = coalesce($2, id)) THEN 'denied'
        ELSE 'granted'
    END AS verdict
)
SELECT verdict, (SELECT id FROM made) AS id FROM verdict;

-- app.services.classes.class_service._UPDATE
-- $1 actor_id, $2 class_id, $3 given, $4 code, $5 name, $6 section, $7 ltp_pattern, $8 teacher_type, $9 practical_group, $10 teacher_id, $11 term_id, $12 request_id
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
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) FOR NO KEY UPDATE OF c
),
granted AS MATERIALIZED (SELECT * FROM class WHERE owns AND archived_at IS NULL),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT owns FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
),
changed AS (
    UPDATE classes c
    SET code = CASE WHEN 'code' = ANY($3::text[]) THEN $4 ELSE c.code END,
        name = CASE WHEN 'name' = ANY($3) THEN $5 ELSE c.name END,
        section = CASE WHEN 'section' = ANY($3) THEN $6 ELSE c.section END,
        ltp_pattern = CASE WHEN 'ltp_pattern' = ANY($3)
                           THEN $7 ELSE c.ltp_pattern END,
        teacher_type = CASE WHEN 'teacher_type' = ANY($3)
                            THEN $8 ELSE c.teacher_type END,
        practical_group = CASE WHEN 'practical_group' = ANY($3)
                               THEN $9 ELSE c.practical_group END,
        teacher_id = CASE WHEN 'teacher_id' = ANY($3) THEN $10 ELSE c.teacher_id END,
        term_id = CASE WHEN 'term_id' = ANY($3) THEN $11 ELSE c.term_id END,
        updated_at = now()
    FROM granted
    WHERE c.id = granted.id
      AND (granted.actor_role = 'admin' OR NOT 'teacher_id' = ANY($3)
           OR $10 = granted.teacher_id)
      AND ($10 IS NULL OR EXISTS (SELECT FROM users WHERE id = $10))
    RETURNING c.id, c.teacher_id, granted.teacher_id AS former
),
risen AS (
    DELETE FROM class_teachers t USING changed
    WHERE t.class_id = changed.id AND t.user_id = changed.teacher_id
),
acts AS (
    SELECT 'class_reassigned' AS action, 'class' AS subject, id AS subject_id,
           jsonb_build_object('from', former, 'to', teacher_id) AS details
    FROM changed WHERE teacher_id <> former
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $1::uuid, $12::text, action, subject, subject_id, details FROM acts
)
SELECT verdict, EXISTS (SELECT FROM changed) AS changed,
       (SELECT actor_role FROM granted) AS actor_role
FROM verdict;

-- app.services.classes.class_service._LOCK_TO_CLOSE
-- $1 actor_id, $2 class_id
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
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) FOR UPDATE OF c
),
granted AS MATERIALIZED (SELECT * FROM class WHERE owns),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT owns FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
)
SELECT verdict FROM verdict;

-- app.services.classes.class_service._HAS_SESSIONS
-- $1 class_id
SELECT EXISTS (SELECT FROM attendance_sessions WHERE class_id = $1) AS has_sessions;

-- app.services.classes.class_service._ARCHIVE
-- $1 class_id, $2 actor_id, $3 request_id
WITH acts AS (
    UPDATE classes SET archived_at = now(), updated_at = now()
    WHERE id = $1 AND archived_at IS NULL
    RETURNING 'class_archived' AS action, 'class' AS subject, id AS subject_id,
              '{}'::jsonb AS details
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $2::uuid, $3::text, action, subject, subject_id, details FROM acts
)
SELECT count(*) AS acts FROM acts;

-- app.services.classes.class_service._REMOVE
-- $1 class_id, $2 actor_id, $3 request_id
WITH acts AS (
    DELETE FROM classes WHERE id = $1
    RETURNING 'class_deleted' AS action, 'class' AS subject, id AS subject_id,
              '{}'::jsonb AS details
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $2::uuid, $3::text, action, subject, subject_id, details FROM acts
)
SELECT count(*) AS acts FROM acts;

-- app.services.classes.class_service._RESTORE
-- $1 class_id, $2 actor_id, $3 request_id
WITH acts AS (
    UPDATE classes SET archived_at = NULL, updated_at = now()
    WHERE id = $1 AND archived_at IS NOT NULL
    RETURNING 'class_restored' AS action, 'class' AS subject, id AS subject_id,
              '{}'::jsonb AS details
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $2::uuid, $3::text, action, subject, subject_id, details FROM acts
)
SELECT count(*) AS acts FROM acts;

-- app.services.classes.enrolling._CREATE_AND_LOCK_STUDENTS
-- $1 roll_keys, $2 roll_nos, $3 records, $4 begins
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::date[])
        WITH ORDINALITY AS g(roll_key, roll_no, record, begins, place)
)
INSERT INTO students (roll_key, roll_no, name, photo_url, program, sp_code, semester, status,
                      duration, email, dtu_email, phone)
SELECT g.roll_key, g.roll_no, coalesce(r.name, ''), r.photo_url, r.program, r.sp_code, r.semester,
       r.status, r.duration, r.email, r.dtu_email, r.phone
FROM given g CROSS JOIN jsonb_populate_record(NULL::students, g.record) r
ORDER BY g.roll_key COLLATE "C"
ON CONFLICT (roll_key) DO UPDATE SET roll_no = students.roll_no WHERE false;

-- app.services.classes.enrolling._FORGET_STRANGERS
-- $1 actor_id, $2 roll_keys, $3 roll_nos, $4 records, $5 begins, $6 class_id
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
given AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::text[], $4::jsonb[], $5::date[])
        WITH ORDINALITY AS g(roll_key, roll_no, record, begins, place)
),
strangers AS MATERIALIZED (
    SELECT s.id, given.record FROM students s JOIN given USING (roll_key)
    WHERE NOT EXISTS (
        SELECT FROM class_students e JOIN mine ON mine.id = e.class_id
        WHERE e.student_id = s.id AND on_roster(e.periods))
),
leave AS (
    UPDATE leaves SET status = 'withdrawn'
    WHERE student_id IN (SELECT id FROM strangers) AND status = 'approved'
)
UPDATE students s
SET (name, photo_url, program, sp_code, semester, status, duration, email, dtu_email, phone) = (
        SELECT coalesce(r.name, ''), r.photo_url, r.program, r.sp_code, r.semester, r.status,
               r.duration, r.email, r.dtu_email, r.phone
        FROM jsonb_populate_record(NULL::students, strangers.record) r),
    roll_key = CASE WHEN EXISTS (
        SELECT FROM class_students e WHERE e.class_id = $6 AND e.student_id = s.id
    ) THEN s.roll_key ELSE chr(10) || s.id END
FROM strangers WHERE s.id = strangers.id;

-- app.services.classes.enrolling._FILL
-- $1 actor_id, $2 roll_keys, $3 roll_nos, $4 records, $5 begins, $6 names
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
given AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::text[], $4::jsonb[], $5::date[])
        WITH ORDINALITY AS g(roll_key, roll_no, record, begins, place)
),
known AS MATERIALIZED (
    SELECT s.id, s.roll_key, s.roll_no, to_jsonb(s) AS stored, given.record
    FROM given JOIN students s USING (roll_key)
),
different AS MATERIALIZED (
    SELECT k.id, k.roll_key, k.roll_no, f.key AS field, f.value,
           coalesce(k.stored ->> f.key, '') = '' OR (coalesce((
               SELECT bool_and(e.class_id = ANY(ARRAY(SELECT id FROM mine))) FROM class_students e
               WHERE e.student_id = k.id AND on_roster(e.periods)), true)
           AND (f.key <> 'dtu_email' OR (SELECT role FROM staff) = 'admin' OR (
               lower(btrim(k.stored ->> 'dtu_email'))
                   IS DISTINCT FROM lower(btrim(k.stored ->> 'confirmed_email'))
               AND (SELECT a.id FROM student_accounts a WHERE a.student_id = k.id) IS NULL
           ))) AS may_change
    FROM known k CROSS JOIN LATERAL jsonb_each_text(k.record) f
    WHERE f.value IS DISTINCT FROM k.stored ->> f.key
),
records AS (
    SELECT id, jsonb_object_agg(field, value) AS record FROM different WHERE may_change GROUP BY id
),
filled AS (
    UPDATE students s
    SET (name, photo_url, program, sp_code, semester, status, duration, email, dtu_email, phone) = (
        SELECT r.name, r.photo_url, r.program, r.sp_code, r.semester, r.status, r.duration,
               r.email, r.dtu_email, r.phone
        FROM jsonb_populate_record(s, records.record) r)
    FROM records WHERE s.id = records.id AND s.id = ANY(ARRAY(SELECT id FROM records))
    RETURNING s.roll_key
),
conflicts AS (
    SELECT roll_key, field, json_build_object(
        'rollNo', roll_no, 'field', $6::jsonb ->> field) AS conflict
    FROM different WHERE NOT may_change
)
SELECT (SELECT array_agg(roll_key) FROM filled) AS filled,
       (SELECT coalesce(json_agg(conflict ORDER BY roll_key, field), '[]') FROM conflicts)::text
           AS conflicts,
       (SELECT role FROM staff) AS actor_role;

-- app.services.classes.enrolling._ENROL
-- $1 roll_keys, $2 begins, $3 class_id, $4 leavers, $5 last_days, $6 replace, $7 ahead, $8 actor_id, $9 request_id
WITH given AS (SELECT * FROM unnest($1::text[], $2::date[]) WITH ORDINALITY AS g(roll_key, begins, place)),
enrolments AS MATERIALIZED (
    SELECT student_id, periods, on_roster(periods) AS enrolled, enrolled_from(periods) AS first_day,
           upper(periods) AS until,
           periods - datemultirange(daterange(enrolled_from(periods), NULL)) AS earlier
    FROM class_students WHERE class_id = $3
),
named AS MATERIALIZED (
    SELECT s.id AS student_id, place, begins, NULL::date AS last_day, false AS leaves
    FROM students s JOIN given USING (roll_key)
    UNION ALL
    SELECT s.id, place, NULL, last_day, true
    FROM unnest($4::text[], $5::date[]) WITH ORDINALITY AS w(key, last_day, place)
    LEFT JOIN students s ON s.roll_key = w.key
),
asked AS (
    SELECT * FROM named
    UNION ALL
    SELECT student_id, NULL, NULL, NULL, true FROM enrolments
    WHERE $6 AND enrolled AND student_id NOT IN (
        SELECT student_id FROM named WHERE student_id IS NOT NULL)
),
judged AS MATERIALIZED (
    SELECT asked.*, e.periods, coalesce(e.enrolled, false) AS enrolled, first_day, until, earlier,
           CASE
               WHEN leaves AND (e.periods IS NULL OR (first_day IS NULL AND last_day IS NOT NULL))
               THEN 'not_enrolled'
               WHEN greatest(begins, last_day) > current_date + $7::integer
               THEN 'too_far_ahead'
               WHEN last_day < first_day THEN 'last_day_before_first'
               WHEN begins <= upper(CASE WHEN enrolled THEN earlier ELSE periods END)
               THEN 'within_earlier_period'
               WHEN enrolled AND begins >= until THEN 'first_day_after_last'
           END AS refusal
    FROM asked LEFT JOIN enrolments e USING (student_id)
),
planned AS (
    SELECT student_id, periods AS before, enrolled, CASE
        WHEN leaves AND last_day IS NULL
        THEN periods - datemultirange(daterange(current_date, NULL))
        WHEN leaves THEN earlier + datemultirange(daterange(first_day, last_day, '[]'))
        WHEN enrolled AND begins IS NULL THEN periods
        WHEN enrolled THEN earlier + datemultirange(daterange(begins, until))
        ELSE coalesce(periods, '{}')
             + datemultirange(daterange(coalesce(begins, current_date), NULL))
    END AS after
    FROM judged WHERE refusal IS NULL
),
moved AS MATERIALIZED (
    SELECT student_id, after, CASE
        WHEN on_roster(after) = enrolled THEN 'enrolment_changed'
        WHEN enrolled THEN 'student_withdrawn'
        ELSE 'student_enrolled'
    END AS action
    FROM planned WHERE after IS DISTINCT FROM before
),
written AS (
    INSERT INTO class_students (class_id, student_id, periods)
    SELECT $3, student_id, after FROM moved ORDER BY student_id
    ON CONFLICT (class_id, student_id) DO UPDATE SET periods = excluded.periods
),
events AS (
    INSERT INTO enrolment_events (
        class_id, student_id, recorded_for, periods, actor_id, request_id)
    SELECT $3, student_id, student_id, after, $8::uuid, $9::text FROM moved
),
acts AS (
    SELECT action, 'student' AS subject, student_id AS subject_id, jsonb_build_object(
        'classId', $3::uuid, 'firstDay', last_period_start(after),
        'lastDay', upper(after) - 1) AS details
    FROM moved
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $8::uuid, $9::text, action, subject, subject_id, details FROM acts
),
rolls AS (
    SELECT action, json_agg(roll_no ORDER BY roll_key)::text AS list
    FROM moved JOIN students s ON s.id = moved.student_id GROUP BY action
)
SELECT
    (SELECT array_agg(student_id) FROM moved WHERE student_id IN (
        SELECT student_id FROM leaves WHERE status = 'approved')) AS on_leave,
    (SELECT array_agg(refusal ORDER BY leaves, place) FROM judged WHERE refusal IS NOT NULL)
        AS refusals,
    (SELECT array_agg(format('/%s/%s', CASE WHEN leaves THEN 'withdrawals' ELSE 'students' END,
                             place - 1) ORDER BY leaves, place)
     FROM judged WHERE refusal IS NOT NULL) AS refused,
    coalesce((SELECT list FROM rolls WHERE action = 'student_enrolled'), '[]') AS added,
    coalesce((SELECT list FROM rolls WHERE action = 'student_withdrawn'), '[]') AS removed,
    coalesce((SELECT list FROM rolls WHERE action = 'enrolment_changed'), '[]') AS changed;

-- app.services.classes.rosters._LOCK
-- $1 actor_id, $2 class_id
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
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) FOR NO KEY UPDATE OF c
),
granted AS MATERIALIZED (SELECT * FROM class WHERE may AND archived_at IS NULL),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT may FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
)
SELECT verdict, c.actor_role, t.first_day, t.last_day
FROM verdict LEFT JOIN granted c ON true
LEFT JOIN class_teachers t ON NOT c.owns AND t.class_id = c.id AND t.user_id = c.actor_id;

-- app.services.classes.rosters._COUNT
-- $1 class_id
SELECT count(*) AS students FROM class_students
WHERE class_id = $1 AND on_roster(periods);

-- app.services.classes.rosters._ROSTER
-- $1 class_id
WITH listed AS (SELECT $1::uuid AS id),
rosters AS MATERIALIZED (
    SELECT e.class_id, json_agg(student ORDER BY s.roll_key) AS students
    FROM class_students e
    JOIN students s ON s.id = e.student_id
    CROSS JOIN LATERAL (
        SELECT s.id AS "studentId", s.roll_no AS "rollNo", s.name, s.photo_url AS "photoUrl",
               s.program, s.sp_code AS "spCode", s.semester, s.status, s.duration, s.email,
               s.dtu_email AS "dtuEmail", s.phone, enrolled_from(e.periods) AS "enrolledFrom",
               upper(e.periods) - 1 AS "enrolledUntil"
    ) student
    WHERE e.class_id IN (SELECT id FROM listed) AND on_roster(e.periods)
    GROUP BY e.class_id
)
SELECT coalesce((SELECT students FROM rosters), '[]')::text AS students;

-- app.services.classes.teachers._LIST
-- $1 actor_id, $2 class_id
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
teaching AS (
    SELECT teacher_id AS user_id, 'owner' AS role, NULL::date AS first_day, NULL::date AS last_day
    FROM granted
    UNION ALL
    SELECT t.user_id, t.role, t.first_day, t.last_day
    FROM class_teachers t JOIN granted ON granted.id = t.class_id
),
teachers AS (
    SELECT t.role, u.name, u.email, json_build_object(
        'userId', u.id, 'name', u.name, 'email', u.email, 'role', t.role,
        'firstDay', t.first_day, 'lastDay', t.last_day,
        'active', daterange(t.first_day, t.last_day, '[]') @> current_date) AS teacher
    FROM teaching t JOIN users u ON u.id = t.user_id
)
SELECT verdict, (
    SELECT json_agg(teacher ORDER BY role <> 'owner', name COLLATE "C", email COLLATE "C")
    FROM teachers
)::text AS document
FROM verdict;

-- app.services.classes.teachers._LOCKED
-- $1 actor_id, $2 class_id
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
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) FOR NO KEY UPDATE OF c
),
granted AS MATERIALIZED (SELECT * FROM class WHERE owns AND archived_at IS NULL),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT owns FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
)
SELECT verdict, (SELECT teacher_id FROM granted) AS owner FROM verdict;

-- app.services.classes.teachers._FIND_USERS
-- $1 user_ids, $2 emails
SELECT array_agg(u.id ORDER BY given.place) AS ids
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS given(user_id, email, place)
LEFT JOIN users u ON u.id = given.user_id OR lower(btrim(u.email)) = lower(btrim(given.email));

-- app.services.classes.teachers._REPLACE
-- $1 user_ids, $2 roles, $3 first_days, $4 last_days, $5 class_id, $6 actor_id, $7 request_id
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::text[], $3::date[], $4::date[])
        AS w(user_id, role, first_day, last_day)
),
removed AS (
    DELETE FROM class_teachers t
    WHERE t.class_id = $5 AND NOT EXISTS (SELECT FROM wanted w WHERE w.user_id = t.user_id)
    RETURNING t.*
),
written AS (
    INSERT INTO class_teachers AS t (class_id, user_id, role, first_day, last_day)
    SELECT $5, user_id, role, first_day, last_day FROM wanted ORDER BY user_id
    ON CONFLICT (class_id, user_id) DO UPDATE
    SET role = excluded.role, first_day = excluded.first_day, last_day = excluded.last_day
    WHERE (t.role, t.first_day, t.last_day)
          IS DISTINCT FROM (excluded.role, excluded.first_day, excluded.last_day)
    RETURNING t.*, t.xmax = 0 AS added
),
changed AS (
    SELECT 'teacher_removed' AS action, user_id, role, first_day, last_day FROM removed
    UNION ALL
    SELECT CASE WHEN added THEN 'teacher_added' ELSE 'teacher_changed' END,
           user_id, role, first_day, last_day
    FROM written
),
acts AS (
    SELECT action, 'class' AS subject, $5 AS subject_id, jsonb_build_object(
        'userId', user_id, 'role', role, 'firstDay', first_day, 'lastDay', last_day) AS details
    FROM changed
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $6::uuid, $7::text, action, subject, subject_id, details FROM acts
)
SELECT count(*) AS acts FROM acts;
