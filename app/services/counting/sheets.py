"""The sheet of a session: all that one needs to take attendance of it."""

from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.sheet import Sheet
from app.services.access import READ_SESSION, Actor, check
from app.services.sessions.mark_changes import ON_LEAVE
from app.sql import Statement

# The session as `ON_LEAVE` wants it, and who is on its sheet: who was enrolled on its day, and
# who has a mark all the same.
_ON_SHEET = """
head AS MATERIALIZED (
    SELECT s.*, coalesce(s.session_date < current_date - :window::integer, false) AS late
    FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.id = :session_id
),
sessions AS (SELECT class_id, id AS session_id, session_date AS day FROM head),
enrolments AS MATERIALIZED (
    SELECT e.class_id, e.student_id, e.periods
    FROM class_students e CROSS JOIN head h
    WHERE e.class_id = (SELECT id FROM granted)
      AND (e.periods @> h.session_date OR e.student_id IN (
          SELECT student_id FROM attendance_statuses
          WHERE class_id = (SELECT id FROM granted) AND session_id = :session_id))
)"""

# The session before it on its day; an untimed one is before all others.
_PREVIOUS = """
previous AS MATERIALIZED (
    SELECT s.id, s.start_time
    FROM attendance_sessions s JOIN head h USING (class_id, session_date)
    WHERE s.status <> 'cancelled'
      AND (s.start_time < h.start_time OR (s.start_time IS NULL AND h.start_time IS NOT NULL))
    ORDER BY s.start_time DESC NULLS LAST LIMIT 1
)"""

# Of who is here as a guest, only leave that shows in the mark is told: where else they are on
# leave is not for this class to know. Marks are looked up one by one, since a relation of them
# would be read whole for each student: the planner cannot know that it has more than a row.
_STUDENTS = """
figures AS MATERIALIZED (
    SELECT student_id, percentage, standing, absent_in_a_row FROM v_enrolment_attendance
    WHERE class_id = (SELECT id FROM granted)
),
students_listed AS (
    SELECT json_agg(student ORDER BY st.roll_key) AS list
    FROM enrolments e
    JOIN students st ON st.id = e.student_id
    JOIN figures f ON f.student_id = e.student_id
    LEFT JOIN attendance_statuses m ON m.class_id = e.class_id AND m.session_id = :session_id
        AND m.student_id = e.student_id
    LEFT JOIN attendance_statuses p ON p.class_id = e.class_id
        AND p.session_id = (SELECT id FROM previous) AND p.student_id = e.student_id
    LEFT JOIN on_leave l ON l.student_id = e.student_id AND (l.enrolled OR m.source = 'leave')
    CROSS JOIN LATERAL (
        SELECT st.id AS "studentId", st.roll_no AS "rollNo", st.name, st.photo_url AS "photoUrl",
               CASE WHEN m.student_id IS NOT NULL THEN json_build_object(
                   'status', m.status, 'recognizedByAi', m.recognized_by_ai,
                   'similarityScore', m.similarity_score, 'remark', m.remark,
                   'source', m.source, 'markedAt', json_instant(m.marked_at)) END AS mark,
               CASE WHEN l.student_id IS NOT NULL
                    THEN json_build_object('kind', l.kind) END AS leave,
               f.percentage, f.standing, f.absent_in_a_row AS "absentInARow", p.status AS previous
    ) student
)"""

_SHEET = Statement(
    READ_SESSION,
    _ON_SHEET,
    ON_LEAVE,
    _PREVIOUS,
    _STUDENTS,
    """
SELECT verdict, h.version, (
    SELECT row_to_json(sheet) FROM (
        SELECT h.id AS "sessionId", c.id AS "classId", c.code, c.name, c.section,
               h.session_date AS "sessionDate", json_time(h.start_time) AS "startTime",
               json_time(h.end_time) AS "endTime", h.status, h.version,
               h.status = 'open' AND c.archived_at IS NULL
                   AND (c.actor_role = 'admin' OR NOT h.late) AS editable,
               h.late AS "needsReason",
               (SELECT json_build_object('sessionId', id, 'startTime', json_time(start_time))
                FROM previous) AS "previousSession",
               coalesce((SELECT list FROM students_listed), '[]') AS students
        FROM granted c WHERE c.id = h.class_id
    ) sheet
)::text AS document
FROM verdict LEFT JOIN head h ON true
""",
)


async def sheet(
    db: Database, actor: Actor, session_id: UUID, *, window: int | None
) -> Document[Sheet]:
    """The session with everybody who can be marked in it, in the order of the roll.

    That is who was enrolled on its day, and who has a mark. `window` is the days for which a
    teacher may change marks; None is for ever.
    """
    row = await db.row(_SHEET, actor_id=actor.user_id, session_id=session_id, window=window)
    check(row, "session")
    return Document(row["document"], version=row["version"])
