-- The best plain statement known for the work of each operation, written by hand and then left
-- alone. `python -m bench` compares the CPU that PostgreSQL spends on our own statements with it:
-- a limit made of our own SQL would not show that this SQL has become slow.
--
-- The work is equal: the same rights, the same answer, the same history. What is missing is what
-- only other requests need: why somebody is refused, pages after the first, archived classes. Views
-- and functions of ours are not used, except the rules of the policy, which are plain formulas.
-- A test compares the answers. Change a statement only for one that is measured to be better.

-- == A  who am I
SELECT json_build_object(
    'id', u.id, 'email', u.email, 'name', u.name, 'role', a.role,
    'department', u.department, 'employeeId', u.employee_id,
    'lastLoginAt', replace((u.last_login_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z',
    'createdAt', replace((u.created_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z')::text
    AS document
FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
WHERE u.id = :actor_id AND u.disabled_at IS NULL AND a.role IN ('teacher', 'admin')

-- == B  my four classes with rosters
WITH me AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = :actor_id AND u.disabled_at IS NULL AND a.role IN ('teacher', 'admin')
),
shared AS MATERIALIZED (
    SELECT t.class_id, t.role FROM class_teachers t
    WHERE t.user_id = (SELECT id FROM me)
      AND daterange(t.first_day, t.last_day, '[]') @> current_date
),
term AS MATERIALIZED (
    SELECT id FROM terms
    ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC, name
    LIMIT 1
)
SELECT coalesce(json_agg(d ORDER BY code COLLATE "C", section COLLATE "C", d.id), '[]')::text
    AS document
FROM (
    SELECT c.id, c.code, c.name, c.section, c.ltp_pattern AS "ltpPattern",
           c.teacher_type AS "teacherType", c.practical_group AS "practicalGroup",
           c.teacher_id AS "teacherId", c.term_id AS "termId",
           CASE WHEN c.teacher_id = me.id THEN 'owner' WHEN me.role = 'admin' THEN 'admin'
                ELSE (SELECT role FROM shared WHERE class_id = c.id) END AS "myRole",
           replace((c.created_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS "createdAt",
           replace((c.updated_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS "updatedAt",
           NULL AS "archivedAt",
           (SELECT coalesce(json_agg(json_build_object(
                'id', s.id, 'dayOfWeek', s.day_of_week, 'start', left(s.start_time::text, 5),
                'end', left(s.end_time::text, 5)) ORDER BY s.day_of_week, s.start_time), '[]')
            FROM class_schedules s WHERE s.class_id = c.id) AS schedule,
           (SELECT coalesce(json_agg(json_build_object(
                'id', r.id, 'originalDate', r.original_date,
                'originalStartTime', left(r.original_start_time::text, 5),
                'originalEndTime', left(r.original_end_time::text, 5),
                'rescheduledDate', r.rescheduled_date,
                'rescheduledStartTime', left(r.rescheduled_start_time::text, 5),
                'rescheduledEndTime', left(r.rescheduled_end_time::text, 5),
                'reason', r.reason) ORDER BY r.original_date, r.original_start_time), '[]')
            FROM class_reschedules r WHERE r.class_id = c.id) AS reschedules,
           (SELECT coalesce(json_agg(student ORDER BY s.roll_key), '[]')
            FROM class_students e JOIN students s ON s.id = e.student_id
            CROSS JOIN LATERAL (
                SELECT s.id AS "studentId", s.roll_no AS "rollNo", s.name,
                       s.photo_url AS "photoUrl", s.program, s.sp_code AS "spCode", s.semester,
                       s.status, s.duration, s.email, s.dtu_email AS "dtuEmail", s.phone,
                       CASE WHEN datemultirange(range_merge(e.periods)) = e.periods
                            THEN lower(e.periods)
                            ELSE (SELECT max(lower(p)) FROM unnest(e.periods) p)
                       END AS "enrolledFrom",
                       upper(e.periods) - 1 AS "enrolledUntil"
            ) student
            WHERE e.class_id = c.id AND e.periods && daterange(current_date, NULL)) AS students
    FROM classes c CROSS JOIN me
    WHERE (me.role = 'admin' OR c.teacher_id = me.id
           OR c.id = ANY(ARRAY(SELECT class_id FROM shared)))
      AND c.archived_at IS NULL AND (c.term_id IS NULL OR c.term_id = (SELECT id FROM term))
    OFFSET 0
) d

-- == C1  open a session that is there
-- The timetable decides only if the day has several sessions: the statement then finds none.
WITH me AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = :actor_id AND u.disabled_at IS NULL AND a.role IN ('teacher', 'admin')
)
SELECT s.version, s.processed_image_url IS NULL AS no_image, row_to_json(d)::text AS document
FROM me JOIN classes c ON c.id = :class_id AND c.archived_at IS NULL
    AND (me.role = 'admin' OR c.teacher_id = me.id OR EXISTS (
        SELECT FROM class_teachers t
        WHERE t.class_id = c.id AND t.user_id = me.id
          AND daterange(t.first_day, t.last_day, '[]') @> current_date))
JOIN attendance_sessions s ON s.class_id = c.id AND s.session_date = :day
    AND (s.start_time = :start_time::time OR :start_time IS NULL AND NOT EXISTS (
        SELECT FROM attendance_sessions o
        WHERE o.class_id = c.id AND o.session_date = :day AND o.id <> s.id))
CROSS JOIN LATERAL (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           left(s.start_time::text, 5) AS "startTime", left(s.end_time::text, 5) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version,
           replace((s.created_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS "createdAt",
           false AS created
) d

-- == C2  open a new session: whether it is there, and when a slot that begins then ends
WITH me AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = :actor_id AND u.disabled_at IS NULL AND a.role IN ('teacher', 'admin')
)
SELECT c.id, s.id AS session_id, greatest(
    (SELECT max(w.end_time) FROM class_schedules w
     WHERE w.class_id = c.id AND w.start_time = :start_time
       AND w.day_of_week = extract(isodow FROM :day::date)::smallint AND NOT EXISTS (
           SELECT FROM class_reschedules m WHERE m.class_id = c.id AND m.original_date = :day
             AND m.original_start_time = w.start_time)),
    (SELECT max(m.rescheduled_end_time) FROM class_reschedules m
     WHERE m.class_id = c.id AND m.rescheduled_date = :day
       AND m.rescheduled_start_time = :start_time)) AS end_time
FROM me JOIN classes c ON c.id = :class_id AND c.archived_at IS NULL
    AND (me.role = 'admin' OR c.teacher_id = me.id OR EXISTS (
        SELECT FROM class_teachers t
        WHERE t.class_id = c.id AND t.user_id = me.id
          AND daterange(t.first_day, t.last_day, '[]') @> current_date))
LEFT JOIN attendance_sessions s ON s.class_id = c.id AND s.session_date = :day
    AND s.start_time = :start_time::time

-- == C2  the session, while the class stays as it is
WITH me AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = :actor_id AND u.disabled_at IS NULL AND a.role IN ('teacher', 'admin')
),
class AS MATERIALIZED (
    SELECT c.id, me.id AS actor_id
    FROM classes c JOIN me ON c.archived_at IS NULL
        AND (me.role = 'admin' OR c.teacher_id = me.id OR EXISTS (
            SELECT FROM class_teachers t
            WHERE t.class_id = c.id AND t.user_id = me.id
              AND daterange(t.first_day, t.last_day, '[]') @> current_date))
    WHERE c.id = :class_id
    FOR SHARE OF c
)
INSERT INTO attendance_sessions AS s (
    class_id, session_date, start_time, end_time, teacher_id, processed_image_url)
SELECT id, :day, :start_time, :end_time, actor_id, :image FROM class
ON CONFLICT (class_id, session_date, start_time) DO UPDATE
SET processed_image_url = coalesce(s.processed_image_url, excluded.processed_image_url)
RETURNING s.id, s.version, s.xmax = 0 AS created, json_build_object(
    'sessionId', s.id, 'classId', s.class_id, 'sessionDate', s.session_date,
    'startTime', left(s.start_time::text, 5), 'endTime', left(s.end_time::text, 5),
    'teacherId', s.teacher_id, 'processedImageUrl', s.processed_image_url,
    'status', s.status, 'version', s.version,
    'createdAt', replace((s.created_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z',
    'created', s.xmax = 0)::text AS document

-- == C2  whether anybody is on leave
SELECT EXISTS (
    SELECT FROM class_students e JOIN leaves l ON l.student_id = e.student_id
        AND l.status = 'approved' AND l.last_day >= :day AND l.first_day <= :day
        AND (l.class_id IS NULL OR l.class_id = e.class_id)
    WHERE e.class_id = :class_id AND (NOT l.by_session OR EXISTS (
        SELECT FROM leave_sessions o WHERE o.leave_id = l.id AND o.session_id = :session_id))
) AS anybody

-- == D  the locks: the class, then the session
WITH me AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = :actor_id AND u.disabled_at IS NULL AND a.role IN ('teacher', 'admin')
),
class AS MATERIALIZED (
    SELECT c.id, me.role
    FROM classes c JOIN me ON c.archived_at IS NULL
        AND (me.role = 'admin' OR c.teacher_id = me.id OR EXISTS (
            SELECT FROM class_teachers t
            WHERE t.class_id = c.id AND t.user_id = me.id
              AND daterange(t.first_day, t.last_day, '[]') @> current_date))
    WHERE c.id = (SELECT class_id FROM attendance_sessions WHERE id = :session_id)
    FOR SHARE OF c
)
SELECT s.class_id, s.id AS session_id, s.version, s.status, s.session_date, class.role,
       s.session_date < current_date - :window::integer AS late
FROM class JOIN attendance_sessions s ON s.class_id = class.id AND s.id = :session_id
FOR NO KEY UPDATE OF s

-- == D  sixty marks, and all marks after it
-- If anybody of the class is on leave, it writes nothing: the longer statement has to.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(:roll_keys::text[], :statuses::text[], :recognized::boolean[],
                         :scores::numeric[], :remarks::text[])
        AS g(roll_key, status, recognized_by_ai, similarity_score, remark)
),
people AS MATERIALIZED (
    SELECT st.id AS student_id, st.roll_key, st.roll_no, st.name, e.periods
    FROM class_students e JOIN students st ON st.id = e.student_id
    WHERE e.class_id = :class_id
),
away AS MATERIALIZED (
    SELECT EXISTS (
        SELECT FROM people p JOIN leaves l ON l.student_id = p.student_id
            AND l.status = 'approved' AND l.last_day >= :day AND l.first_day <= :day
            AND (l.class_id IS NULL OR l.class_id = :class_id)) AS anybody
),
merged AS MATERIALIZED (
    SELECT p.student_id, p.roll_key, p.roll_no, p.name,
           m.version AS old_version, m.status AS old_status,
           m.recognized_by_ai AS old_recognized, m.similarity_score AS old_score,
           m.remark AS old_remark, m.source AS old_source, m.leave_kind AS old_kind,
           m.marked_by AS old_by, m.marked_at AS old_at,
           g.roll_key IS NOT NULL
               AND NOT coalesce(g.recognized_by_ai AND m.source = 'manual', false)
               AND (m.student_id IS NOT NULL OR p.periods @> :day::date
                    OR p.periods && daterange(current_date, NULL))
               AND (g.status, g.recognized_by_ai, g.similarity_score, g.remark)
                   IS DISTINCT FROM (m.status, m.recognized_by_ai, m.similarity_score, m.remark)
               AS changes,
           g.status, g.recognized_by_ai, g.similarity_score, g.remark
    FROM people p
    LEFT JOIN given g ON g.roll_key = p.roll_key
    LEFT JOIN attendance_statuses m ON m.class_id = :class_id AND m.session_id = :session_id
        AND m.student_id = p.student_id
),
numbered AS (
    UPDATE attendance_sessions s SET version = version + 1
    WHERE s.class_id = :class_id AND s.id = :session_id
      AND EXISTS (SELECT FROM merged WHERE changes) AND NOT (SELECT anybody FROM away)
      AND :version::integer = ANY(:if_match::integer[])
    RETURNING s.version
),
recorded AS (
    INSERT INTO attendance_batches (class_id, session_id, version, request_id, actor_id, made_at,
                                    reason)
    SELECT :class_id, :session_id, version, :request_id, :actor_id, statement_timestamp(), :reason
    FROM numbered
),
superseded AS (
    INSERT INTO superseded_statuses (class_id, session_id, student_id, recorded_for, version,
        status, recognized_by_ai, similarity_score, remark, source, leave_kind, marked_by,
        marked_at)
    SELECT :class_id, :session_id, student_id, student_id, old_version, old_status,
           old_recognized, old_score, old_remark, old_source, old_kind, old_by, old_at
    FROM merged CROSS JOIN numbered WHERE changes AND old_status IS NOT NULL
),
written AS (
    INSERT INTO attendance_statuses AS m (class_id, session_id, student_id, status,
        recognized_by_ai, similarity_score, remark, source, marked_by, marked_at, version)
    SELECT :class_id, :session_id, student_id, status, recognized_by_ai, similarity_score, remark,
           CASE WHEN recognized_by_ai THEN 'ai' ELSE 'manual' END, :actor_id,
           statement_timestamp(), version
    FROM merged CROSS JOIN numbered WHERE changes ORDER BY student_id
    ON CONFLICT (class_id, session_id, student_id) DO UPDATE
    SET status = excluded.status, recognized_by_ai = excluded.recognized_by_ai,
        similarity_score = excluded.similarity_score, remark = excluded.remark,
        source = excluded.source, marked_by = excluded.marked_by,
        marked_at = excluded.marked_at, version = excluded.version
)
SELECT (SELECT version FROM numbered) AS version,
       json_agg(mark ORDER BY m.roll_key)::text AS statuses
FROM merged m CROSS JOIN LATERAL (
    SELECT m.roll_no AS "rollNo", m.name, m.status, m.recognized_by_ai AS "recognizedByAi",
           m.similarity_score AS "similarityScore", m.remark,
           CASE WHEN m.recognized_by_ai THEN 'ai' ELSE 'manual' END AS source,
           replace((statement_timestamp() AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS "markedAt"
    WHERE m.changes
    UNION ALL
    SELECT m.roll_no, m.name, m.old_status, m.old_recognized, m.old_score, m.old_remark,
           m.old_source, replace((m.old_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'
    WHERE NOT m.changes AND m.old_status IS NOT NULL
) mark

-- == E  ten sessions with their marks
WITH me AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = :actor_id AND u.disabled_at IS NULL AND a.role IN ('teacher', 'admin')
),
class AS MATERIALIZED (
    SELECT c.id FROM classes c JOIN me ON me.role = 'admin' OR c.teacher_id = me.id OR EXISTS (
        SELECT FROM class_teachers t
        WHERE t.class_id = c.id AND t.user_id = me.id
          AND daterange(t.first_day, t.last_day, '[]') @> current_date)
    WHERE c.id = :class_id
),
people AS MATERIALIZED (
    SELECT st.id, st.roll_no, st.name, row_number() OVER (ORDER BY st.roll_key)::integer AS place
    FROM class_students e JOIN students st ON st.id = e.student_id
    WHERE e.class_id = (SELECT id FROM class)
),
sessions AS MATERIALIZED (
    SELECT s.* FROM attendance_sessions s
    WHERE s.class_id = (SELECT id FROM class)
      AND s.session_date BETWEEN coalesce(:first, '-infinity'::date)
                             AND coalesce(:last, 'infinity'::date)
    ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST
    LIMIT :most
)
SELECT coalesce(json_agg(d ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST), '[]')::text
    AS document
FROM sessions s CROSS JOIN LATERAL (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           left(s.start_time::text, 5) AS "startTime", left(s.end_time::text, 5) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl", s.status,
           s.version,
           replace((s.created_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS "createdAt",
           s.status_reason AS "statusReason", (
               SELECT coalesce(json_agg(mark ORDER BY p.place), '[]')
               FROM attendance_statuses m JOIN people p ON p.id = m.student_id
               CROSS JOIN LATERAL (
                   SELECT p.roll_no AS "rollNo", p.name, m.status,
                          m.recognized_by_ai AS "recognizedByAi",
                          m.similarity_score AS "similarityScore", m.remark, m.source,
                          replace((m.marked_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'
                              AS "markedAt"
               ) mark
               WHERE m.class_id = s.class_id AND m.session_id = s.id) AS statuses
) d

-- == F  statistics over forty sessions
-- Most absences in a row end within three sessions; only the others are counted one by one.
WITH me AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = :actor_id AND u.disabled_at IS NULL AND a.role IN ('teacher', 'admin')
),
class AS MATERIALIZED (
    SELECT c.id, t.last_day,
           CASE WHEN t.last_day >= current_date
                THEN (SELECT meetings FROM v_meetings_left WHERE class_id = c.id) ELSE 0
           END AS meetings
    FROM me JOIN classes c ON me.role = 'admin' OR c.teacher_id = me.id OR EXISTS (
        SELECT FROM class_teachers t
        WHERE t.class_id = c.id AND t.user_id = me.id
          AND daterange(t.first_day, t.last_day, '[]') @> current_date)
    LEFT JOIN terms t ON t.id = c.term_id
    WHERE c.id = :class_id
),
held AS MATERIALIZED (
    SELECT s.id, s.session_date,
           row_number() OVER (
               ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST)::integer AS age
    FROM attendance_sessions s
    WHERE s.class_id = (SELECT id FROM class) AND s.status <> 'cancelled'
),
days AS MATERIALIZED (
    SELECT count(*) AS sessions, daterange(min(session_date), max(session_date), '[]') AS span
    FROM held
),
counts AS MATERIALIZED (
    SELECT m.student_id, count(*) AS total,
           count(*) FILTER (WHERE m.status = 'present') AS present,
           count(*) FILTER (WHERE m.status = 'absent') AS absent,
           count(*) FILTER (WHERE m.status = 'late') AS late,
           count(*) FILTER (WHERE m.status = 'excused') AS excused,
           count(*) FILTER (WHERE m.leave_kind = 'on_duty') AS on_duty
    FROM attendance_statuses m
    WHERE m.class_id = (SELECT id FROM class) AND m.session_id NOT IN (
        SELECT s.id FROM attendance_sessions s
        WHERE s.class_id = (SELECT id FROM class) AND s.status = 'cancelled')
    GROUP BY m.student_id
),
recent AS MATERIALIZED (
    SELECT m.student_id, m.status, held.age
    FROM held JOIN attendance_statuses m
        ON m.class_id = (SELECT id FROM class) AND m.session_id = held.id
    WHERE held.age <= 3
),
streaks AS MATERIALIZED (
    SELECT student_id, min(age) FILTER (WHERE status <> 'absent') AS there,
           count(*) FILTER (WHERE status = 'absent') AS gone,
           array_agg(age) FILTER (WHERE status = 'absent') AS ages
    FROM recent GROUP BY student_id
)
SELECT coalesce(json_agg(student ORDER BY s.roll_key), '[]')::text AS document
FROM class_students e JOIN students s ON s.id = e.student_id
CROSS JOIN class CROSS JOIN policy p CROSS JOIN days
LEFT JOIN counts k ON k.student_id = e.student_id
LEFT JOIN streaks r ON r.student_id = e.student_id
CROSS JOIN LATERAL (
    SELECT attendance_attended(p, coalesce(k.present, 0), coalesce(k.late, 0),
                               coalesce(k.excused, 0), coalesce(k.on_duty, 0)) AS attended,
           attendance_counted(p, coalesce(k.present, 0), coalesce(k.absent, 0),
                              coalesce(k.late, 0), coalesce(k.excused, 0),
                              coalesce(k.on_duty, 0)) AS counted
    OFFSET 0
) n
CROSS JOIN LATERAL (
    SELECT e.student_id AS "studentId", s.roll_no AS "rollNo", s.name,
           coalesce(k.present, 0) AS present, coalesce(k.absent, 0) AS absent,
           coalesce(k.late, 0) AS late, coalesce(k.excused, 0) AS excused,
           coalesce(k.total, 0) AS total, n.counted, n.attended * 0.01 AS attended,
           attendance_percentage(n.attended, n.counted) AS percentage,
           attendance_standing(p, n.attended, n.counted) AS standing,
           attendance_sessions_needed(p, n.attended, n.counted) AS "sessionsNeeded",
           attendance_can_miss(p, n.attended, n.counted) AS "canMiss",
           CASE WHEN class.last_day IS NOT NULL THEN attendance_percentage(
               n.attended + 100 * class.meetings, n.counted + class.meetings) END AS "bestPossible",
           CASE WHEN r.there IS NOT NULL
                THEN (SELECT count(*) FROM unnest(r.ages) age WHERE age < r.there)
                WHEN coalesce(k.absent, 0) = 0 THEN 0
                ELSE (
                    SELECT count(*) FROM held JOIN attendance_statuses m
                        ON m.class_id = class.id AND m.session_id = held.id
                        AND m.student_id = e.student_id
                    WHERE held.age < (
                        SELECT coalesce(min(h.age), 1000000) FROM held h JOIN attendance_statuses o
                            ON o.class_id = class.id AND o.session_id = h.id
                            AND o.student_id = e.student_id
                        WHERE o.status <> 'absent'))
           END AS "absentInARow",
           CASE WHEN e.periods @> days.span THEN days.sessions - coalesce(k.total, 0)
                ELSE (SELECT count(*) FROM held WHERE e.periods @> held.session_date)
                   - coalesce(k.total, 0) END AS unmarked
) student
WHERE e.class_id = class.id AND (:withdrawn OR e.periods && daterange(current_date, NULL))
