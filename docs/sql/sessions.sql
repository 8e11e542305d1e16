-- app.services.sessions.attendance_service._FIND
-- $1 actor_id, $2 class_id, $3 day, $4 start_time, $5 today, $6 clock
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
granted AS MATERIALIZED (SELECT * FROM class WHERE may AND archived_at IS NULL),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT may FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
),
days AS (SELECT $2::uuid AS class_id, $3::date AS day),
meetings AS (
    SELECT d.*, w.start_time, w.end_time, w.moved_from, meeting_json(
               a.rescheduled_date, a.rescheduled_start_time, a.rescheduled_end_time) AS moved_to
    FROM days d JOIN v_timetable w ON w.class_id = d.class_id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    LEFT JOIN class_reschedules a ON w.day IS NULL AND a.class_id = w.class_id
        AND a.original_date = d.day AND a.original_start_time = w.start_time
),
slots_on_day AS (SELECT start_time, end_time FROM meetings WHERE moved_to IS NULL),
existing AS MATERIALIZED (
    SELECT s.* FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.session_date = $3
),
chosen AS MATERIALIZED (
    SELECT CASE
        WHEN $4::time IS NOT NULL THEN $4
        WHEN $3 = $5::date THEN coalesce(
            (SELECT max(start_time) FROM slots_on_day
             WHERE start_time <= $6 AND end_time > $6),
            (SELECT max(start_time) FROM slots_on_day WHERE start_time <= $6),
            (SELECT min(start_time) FROM slots_on_day))
        WHEN (SELECT count(*) FROM existing) = 1 THEN (SELECT start_time FROM existing)
        ELSE (SELECT min(start_time) FROM slots_on_day)
    END AS start_time
),
sessions AS (
    SELECT e.* FROM existing e JOIN chosen ON e.start_time IS NOT DISTINCT FROM chosen.start_time
),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
)
SELECT verdict, chosen.start_time,
       (SELECT max(end_time) FROM slots_on_day slot WHERE slot.start_time = chosen.start_time)
           AS end_time,
       f.version, f."processedImageUrl" IS NULL AS no_image,
       (SELECT row_to_json(d) FROM (SELECT f.*, false AS created) d
        WHERE f."sessionId" IS NOT NULL)::text AS document
FROM verdict CROSS JOIN chosen LEFT JOIN fields f ON true;

-- app.services.sessions.attendance_service._OPEN
-- $1 actor_id, $2 class_id, $3 day, $4 start_time, $5 end_time, $6 image
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
sessions AS (
    INSERT INTO attendance_sessions AS s (
        class_id, session_date, start_time, end_time, teacher_id, processed_image_url)
    SELECT id, $3, $4, $5, actor_id, $6 FROM granted
    ON CONFLICT (class_id, session_date, start_time) DO UPDATE
    SET processed_image_url = coalesce(s.processed_image_url, excluded.processed_image_url)
    RETURNING s.*, s.xmax = 0 AS created
),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
)
SELECT verdict, s.id, s.version, s.created,
       (SELECT row_to_json(d) FROM (SELECT f.*, s.created FROM fields f) d)::text AS document
FROM verdict LEFT JOIN sessions s ON true;

-- app.services.sessions.attendance_service._OPENED_WITH_LEAVE
-- $1 class_id, $2 session_id
WITH sessions AS (
    SELECT * FROM attendance_sessions WHERE class_id = $1 AND id = $2
),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
)
SELECT f.version, row_to_json(d)::text AS document
FROM fields f CROSS JOIN LATERAL (SELECT f.*, true AS created) d;

