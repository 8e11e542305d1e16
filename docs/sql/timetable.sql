-- app.services.timetable.calendar._CALENDAR
-- $1 actor_id, $2 first, $3 last
WITH actor AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM actor WHERE role IN ('teacher', 'admin')),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        ELSE 'granted'
    END AS verdict
),
kept AS (
    SELECT 'term' AS noun, id, name, first_day, last_day, created_at FROM terms
    UNION ALL
    SELECT 'holiday', id, name, first_day, last_day, created_at FROM holidays
),
entries AS (
    SELECT * FROM kept
    WHERE last_day >= coalesce($2, '-infinity'::date)
      AND first_day <= coalesce($3, 'infinity'::date)
),
documents AS (
    SELECT d.*, json_build_object(
        'id', id, 'name', name, 'firstDay', first_day, 'lastDay', last_day,
        'createdAt', json_instant(created_at)) AS document
    FROM entries d
)
SELECT verdict, (
    SELECT json_build_object(
        'terms', coalesce(json_agg(document ORDER BY first_day, last_day, name)
                          FILTER (WHERE noun = 'term'), '[]'),
        'holidays', coalesce(json_agg(document ORDER BY first_day, last_day, name)
                             FILTER (WHERE noun = 'holiday'), '[]'))
    FROM documents
)::text AS document
FROM verdict;

-- app.services.timetable.entries.LOCK
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
granted AS MATERIALIZED (SELECT * FROM class WHERE may AND archived_at IS NULL),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT may FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
)
SELECT verdict FROM verdict;

-- app.services.timetable.reschedules.LOCK
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
granted AS MATERIALIZED (SELECT * FROM class WHERE may AND archived_at IS NULL),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT may FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
)
SELECT verdict FROM verdict;

-- app.services.timetable.reschedules._LIST_MOVES
-- $1 actor_id, $2 class_id, $3 first, $4 last
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
moves AS (
    SELECT r.* FROM class_reschedules r JOIN granted ON granted.id = r.class_id
    WHERE r.original_date <@ daterange($3, $4, '[]')
       OR r.rescheduled_date <@ daterange($3, $4, '[]')
),
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
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY original_date, original_start_time), '[]')
    FROM move_documents
)::text AS document
FROM verdict;

-- app.services.timetable.reschedules._GET_MOVE
-- $1 actor_id, $2 class_id, $3 id
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
moves AS (
    SELECT r.* FROM class_reschedules r JOIN granted ON granted.id = r.class_id WHERE r.id = $3
),
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
)
SELECT verdict, (SELECT document FROM move_documents)::text AS document FROM verdict;

-- app.services.timetable.reschedules._ORIGINAL_SLOT
-- $1 day, $2 id, $3 class_id, $4 start_time
SELECT w.start_time, w.end_time
FROM class_schedules w
LEFT JOIN class_reschedules r
    ON r.class_id = w.class_id AND r.original_date = $1
   AND r.original_start_time = w.start_time AND r.id IS DISTINCT FROM $2
WHERE w.class_id = $3 AND w.day_of_week = extract(isodow FROM $1::date)
  AND ($4::time IS NULL OR w.start_time = $4)
ORDER BY (r.id IS NOT NULL), w.start_time
LIMIT 1;

-- app.services.timetable.reschedules._CLASHES
-- $1 class_id, $2 day, $3 end_time, $4 start_time
WITH slots_on_day AS (
    SELECT w.start_time, w.end_time
    FROM class_schedules w
    WHERE w.class_id = $1 AND w.day_of_week = extract(isodow FROM $2::date)
      AND NOT EXISTS (
          SELECT FROM class_reschedules away
          WHERE away.class_id = $1 AND away.original_date = $2
            AND away.original_start_time = w.start_time)
    UNION ALL
    SELECT here.rescheduled_start_time, here.rescheduled_end_time
    FROM class_reschedules here
    WHERE here.class_id = $1 AND here.rescheduled_date = $2
)
SELECT count(*) AS slots FROM slots_on_day
WHERE start_time < $3 AND end_time > $4;

-- app.services.timetable.reschedules._ADD_MOVE
-- $1 class_id, $2 original_date, $3 original_start, $4 original_end, $5 rescheduled_date, $6 rescheduled_start, $7 rescheduled_end, $8 reason
WITH moves AS (
    INSERT INTO class_reschedules (
        class_id, original_date, original_start_time, original_end_time,
        rescheduled_date, rescheduled_start_time, rescheduled_end_time, reason)
    VALUES ($1, $2, $3, $4,
            $5, $6, $7, $8)
    ON CONFLICT (class_id, original_date, original_start_time) DO UPDATE
    SET original_end_time = excluded.original_end_time,
        rescheduled_date = excluded.rescheduled_date,
        rescheduled_start_time = excluded.rescheduled_start_time,
        rescheduled_end_time = excluded.rescheduled_end_time, reason = excluded.reason
    RETURNING *
),
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
)
SELECT document::text FROM move_documents;

