-- app.services.imports.addresses._OWNERS
-- $1 class_ids, $2 addresses
SELECT coalesce(json_agg(json_build_array(class_id, address, roll_no)), '[]')::text AS owners
FROM (
    SELECT e.class_id, a.address, min(s.roll_no) AS roll_no
    FROM class_students e JOIN students s ON s.id = e.student_id
    CROSS JOIN LATERAL (VALUES (lower(btrim(s.email))), (lower(btrim(s.dtu_email)))) a(address)
    WHERE e.class_id = ANY($1::uuid[]) AND a.address = ANY($2::text[])
    GROUP BY e.class_id, a.address HAVING count(DISTINCT s.id) = 1
) owned;

-- app.services.imports.attendance_import._JUDGE
-- $1 reason, $2 window, $3 class_ids, $4 session_ids, $5 roll_keys, $6 source, $7 sessions, $8 people, $9 words, $10 notes
WITH held AS MATERIALIZED (
    SELECT n, s.class_id, s.id AS session_id, s.session_date AS day, s.status AS state,
           $1::text IS NULL AND s.session_date < current_date - $2::integer AS late
    FROM unnest($3::uuid[], $4::uuid[]) WITH ORDINALITY AS g(class_id, id, n)
    JOIN attendance_sessions s USING (class_id, id)
),
students_named AS MATERIALIZED (
    SELECT n, st.id AS student_id
    FROM unnest($5::text[]) WITH ORDINALITY AS g(roll_key, n)
    JOIN students st USING (roll_key)
),
given AS MATERIALIZED (
    SELECT place, word, h.*, p.student_id, m.status AS stored, m.leave_id, m.source, m.version,
           coalesce(note = m.remark, note IS NULL) AND CASE
               WHEN $6::text IS NOT NULL AND m.source <> 'import' AND word <> 'absent'
               THEN m.status = replace(word, 'on_duty', 'excused')
               WHEN word = 'on_duty' THEN coalesce(m.leave_kind = 'on_duty', false)
               WHEN word = 'excused'
               THEN m.status = word AND (m.leave_id IS NOT NULL OR m.leave_kind IS NULL)
               WHEN m.leave_id IS NOT NULL THEN coalesce(m.said_status = word, false)
               ELSE m.status = word
           END AS same
    FROM unnest($7::integer[], $8::integer[], $9::text[], $10::text[])
        WITH ORDINALITY AS g(session, person, word, note, place)
    JOIN held h ON h.n = g.session
    LEFT JOIN students_named p ON p.n = g.person
    LEFT JOIN LATERAL (
        SELECT * FROM attendance_statuses m
        WHERE m.class_id = h.class_id AND m.session_id = h.session_id
          AND m.student_id = p.student_id
        LIMIT 1
    ) m ON true
),
judged AS MATERIALIZED (
    SELECT place, student_id, stored, coalesce(same, false) AS same, CASE
        WHEN stored IS NULL AND NOT EXISTS (
            SELECT FROM class_students e
            WHERE e.class_id = g.class_id AND e.student_id = g.student_id
              AND ($6 IS NOT NULL OR on_roster(e.periods) OR e.periods @> g.day)
        ) THEN 'not_enrolled'
        WHEN same AND $6 IS NOT NULL AND leave_id IS NOT NULL AND word = 'absent'
        THEN 'excused_by_leave'
        WHEN same THEN NULL
        WHEN state <> 'open' THEN 'session_' || state
        WHEN late THEN 'reason_required'
        WHEN $6 IS NOT NULL AND stored IS NOT NULL AND NOT (source = 'import' AND EXISTS (
            SELECT FROM attendance_batches b
            WHERE b.class_id = g.class_id AND b.session_id = g.session_id
              AND b.version = g.version AND starts_with(b.request_id, $6 || '-')
        )) THEN 'changed_in_aims'
    END AS code
    FROM given g
)
SELECT array_agg(stored ORDER BY place) AS stored, array_agg(same ORDER BY place) AS same,
       array_agg(code ORDER BY place) AS codes,
       array_agg(CASE WHEN NOT same AND code IS NULL THEN student_id END ORDER BY place)
           AS students
FROM judged;