-- app.services.sessions.attendance_service._LIST
-- $1 actor_id, $2 class_id, $3 first, $4 last, $5 after_day, $6 after_time, $7 most
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
page AS MATERIALIZED (
    SELECT s.*, row_number() OVER (ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST) AS n
    FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.session_date >= coalesce($3, '-infinity'::date)
      AND s.session_date <= coalesce($4, 'infinity'::date)
      AND ($5::date IS NULL OR s.session_date < $5
           OR (s.session_date = $5
               AND (s.start_time < $6
                    OR (s.start_time IS NULL AND $6 IS NOT NULL))))
    ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST
    LIMIT $7 + 1
),
sessions AS MATERIALIZED (SELECT * FROM page WHERE n <= $7),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
),
people AS MATERIALIZED (
    SELECT st.id, st.roll_no, st.name, row_number() OVER (ORDER BY st.roll_key)::integer AS place
    FROM class_students e JOIN students st ON st.id = e.student_id
    WHERE e.class_id = (SELECT id FROM granted)
),
marks AS (
    SELECT s.id AS session_id, (
        SELECT json_agg(mark ORDER BY p.place)
        FROM attendance_statuses m
        JOIN people p ON p.id = m.student_id
        CROSS JOIN LATERAL (
            SELECT p.roll_no AS "rollNo", p.name, m.status,
                   m.recognized_by_ai AS "recognizedByAi", m.similarity_score AS "similarityScore",
                   m.remark, m.source, json_instant(m.marked_at) AS "markedAt"
        ) mark
        WHERE m.class_id = (SELECT id FROM granted) AND m.session_id = s.id) AS statuses
    FROM sessions s
),
marks_once AS MATERIALIZED (SELECT * FROM marks)
SELECT verdict, (
    SELECT coalesce(json_agg(d ORDER BY s.n), '[]')
    FROM sessions s
    JOIN fields f ON f."sessionId" = s.id
    LEFT JOIN marks_once marks ON marks.session_id = s.id
    CROSS JOIN LATERAL (
        SELECT f.*, s.status_reason AS "statusReason", coalesce(marks.statuses, '[]') AS statuses
    ) d
)::text AS document, (
    SELECT last.session_date || 'T' || coalesce(json_time(last.start_time), '')
    FROM page last
    WHERE last.n = $7 AND EXISTS (SELECT FROM page WHERE n > $7)
) AS next_cursor
FROM verdict;

-- app.services.sessions.attendance_service._GET
-- $1 actor_id, $2 session_id
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
wanted AS (SELECT class_id AS id FROM attendance_sessions WHERE id = $2),
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
sessions AS MATERIALIZED (
    SELECT s.* FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.id = $2
),
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
),
people AS MATERIALIZED (
    SELECT st.id, st.roll_no, st.name, row_number() OVER (ORDER BY st.roll_key)::integer AS place
    FROM class_students e JOIN students st ON st.id = e.student_id
    WHERE e.class_id = (SELECT id FROM granted)
),
marks AS (
    SELECT s.id AS session_id, (
        SELECT json_agg(mark ORDER BY p.place)
        FROM attendance_statuses m
        JOIN people p ON p.id = m.student_id
        CROSS JOIN LATERAL (
            SELECT p.roll_no AS "rollNo", p.name, m.status,
                   m.recognized_by_ai AS "recognizedByAi", m.similarity_score AS "similarityScore",
                   m.remark, m.source, json_instant(m.marked_at) AS "markedAt"
        ) mark
        WHERE m.class_id = (SELECT id FROM granted) AND m.session_id = s.id) AS statuses
    FROM sessions s
),
unmarked AS (
    SELECT json_agg(person ORDER BY p.place) AS people
    FROM sessions s
    JOIN class_students e ON e.class_id = s.class_id AND e.periods @> s.session_date
    JOIN people p ON p.id = e.student_id
    CROSS JOIN LATERAL (SELECT p.roll_no AS "rollNo", p.name) person
    WHERE e.student_id NOT IN (
        SELECT student_id FROM attendance_statuses
        WHERE class_id = (SELECT id FROM granted) AND session_id = (SELECT id FROM sessions))
)
SELECT verdict, s.version, (
    SELECT row_to_json(d)
    FROM fields f
    LEFT JOIN marks ON true
    LEFT JOIN unmarked ON true
    CROSS JOIN LATERAL (
        SELECT f.*, s.status_reason AS "statusReason", coalesce(marks.statuses, '[]') AS statuses,
               coalesce(unmarked.people, '[]') AS unmarked
    ) d
)::text AS document
FROM verdict LEFT JOIN sessions s ON true;

