-- app.services.classes.class_service._LIST[True]
-- $1 actor_id, $2 archived, $3 term
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
mine AS NOT MATERIALIZED (SELECT c.* FROM classes c CROSS JOIN staff WHERE ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering)))),
this_term AS (
    SELECT id FROM terms
    ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC,
             name
    LIMIT 1
),
listed AS MATERIALIZED (
    SELECT * FROM mine
    WHERE (archived_at IS NOT NULL) = $2 AND CASE $3
        WHEN 'all' THEN true
        WHEN 'current' THEN term_id IS NULL OR term_id = (SELECT id FROM this_term)
        ELSE term_id::text = $3
    END
),
slots AS MATERIALIZED (SELECT * FROM class_schedules WHERE class_id IN (SELECT id FROM listed)),
slot_documents AS (
    SELECT s.class_id, s.day_of_week, s.start_time, json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time)) AS document
    FROM slots s
),
moves AS MATERIALIZED (SELECT * FROM class_reschedules WHERE class_id IN (SELECT id FROM listed)),
move_documents AS (
    SELECT r.class_id, r.original_date, r.original_start_time, json_build_object(
        'id', r.id, 'originalDate', r.original_date,
        'originalStartTime', json_time(r.original_start_time),
        'originalEndTime', json_time(r.original_end_time),
        'rescheduledDate', r.rescheduled_date,
        'rescheduledStartTime', json_time(r.rescheduled_start_time),
        'rescheduledEndTime', json_time(r.rescheduled_end_time),
        'reason', r.reason) AS document
    FROM moves r
),
schedules AS MATERIALIZED (
    SELECT class_id, json_agg(document ORDER BY day_of_week, start_time) AS schedule
    FROM slot_documents GROUP BY class_id
),
reschedules AS MATERIALIZED (
    SELECT class_id, json_agg(document ORDER BY original_date, original_start_time) AS reschedules
    FROM move_documents GROUP BY class_id
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
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        ELSE 'granted'
    END AS verdict
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY code COLLATE "C", section COLLATE "C", id), '[]')
    FROM documents
)::text AS document,
$3 IN ('all', 'current') OR EXISTS (SELECT FROM terms WHERE id::text = $3) AS term_known
FROM verdict;

-- app.services.classes.class_service._LIST[False]
-- $1 actor_id, $2 archived, $3 term
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
mine AS NOT MATERIALIZED (SELECT c.* FROM classes c CROSS JOIN staff WHERE ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering)))),
this_term AS (
    SELECT id FROM terms
    ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC,
             name
    LIMIT 1
),
listed AS MATERIALIZED (
    SELECT * FROM mine
    WHERE (archived_at IS NOT NULL) = $2 AND CASE $3
        WHEN 'all' THEN true
        WHEN 'current' THEN term_id IS NULL OR term_id = (SELECT id FROM this_term)
        ELSE term_id::text = $3
    END
),
slots AS MATERIALIZED (SELECT * FROM class_schedules WHERE class_id IN (SELECT id FROM listed)),
slot_documents AS (
    SELECT s.class_id, s.day_of_week, s.start_time, json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time)) AS document
    FROM slots s
),
moves AS MATERIALIZED (SELECT * FROM class_reschedules WHERE class_id IN (SELECT id FROM listed)),
move_documents AS (
    SELECT r.class_id, r.original_date, r.original_start_time, json_build_object(
        'id', r.id, 'originalDate', r.original_date,
        'originalStartTime', json_time(r.original_start_time),
        'originalEndTime', json_time(r.original_end_time),
        'rescheduledDate', r.rescheduled_date,
        'rescheduledStartTime', json_time(r.rescheduled_start_time),
        'rescheduledEndTime', json_time(r.rescheduled_end_time),
        'reason', r.reason) AS document
    FROM moves r
),
schedules AS MATERIALIZED (
    SELECT class_id, json_agg(document ORDER BY day_of_week, start_time) AS schedule
    FROM slot_documents GROUP BY class_id
),
reschedules AS MATERIALIZED (
    SELECT class_id, json_agg(document ORDER BY original_date, original_start_time) AS reschedules
    FROM move_documents GROUP BY class_id
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
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        ELSE 'granted'
    END AS verdict
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY code COLLATE "C", section COLLATE "C", id), '[]')
    FROM documents
)::text AS document,
$3 IN ('all', 'current') OR EXISTS (SELECT FROM terms WHERE id::text = $3) AS term_known
FROM verdict;