-- app.services.imports.attendance_import._MARK
-- $1 class_ids, $2 session_ids, $3 students, $4 words, $5 notes, $6 request_id, $7 actor_id, $8 reason
WITH given AS MATERIALIZED (
    SELECT g.*, m.leave_id IS NOT NULL AND (
               word = 'excused' OR (word = 'on_duty' AND m.leave_kind = 'on_duty')) AS known,
           m.said_status, m.said_score, m.said_remark, m.said_source
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[],
                $5::text[]) AS g(class_id, session_id, student_id, word, note)
    LEFT JOIN LATERAL (
        SELECT * FROM attendance_statuses m
        WHERE m.class_id = g.class_id AND m.session_id = g.session_id
          AND m.student_id = g.student_id
        LIMIT 1
    ) m ON true
),
sessions AS MATERIALIZED (
    SELECT g.class_id, g.session_id, s.session_date AS day
    FROM (SELECT DISTINCT class_id, session_id FROM given) g
    CROSS JOIN LATERAL (
        SELECT session_date FROM attendance_sessions s
        WHERE s.class_id = g.class_id AND s.id = g.session_id
        LIMIT 1
    ) s
),
enrolments AS MATERIALIZED (
    SELECT e.* FROM (SELECT DISTINCT class_id, student_id FROM given) g
    JOIN class_students e USING (class_id, student_id)
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
    SELECT class_id, session_id, student_id, mark.* FROM given CROSS JOIN LATERAL (
        SELECT replace(word, 'on_duty', 'excused') AS status, false AS recognized_by_ai,
               NULL::numeric AS similarity_score, note AS remark, 'import' AS source,
               CASE word WHEN 'on_duty' THEN word END AS leave_kind, note
        WHERE NOT known
        UNION ALL
        SELECT said_status, coalesce(said_source = 'ai', false), said_score, said_remark,
               said_source, NULL, note
        WHERE known
    ) mark
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
    INSERT INTO attendance_batches (class_id, session_id, version, request_id, actor_id, made_at,
                                    reason)
    SELECT numbered.*, $6::text, $7::uuid, statement_timestamp(), $8::text
    FROM numbered
),
superseded AS (
    INSERT INTO superseded_statuses (class_id, session_id, student_id, recorded_for, version,
        status, recognized_by_ai, similarity_score, remark, source, leave_kind, marked_by,
        marked_at, said_status, said_score, said_remark, said_source)
    SELECT class_id, session_id, student_id, student_id, m.version, m.status, m.recognized_by_ai,
           m.similarity_score, m.remark, m.source, m.leave_kind, m.marked_by, m.marked_at,
           m.said_status, m.said_score, m.said_remark, m.said_source
    FROM changes JOIN attendance_statuses m USING (class_id, session_id, student_id)
),
written AS (
    INSERT INTO attendance_statuses (class_id, session_id, student_id, status, recognized_by_ai,
        similarity_score, remark, source, leave_id, leave_kind, said_status, said_score,
        said_remark, said_source, marked_by, marked_at, version)
    SELECT changes.*, $7, statement_timestamp(), version
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
SELECT array_agg(session_id) AS sessions, array_agg(student_id) AS students FROM changes WHERE said_source = 'import';

-- app.services.imports.attendance_import._WITH_LEAVE
-- $1 class_ids
SELECT array_agg(DISTINCT l.student_id) AS students
FROM class_students e
JOIN leaves l ON l.student_id = e.student_id AND l.status = 'approved'
WHERE e.class_id = ANY($1::uuid[]);

-- app.services.imports.class_names._CANDIDATES
-- $1 actor_id, $2 ids, $3 codes
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
candidates AS (
    SELECT c.id, c.code, c.section, u.email AS teacher, t.name AS term,
           c.archived_at IS NOT NULL AS archived,
           c.term_id IS NULL OR c.term_id = (SELECT id FROM v_current_term) AS current
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
-- $1 ids, $2 codes, $3 sections, $4 teachers, $5 terms
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[],
                         $5::text[])
        WITH ORDINALITY AS g(id, code, section, teacher, term, place)
),
known AS MATERIALIZED (
    SELECT g.*, u.id AS teacher_id,
           CASE WHEN g.term IS NULL THEN (SELECT id FROM v_current_term) ELSE t.id END AS term_id,
           g.term IS NULL OR t.id IS NOT NULL AS term_known
    FROM given g
    LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(g.teacher))
    LEFT JOIN terms t ON lower(btrim(t.name)) = lower(btrim(g.term))
),
candidates AS MATERIALIZED (
    SELECT k.place, c.id, c.code, c.archived_at, true AS by_id, true AS exact
    FROM known k JOIN classes c ON c.id = k.id
    UNION ALL
    SELECT k.place, c.id, c.code, c.archived_at, false, (c.code, c.section) = (k.code, k.section)
    FROM known k
    JOIN classes c
        ON c.teacher_id = k.teacher_id AND lower(btrim(c.code)) = lower(btrim(k.code))
       AND lower(btrim(c.section)) = lower(btrim(k.section))
       AND c.term_id IS NOT DISTINCT FROM k.term_id AND c.archived_at IS NULL
    WHERE k.id IS NULL OR (c.code, c.section) = (k.code, k.section)
),
found AS MATERIALIZED (
    SELECT DISTINCT ON (place) k.*, c.id AS class_id, CASE
        WHEN c.by_id AND c.code <> k.code THEN 'class_of_another'
        WHEN c.archived_at IS NOT NULL THEN 'class_archived'
    END AS problem
    FROM known k LEFT JOIN candidates c USING (place)
    ORDER BY place, c.by_id DESC, c.exact DESC, c.id
)
SELECT array_agg(teacher_id ORDER BY place) AS teachers,
       array_agg(term_id ORDER BY place) AS terms,
       array_agg(term_known ORDER BY place) AS terms_known,
       array_agg(class_id ORDER BY place) AS classes,
       array_agg(problem ORDER BY place) AS problems
