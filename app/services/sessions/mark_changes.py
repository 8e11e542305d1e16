"""How marks change: one way for all that changes any, by hand, by rule or by leave.

A statement that changes marks begins with its locks taken (class, then session) and has two
CTEs: `act` (actor_id, request_id, reason) and `changes`, a row for each mark to be as it says,
with class_id, session_id, student_id and `FIELDS`; a status of null takes the mark away, for
what `source` then says. It goes on with `WRITE` (changes of one session) or `WRITE_MANY`, which
give each session a new version, keep the marks replaced, and write the new ones. Input that
changes nothing must be left out of `changes`: it writes nothing.
"""

FIELDS = (
    "status",
    "recognized_by_ai",
    "similarity_score",
    "remark",
    "source",
    "leave_id",
    "leave_kind",
    "beneath",
)

_KEPT = "status, recognized_by_ai, similarity_score, remark, source, leave_kind"
_ALL = ", ".join(FIELDS)


def fields_of(name: str) -> str:
    """The fields of a mark, as columns of the table or CTE of that name."""
    return ", ".join(f"{name}.{field}" for field in FIELDS)


# Times are of the statement, which began after the locks were had, so they grow as versions do.
_WRITE = f"""
numbered AS (
    UPDATE attendance_sessions s SET version = s.version + 1
    FROM (SELECT {{sessions}}) changed
    WHERE s.class_id = changed.class_id AND s.id = changed.session_id
    RETURNING s.class_id, s.id AS session_id, s.version
),
recorded AS (
    INSERT INTO attendance_batches (
        class_id, session_id, version, request_id, actor_id, made_at, reason)
    SELECT class_id, session_id, version, request_id, actor_id, statement_timestamp(), reason
    FROM numbered CROSS JOIN act
),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, {_KEPT}, marked_by, marked_at)
    SELECT old.class_id, old.session_id, old.student_id, old.student_id, old.version,
           {", ".join(f"old.{field}" for field in _KEPT.split(", "))},
           old.marked_by, old.marked_at
    FROM changes JOIN attendance_statuses old USING (class_id, session_id, student_id)
    UNION ALL
    SELECT class_id, session_id, student_id, student_id, version,
           NULL, false, NULL, NULL, source, NULL, actor_id, statement_timestamp()
    FROM changes JOIN numbered USING (class_id, session_id) CROSS JOIN act
    WHERE status IS NULL
),
removed AS (
    DELETE FROM attendance_statuses old USING changes
    WHERE changes.status IS NULL AND old.class_id = changes.class_id
      AND old.session_id = changes.session_id AND old.student_id = changes.student_id
),
written AS (
    INSERT INTO attendance_statuses (
        class_id, session_id, student_id, {_ALL}, marked_by, marked_at, version)
    SELECT class_id, session_id, student_id, {_ALL}, actor_id, statement_timestamp(), version
    FROM changes JOIN numbered USING (class_id, session_id) CROSS JOIN act
    WHERE status IS NOT NULL
    ORDER BY session_id, student_id
    ON CONFLICT (class_id, session_id, student_id) DO UPDATE
    SET {", ".join(f"{field} = excluded.{field}" for field in FIELDS)},
        marked_by = excluded.marked_by, marked_at = excluded.marked_at,
        version = excluded.version
)"""
WRITE = _WRITE.format(sessions="class_id, session_id FROM changes LIMIT 1")
WRITE_MANY = _WRITE.format(sessions="DISTINCT class_id, session_id FROM changes")


def beneath(status: str, recognized_by_ai: str, score: str, remark: str, source: str) -> str:
    """SQL for a mark as one that a leave hides."""
    return f"""jsonb_build_object(
        'status', {status}, 'recognizedByAi', {recognized_by_ai},
        'similarityScore', {score}, 'remark', {remark}, 'source', {source})"""


# From `covered` (class_id, session_id, student_id, leave_id, leave_kind, and whether they were
# enrolled on the day), leave as it shows in marks: whoever is absent or unmarked is excused.
EXCUSE = f"""
changes AS MATERIALIZED (
    SELECT class_id, session_id, student_id, 'excused' AS status, false AS recognized_by_ai,
           NULL::numeric AS similarity_score, m.remark, 'leave' AS source,
           covered.leave_id, covered.leave_kind,
           CASE WHEN m.status IS NOT NULL THEN {
    beneath("m.status", "m.recognized_by_ai", "m.similarity_score", "m.remark", "m.source")
} END AS beneath
    FROM covered LEFT JOIN attendance_statuses m USING (class_id, session_id, student_id)
    WHERE m.status = 'absent' OR (m.status IS NULL AND enrolled)
)"""


def on_leave(class_id: str, session_id: str, day: str) -> str:
    """SQL for who of the class is on approved leave in a session, one leave each.

    Of several leaves the one decided first counts, so that the answer stays the same.
    """
    return f"""
    SELECT DISTINCT ON (l.student_id) l.student_id, l.id AS leave_id, l.kind AS leave_kind
    FROM leaves l
    WHERE l.status = 'approved' AND {covers("l", class_id, session_id, day)}
      AND l.student_id IN (SELECT student_id FROM class_students WHERE class_id = {class_id})
    ORDER BY l.student_id, l.decided_at, l.id"""


def on_leave_in(sessions: str) -> str:
    """SQL for the same in many sessions, as `covered`: from a relation of that name with
    class_id, session_id and day."""
    return f"""
    SELECT DISTINCT ON (s.class_id, s.session_id, l.student_id)
           s.class_id, s.session_id, l.student_id, l.id AS leave_id, l.kind AS leave_kind,
           e.periods @> s.day AS enrolled
    FROM {sessions} s
    JOIN class_students e ON e.class_id = s.class_id
    JOIN leaves l ON l.student_id = e.student_id AND l.status = 'approved'
        AND {covers("l", "s.class_id", "s.session_id", "s.day")}
    ORDER BY s.class_id, s.session_id, l.student_id, l.decided_at, l.id"""


def covers(leave: str, class_id: str, session_id: str, day: str) -> str:
    """SQL for whether a leave, approved or not, is for that session."""
    return f"""(
        {leave}.first_day <= {day} AND {leave}.last_day >= {day}
        AND ({leave}.class_id IS NULL OR {leave}.class_id = {class_id})
        AND (NOT {leave}.by_session OR EXISTS (
            SELECT FROM leave_sessions ls
            WHERE ls.leave_id = {leave}.id AND ls.session_id = {session_id})))"""
