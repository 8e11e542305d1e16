-- app.services.timetable.calendar._CALENDAR
-- $1 actor_id, $2 first, $3 last
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

-- app.services.timetable.day._DAY
-- $1 actor_id, $2 day, $3 days_back, $4 now, $5 most
WITH listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = $1 AND disabled_at IS NULL),
taught AS NOT MATERIALIZED (
    SELECT c.*, daterange(NULL, NULL) AS teaching
    FROM staff JOIN classes c ON c.teacher_id = staff.id
    UNION ALL
    SELECT c.*, daterange(t.first_day, t.last_day, '[]')
    FROM staff JOIN class_teachers t ON t.user_id = staff.id
    JOIN classes c ON c.id = t.class_id
    WHERE daterange(t.first_day, t.last_day, '[]')
       @> daterange($2::date, greatest($2, current_date), '[]')
),
shown AS MATERIALIZED (SELECT * FROM taught WHERE archived_at IS NULL),
span AS (SELECT greatest($2 - $3::integer, '0001-01-01') AS first, $2 AS last),
dates AS MATERIALIZED (
    SELECT span.first + n AS day, (
        SELECT h.name FROM holidays h WHERE span.first + n BETWEEN h.first_day AND h.last_day
        ORDER BY h.first_day DESC, h.name LIMIT 1) AS holiday
    FROM span CROSS JOIN generate_series(0, span.last - span.first) n
),
days AS MATERIALIZED (
    SELECT c.id AS class_id, c.code, c.name, c.section, d.day, d.holiday
    FROM shown c LEFT JOIN terms t ON t.id = c.term_id
    JOIN dates d ON d.day >= coalesce(t.first_day, d.day) AND d.day <= coalesce(t.last_day, d.day)
),
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
),
timed AS MATERIALIZED (
    SELECT m.*, wall_instant(day + start_time) AS starts_at,
           greatest(wall_instant(day + start_time), wall_instant(day + end_time)) AS ends_at,
           bool_or(moved_to IS NULL) OVER (PARTITION BY class_id, day, start_time) AS meets
    FROM meetings m
),
judged AS (
    SELECT m.*, s.id AS session_id, CASE WHEN s.state <> 'open' THEN s.state
               WHEN m.moved_to IS NOT NULL THEN 'moved'
               WHEN m.holiday IS NOT NULL THEN 'holiday'
               WHEN $4 < m.starts_at THEN 'upcoming'
               WHEN $4 < m.ends_at THEN 'in_progress'
               ELSE 'missing' END AS state
    FROM timed m LEFT JOIN LATERAL (
        SELECT s.id, s.state FROM v_sessions s
        WHERE s.class_id = m.class_id AND s.session_date = m.day AND s.start_time = m.start_time
          AND (m.moved_to IS NULL OR NOT m.meets) LIMIT 1
    ) s ON true
),
sessions AS MATERIALIZED (
    SELECT s.*, row_to_json(session) AS document, CASE
               WHEN v.state <> 'open' THEN v.state
               WHEN $4 < wall_instant($2 + coalesce(s.start_time, '00:00')) THEN 'upcoming'
               WHEN $4 < wall_instant($2 + coalesce(s.end_time, '24:00')) THEN 'in_progress'
               ELSE 'missing' END AS state
    FROM attendance_sessions s JOIN v_sessions v ON v.class_id = s.class_id AND v.id = s.id
    CROSS JOIN LATERAL (SELECT * FROM v_session_counts
        WHERE class_id = s.class_id AND session_id = s.id OFFSET 0) k
    LEFT JOIN LATERAL (SELECT json_build_object('name', u.name) AS who, b.made_at
        FROM attendance_batches b JOIN users u ON u.id = b.actor_id
        WHERE b.class_id = s.class_id AND b.session_id = s.id
        ORDER BY b.version DESC LIMIT 1) latest ON true
    CROSS JOIN LATERAL (
        SELECT s.id AS "sessionId", s.status, s.version, k.total AS marked, (k.counts).*, (
                   SELECT count(*) FROM class_students e
                   WHERE e.class_id = s.class_id AND e.periods @> $2 AND e.student_id NOT IN (
                       SELECT m.student_id FROM attendance_statuses m
                       WHERE m.class_id = s.class_id AND m.session_id = s.id)) AS unmarked,
               (SELECT row_to_json(u) FROM (
                   SELECT name FROM users WHERE id = s.teacher_id) u) AS "startedBy",
               latest.who AS "lastMarkedBy", json_instant(latest.made_at) AS "lastMarkedAt"
    ) session
    WHERE s.class_id = ANY(ARRAY(SELECT id FROM shown)) AND s.session_date = $2
),
listed AS (
    SELECT coalesce(json_agg(meeting ORDER BY coalesce(m.start_time, s.start_time) NULLS FIRST,
               c.code COLLATE "C", c.section COLLATE "C", c.id, m.moved_to IS NULL), '[]') AS list
    FROM (SELECT * FROM judged WHERE day = $2) m FULL JOIN sessions s ON s.id = m.session_id
    JOIN shown c ON c.id = coalesce(m.class_id, s.class_id) JOIN dates d ON d.day = $2
    CROSS JOIN LATERAL (
        SELECT c.id AS "classId", c.code, c.name, c.section, d.day AS date,
               json_time(coalesce(m.start_time, s.start_time)) AS start,
               json_time(coalesce(m.end_time, s.end_time)) AS end,
               json_instant(coalesce(m.starts_at, wall_instant($2 + s.start_time))) AS "startsAt",
               json_instant(coalesce(m.ends_at, wall_instant($2 + s.end_time))) AS "endsAt",
               coalesce(m.state, s.state) AS state, m.moved_to AS "movedTo",
               m.moved_from AS "movedFrom", d.holiday, (
                   SELECT count(*) FROM class_students e
                   WHERE e.class_id = c.id AND e.periods @> $2) AS students,
               s.document AS session
    ) meeting
),
missing AS (
    SELECT m.class_id AS "classId", m.code, m.section, m.day AS date,
           json_time(m.start_time) AS start, json_time(m.end_time) AS end
    FROM judged m JOIN shown c ON c.id = m.class_id AND c.teaching @> m.day
    WHERE m.day < $2 AND m.state = 'missing'
    ORDER BY m.day DESC, m.start_time DESC, m.class_id LIMIT $5
),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                ELSE 'granted' END AS verdict
)
SELECT verdict, (
    SELECT json_build_object(
        'date', d.day, 'holiday', d.holiday, 'meetings', (SELECT list FROM listed),
        'missing', (SELECT coalesce(json_agg(m), '[]') FROM missing m))
    FROM dates d WHERE d.day = $2
)::text AS document
FROM verdict;

