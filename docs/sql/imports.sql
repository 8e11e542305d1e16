-- app.services.imports.attendance_import._MARK
-- $1 reason, $2 window, $3 class_ids, $4 session_ids, $5 roll_keys, $6 sessions, $7 people, $8 words, $9 notes, $10 request_id, $11 actor_id
WITH sessions AS MATERIALIZED (
    SELECT session, class_id, s.id AS session_id, s.session_date AS day, s.status AS state,
           $1::text IS NULL AND s.session_date < current_date - $2::integer AS late
    FROM unnest($3::uuid[], $4::uuid[]) WITH ORDINALITY g(class_id, id, session)
    JOIN attendance_sessions s USING (class_id, id)
),
enrolments AS MATERIALIZED (
    SELECT person, e.class_id, e.student_id, e.periods
    FROM unnest($5::text[]) WITH ORDINALITY AS g(roll_key, person)
    JOIN students st USING (roll_key)
    JOIN class_students e ON e.student_id = st.id AND e.class_id = ANY($3)
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
given AS MATERIALIZED (
    SELECT place, word, note, class_id, session_id, student_id, state, day, late, periods,
           m.student_id IS NOT NULL AS marked, m.status, remark, leave_id, leave_kind,
           said_status, said_score, said_remark, said_source,
           word = 'excused' OR (word = 'on_duty' AND leave_kind = 'on_duty') AS excuse
    FROM unnest($6::integer[], $7::integer[], $8::text[], $9::text[])
        WITH ORDINALITY AS g(session, person, word, note, place)
    JOIN sessions USING (session)
    LEFT JOIN enrolments USING (class_id, person)
    LEFT JOIN attendance_statuses m USING (class_id, session_id, student_id)
),
judged AS MATERIALIZED (
    SELECT given.*, same, CASE
        WHEN (marked OR periods @> day OR on_roster(periods)) IS NOT TRUE THEN 'not_enrolled'
        WHEN same THEN NULL
        WHEN state <> 'open' THEN 'session_' || state
        WHEN late THEN 'reason_required'
    END AS refusal
    FROM given CROSS JOIN LATERAL (
        SELECT marked AND coalesce(note = remark, note IS NULL) AND CASE
            WHEN excuse THEN status = 'excused' AND (
                leave_id IS NOT NULL OR leave_kind IS NOT DISTINCT FROM nullif(word, 'excused'))
            WHEN leave_id IS NOT NULL THEN coalesce(said_status = word, false)
            ELSE status = word
        END AS same
    ) rule
),
said AS MATERIALIZED (
    SELECT class_id, session_id, student_id, mark.* FROM judged CROSS JOIN LATERAL (
        SELECT CASE word WHEN 'on_duty' THEN 'excused' ELSE word END AS status,
               false AS recognized_by_ai, NULL::numeric AS similarity_score, note AS remark,
               'import' AS source, CASE word WHEN 'on_duty' THEN word END AS leave_kind, note
        WHERE leave_id IS NULL OR NOT excuse
        UNION ALL
        SELECT said_status, coalesce(said_source = 'ai', false), said_score, said_remark,
               said_source, NULL, note
        WHERE leave_id IS NOT NULL AND excuse
    ) mark
    WHERE refusal IS NULL AND NOT same
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
changes AS MATERIALIZED (SELECT * FROM shown),
numbered AS (
    UPDATE attendance_sessions s SET version = version + 1
    FROM sessions t WHERE s.class_id = t.class_id AND s.id = t.session_id
        AND t.session_id IN (SELECT session_id FROM changes)
    RETURNING s.class_id, s.id AS session_id, s.version
),
recorded AS (
    INSERT INTO attendance_batches (
        class_id, session_id, version, request_id, actor_id, made_at, reason)
    SELECT numbered.*, $10::text, $11::uuid, statement_timestamp(), $1::text
    FROM numbered
),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, status, recognized_by_ai,
        similarity_score, remark, source, leave_kind, marked_by, marked_at)
    SELECT class_id, session_id, student_id, student_id, m.version, m.status, m.recognized_by_ai,
           m.similarity_score, m.remark, m.source, m.leave_kind, m.marked_by, m.marked_at
    FROM changes JOIN attendance_statuses m USING (class_id, session_id, student_id)
),
written AS (
    INSERT INTO attendance_statuses (
        class_id, session_id, student_id, status, recognized_by_ai, similarity_score, remark,
        source, leave_id, leave_kind, said_status, said_score, said_remark, said_source,
        marked_by, marked_at, version)
    SELECT changes.*, $11, statement_timestamp(), version
    FROM changes JOIN numbered USING (class_id, session_id)
    WHERE status IS NOT NULL ORDER BY session_id, student_id
    ON CONFLICT (class_id, session_id, student_id) DO UPDATE
    SET status = excluded.status, recognized_by_ai = excluded.recognized_by_ai,
        similarity_score = excluded.similarity_score, remark = excluded.remark,
        source = excluded.source, leave_id = excluded.leave_id, leave_kind = excluded.leave_kind,
        said_status = excluded.said_status, said_score = excluded.said_score,
        said_remark = excluded.said_remark, said_source = excluded.said_source,
        marked_by = excluded.marked_by, marked_at = excluded.marked_at, version = excluded.version
)
SELECT array_agg(place) FILTER (WHERE refusal IS NULL AND NOT marked) AS created,
       array_agg(place) FILTER (WHERE refusal IS NULL AND marked AND NOT same) AS changed,
       array_agg(place) FILTER (WHERE refusal IS NOT NULL) AS refused,
       array_agg(refusal) FILTER (WHERE refusal IS NOT NULL) AS refusals