FROM found;

-- app.services.imports.classes_import._LOCK
-- $1 ids
SELECT count(*) FROM (
    SELECT FROM classes WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
) locked;

-- app.services.imports.classes_import._WRITE
-- $1 found, $2 ids, $3 teachers, $4 terms, $5 codes, $6 sections, $7 names, $8 ltp_patterns, $9 teacher_types, $10 practical_groups, $11 keep
WITH given AS MATERIALIZED (
    SELECT *, coalesce(found, outside, gen_random_uuid()) AS id
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[],
                $6::text[], $7::text[], $8::text[], $9::text[],
                $10::text[])
        WITH ORDINALITY AS g(
            found, outside, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type,
            practical_group, place)
),
wanted AS (
    SELECT c.id, g.place, g.name,
           coalesce(g.ltp_pattern, c.ltp_pattern) AS ltp_pattern,
           coalesce(g.teacher_type, c.teacher_type) AS teacher_type,
           coalesce(g.practical_group, c.practical_group) AS practical_group
    FROM given g JOIN classes c ON c.id = g.found
    WHERE NOT $11
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
kept AS (
    SELECT g.place FROM given g JOIN classes c ON c.id = g.found
    WHERE $11
      AND (c.teacher_id, c.name, c.section, c.ltp_pattern, c.teacher_type, c.practical_group)
          IS DISTINCT FROM
          (g.teacher_id, g.name, g.section, g.ltp_pattern, g.teacher_type, g.practical_group)
),
made AS (
    INSERT INTO classes (
        id, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type, practical_group)
    SELECT id, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type,
           practical_group
    FROM given WHERE found IS NULL ORDER BY id
)
SELECT (SELECT array_agg(place) FROM changed) AS changed,
       (SELECT array_agg(place) FROM kept) AS kept,
       array_agg(id ORDER BY place) AS ids
FROM given;

-- app.services.imports.faculty_import._ALLOWED
-- $1 emails
SELECT array_agg(lower(btrim(email))) AS allowed FROM allowed_emails
WHERE lower(btrim(email)) = ANY($1::text[]);

-- app.services.imports.known_names._STORED
-- $1 roll_keys
SELECT array_agg(roll_key) AS keys, array_agg(name) AS names
FROM students WHERE roll_key = ANY($1::text[]) AND name <> '';

-- app.services.imports.missing_students._KNOWN
-- $1 roll_keys
SELECT array_agg(roll_key) AS keys FROM students WHERE roll_key = ANY($1::text[]);

-- app.services.imports.missing_students._ADD
-- $1 students, $2 class_id, $3 actor_id, $4 request_id
WITH given AS MATERIALIZED (
    SELECT g.*, s.id AS student_id, to_jsonb(s) AS stored, e.periods
    FROM json_to_recordset($1::json) AS g(
        place integer, roll_key text, fields jsonb, first_day date, last_day date)
    JOIN students s USING (roll_key)
    LEFT JOIN class_students e ON e.class_id = $2 AND e.student_id = s.id
),
differing AS MATERIALIZED (
    SELECT place, student_id, key, value, coalesce(stored ->> key, '') = '' AS empty
    FROM given CROSS JOIN LATERAL jsonb_each_text(fields)
    WHERE value IS DISTINCT FROM stored ->> key
),
missing AS (
    SELECT place, student_id, jsonb_object_agg(key, value) AS fields
    FROM differing WHERE empty GROUP BY place, student_id
),
filled AS (
    UPDATE students s
    SET (name, photo_url, program, sp_code, semester, status, duration, email, dtu_email, phone) =
        (SELECT r.name, r.photo_url, r.program, r.sp_code, r.semester, r.status, r.duration,
                r.email, r.dtu_email, r.phone
         FROM jsonb_populate_record(s, m.fields) r)
    FROM missing m WHERE s.id = m.student_id
    RETURNING m.place
),
enrolled AS (
    INSERT INTO class_students (class_id, student_id, periods)
    SELECT $2, student_id, CASE
        WHEN last_day IS NULL
        THEN datemultirange(daterange(coalesce(first_day, current_date), NULL))
        WHEN first_day < current_date
        THEN datemultirange(daterange(first_day, least(last_day, current_date - 1), '[]'))
        ELSE '{}' END
    FROM given WHERE periods IS NULL
    ORDER BY student_id
    RETURNING student_id, periods
),
events AS (
    INSERT INTO enrolment_events (
        class_id, student_id, recorded_for, periods, actor_id, request_id)
    SELECT $2, student_id, student_id, periods, $3::uuid, $4::text
    FROM enrolled
),
acts AS (
    SELECT 'student_enrolled' AS action, 'student' AS subject, student_id AS subject_id,
           jsonb_build_object('classId', $2::uuid, 'firstDay', enrolled_from(periods),
                              'lastDay', upper(periods) - 1) AS details
    FROM enrolled
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $3::uuid, $4::text, action, subject, subject_id, details FROM acts
)
SELECT (SELECT array_agg(place) FROM filled) AS filled,
       (SELECT array_agg(place) FROM given WHERE periods IS NULL) AS enrolled,
       (SELECT array_agg(place) FROM given WHERE last_day IS NULL AND NOT on_roster(periods))
           AS withdrawn,
       (SELECT array_agg(place) FROM differing WHERE NOT empty) AS kept,
       (SELECT array_agg(key) FROM differing WHERE NOT empty) AS fields;

-- app.services.imports.moves_import._WRITE
-- $1 classes, $2 original_dates, $3 original_starts, $4 original_ends, $5 new_dates, $6 new_starts, $7 new_ends, $8 reasons
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::date[], $3::time[],
        $4::time[], $5::date[], $6::time[], $7::time[],
        $8::text[])
        WITH ORDINALITY AS g(
            class_id, original_date, original_start, original_end, new_date, new_start, new_end,
            reason, place)
),
days AS (SELECT DISTINCT class_id, new_date AS day FROM given),
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
),
judged AS MATERIALIZED (
    SELECT g.*, CASE
        WHEN (r.rescheduled_date, r.rescheduled_start_time, r.rescheduled_end_time)
             = (g.new_date, g.new_start, g.new_end) THEN 'unchanged'
        WHEN r.id IS NOT NULL THEN 'move_differs'
        WHEN w.id IS NULL THEN 'move_of_nothing'
        WHEN EXISTS (
            SELECT FROM meetings m
            WHERE (m.class_id, m.day) = (g.class_id, g.new_date) AND m.moved_to IS NULL
              AND m.start_time < g.new_end AND m.end_time > g.new_start
              AND NOT (g.new_date = g.original_date AND m.start_time = g.original_start)
        ) THEN 'slot_overlaps'
        ELSE 'created'
    END AS verdict
    FROM given g
    LEFT JOIN class_schedules w
        ON w.class_id = g.class_id AND w.start_time = g.original_start
       AND w.day_of_week = extract(isodow FROM g.original_date)
    LEFT JOIN class_reschedules r
        ON r.class_id = g.class_id AND r.original_date = g.original_date
       AND r.original_start_time = g.original_start
),
made AS (
    INSERT INTO class_reschedules (
        class_id, original_date, original_start_time, original_end_time,
        rescheduled_date, rescheduled_start_time, rescheduled_end_time, reason)
    SELECT class_id, original_date, original_start, original_end, new_date, new_start, new_end,
           reason
    FROM judged WHERE verdict = 'created'
)
SELECT array_agg(verdict ORDER BY place) AS verdicts FROM judged;