-- app.services.timetable.entries.LOCK
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
SELECT verdict FROM verdict;

-- app.services.timetable.occurrences._OF_CLASS
-- $1 actor_id, $2 class_id, $3 last, $4 first, $5 most, $6 now
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
size AS MATERIALIZED (
    SELECT count(*) * (($3::date - $4::date) / 7 + 1) <= $5 AS fits
    FROM class_schedules s JOIN granted c ON c.id = s.class_id
),
shown AS (SELECT * FROM granted WHERE (SELECT fits FROM size)),
span AS (SELECT $4::date AS first, $3::date AS last),
dates AS MATERIALIZED (
    SELECT span.first + n AS day, (
        SELECT h.name FROM holidays h WHERE span.first + n BETWEEN h.first_day AND h.last_day
        ORDER BY h.first_day DESC, h.name LIMIT 1) AS holiday
    FROM span CROSS JOIN generate_series(0, span.last - span.first) n
),
days AS MATERIALIZED (
    SELECT c.id AS class_id, c.code, c.name, c.section, d.day, d.holiday
    FROM shown c LEFT JOIN terms t ON t.id = c.term_id
    JOIN dates d ON d.day >= coalesce(t.first_day, d.day) AND d.day <= coalesce(t.last_day, d.day)
),
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
),
timed AS MATERIALIZED (
    SELECT m.*, wall_instant(day + start_time) AS starts_at,
           greatest(wall_instant(day + start_time), wall_instant(day + end_time)) AS ends_at,
           bool_or(moved_to IS NULL) OVER (PARTITION BY class_id, day, start_time) AS meets
    FROM meetings m
),
judged AS (
    SELECT m.*, s.id AS session_id, CASE WHEN s.state <> 'open' THEN s.state
               WHEN m.moved_to IS NOT NULL THEN 'moved'
               WHEN m.holiday IS NOT NULL THEN 'holiday'
               WHEN $6 < m.starts_at THEN 'upcoming'
               WHEN $6 < m.ends_at THEN 'in_progress'
               ELSE 'missing' END AS state
    FROM timed m LEFT JOIN LATERAL (
        SELECT s.id, s.state FROM v_sessions s
        WHERE s.class_id = m.class_id AND s.session_date = m.day AND s.start_time = m.start_time
          AND (m.moved_to IS NULL OR NOT m.meets) LIMIT 1
    ) s ON true
),
occurrences AS (
    SELECT coalesce(json_agg(occurrence ORDER BY m.day, m.start_time, m.code COLLATE "C",
               m.section COLLATE "C", m.class_id, m.moved_to IS NULL), '[]') AS list
    FROM judged m CROSS JOIN LATERAL (
        SELECT m.class_id AS "classId", m.code, m.name, m.section, m.day AS date,
               json_time(m.start_time) AS start, json_time(m.end_time) AS end,
               json_instant(m.starts_at) AS "startsAt", json_instant(m.ends_at) AS "endsAt",
               m.state, m.session_id AS "sessionId", m.moved_to AS "movedTo",
               m.moved_from AS "movedFrom", m.holiday
    ) occurrence
)
SELECT verdict, fits, (SELECT list FROM occurrences)::text AS document
FROM verdict CROSS JOIN size;