-- app.services.sessions.history._HISTORY
-- $1 actor_id, $2 session_id, $3 version, $4 roll_key, $5 student_id, $6 most
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
wanted AS (SELECT class_id AS id FROM attendance_sessions WHERE id = $2),
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
states AS MATERIALIZED (
    SELECT student_id, student_id AS recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, source, marked_by, marked_at
    FROM attendance_statuses
    WHERE class_id = (SELECT id FROM granted) AND session_id = $2
    UNION ALL
    SELECT student_id, recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, source, marked_by, marked_at
    FROM superseded_statuses
    WHERE class_id = (SELECT id FROM granted) AND session_id = $2
),
steps AS MATERIALIZED (
    SELECT states.*, state,
           lag(state) OVER (PARTITION BY student_id, recorded_for ORDER BY version) AS before
    FROM states
    CROSS JOIN LATERAL (
        SELECT CASE WHEN status IS NOT NULL THEN row_to_json(s) END AS state
        FROM (SELECT status, recognized_by_ai AS "recognizedByAi",
                     similarity_score AS "similarityScore", remark, source) s
    ) shaped
),
page AS MATERIALIZED (
    SELECT steps.*, st.roll_key, st.roll_no, st.name,
           row_number() OVER (
               ORDER BY steps.version DESC, st.roll_key, steps.recorded_for) AS n
    FROM steps JOIN students st ON st.id = steps.student_id
    WHERE $3::integer IS NULL OR steps.version < $3
       OR (steps.version = $3
           AND (st.roll_key, steps.recorded_for) > ($4, $5::uuid))
    ORDER BY steps.version DESC, st.roll_key, steps.recorded_for
    LIMIT $6 + 1
),
changes AS (
    SELECT page.n, json_build_object(
        'version', page.version, 'rollNo', page.roll_no, 'name', page.name,
        'from', page.before, 'to', page.state,
        'changedBy', page.marked_by, 'changedByName', u.name,
        'changedAt', json_instant(page.marked_at), 'requestId', b.request_id,
        'reason', b.reason) AS change
    FROM page
    LEFT JOIN attendance_batches b
        ON b.class_id = (SELECT id FROM granted) AND b.session_id = $2
       AND b.version = page.version
    LEFT JOIN users u ON u.id = page.marked_by
    WHERE page.n <= $6
)
SELECT verdict,
       (SELECT coalesce(json_agg(change ORDER BY n), '[]') FROM changes)::text AS document,
       (SELECT last.version || '~' || last.recorded_for || '~' || last.roll_key FROM page last
        WHERE last.n = $6 AND EXISTS (SELECT FROM page WHERE n > $6)) AS next_cursor
FROM verdict;