-- app.services.classes.class_service._GET[True]
-- $1 actor_id, $2 class_id
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
listed AS (SELECT * FROM granted),
slots AS MATERIALIZED (SELECT * FROM class_schedules WHERE class_id IN (SELECT id FROM listed)),
slot_documents AS (
    SELECT s.class_id, s.day_of_week, s.start_time, json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time)) AS document
    FROM slots s
),
moves AS MATERIALIZED (SELECT * FROM class_reschedules WHERE class_id IN (SELECT id FROM listed)),
move_documents AS (
    SELECT r.class_id, r.original_date, r.original_start_time, json_build_object(
        'id', r.id, 'originalDate', r.original_date,
        'originalStartTime', json_time(r.original_start_time),
        'originalEndTime', json_time(r.original_end_time),
        'rescheduledDate', r.rescheduled_date,
        'rescheduledStartTime', json_time(r.rescheduled_start_time),
        'rescheduledEndTime', json_time(r.rescheduled_end_time),
        'reason', r.reason) AS document
    FROM moves r
),
schedules AS MATERIALIZED (
    SELECT class_id, json_agg(document ORDER BY day_of_week, start_time) AS schedule
    FROM slot_documents GROUP BY class_id
),
reschedules AS MATERIALIZED (
    SELECT class_id, json_agg(document ORDER BY original_date, original_start_time) AS reschedules
    FROM move_documents GROUP BY class_id
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
listed AS (SELECT * FROM granted),
slots AS MATERIALIZED (SELECT * FROM class_schedules WHERE class_id IN (SELECT id FROM listed)),
slot_documents AS (
    SELECT s.class_id, s.day_of_week, s.start_time, json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time)) AS document
    FROM slots s
),
moves AS MATERIALIZED (SELECT * FROM class_reschedules WHERE class_id IN (SELECT id FROM listed)),
move_documents AS (
    SELECT r.class_id, r.original_date, r.original_start_time, json_build_object(
        'id', r.id, 'originalDate', r.original_date,
        'originalStartTime', json_time(r.original_start_time),
        'originalEndTime', json_time(r.original_end_time),
        'rescheduledDate', r.rescheduled_date,
        'rescheduledStartTime', json_time(r.rescheduled_start_time),
        'rescheduledEndTime', json_time(r.rescheduled_end_time),
        'reason', r.reason) AS document
    FROM moves r
),
schedules AS MATERIALIZED (
    SELECT class_id, json_agg(document ORDER BY day_of_week, start_time) AS schedule
    FROM slot_documents GROUP BY class_id
),
reschedules AS MATERIALIZED (
    SELECT class_id, json_agg(document ORDER BY original_date, original_start_time) AS reschedules
    FROM move_documents GROUP BY class_id
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
WITH actor AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM actor WHERE role IN ('teacher', 'admin')),
this_term AS (
    SELECT id FROM terms
    ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC,
             name
    LIMIT 1
),
owner AS MATERIALIZED (
    SELECT u.id FROM users u JOIN staff ON u.id = coalesce($2, staff.id)
),
made AS (
    INSERT INTO classes (
        teacher_id, code, name, section, ltp_pattern, teacher_type, practical_group, term_id)
    SELECT owner.id, $3, $4, $5, $6, $7, $8,
           coalesce($9, (SELECT id FROM this_term))
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
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) FOR NO KEY UPDATE OF c
),
granted AS MATERIALIZED (SELECT * FROM class WHERE owns AND archived_at IS NULL),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT owns FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
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
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) FOR UPDATE OF c
),
granted AS MATERIALIZED (SELECT * FROM class WHERE owns),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT owns FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
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

-- app.services.classes.teachers._LIST
-- $1 actor_id, $2 class_id
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

-- app.services.classes.teachers._LOCK
-- $1 actor_id, $2 class_id
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
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) FOR NO KEY UPDATE OF c
),
granted AS MATERIALIZED (SELECT * FROM class WHERE owns AND archived_at IS NULL),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT owns FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
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