-- app.services.imports.runs.asking._ASK
-- $1 actor_id, $2 request_id, $3 kind, $4 file_name, $5 content, $6 options, $7 asked, $8 most
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
unfinished AS (
    SELECT r.id FROM import_runs r JOIN admin ON admin.id = r.created_by
    WHERE r.state IN ('waiting', 'working', 'previewed')
),
runs AS (
    INSERT INTO import_runs (created_by, request_id, kind, file_name, content, options, asked)
    SELECT id, $2, $3, $4, $5::bytea, $6::text::jsonb, $7
    FROM admin WHERE (SELECT count(*) FROM unfinished) < $8::integer
    RETURNING *
),
documents AS (
    SELECT r.id, json_build_object(
        'id', r.id, 'kind', r.kind, 'fileName', r.file_name, 'asked', r.asked, 'state', r.state,
        'options', r.options, 'createdAt', json_instant(r.created_at),
        'createdBy', r.created_by, 'createdByName', u.name,
        'confirmedBy', r.confirmed_by, 'confirmedByName', c.name,
        'finishedAt', json_instant(r.finished_at), 'done', r.done, 'total', r.total,
        'result', r.result, 'code', r.code, 'detail', r.detail) AS document
    FROM runs r
    JOIN users u ON u.id = r.created_by
    LEFT JOIN users c ON c.id = r.confirmed_by
)
SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict;