FROM judged;

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

-- app.services.imports.firestore_marks._MARKS
-- $1 sessions, $2 students, $3 words, $4 prefix, $5 class_id, $6 session_ids, $7 request_id, $8 actor_id, $9 reason
WITH given AS MATERIALIZED (
    SELECT session_id, student_id,
           CASE word WHEN 'on_duty' THEN 'excused' ELSE word END AS status,
           CASE word WHEN 'on_duty' THEN 'on_duty' END AS kind
    FROM unnest($1::uuid[], $2::uuid[], $3::text[])
        AS g(session_id, student_id, word)
),
stored AS MATERIALIZED (
    SELECT m.*, starts_with(b.request_id, $4) AS imported
    FROM attendance_statuses m
    LEFT JOIN attendance_batches b USING (class_id, session_id, version)
    WHERE m.class_id = $5 AND m.session_id = ANY($6::uuid[])
),
judged AS MATERIALIZED (
    SELECT g.*, m.status AS old, CASE
        WHEN m.status = g.status
             AND (m.source <> 'import' OR m.leave_kind IS NOT DISTINCT FROM g.kind)
        THEN 'unchanged'
        WHEN m.said_status = g.status THEN 'excused_by_leave'
        WHEN s.status <> 'open' THEN 'session_closed'
        WHEN m.status IS NULL THEN 'made'
        WHEN m.source = 'import' AND m.imported THEN 'changed'
        ELSE 'changed_in_aims'
    END AS verdict
    FROM given g
    JOIN attendance_sessions s ON s.class_id = $5 AND s.id = g.session_id
    LEFT JOIN stored m USING (session_id, student_id)
),
extra AS (
    SELECT m.status AS old,
           CASE WHEN m.source = 'leave' THEN 'excused_by_leave'
                WHEN m.imported THEN 'no_longer_exported' ELSE 'only_in_aims' END AS verdict
    FROM stored m LEFT JOIN given g USING (session_id, student_id)
    WHERE g.session_id IS NULL
),
sessions AS (
    SELECT $5::uuid AS class_id, session_id FROM unnest($6) session_id
),
changes AS MATERIALIZED (
    SELECT $5::uuid AS class_id, session_id, student_id, status, false AS recognized_by_ai,
           NULL::numeric AS similarity_score, NULL::text AS remark, 'import' AS source,
           NULL::uuid AS leave_id, kind AS leave_kind, NULL::text AS said_status,
           NULL::numeric AS said_score, NULL::text AS said_remark, NULL::text AS said_source
    FROM judged WHERE verdict IN ('made', 'changed')
),
numbered AS (
    UPDATE attendance_sessions s SET version = version + 1
    FROM sessions t WHERE s.class_id = t.class_id AND s.id = t.session_id
        AND t.session_id IN (SELECT session_id FROM changes)
    RETURNING s.class_id, s.id AS session_id, s.version
),
recorded AS (
    INSERT INTO attendance_batches (
        class_id, session_id, version, request_id, actor_id, made_at, reason)
    SELECT numbered.*, $7::text, $8::uuid, statement_timestamp(), $9::text
    FROM numbered
),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, status, recognized_by_ai,
        similarity_score, remark, source, leave_kind, marked_by, marked_at)
    SELECT class_id, session_id, student_id, student_id, m.version, m.status, m.recognized_by_ai,
           m.similarity_score, m.remark, m.source, m.leave_kind, m.marked_by, m.marked_at
    FROM changes JOIN attendance_statuses m USING (class_id, session_id, student_id)
),
written AS (
    INSERT INTO attendance_statuses (
        class_id, session_id, student_id, status, recognized_by_ai, similarity_score, remark,
        source, leave_id, leave_kind, said_status, said_score, said_remark, said_source,
        marked_by, marked_at, version)
    SELECT changes.*, $8, statement_timestamp(), version
    FROM changes JOIN numbered USING (class_id, session_id)
    WHERE status IS NOT NULL ORDER BY session_id, student_id
    ON CONFLICT (class_id, session_id, student_id) DO UPDATE
    SET status = excluded.status, recognized_by_ai = excluded.recognized_by_ai,
        similarity_score = excluded.similarity_score, remark = excluded.remark,
        source = excluded.source, leave_id = excluded.leave_id, leave_kind = excluded.leave_kind,
        said_status = excluded.said_status, said_score = excluded.said_score,
        said_remark = excluded.said_remark, said_source = excluded.said_source,
        marked_by = excluded.marked_by, marked_at = excluded.marked_at, version = excluded.version
)
SELECT coalesce(json_agg(json_build_array(verdict, status, old, marks)), '[]') AS verdicts
FROM (
    SELECT verdict, status, old, count(*) AS marks FROM judged GROUP BY verdict, status, old
    UNION ALL
    SELECT verdict, NULL, old, count(*) FROM extra GROUP BY verdict, old
) counts;

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