-- app.services.timetable.occurrences._ON_DATE
-- $1 actor_id, $2 day, $3 now
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
    WHERE daterange(t.first_day, t.last_day, '[]') @> greatest($2::date, current_date)
),
mine AS NOT MATERIALIZED (SELECT c.* FROM classes c CROSS JOIN staff WHERE ((staff.role = 'admin' OR c.teacher_id = staff.id) OR c.id = ANY(ARRAY(SELECT class_id FROM covering)))),
shown AS MATERIALIZED (SELECT * FROM mine WHERE archived_at IS NULL),
span AS (SELECT $2::date AS first, $2::date AS last),
dates AS MATERIALIZED (
    SELECT span.first + n AS day, (
        SELECT h.name FROM holidays h WHERE span.first + n BETWEEN h.first_day AND h.last_day
        ORDER BY h.first_day DESC, h.name LIMIT 1) AS holiday
    FROM span CROSS JOIN generate_series(0, span.last - span.first) n
),
days AS MATERIALIZED (
    SELECT c.id AS class_id, c.code, c.name, c.section, d.day, d.holiday
    FROM shown c LEFT JOIN terms t ON t.id = c.term_id
    JOIN dates d ON d.day >= coalesce(t.first_day, d.day) AND d.day <= coalesce(t.last_day, d.day)
),
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
),
timed AS MATERIALIZED (
    SELECT m.*, wall_instant(day + start_time) AS starts_at,
           greatest(wall_instant(day + start_time), wall_instant(day + end_time)) AS ends_at,
           bool_or(moved_to IS NULL) OVER (PARTITION BY class_id, day, start_time) AS meets
    FROM meetings m
),
judged AS (
    SELECT m.*, s.id AS session_id, CASE WHEN s.state <> 'open' THEN s.state
               WHEN m.moved_to IS NOT NULL THEN 'moved'
               WHEN m.holiday IS NOT NULL THEN 'holiday'
               WHEN $3 < m.starts_at THEN 'upcoming'
               WHEN $3 < m.ends_at THEN 'in_progress'
               ELSE 'missing' END AS state
    FROM timed m LEFT JOIN LATERAL (
        SELECT s.id, s.state FROM v_sessions s
        WHERE s.class_id = m.class_id AND s.session_date = m.day AND s.start_time = m.start_time
          AND (m.moved_to IS NULL OR NOT m.meets) LIMIT 1
    ) s ON true
),
occurrences AS (
    SELECT coalesce(json_agg(occurrence ORDER BY m.day, m.start_time, m.code COLLATE "C",
               m.section COLLATE "C", m.class_id, m.moved_to IS NULL), '[]') AS list
    FROM judged m CROSS JOIN LATERAL (
        SELECT m.class_id AS "classId", m.code, m.name, m.section, m.day AS date,
               json_time(m.start_time) AS start, json_time(m.end_time) AS end,
               json_instant(m.starts_at) AS "startsAt", json_instant(m.ends_at) AS "endsAt",
               m.state, m.session_id AS "sessionId", m.moved_to AS "movedTo",
               m.moved_from AS "movedFrom", m.holiday
    ) occurrence
),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                ELSE 'granted' END AS verdict
)
SELECT verdict, (SELECT list FROM occurrences)::text AS document FROM verdict;

-- app.services.timetable.occurrences._PLANNED
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
)
SELECT verdict, c.code, c.name, c.section, t.first_day, t.last_day
FROM verdict LEFT JOIN granted c ON true LEFT JOIN terms t ON t.id = c.term_id;

-- app.services.timetable.reschedules.LOCK
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
SELECT verdict FROM verdict;

