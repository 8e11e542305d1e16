-- app.services.imports.class_names._CANDIDATES
-- $1 actor_id, $2 ids, $3 codes
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
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
        ELSE 'granted'
    END AS verdict
),
this_term AS (
    SELECT id FROM terms
    ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC,
             name
    LIMIT 1
),
candidates AS (
    SELECT c.id, c.code, c.section, u.email AS teacher, t.name AS term,
           c.archived_at IS NOT NULL AS archived,
           c.term_id IS NULL OR c.term_id = (SELECT id FROM this_term) AS current
    FROM mine c
    JOIN users u ON u.id = c.teacher_id
    LEFT JOIN terms t ON t.id = c.term_id
    WHERE c.id = ANY($2::uuid[]) OR c.code = ANY($3::text[])
       OR lower(btrim(c.code)) = ANY($3)
)
SELECT verdict,
       (SELECT coalesce(json_agg(candidates), '[]') FROM candidates)::text AS candidates
FROM verdict;

-- app.services.imports.classes_import._FIND
-- $1 codes, $2 sections, $3 teachers, $4 terms
WITH this_term AS (
    SELECT id FROM terms
    ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC,
             name
    LIMIT 1
),
given AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
        WITH ORDINALITY AS g(code, section, teacher, term, place)
),
known AS MATERIALIZED (
    SELECT g.*, u.id AS teacher_id,
           CASE WHEN g.term IS NULL THEN (SELECT id FROM this_term) ELSE t.id END AS term_id,
           g.term IS NULL OR t.id IS NOT NULL AS term_known
    FROM given g
    LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(g.teacher))
    LEFT JOIN terms t ON lower(btrim(t.name)) = lower(btrim(g.term))
),
found AS MATERIALIZED (
    SELECT DISTINCT ON (place) k.*, c.id AS class_id
    FROM known k
    LEFT JOIN classes c
        ON c.teacher_id = k.teacher_id AND lower(btrim(c.code)) = lower(btrim(k.code))
       AND lower(btrim(c.section)) = lower(btrim(k.section))
       AND c.term_id IS NOT DISTINCT FROM k.term_id AND c.archived_at IS NULL
    ORDER BY place, (c.code, c.section) = (k.code, k.section) DESC, c.id
)
SELECT array_agg(teacher_id ORDER BY place) AS teachers,
       array_agg(term_id ORDER BY place) AS terms,
       array_agg(term_known ORDER BY place) AS terms_known,
       array_agg(class_id ORDER BY place) AS classes
FROM found;

-- app.services.imports.classes_import._LOCK
-- $1 ids
SELECT count(*) FROM (
    SELECT FROM classes WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
) locked;

-- app.services.imports.classes_import._WRITE
-- $1 found, $2 teachers, $3 terms, $4 codes, $5 sections, $6 names, $7 ltp_patterns, $8 teacher_types, $9 practical_groups
WITH given AS MATERIALIZED (
    SELECT *, coalesce(found, gen_random_uuid()) AS id
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[],
                $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[])
        WITH ORDINALITY AS g(
            found, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type,
            practical_group, place)
),
wanted AS (
    SELECT c.id, g.place, g.name,
           coalesce(g.ltp_pattern, c.ltp_pattern) AS ltp_pattern,
           coalesce(g.teacher_type, c.teacher_type) AS teacher_type,
           coalesce(g.practical_group, c.practical_group) AS practical_group
    FROM given g JOIN classes c ON c.id = g.found
),
changed AS (
    UPDATE classes c
    SET name = w.name, ltp_pattern = w.ltp_pattern, teacher_type = w.teacher_type,
        practical_group = w.practical_group, updated_at = now()
    FROM wanted w
    WHERE c.id = w.id AND c.archived_at IS NULL
      AND (c.name, c.ltp_pattern, c.teacher_type, c.practical_group) IS DISTINCT FROM
          (w.name, w.ltp_pattern, w.teacher_type, w.practical_group)
    RETURNING w.place
),
made AS (
    INSERT INTO classes (
        id, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type, practical_group)
    SELECT id, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type,
           practical_group
    FROM given WHERE found IS NULL ORDER BY id
)
SELECT (SELECT array_agg(place) FROM changed) AS changed;

-- app.services.imports.known_names._STORED
-- $1 roll_keys
SELECT array_agg(roll_key) AS keys, array_agg(name) AS names
FROM students WHERE roll_key = ANY($1::text[]) AND name <> '';