-- app.services.imports.runs.asking._LIST
-- $1 actor_id, $2 after_at, $3 after_id, $4 most
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
    SELECT r.*, json_instant(r.created_at) || '~' || r.id AS cursor,
           row_number() OVER (ORDER BY r.created_at DESC, r.id) AS n
    FROM import_runs r
    WHERE EXISTS (SELECT FROM admin)
      AND ($2::timestamptz IS NULL OR r.created_at < $2
           OR (r.created_at = $2 AND r.id > $3::uuid))
    ORDER BY r.created_at DESC, r.id
    LIMIT $4 + 1
),
runs AS (SELECT * FROM page WHERE n <= $4),
documents AS (
    SELECT r.id, json_build_object(
        'id', r.id, 'kind', r.kind, 'fileName', r.file_name, 'asked', r.asked, 'state', r.state,
        'options', r.options, 'createdAt', json_instant(r.created_at),
        'createdBy', r.created_by, 'createdByName', u.name,
        'confirmedBy', r.confirmed_by, 'confirmedByName', c.name,
        'finishedAt', json_instant(r.finished_at), 'done', r.done, 'total', r.total,
        'result', r.result, 'code', r.code, 'detail', r.detail) AS document
    FROM runs r
    JOIN users u ON u.id = r.created_by
    LEFT JOIN users c ON c.id = r.confirmed_by
)
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = $4 AND EXISTS (SELECT FROM page WHERE n > $4)
) AS next_cursor
FROM verdict;

-- app.services.imports.runs.asking._READ
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
runs AS (SELECT * FROM import_runs WHERE id = $2 AND EXISTS (SELECT FROM admin)),
documents AS (
    SELECT r.id, json_build_object(
        'id', r.id, 'kind', r.kind, 'fileName', r.file_name, 'asked', r.asked, 'state', r.state,
        'options', r.options, 'createdAt', json_instant(r.created_at),
        'createdBy', r.created_by, 'createdByName', u.name,
        'confirmedBy', r.confirmed_by, 'confirmedByName', c.name,
        'finishedAt', json_instant(r.finished_at), 'done', r.done, 'total', r.total,
        'result', r.result, 'code', r.code, 'detail', r.detail) AS document
    FROM runs r
    JOIN users u ON u.id = r.created_by
    LEFT JOIN users c ON c.id = r.confirmed_by
)
SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict;

-- app.services.imports.runs.asking._ROWS
-- $1 actor_id, $2 id, $3 after, $4 outcome, $5 most
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
run AS (SELECT rows FROM import_runs WHERE id = $2 AND EXISTS (SELECT FROM admin)),
page AS MATERIALIZED (
    SELECT place, document, row_number() OVER (ORDER BY place) AS n
    FROM run, jsonb_array_elements(rows) WITH ORDINALITY AS g(document, place)
    WHERE place > $3::integer
      AND ($4::text IS NULL OR document ->> 'outcome' = $4)
    ORDER BY place
    LIMIT $5 + 1
)
SELECT verdict, CASE WHEN EXISTS (SELECT FROM run) THEN (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM page WHERE n <= $5
) END::text AS document, (
    SELECT place::text FROM page WHERE n = $5 AND EXISTS (SELECT FROM page WHERE n > $5)
) AS next_cursor
FROM verdict;

-- app.services.imports.runs.asking._CONFIRM
-- $1 actor_id, $2 id, $3 request_id
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
asked AS MATERIALIZED (
    SELECT * FROM import_runs WHERE id = $2 AND EXISTS (SELECT FROM admin) FOR NO KEY UPDATE
),
confirmed AS (
    UPDATE import_runs r
    SET asked = 'import', state = 'waiting', confirmed_by = (SELECT id FROM admin),
        request_id = $3, attempts = 0, done = 0, finished_at = NULL
    FROM asked a
    WHERE r.id = a.id AND a.state = 'previewed'
    RETURNING r.*
),
runs AS (
    SELECT * FROM confirmed
    UNION ALL SELECT * FROM asked WHERE NOT EXISTS (SELECT FROM confirmed)
),
documents AS (
    SELECT r.id, json_build_object(
        'id', r.id, 'kind', r.kind, 'fileName', r.file_name, 'asked', r.asked, 'state', r.state,
        'options', r.options, 'createdAt', json_instant(r.created_at),
        'createdBy', r.created_by, 'createdByName', u.name,
        'confirmedBy', r.confirmed_by, 'confirmedByName', c.name,
        'finishedAt', json_instant(r.finished_at), 'done', r.done, 'total', r.total,
        'result', r.result, 'code', r.code, 'detail', r.detail) AS document
    FROM runs r
    JOIN users u ON u.id = r.created_by
    LEFT JOIN users c ON c.id = r.confirmed_by
)
SELECT verdict, (SELECT document FROM documents)::text AS document,
       (SELECT state FROM runs) AS state, (SELECT confirmed_by FROM runs) AS confirmed_by