-- app.services.sessions.leave_shown._SETTLE
-- $1 class_ids, $2 open_alone, $3 session_ids, $4 first, $5 last, $6 student_ids, $7 request_id, $8 actor_id, $9 reason, $10 window
WITH sessions AS MATERIALIZED (
    SELECT class_id, id AS session_id, session_date AS day, status AS state
    FROM attendance_sessions
    WHERE class_id = ANY($1::uuid[]) AND (status = 'open' OR NOT $2::boolean)
      AND ($3::uuid[] IS NULL OR id = ANY($3))
      AND session_date BETWEEN coalesce($4, '-infinity'::date)
                           AND coalesce($5, 'infinity'::date)
),
enrolments AS MATERIALIZED (
    SELECT class_id, student_id, periods FROM class_students
    WHERE class_id = ANY($1)
      AND ($6::uuid[] IS NULL OR student_id = ANY($6))
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
marks AS (
    SELECT m.* FROM enrolments
    JOIN sessions USING (class_id)
    JOIN attendance_statuses m USING (class_id, session_id, student_id)
),
said AS MATERIALIZED (
    SELECT class_id, session_id, student_id, word.*
    FROM on_leave l FULL JOIN marks m USING (class_id, session_id, student_id)
    CROSS JOIN LATERAL (
        SELECT m.status, coalesce(m.recognized_by_ai, false) AS recognized_by_ai,
               m.similarity_score, m.remark, m.source, m.leave_kind, m.remark AS note
        WHERE m.leave_id IS NULL
        UNION ALL
        SELECT said_status, coalesce(said_source = 'ai', false), said_score, said_remark,
               said_source, NULL, m.remark
        WHERE m.leave_id IS NOT NULL
    ) word
    WHERE m.leave_id IS NOT NULL OR (l.leave_id IS NOT NULL AND (m.status IS NOT NULL OR enrolled))
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
different AS MATERIALIZED (
    SELECT * FROM shown
    EXCEPT
    SELECT class_id, session_id, student_id, status, recognized_by_ai, similarity_score, remark,
           source, leave_id, leave_kind, said_status, said_score, said_remark, said_source
    FROM attendance_statuses JOIN sessions USING (class_id, session_id)
),
changes AS MATERIALIZED (SELECT * FROM different),
numbered AS (
    UPDATE attendance_sessions s SET version = version + 1
    FROM sessions t WHERE s.class_id = t.class_id AND s.id = t.session_id
        AND t.session_id IN (SELECT session_id FROM changes)
    RETURNING s.class_id, s.id AS session_id, s.version
),
recorded AS (
    INSERT INTO attendance_batches (class_id, session_id, version, request_id, actor_id, made_at,
                                    reason)
    SELECT numbered.*, $7::text, $8::uuid, statement_timestamp(), $9::text
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
),
unsaid AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, recognized_by_ai, source,
        marked_by, marked_at)
    SELECT class_id, session_id, student_id, student_id, version, false, 'leave', $8,
           statement_timestamp()
    FROM changes JOIN numbered USING (class_id, session_id)
    WHERE status IS NULL
),
removed AS (
    DELETE FROM attendance_statuses m USING changes c
    WHERE c.status IS NULL AND m.class_id = c.class_id AND m.session_id = c.session_id
      AND m.student_id = c.student_id
)
SELECT count(*) AS changed, count(*) FILTER (WHERE said_status = 'absent') AS absent,
       coalesce(bool_or(state = 'finalised'), false) AS finalised,
       coalesce(bool_or(day < current_date - $10::integer), false) AS late
FROM changes JOIN sessions USING (class_id, session_id) WHERE state <> 'cancelled';

-- app.services.sessions.leave_shown._ANYBODY_ON_LEAVE
-- $1 class_id, $2 session_id, $3 day
WITH sessions AS (
    SELECT $1::uuid AS class_id, $2::uuid AS session_id, $3::date AS day
),
enrolments AS NOT MATERIALIZED (SELECT * FROM class_students WHERE class_id = $1),
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
)
SELECT EXISTS (SELECT FROM on_leave) AS anybody;

-- app.services.sessions.lifecycle._SET_STATUS
-- $1 class_id, $2 session_id, $3 status, $4 reason, $5 actor_id, $6 request_id
WITH event AS (
    INSERT INTO session_events (class_id, session_id, status, reason, actor_id, request_id)
    VALUES ($1, $2, $3, $4, $5, $6)
)
UPDATE attendance_sessions SET status = $3, status_reason = $4
WHERE class_id = $1 AND id = $2;

