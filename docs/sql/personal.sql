-- app.services.personal.erasing._LOCK_CLASSES
-- $1 id
WITH locked AS (
    SELECT id FROM classes
    WHERE id IN (SELECT class_id FROM class_students WHERE student_id = $1)
    ORDER BY id FOR NO KEY UPDATE
)
SELECT count(*) AS classes FROM locked;

-- app.services.personal.erasing._LOCK_STUDENT
-- $1 id
SELECT id FROM students WHERE id = $1 FOR UPDATE;

-- app.services.personal.erasing._IS_ERASED
-- $1 id
SELECT EXISTS (SELECT FROM erasures WHERE student_id = $1) AS erased;

-- app.services.personal.erasing._FORGET
-- $1 unknown, $2 unknown_key, $3 id, $4 erased
WITH record AS (
    UPDATE students
    SET roll_no = $1, roll_key = $2, name = '', photo_url = NULL, program = NULL,
        sp_code = NULL, semester = NULL, status = NULL, duration = NULL, email = NULL,
        dtu_email = NULL, confirmed_email = NULL, phone = NULL
    WHERE id = $3
),
accounts AS (DELETE FROM student_accounts WHERE student_id = $3 RETURNING id),
marks AS (
    UPDATE attendance_statuses
    SET remark = NULL, similarity_score = NULL, said_remark = NULL, said_score = NULL,
        leave_kind = CASE leave_kind WHEN 'medical' THEN 'other' ELSE leave_kind END
    WHERE student_id = $3
    RETURNING session_id
),
past AS (
    UPDATE superseded_statuses
    SET remark = NULL, similarity_score = NULL, said_remark = NULL, said_score = NULL,
        leave_kind = CASE leave_kind WHEN 'medical' THEN 'other' ELSE leave_kind END
    WHERE student_id = $3
    RETURNING session_id
),
excuses AS (
    UPDATE leaves
    SET note = NULL, kind = CASE kind WHEN 'medical' THEN 'other' ELSE kind END,
        status = CASE status WHEN 'pending' THEN 'withdrawn' ELSE status END
    WHERE student_id = $3
    RETURNING id
),
questions AS (
    UPDATE mark_questions
    SET text = $4, answer = CASE WHEN answer IS NOT NULL THEN $4 END,
        status = CASE status WHEN 'open' THEN 'withdrawn' ELSE status END
    WHERE student_id = $3
    RETURNING id
)
SELECT (SELECT count(*) FROM accounts) AS accounts, (SELECT count(*) FROM marks) AS marks,
       (SELECT count(*) FROM past) AS past, (SELECT count(*) FROM excuses) AS leaves,
       (SELECT count(*) FROM questions) AS questions;

-- app.services.personal.erasing._RECORD
-- $1 id, $2 reason, $3 actor_id, $4 request_id
WITH person AS MATERIALIZED (
    WITH RECURSIVE merged AS (
        SELECT $1::uuid AS id
        UNION
        SELECT (l.details ->> 'other')::uuid
        FROM merged m JOIN audit_log l ON l.subject_id = m.id AND l.action = 'students_merged'
    )
    SELECT id FROM merged
),
noted AS (
    INSERT INTO erasures (student_id, reason) SELECT id, $2::text FROM person
    ON CONFLICT (student_id) DO NOTHING
    RETURNING *
),
acts AS (
    SELECT 'student_erased' AS action, 'student' AS subject, $1::uuid AS subject_id,
           '{}'::jsonb AS details
),
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT $3::uuid, $4::text, action, subject, subject_id, details FROM acts
)
SELECT array_agg(student_id) AS ids, array_agg(erased_at) AS instants FROM noted;

-- app.services.personal.erasing._LIST
SELECT array_agg(student_id ORDER BY erased_at, student_id) AS ids,
       array_agg(erased_at ORDER BY erased_at, student_id) AS instants,
       array_agg(reason ORDER BY erased_at, student_id) AS reasons
FROM erasures;

-- app.services.personal.erasing._NOTE
-- $1 student_id, $2 erased_at, $3 reason
INSERT INTO erasures (student_id, erased_at, reason) VALUES ($1, $2, $3)
ON CONFLICT (student_id) DO NOTHING;

-- app.services.personal.export.ONE_MOMENT
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- app.services.personal.mentions._REDACT[attendance_batches]
-- $1 pattern, $2 erased
UPDATE attendance_batches SET reason = regexp_replace(reason, $1, $2, 'gi')
WHERE reason ~* $1;

-- app.services.personal.mentions._REDACT[session_events]
-- $1 pattern, $2 erased
UPDATE session_events SET reason = regexp_replace(reason, $1, $2, 'gi')
WHERE reason ~* $1;

-- app.services.personal.mentions._REDACT[attendance_sessions]
-- $1 pattern, $2 erased
UPDATE attendance_sessions
SET status_reason = regexp_replace(status_reason, $1, $2, 'gi'),
    processed_image_url = regexp_replace(processed_image_url, $1, $2, 'gi')
