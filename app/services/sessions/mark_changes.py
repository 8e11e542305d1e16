"""How marks change: one mechanism for all changes, by hand, by file, by rule or by leave.

Two things are kept apart: the mark entered for a student in a session (`said`), and the leave
that hides it. A statement that changes marks runs after the locks were taken (class, then
session). It has the relations `enrolments` and `sessions`, in which leave is looked up, and
`said`, a row for each mark to recompute: class_id, session_id, student_id; status (null: none was
entered), recognized_by_ai, similarity_score, remark, source, leave_kind; and `note`, the remark
to show where leave hides the mark. `ON_LEAVE`, `SHOWN` and `DIFFERENT` turn these into the rows
that differ from the stored ones, and `WRITTEN` writes those chosen for `changes`.
"""

# One session of the class, as `ON_LEAVE` needs it.
ONE_SESSION = """
sessions AS (
    SELECT :class_id::uuid AS class_id, :session_id::uuid AS session_id, :day::date AS day
),
enrolments AS NOT MATERIALIZED (SELECT * FROM class_students WHERE class_id = :class_id)"""

# From `enrolments` (class_id, student_id, periods) and `sessions` (class_id, session_id, day), the
# students on approved leave, with one leave each. If there are several, the one decided first
# counts, so that the result is stable.
ON_LEAVE = """
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
)"""

# The rule of leave: it hides an absence, and excuses students enrolled that day without a mark.
SHOWN = """
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
)"""

# The rows of `shown` that differ from the stored marks.
DIFFERENT = """
different AS MATERIALIZED (
    SELECT * FROM shown
    EXCEPT
    SELECT class_id, session_id, student_id, status, recognized_by_ai, similarity_score, remark,
           source, leave_id, leave_kind, said_status, said_score, said_remark, said_source
    FROM attendance_statuses JOIN sessions USING (class_id, session_id)
)"""

# Writes `changes` with a new version of each session, keeps the marks they replace, and records who
# made the change, in which request and why. Times are the statement's, which began after the locks
# were taken, so they increase with the versions.
WRITTEN = """
numbered AS (
    UPDATE attendance_sessions s SET version = version + 1
    FROM sessions t WHERE s.class_id = t.class_id AND s.id = t.session_id
        AND t.session_id IN (SELECT session_id FROM changes)
    RETURNING s.class_id, s.id AS session_id, s.version
),
recorded AS (
    INSERT INTO attendance_batches (class_id, session_id, version, request_id, actor_id, made_at,
                                    reason)
    SELECT numbered.*, :request_id::text, :actor_id::uuid, statement_timestamp(), :reason::text
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
    SELECT changes.*, :actor_id, statement_timestamp(), version
    FROM changes JOIN numbered USING (class_id, session_id)
    WHERE status IS NOT NULL ORDER BY session_id, student_id
    ON CONFLICT (class_id, session_id, student_id) DO UPDATE
    SET status = excluded.status, recognized_by_ai = excluded.recognized_by_ai,
        similarity_score = excluded.similarity_score, remark = excluded.remark,
        source = excluded.source, leave_id = excluded.leave_id, leave_kind = excluded.leave_kind,
        said_status = excluded.said_status, said_score = excluded.said_score,
        said_remark = excluded.said_remark, said_source = excluded.said_source,
        marked_by = excluded.marked_by, marked_at = excluded.marked_at, version = excluded.version
)"""

# If no mark was entered beneath withdrawn leave, the mark is deleted, and the history records it.
REMOVED = """
unsaid AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, recognized_by_ai, source,
        marked_by, marked_at)
    SELECT class_id, session_id, student_id, student_id, version, false, 'leave', :actor_id,
           statement_timestamp()
    FROM changes JOIN numbered USING (class_id, session_id)
    WHERE status IS NULL
),
removed AS (
    DELETE FROM attendance_statuses m USING changes c
    WHERE c.status IS NULL AND m.class_id = c.class_id AND m.session_id = c.session_id
      AND m.student_id = c.student_id
)"""