-- app.services.sessions.lifecycle._EVENTS
-- $1 actor_id, $2 session_id
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
wanted AS (SELECT class_id AS id FROM attendance_sessions WHERE id = $2),
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
events AS (
    SELECT e.at, e.id, json_build_object(
        'status', e.status, 'reason', e.reason, 'actorId', e.actor_id, 'actorName', u.name,
        'at', json_instant(e.at), 'requestId', e.request_id) AS event
    FROM session_events e
    JOIN granted ON granted.id = e.class_id
    LEFT JOIN users u ON u.id = e.actor_id
    WHERE e.session_id = $2
)
SELECT verdict,
       (SELECT coalesce(json_agg(event ORDER BY at DESC, id), '[]') FROM events)::text AS document
FROM verdict;

-- app.services.sessions.marking._MARK
-- $1 class_id, $2 session_id, $3 day, $4 roll_keys, $5 statuses, $6 recognized, $7 scores, $8 remarks, $9 strict, $10 version, $11 if_match, $12 request_id, $13 actor_id, $14 reason
WITH sessions AS (
    SELECT $1::uuid AS class_id, $2::uuid AS session_id, $3::date AS day
),
enrolments AS NOT MATERIALIZED (SELECT * FROM class_students WHERE class_id = $1),
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
    SELECT * FROM unnest($4::text[], $5::text[], $6::boolean[],
                         $7::numeric[], $8::text[]) WITH ORDINALITY
        AS g(roll_key, status, recognized_by_ai, similarity_score, remark, place)
),
judged AS MATERIALIZED (
    SELECT g.*, e.student_id, leave_id, said_status, said_score, said_remark, said_source, CASE
        WHEN (on_roster(e.periods) OR e.periods @> $3 OR m.student_id IS NOT NULL) IS NOT TRUE
        THEN 'not_enrolled'
        WHEN g.recognized_by_ai AND 'manual' IN (m.source, m.said_source) THEN 'marked_by_hand'
    END AS refusal
    FROM given g
    LEFT JOIN students st ON st.roll_key = g.roll_key
    LEFT JOIN enrolments e ON e.student_id = st.id
    LEFT JOIN attendance_statuses m ON m.class_id = $1 AND m.session_id = $2
        AND m.student_id = e.student_id
),
said AS MATERIALIZED (
    SELECT $1::uuid AS class_id, $2::uuid AS session_id, student_id, word.*
    FROM judged CROSS JOIN LATERAL (
        SELECT status, recognized_by_ai, similarity_score, remark,
               CASE WHEN recognized_by_ai THEN 'ai' ELSE 'manual' END AS source,
               NULL::text AS leave_kind, remark AS note
        WHERE status <> 'excused' OR leave_id IS NULL
        UNION ALL
        SELECT said_status, said_source = 'ai', said_score, said_remark, said_source, NULL, remark
        WHERE status = 'excused' AND leave_id IS NOT NULL
    ) word
    WHERE refusal IS NULL
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
different AS MATERIALIZED (
    SELECT * FROM shown
    EXCEPT
    SELECT class_id, session_id, student_id, status, recognized_by_ai, similarity_score, remark,
           source, leave_id, leave_kind, said_status, said_score, said_remark, said_source
    FROM attendance_statuses JOIN sessions USING (class_id, session_id)
),
decision AS MATERIALIZED (
    SELECT CASE
        WHEN count(refusal) > 0 AND ($9 OR count(refusal) = count(*)) THEN 'refused'
        WHEN NOT EXISTS (SELECT FROM different) THEN 'unchanged'
        WHEN NOT $10::integer = ANY($11::integer[]) THEN 'stale'
        ELSE 'changed'
    END AS outcome
    FROM judged
),
changes AS MATERIALIZED (
    SELECT different.* FROM different CROSS JOIN decision WHERE outcome = 'changed'
),
numbered AS (
    UPDATE attendance_sessions s SET version = version + 1
    FROM sessions t WHERE s.class_id = t.class_id AND s.id = t.session_id
        AND t.session_id IN (SELECT session_id FROM changes)
    RETURNING s.class_id, s.id AS session_id, s.version
),
recorded AS (
    INSERT INTO attendance_batches (class_id, session_id, version, request_id, actor_id, made_at,
                                    reason)
    SELECT numbered.*, $12::text, $13::uuid, statement_timestamp(), $14::text
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
    SELECT changes.*, $13, statement_timestamp(), version
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
SELECT (SELECT outcome FROM decision) AS outcome,
       coalesce((SELECT version FROM numbered), $10) AS version,
       array_agg(place ORDER BY place) FILTER (WHERE refusal IS NOT NULL) AS places,
       array_agg(refusal ORDER BY place) FILTER (WHERE refusal IS NOT NULL) AS refusals
FROM judged;

-- app.services.sessions.marking._MARKS
-- $1 session_id, $2 class_id
WITH sessions AS (SELECT $1::uuid AS id),
granted AS (SELECT $2::uuid AS id),
people AS NOT MATERIALIZED (SELECT id, roll_no, name, roll_key AS place FROM students),
marks AS (
    SELECT s.id AS session_id, (
        SELECT json_agg(mark ORDER BY p.place)
        FROM attendance_statuses m
        JOIN people p ON p.id = m.student_id
        CROSS JOIN LATERAL (
            SELECT p.roll_no AS "rollNo", p.name, m.status,
                   m.recognized_by_ai AS "recognizedByAi", m.similarity_score AS "similarityScore",
                   m.remark, m.source, json_instant(m.marked_at) AS "markedAt"
        ) mark
        WHERE m.class_id = (SELECT id FROM granted) AND m.session_id = s.id) AS statuses
    FROM sessions s
)
SELECT coalesce((SELECT statuses FROM marks), '[]')::text AS statuses;

-- app.services.sessions.marking._FILL
-- $1 class_id, $2 session_id, $3 day, $4 status, $5 source, $6 request_id, $7 actor_id, $8 reason
WITH sessions AS (
    SELECT $1::uuid AS class_id, $2::uuid AS session_id, $3::date AS day
),
enrolments AS NOT MATERIALIZED (SELECT * FROM class_students WHERE class_id = $1),
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
    SELECT e.class_id, $2::uuid AS session_id, e.student_id, $4::text AS status,
           false AS recognized_by_ai, NULL::numeric AS similarity_score, NULL::text AS remark,
           $5::text AS source, NULL::text AS leave_kind, NULL::text AS note
    FROM enrolments e
    WHERE e.periods @> $3 AND e.student_id NOT IN (
        SELECT student_id FROM attendance_statuses
        WHERE class_id = $1 AND session_id = $2)
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
SELECT FROM numbered;

-- app.services.sessions.marking._FILL_BENEATH_LEAVE
-- $1 class_id, $2 session_id, $3 day
UPDATE attendance_statuses m SET said_status = 'absent', said_source = 'auto'
FROM class_students e
WHERE m.class_id = $1 AND m.session_id = $2
  AND m.leave_id IS NOT NULL AND m.said_status IS NULL
  AND e.class_id = m.class_id AND e.student_id = m.student_id AND e.periods @> $3::date;

-- app.services.sessions.session_lock.LOCK
-- $1 actor_id, $2 session_id, $3 window
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
wanted AS (SELECT class_id AS id FROM attendance_sessions WHERE id = $2),
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
session AS MATERIALIZED (
    SELECT s.id AS session_id, s.version, s.status, s.session_date
    FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.id = $2
    FOR NO KEY UPDATE OF s
)
SELECT verdict, granted.id AS class_id, actor_role, session.*,
       coalesce(session_date < current_date - $3::integer, false) AS late
FROM verdict LEFT JOIN granted ON true LEFT JOIN session ON true;