WHERE status_reason ~* $1 OR processed_image_url ~* $1;

-- app.services.personal.mentions._REDACT[class_reschedules]
-- $1 pattern, $2 erased
UPDATE class_reschedules SET reason = regexp_replace(reason, $1, $2, 'gi')
WHERE reason ~* $1;

-- app.services.personal.mentions._REDACT[leaves]
-- $1 pattern, $2 erased
UPDATE leaves SET note = regexp_replace(note, $1, $2, 'gi') WHERE note ~* $1;

-- app.services.personal.mentions._REDACT[mark_questions]
-- $1 pattern, $2 erased
UPDATE mark_questions SET text = regexp_replace(text, $1, $2, 'gi'),
    answer = regexp_replace(answer, $1, $2, 'gi')
WHERE text ~* $1 OR answer ~* $1;

-- app.services.personal.mentions._REDACT[attendance_statuses]
-- $1 pattern, $2 erased
UPDATE attendance_statuses SET remark = regexp_replace(remark, $1, $2, 'gi'),
    said_remark = regexp_replace(said_remark, $1, $2, 'gi')
WHERE remark ~* $1 OR said_remark ~* $1;

-- app.services.personal.mentions._REDACT[superseded_statuses]
-- $1 pattern, $2 erased
UPDATE superseded_statuses SET remark = regexp_replace(remark, $1, $2, 'gi'),
    said_remark = regexp_replace(said_remark, $1, $2, 'gi')
WHERE remark ~* $1 OR said_remark ~* $1;

-- app.services.personal.mentions._DISCARD_FILES
WITH discarded AS (
    UPDATE import_runs
    SET state = 'expired', content = NULL, rows = NULL, claim = NULL,
        finished_at = clock_timestamp()
    WHERE content IS NOT NULL
    RETURNING id
)
SELECT count(*) AS files FROM discarded;

-- app.services.personal.mentions._NEXT_RUN
-- $1 after, $2 pattern
SELECT id, file_name, detail, options, result, rows FROM import_runs
WHERE ($1::uuid IS NULL OR id > $1)
  AND concat_ws(' ', file_name, detail, options, result, rows) ~* $2
ORDER BY id LIMIT 1;

-- app.services.personal.mentions._WRITE_RUN
-- $1 file_name, $2 detail, $3 options, $4 result, $5 rows, $6 id
UPDATE import_runs
SET file_name = $1, detail = $2, options = $3::text::jsonb,
    result = $4::text::jsonb, rows = $5::text::jsonb
WHERE id = $6;

-- app.services.personal.mentions._COUNT
-- $1 id, $2 pattern
WITH texts AS NOT MATERIALIZED (
    SELECT 'attendance_batches.reason' AS place, reason AS text FROM attendance_batches
    UNION ALL SELECT 'session_events.reason', reason FROM session_events
    UNION ALL SELECT 'attendance_sessions.status_reason', status_reason FROM attendance_sessions
    UNION ALL SELECT 'attendance_sessions.processed_image_url', processed_image_url
    FROM attendance_sessions
    UNION ALL SELECT 'class_reschedules.reason', reason FROM class_reschedules
    UNION ALL SELECT 'leaves.note', note FROM leaves WHERE student_id <> $1::uuid
    UNION ALL SELECT 'mark_questions.text', text FROM mark_questions WHERE student_id <> $1
    UNION ALL SELECT 'mark_questions.answer', answer FROM mark_questions WHERE student_id <> $1
    UNION ALL SELECT 'attendance_statuses.remark', remark FROM attendance_statuses
    WHERE student_id <> $1
    UNION ALL SELECT 'attendance_statuses.said_remark', said_remark FROM attendance_statuses
    WHERE student_id <> $1
    UNION ALL SELECT 'superseded_statuses.remark', remark FROM superseded_statuses
    WHERE student_id <> $1
    UNION ALL SELECT 'superseded_statuses.said_remark', said_remark FROM superseded_statuses
    WHERE student_id <> $1
),
mentions AS MATERIALIZED (SELECT place, text FROM texts WHERE text ~* $2)
SELECT count(*) AS texts FROM mentions;

-- app.services.personal.person._FIND
-- $1 roll_key
SELECT (SELECT id FROM students WHERE roll_key = $1) AS id;

-- app.services.personal.person._VALUES
-- $1 id
WITH person AS MATERIALIZED (
    WITH RECURSIVE merged AS (
        SELECT $1::uuid AS id
        UNION
        SELECT (l.details ->> 'other')::uuid
        FROM merged m JOIN audit_log l ON l.subject_id = m.id AND l.action = 'students_merged'
    )
    SELECT id FROM merged
)
SELECT (SELECT array_agg(id) FROM person) AS ids,
       ARRAY[s.roll_no, s.name, s.photo_url, s.email, s.dtu_email, s.confirmed_email, s.phone]
       || ARRAY(SELECT a.email FROM student_accounts a WHERE a.student_id = s.id) AS values
FROM students s WHERE s.id = $1;