-- app.services.timetable.reschedules._REPLACE_MOVE
-- $1 original_date, $2 original_start, $3 original_end, $4 rescheduled_date, $5 rescheduled_start, $6 rescheduled_end, $7 reason, $8 class_id, $9 id
WITH moves AS (
    UPDATE class_reschedules
    SET original_date = $1, original_start_time = $2,
        original_end_time = $3, rescheduled_date = $4,
        rescheduled_start_time = $5, rescheduled_end_time = $6,
        reason = $7
    WHERE class_id = $8 AND id = $9
    RETURNING *
),
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
)
SELECT document::text FROM move_documents;

-- app.services.timetable.reschedules._FIND_MOVE
-- $1 class_id, $2 id
SELECT id FROM class_reschedules WHERE class_id = $1 AND id = $2;

-- app.services.timetable.reschedules._REMOVE_MOVE
-- $1 class_id, $2 id
DELETE FROM class_reschedules WHERE class_id = $1 AND id = $2 RETURNING id;

-- app.services.timetable.slots.LOCK
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
granted AS MATERIALIZED (SELECT * FROM class WHERE may AND archived_at IS NULL),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
        WHEN NOT (SELECT may FROM class) THEN 'denied'
        WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
        ELSE 'granted'
    END AS verdict
)
SELECT verdict FROM verdict;

-- app.services.timetable.slots._LIST_SLOTS
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
slots AS (SELECT s.* FROM class_schedules s JOIN granted ON granted.id = s.class_id),
slot_documents AS (
    SELECT s.class_id, s.day_of_week, s.start_time, json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time)) AS document
    FROM slots s
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY day_of_week, start_time), '[]') FROM slot_documents
)::text AS document
FROM verdict;

-- app.services.timetable.slots._GET_SLOT
-- $1 actor_id, $2 class_id, $3 id
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
slots AS (
    SELECT s.* FROM class_schedules s JOIN granted ON granted.id = s.class_id WHERE s.id = $3
),
slot_documents AS (
    SELECT s.class_id, s.day_of_week, s.start_time, json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time)) AS document
    FROM slots s
)
SELECT verdict, (SELECT document FROM slot_documents)::text AS document FROM verdict;

-- app.services.timetable.slots._OVERLAPPING_SLOT
-- $1 class_id, $2 day_of_week, $3 end_time, $4 start_time, $5 id
SELECT true AS found FROM class_schedules
WHERE class_id = $1 AND day_of_week = $2
  AND start_time < $3 AND end_time > $4 AND id IS DISTINCT FROM $5;

-- app.services.timetable.slots._ADD_SLOT
-- $1 class_id, $2 day_of_week, $3 start_time, $4 end_time
WITH slots AS (
    INSERT INTO class_schedules (class_id, day_of_week, start_time, end_time)
    VALUES ($1, $2, $3, $4)
    RETURNING *
),
slot_documents AS (
    SELECT s.class_id, s.day_of_week, s.start_time, json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time)) AS document
    FROM slots s
)
SELECT document::text FROM slot_documents;

-- app.services.timetable.slots._FIND_SLOT
-- $1 class_id, $2 id
SELECT day_of_week, start_time, end_time FROM class_schedules
WHERE class_id = $1 AND id = $2;

-- app.services.timetable.slots._CHANGE_SLOT
-- $1 start_time, $2 end_time, $3 class_id, $4 id, $5 day_of_week
WITH followed AS (
    UPDATE class_reschedules r
    SET original_start_time = $1, original_end_time = $2
    FROM class_schedules old
    WHERE old.class_id = $3 AND old.id = $4 AND r.class_id = $3
      AND r.original_start_time = old.start_time AND old.day_of_week = $5
      AND extract(isodow FROM r.original_date) = $5
),
slots AS (
    UPDATE class_schedules
    SET day_of_week = $5, start_time = $1, end_time = $2
    WHERE class_id = $3 AND id = $4
    RETURNING *
),
slot_documents AS (
    SELECT s.class_id, s.day_of_week, s.start_time, json_build_object(
        'id', s.id, 'dayOfWeek', s.day_of_week,
        'start', json_time(s.start_time), 'end', json_time(s.end_time)) AS document
    FROM slots s
)
SELECT document::text FROM slot_documents;

-- app.services.timetable.slots._REMOVE_SLOT
-- $1 class_id, $2 id
DELETE FROM class_schedules WHERE class_id = $1 AND id = $2 RETURNING id;