-- app.services.imports.session_names._CHOOSE
-- $1 classes, $2 days, $3 starts, $4 exact
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::date[], $3::time[], $4::boolean[])
        WITH ORDINALITY AS a(class_id, day, start_time, exact, place)
),
days AS MATERIALIZED (
    SELECT class_id, day, count(start_time) > 0 AS timed FROM asked GROUP BY class_id, day
),
meetings AS (
    SELECT d.*, w.start_time, w.end_time,
           away.rescheduled_date AS to_date, away.rescheduled_start_time AS to_start,
           away.rescheduled_end_time AS to_end,
           NULL::date AS from_date, NULL::time AS from_start, NULL::time AS from_end
    FROM days d
    JOIN class_schedules w
        ON w.class_id = d.class_id AND w.day_of_week = extract(isodow FROM d.day)::smallint
    LEFT JOIN class_reschedules away
        ON away.class_id = w.class_id AND away.original_date = d.day
       AND away.original_start_time = w.start_time
    UNION ALL
    SELECT d.*, here.rescheduled_start_time, here.rescheduled_end_time, NULL, NULL, NULL,
           here.original_date, here.original_start_time, here.original_end_time
    FROM days d
    JOIN class_reschedules here
        ON here.class_id = d.class_id AND here.rescheduled_date = d.day
),
there AS MATERIALIZED (
    SELECT s.class_id, s.session_date AS day, count(*) AS sessions,
           count(*) > count(s.start_time) AS untimed, min(s.start_time) AS start_time
    FROM days d
    JOIN attendance_sessions s ON s.class_id = d.class_id AND s.session_date = d.day
    GROUP BY s.class_id, s.session_date
),
slots AS MATERIALIZED (
    SELECT class_id, day, start_time, end_time FROM meetings WHERE to_date IS NULL
),
first_slots AS (
    SELECT class_id, day, min(start_time) AS start_time FROM slots GROUP BY class_id, day
),
chosen AS MATERIALIZED (
    SELECT a.place, a.class_id, a.day,
           a.start_time IS NULL AND NOT coalesce(untimed, false) AND CASE
               WHEN timed THEN NOT a.exact ELSE coalesce(sessions, 0) > 1 END AS several,
           CASE
               WHEN a.start_time IS NOT NULL THEN a.start_time
               WHEN timed OR untimed THEN NULL
               WHEN sessions = 1 THEN t.start_time
               WHEN NOT a.exact THEN f.start_time
           END AS start_time
    FROM asked a
    JOIN days d USING (class_id, day)
    LEFT JOIN there t USING (class_id, day)
    LEFT JOIN first_slots f USING (class_id, day)
)
SELECT array_agg(start_time ORDER BY place) AS starts,
       array_agg(several ORDER BY place) AS several,
       array_agg((SELECT max(end_time) FROM slots s
                  WHERE (s.class_id, s.day, s.start_time)
                      = (chosen.class_id, chosen.day, chosen.start_time)) ORDER BY place) AS ends
FROM chosen;

-- app.services.imports.session_names._MAKE
-- $1 actor_id, $2 classes, $3 days, $4 starts, $5 ends
WITH made AS (
    INSERT INTO attendance_sessions (class_id, session_date, start_time, end_time, teacher_id)
    SELECT class_id, day, start_time, end_time, $1
    FROM unnest($2::uuid[], $3::date[], $4::time[], $5::time[])
        AS a(class_id, day, start_time, end_time)
    ORDER BY class_id, day, start_time
    ON CONFLICT (class_id, session_date, start_time) DO NOTHING
    RETURNING id
)
SELECT coalesce(array_agg(id), '{}') AS made FROM made;

-- app.services.imports.session_names._LOCK
-- $1 classes, $2 days, $3 starts
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::date[], $3::time[])
        WITH ORDINALITY AS a(class_id, day, start_time, place)
),
held AS MATERIALIZED (
    SELECT a.place, s.id FROM attendance_sessions s
    JOIN asked a ON s.class_id = a.class_id AND s.session_date = a.day
        AND s.start_time IS NOT DISTINCT FROM a.start_time
    ORDER BY s.class_id, s.id
    FOR NO KEY UPDATE OF s
)
SELECT array_agg(id ORDER BY place) AS ids FROM held;

-- app.services.imports.slots_import._WRITE
-- $1 classes, $2 days, $3 starts, $4 ends
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::time[], $4::time[])
        WITH ORDINALITY AS g(class_id, day_of_week, start_time, end_time, place)
),
stored AS MATERIALIZED (
    SELECT class_id, day_of_week, start_time, end_time FROM class_schedules
    WHERE class_id = ANY($1::uuid[])
),
planned AS MATERIALIZED (
    SELECT class_id, day_of_week, start_time, end_time FROM given
    UNION ALL
    SELECT * FROM stored s WHERE NOT EXISTS (
        SELECT FROM given g
        WHERE (g.class_id, g.day_of_week, g.start_time)
            = (s.class_id, s.day_of_week, s.start_time))
),
overlapping AS MATERIALIZED (
    SELECT DISTINCT g.place FROM given g JOIN planned p USING (class_id, day_of_week)
    WHERE p.start_time < g.end_time AND p.end_time > g.start_time
      AND p.start_time <> g.start_time
),
fitting AS MATERIALIZED (
    SELECT g.*, s.end_time AS ended
    FROM given g LEFT JOIN stored s USING (class_id, day_of_week, start_time)
    WHERE g.place NOT IN (SELECT place FROM overlapping)
),
changed AS (
    UPDATE class_schedules s SET end_time = f.end_time
    FROM fitting f
    WHERE (s.class_id, s.day_of_week, s.start_time) = (f.class_id, f.day_of_week, f.start_time)
      AND f.ended <> f.end_time
    RETURNING f.place
),
followed AS (
    UPDATE class_reschedules r SET original_end_time = f.end_time
    FROM fitting f
    WHERE f.ended <> f.end_time
      AND (r.class_id, r.original_start_time) = (f.class_id, f.start_time)
      AND extract(isodow FROM r.original_date) = f.day_of_week
),
made AS (
    INSERT INTO class_schedules (class_id, day_of_week, start_time, end_time)
    SELECT class_id, day_of_week, start_time, end_time FROM fitting WHERE ended IS NULL
    ORDER BY place
)
SELECT (SELECT array_agg(place) FROM overlapping) AS overlapping,
       (SELECT array_agg(place) FROM changed) AS changed,
       (SELECT array_agg(place) FROM fitting WHERE ended IS NULL) AS made;