FROM verdict;

-- app.services.imports.runs.asking._DISCARD
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
asked AS MATERIALIZED (
    SELECT id, state FROM import_runs WHERE id = $2 AND EXISTS (SELECT FROM admin) FOR UPDATE
),
discarded AS (
    DELETE FROM import_runs r USING asked a
    WHERE r.id = a.id AND a.state NOT IN ('working', 'done')
)
SELECT verdict, (SELECT state FROM asked) AS state FROM verdict;

-- app.services.imports.runs.doing._CLAIM
-- $1 silent
WITH next AS MATERIALIZED (
    SELECT r.id FROM import_runs r
    WHERE state IN ('waiting', 'working')
      AND (state = 'waiting' OR heartbeat < clock_timestamp() - make_interval(secs => $1))
    ORDER BY (
        SELECT count(*) FROM import_runs earlier
        WHERE earlier.state IN ('waiting', 'working') AND earlier.created_by = r.created_by
          AND earlier.created_at < r.created_at
    ), created_at
    LIMIT 1
    FOR NO KEY UPDATE OF r SKIP LOCKED
),
claimed AS (
    UPDATE import_runs r
    SET state = 'working', claim = gen_random_uuid(), heartbeat = clock_timestamp(),
        attempts = r.attempts + 1, done = 0, total = NULL
    FROM next WHERE r.id = next.id
    RETURNING r.*
)
SELECT id, claim, coalesce(confirmed_by, created_by) AS actor_id, request_id, kind, content,
       options::text AS options, asked, attempts
FROM claimed;

-- app.services.imports.runs.doing._TELL
-- $1 done, $2 total, $3 id, $4 claim
WITH told AS (
    UPDATE import_runs SET heartbeat = clock_timestamp(), done = $1, total = $2
    WHERE id = $3 AND claim = $4 AND state = 'working'
    RETURNING id
)
SELECT EXISTS (SELECT FROM told) AS ours;

-- app.services.imports.runs.doing._GIVE_BACK
-- $1 unspent, $2 id, $3 claim
WITH given AS (
    UPDATE import_runs
    SET state = 'waiting', claim = NULL, attempts = attempts - $1::integer
    WHERE id = $2 AND claim = $3 AND state = 'working'
    RETURNING id
)
SELECT EXISTS (SELECT FROM given) AS ours;

-- app.services.imports.runs.doing._END
-- $1 state, $2 code, $3 detail, $4 result, $5 rows, $6 size, $7 id, $8 claim
WITH ended AS (
    UPDATE import_runs
    SET state = $1, claim = NULL, finished_at = clock_timestamp(), code = $2,
        detail = $3, result = $4::text::jsonb, rows = $5::text::jsonb,
        done = coalesce($6::integer, done), total = coalesce($6, total),
        content = CASE WHEN $1 = 'previewed' THEN content END
    WHERE id = $7 AND claim = $8 AND state = 'working'
    RETURNING id
)
SELECT EXISTS (SELECT FROM ended) AS ours;

-- app.services.imports.runs.doing._TIDY
WITH expired AS (
    UPDATE import_runs SET state = 'expired', content = NULL
    WHERE state = 'previewed' AND finished_at < clock_timestamp() - interval '1 day'
),
old AS (
    DELETE FROM import_runs
    WHERE state NOT IN ('waiting', 'working', 'previewed')
      AND finished_at < clock_timestamp() - interval '30 days'
)
SELECT 1;