-- app.services.timetable.reschedules._LIST_MOVES
-- $1 actor_id, $2 class_id, $3 first, $4 last
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
)
SELECT verdict, (
    SELECT coalesce(json_agg(move_json(r) ORDER BY original_date, original_start_time), '[]')
    FROM class_reschedules r JOIN granted ON granted.id = r.class_id
    WHERE r.original_date <@ daterange($3, $4, '[]')
       OR r.rescheduled_date <@ daterange($3, $4, '[]')
)::text AS document
FROM verdict;

-- app.services.timetable.reschedules._GET_MOVE
-- $1 actor_id, $2 class_id, $3 id
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
)
SELECT verdict, (
    SELECT move_json(r) FROM class_reschedules r JOIN granted ON granted.id = r.class_id
    WHERE r.id = $3
)::text AS document
FROM verdict;

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
WITH days AS (SELECT $1::uuid AS class_id, $2::date AS day),
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
),
slots_on_day AS (SELECT start_time, end_time FROM meetings WHERE moved_to IS NULL)
SELECT count(*) AS slots FROM slots_on_day
WHERE start_time < $3 AND end_time > $4;

-- app.services.timetable.reschedules._ADD_MOVE
-- $1 class_id, $2 original_date, $3 original_start, $4 original_end, $5 rescheduled_date, $6 rescheduled_start, $7 rescheduled_end, $8 reason
INSERT INTO class_reschedules AS r (
    class_id, original_date, original_start_time, original_end_time,
    rescheduled_date, rescheduled_start_time, rescheduled_end_time, reason)
VALUES ($1, $2, $3, $4,
        $5, $6, $7, $8)
ON CONFLICT (class_id, original_date, original_start_time) DO UPDATE
SET original_end_time = excluded.original_end_time,
    rescheduled_date = excluded.rescheduled_date,
    rescheduled_start_time = excluded.rescheduled_start_time,
    rescheduled_end_time = excluded.rescheduled_end_time, reason = excluded.reason
RETURNING move_json(r)::text AS document;

-- app.services.timetable.reschedules._REPLACE_MOVE
-- $1 original_date, $2 original_start, $3 original_end, $4 rescheduled_date, $5 rescheduled_start, $6 rescheduled_end, $7 reason, $8 class_id, $9 id
UPDATE class_reschedules r
SET original_date = $1, original_start_time = $2,
    original_end_time = $3, rescheduled_date = $4,
    rescheduled_start_time = $5, rescheduled_end_time = $6,
    reason = $7
WHERE class_id = $8 AND id = $9
RETURNING move_json(r)::text AS document;

-- app.services.timetable.reschedules._FIND_MOVE
-- $1 class_id, $2 id
SELECT id FROM class_reschedules WHERE class_id = $1 AND id = $2;

-- app.services.timetable.reschedules._REMOVE_MOVE
-- $1 class_id, $2 id
DELETE FROM class_reschedules WHERE class_id = $1 AND id = $2 RETURNING id;

-- app.services.timetable.slots.LOCK
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
SELECT verdict FROM verdict;

-- app.services.timetable.slots._LIST_SLOTS
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
)
SELECT verdict, (
    SELECT coalesce(json_agg(slot_json(s) ORDER BY day_of_week, start_time), '[]')
    FROM class_schedules s JOIN granted ON granted.id = s.class_id
)::text AS document
FROM verdict;

-- app.services.timetable.slots._GET_SLOT
-- $1 actor_id, $2 class_id, $3 id
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
)
SELECT verdict, (
    SELECT slot_json(s) FROM class_schedules s JOIN granted ON granted.id = s.class_id
    WHERE s.id = $3
)::text AS document
FROM verdict;

-- app.services.timetable.slots._OVERLAPPING_SLOT
-- $1 class_id, $2 day_of_week, $3 end_time, $4 start_time, $5 id
SELECT true AS found FROM class_schedules
WHERE class_id = $1 AND day_of_week = $2
  AND start_time < $3 AND end_time > $4 AND id IS DISTINCT FROM $5;

-- app.services.timetable.slots._ADD_SLOT
-- $1 class_id, $2 day_of_week, $3 start_time, $4 end_time
INSERT INTO class_schedules AS s (class_id, day_of_week, start_time, end_time)
VALUES ($1, $2, $3, $4)
RETURNING slot_json(s)::text AS document;

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
)
UPDATE class_schedules s
SET day_of_week = $5, start_time = $1, end_time = $2
WHERE class_id = $3 AND id = $4
RETURNING slot_json(s)::text AS document;

-- app.services.timetable.slots._REMOVE_SLOT
-- $1 class_id, $2 id
DELETE FROM class_schedules WHERE class_id = $1 AND id = $2 RETURNING id;