-- app.services.imports.session_names._CHOOSE
-- $1 classes, $2 days, $3 starts, $4 periods, $5 totals, $6 exact
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::date[], $3::time[], $4::integer[],
                         $5::integer[], $6::boolean[])
        WITH ORDINALITY AS a(class_id, day, start_time, period, total, exact, place)
),
days AS MATERIALIZED (
    SELECT class_id, day, count(start_time) > 0 AS timed FROM asked GROUP BY class_id, day
),
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
),
there AS MATERIALIZED (
    SELECT s.class_id, s.session_date AS day, count(*) AS sessions,
           count(*) > count(s.start_time) AS untimed, min(s.start_time) AS start_time
    FROM days d
    JOIN attendance_sessions s ON s.class_id = d.class_id AND s.session_date = d.day
    GROUP BY s.class_id, s.session_date
),
slots AS MATERIALIZED (
    SELECT class_id, day, start_time, end_time FROM meetings WHERE moved_to IS NULL
),
first_slots AS (
    SELECT class_id, day, min(start_time) AS start_time FROM slots GROUP BY class_id, day
),
starts_of_days AS (
    SELECT class_id, day, array_agg(start_time ORDER BY start_time) AS starts FROM (
        SELECT class_id, day, start_time FROM slots
        UNION
        SELECT s.class_id, s.session_date, s.start_time FROM attendance_sessions s
        JOIN days d ON d.class_id = s.class_id AND d.day = s.session_date
    ) starts GROUP BY class_id, day
),
chosen AS MATERIALIZED (
    SELECT a.place, a.class_id, a.day,
           CASE
               WHEN a.period IS NOT NULL THEN cardinality(starts) IS DISTINCT FROM a.total
               WHEN a.start_time IS NOT NULL OR untimed THEN false
               WHEN timed THEN NOT a.exact
               ELSE coalesce(sessions, 0) > 1
           END AS several,
           CASE
               WHEN a.period IS NOT NULL THEN starts[a.period]
               WHEN a.start_time IS NOT NULL THEN a.start_time
               WHEN timed OR untimed THEN NULL
               WHEN sessions = 1 THEN t.start_time
               WHEN NOT a.exact THEN f.start_time
           END AS start_time
    FROM asked a
    JOIN days d USING (class_id, day)
    LEFT JOIN there t USING (class_id, day)
    LEFT JOIN first_slots f USING (class_id, day)
    LEFT JOIN starts_of_days o USING (class_id, day)
)
SELECT array_agg(start_time ORDER BY place) AS starts,
       array_agg(several ORDER BY place) AS several,
       array_agg((SELECT max(end_time) FROM slots s
                  WHERE (s.class_id, s.day, s.start_time)
                      = (chosen.class_id, chosen.day, chosen.start_time)) ORDER BY place) AS ends
FROM chosen;

-- app.services.imports.session_names._MAKE
-- $1 actor_id, $2 ids, $3 classes, $4 days, $5 starts, $6 ends, $7 images
WITH made AS (
    INSERT INTO attendance_sessions (
        id, class_id, session_date, start_time, end_time, teacher_id, processed_image_url)
    SELECT coalesce(a.id, gen_random_uuid()), class_id, day, start_time, end_time,
           CASE WHEN a.id IS NULL THEN $1 ELSE c.teacher_id END, image
    FROM unnest($2::uuid[], $3::uuid[], $4::date[], $5::time[], $6::time[],
                $7::text[]) AS a(id, class_id, day, start_time, end_time, image)
    JOIN classes c ON c.id = a.class_id
    ORDER BY class_id, day, start_time
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT coalesce(array_agg(id), '{}') AS made FROM made;

-- app.services.imports.session_names._LOCK
-- $1 ids, $2 classes, $3 days, $4 starts
WITH asked AS MATERIALIZED (
    SELECT a.class_id, coalesce(own.id, other.id) AS id, a.place
    FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::time[])
        WITH ORDINALITY AS a(id, class_id, day, start_time, place)
    LEFT JOIN attendance_sessions own ON own.class_id = a.class_id AND own.id = a.id
    LEFT JOIN attendance_sessions other
        ON other.class_id = a.class_id AND other.session_date = a.day
       AND other.start_time IS NOT DISTINCT FROM a.start_time
),
held AS MATERIALIZED (
    SELECT a.place, s.id FROM attendance_sessions s
    JOIN asked a ON s.class_id = a.class_id AND s.id = a.id
    ORDER BY s.class_id, s.id
    FOR NO KEY UPDATE OF s
)
SELECT array_agg(id ORDER BY place) AS ids FROM held;

-- app.services.imports.session_names._ADD_IMAGES
-- $1 classes, $2 ids, $3 images
WITH pictured AS (
    UPDATE attendance_sessions s SET processed_image_url = a.image
    FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS a(class_id, id, image)
    WHERE s.class_id = a.class_id AND s.id = a.id AND s.processed_image_url IS NULL
    RETURNING s.id
)
SELECT count(*) AS changed FROM pictured;

-- app.services.imports.slots_import._WRITE
-- $1 classes, $2 days, $3 starts, $4 ends, $5 keep
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::time[], $4::time[])
        WITH ORDINALITY AS g(class_id, day_of_week, start_time, end_time, place)
),
stored AS MATERIALIZED (
    SELECT class_id, day_of_week, start_time, end_time FROM class_schedules
    WHERE class_id = ANY($1::uuid[])
),
differing AS MATERIALIZED (
    SELECT g.place FROM given g
    WHERE $5 AND g.class_id IN (SELECT class_id FROM stored)
      AND (class_id, day_of_week, start_time, end_time) NOT IN (SELECT * FROM stored)
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
    WHERE g.place NOT IN (SELECT place FROM overlapping UNION ALL SELECT place FROM differing)
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
SELECT (SELECT array_agg(place) FROM differing) AS differing,
       (SELECT array_agg(place) FROM overlapping) AS overlapping,
       (SELECT array_agg(place) FROM changed) AS changed,
       (SELECT array_agg(place) FROM fitting WHERE ended IS NULL) AS made;

-- app.services.imports.sources._RECORD
-- $1 class_id, $2 details, $3 actor_id, $4 request_id
WITH acts AS (
    SELECT 'class_imported' AS action, 'class' AS subject, $1::uuid AS subject_id,
           $2::text::jsonb AS details
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $3::uuid, $4::text, action, subject, subject_id, details FROM acts
)
SELECT action FROM acts;

-- app.services.imports.teachers_import._ADD
-- $1 classes, $2 emails, $3 roles, $4 actor_id, $5 request_id
WITH given AS MATERIALIZED (
    SELECT g.*, u.id AS user_id
    FROM unnest($1::uuid[], $2::text[], $3::text[])
        WITH ORDINALITY AS g(class_id, email, role, place)
    LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(g.email))
),
made AS (
    INSERT INTO class_teachers (class_id, user_id, role)
    SELECT g.class_id, g.user_id, g.role
    FROM given g JOIN classes c ON c.id = g.class_id AND c.teacher_id <> g.user_id
    ORDER BY g.class_id, g.user_id
    ON CONFLICT DO NOTHING
    RETURNING class_id, user_id, role
),
acts AS (
    SELECT 'teacher_added' AS action, 'class' AS subject, class_id AS subject_id,
           jsonb_build_object('userId', user_id, 'role', role, 'firstDay', NULL, 'lastDay', NULL)
               AS details
    FROM made
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $4::uuid, $5::text, action, subject, subject_id, details FROM acts
)
SELECT array_agg(user_id IS NOT NULL ORDER BY place) AS known,
       array_agg(EXISTS (SELECT FROM made m WHERE (m.class_id, m.user_id)
                         = (given.class_id, given.user_id)) ORDER BY place) AS made
FROM given;

-- app.services.imports.terms_import._ADD
-- $1 names, $2 first_days, $3 last_days, $4 actor_id, $5 request_id
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::date[], $3::date[])
        WITH ORDINALITY AS g(name, first_day, last_day, place)
),
made AS (
    INSERT INTO terms (name, first_day, last_day)
    SELECT name, first_day, last_day FROM given g
    WHERE NOT EXISTS (SELECT FROM terms t WHERE lower(btrim(t.name)) = lower(btrim(g.name)))
    ORDER BY place
    ON CONFLICT DO NOTHING
    RETURNING id, name
),
acts AS (
    SELECT 'term_added' AS action, 'term' AS subject, id AS subject_id, '{}'::jsonb AS details
    FROM made
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $4::uuid, $5::text, action, subject, subject_id, details FROM acts
)
SELECT array_agg(place) AS made FROM given JOIN made USING (name);

-- app.services.imports.totals._TOTALS
-- $1 class_id, $2 session_ids
WITH counts AS (
    SELECT status, count(*) AS marks FROM attendance_statuses
    WHERE class_id = $1 AND session_id = ANY($2::uuid[])
    GROUP BY status
)
SELECT (SELECT count(*) FROM attendance_sessions
        WHERE class_id = $1 AND id = ANY($2)) AS sessions,
       (SELECT coalesce(json_object_agg(status, marks), '{}') FROM counts) AS marks;

-- app.services.imports.totals._ONLY_HERE
-- $1 sessions, $2 roll_keys, $3 source, $4 class_id, $5 session_ids
WITH given AS MATERIALIZED (
    SELECT session_id, s.id AS student_id
    FROM unnest($1::uuid[], $2::text[]) AS g(session_id, roll_key)
    JOIN students s USING (roll_key)
),
others AS (
    SELECT m.status, CASE
        WHEN m.source = 'leave' THEN 'excused_by_leave'
        WHEN starts_with(b.request_id, $3 || '-') THEN 'no_longer_exported'
        ELSE 'only_in_aims'
    END AS reason
    FROM attendance_statuses m
    LEFT JOIN attendance_batches b USING (class_id, session_id, version)
    WHERE m.class_id = $4 AND m.session_id = ANY($5::uuid[])
      AND (m.session_id, m.student_id) NOT IN (SELECT session_id, student_id FROM given)
),
counts AS (SELECT reason, status, count(*) AS marks FROM others GROUP BY reason, status)
SELECT coalesce(json_agg(json_build_array(reason, status, marks)), '[]') AS counts FROM counts;
