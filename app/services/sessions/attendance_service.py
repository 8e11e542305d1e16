"""Attendance sessions: opening one, and reading them with their marks."""

from datetime import date, datetime, time, timedelta
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document, clock, instant
from app.errors import Flaw, Invalid
from app.schemas.attendance import OpenedSession, Session, SessionDetail, SessionDraft
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.leave.leave_marks import apply_to_session
from app.services.timetable.meetings import slots_on

# The columns of a session as the API names them.
SESSION = f"""
    s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
    {clock("s.start_time")} AS "startTime", {clock("s.end_time")} AS "endTime",
    s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
    s.status, s.version, {instant("s.created_at")} AS "createdAt\""""

_READ = f"""{SESSION}, s.status_reason AS "statusReason",
    coalesce(marks.statuses, '[]') AS statuses"""

# $3 date, $4 the start that was asked for, $5 and $6 the institution's date and time now.
# Without a start: today's slot in progress, else the one begun last, else the first; on
# another date its only session, else its first slot; without a slot the untimed session.
_FIND = f"""
{access.READ_CLASS},
slots AS MATERIALIZED ({slots_on("$2", "$3::date")}),
existing AS MATERIALIZED (
    SELECT s.* FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.session_date = $3
),
chosen AS MATERIALIZED (
    SELECT CASE
        WHEN $4::time IS NOT NULL THEN $4
        WHEN $3 = $5::date THEN coalesce(
            (SELECT max(start_time) FROM slots WHERE start_time <= $6 AND end_time > $6),
            (SELECT max(start_time) FROM slots WHERE start_time <= $6),
            (SELECT min(start_time) FROM slots))
        WHEN (SELECT count(*) FROM existing) = 1 THEN (SELECT start_time FROM existing)
        ELSE (SELECT min(start_time) FROM slots)
    END AS start_time
)
SELECT {access.WRITE_VERDICT}, chosen.start_time,
       (SELECT max(end_time) FROM slots WHERE slots.start_time = chosen.start_time) AS end_time,
       s.version, s.processed_image_url IS NULL AS no_image,
       (SELECT row_to_json(d) FROM (SELECT {SESSION}, false AS created) d
        WHERE s.id IS NOT NULL)::text AS document
FROM chosen
LEFT JOIN existing s ON s.start_time IS NOT DISTINCT FROM chosen.start_time
"""

# Two requests for one new session: the second finds the first's, and fills only its image.
# The class stays held, so leave that is decided meanwhile finds the session or is found.
_OPEN = f"""
{access.WRITE_CLASS},
opened AS (
    INSERT INTO attendance_sessions AS s (
        class_id, session_date, start_time, end_time, teacher_id, processed_image_url)
    SELECT id, $3, $4, $5, actor_id, $6 FROM granted
    ON CONFLICT (class_id, session_date, start_time) DO UPDATE
    SET processed_image_url = coalesce(s.processed_image_url, excluded.processed_image_url)
    RETURNING s.*, s.xmax = 0 AS created
)
SELECT {access.VERDICT}, s.id, s.version, s.created,
       (SELECT row_to_json(d) FROM (SELECT {SESSION}, s.created) d)::text AS document
FROM (SELECT) AS always LEFT JOIN opened s ON true
"""

_OPENED_WITH_LEAVE = f"""
SELECT s.version, row_to_json(d)::text AS document
FROM attendance_sessions s CROSS JOIN LATERAL (SELECT {SESSION}, true AS created) d
WHERE s.class_id = $1 AND s.id = $2
"""


async def open_session(
    db: Database, actor: Actor, draft: SessionDraft, now: datetime
) -> Document[OpenedSession]:
    """The session of that class, date and slot, made if it is not there yet.

    `now` is the institution's local time: it decides what "today" and "in progress" mean.
    A repeat gives the same session, filling an empty image and overwriting nothing.
    """
    if draft.session_date > now.date() + timedelta(days=1):
        raise _too_far_ahead()
    found = await db.row(
        _FIND,
        actor.user_id,
        draft.class_id,
        draft.session_date,
        draft.start_time,
        now.date(),
        now.time().replace(tzinfo=None),
    )
    check(found)
    fills_image = draft.processed_image_url is not None and found["no_image"]
    if found["document"] is not None and not fills_image:
        return Document(found["document"], version=found["version"])
    async with db.transaction() as tx:
        opened = await tx.row(
            _OPEN,
            actor.user_id,
            draft.class_id,
            draft.session_date,
            found["start_time"],
            draft.end_time or found["end_time"],
            draft.processed_image_url,
        )
        check(opened)
        key = (draft.class_id, opened["id"])
        if opened["created"] and await apply_to_session(tx, actor, *key, draft.session_date):
            opened = await tx.row(_OPENED_WITH_LEAVE, *key)
    return Document(opened["document"], version=opened["version"])


def _too_far_ahead() -> Invalid:
    sentence = "Attendance can be taken until tomorrow, not for later dates."
    return Invalid(
        sentence, code="date_in_future", flaws=(Flaw("/sessionDate", "date_in_future", sentence),)
    )


# From `shown`, the sessions of one class to show, to `marks`, their marks as JSON arrays.
# Everyone who ever was in the class has an enrolment, so no mark is without its student.
_MARKS = f"""
people AS MATERIALIZED (
    SELECT st.id, st.roll_key, st.roll_no, st.name
    FROM class_students e JOIN students st ON st.id = e.student_id
    WHERE e.class_id = (SELECT id FROM granted)
),
marks AS MATERIALIZED (
    SELECT m.session_id, json_agg(mark ORDER BY p.roll_key) AS statuses
    FROM attendance_statuses m
    JOIN people p ON p.id = m.student_id
    CROSS JOIN LATERAL (
        SELECT p.roll_no AS "rollNo", p.name, m.status,
               m.recognized_by_ai AS "recognizedByAi", m.similarity_score AS "similarityScore",
               m.remark, m.source, {instant("m.marked_at")} AS "markedAt"
    ) mark
    WHERE m.class_id = (SELECT id FROM granted)
      AND m.session_id = ANY(ARRAY(SELECT id FROM shown))
    GROUP BY m.session_id
)"""

# Newest first; on one date the untimed session comes last. $5 and $6 say after which one.
_LIST = f"""
{access.READ_CLASS},
page AS MATERIALIZED (
    SELECT s.*, row_number() OVER (ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST) AS n
    FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.session_date >= coalesce($3, '-infinity'::date)
      AND s.session_date <= coalesce($4, 'infinity'::date)
      AND ($5::date IS NULL OR s.session_date < $5
           OR (s.session_date = $5
               AND (s.start_time < $6 OR (s.start_time IS NULL AND $6 IS NOT NULL))))
    ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST
    LIMIT $7 + 1
),
shown AS MATERIALIZED (SELECT * FROM page WHERE n <= $7),
{_MARKS}
SELECT {access.VERDICT}, (
    SELECT coalesce(json_agg(d ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST), '[]')
    FROM shown s
    LEFT JOIN marks ON marks.session_id = s.id
    CROSS JOIN LATERAL (SELECT {_READ}) d
)::text AS document, (
    SELECT last.session_date || 'T' || coalesce({clock("last.start_time")}, '')
    FROM page last
    WHERE last.n = $7 AND EXISTS (SELECT FROM page WHERE n > $7)
) AS next_cursor
"""

# NOT IN reads the marked once. For NOT EXISTS a new database, whose sizes PostgreSQL does not
# know yet, would walk the whole index of marks for each student.
_GET = f"""
{access.READ_SESSION},
shown AS MATERIALIZED (
    SELECT s.* FROM attendance_sessions s JOIN granted ON s.class_id = granted.id WHERE s.id = $2
),
{_MARKS},
unmarked AS (
    SELECT json_agg(person ORDER BY p.roll_key) AS people
    FROM shown s
    JOIN class_students e ON e.class_id = s.class_id AND e.periods @> s.session_date
    JOIN people p ON p.id = e.student_id
    CROSS JOIN LATERAL (SELECT p.roll_no AS "rollNo", p.name) person
    WHERE e.student_id NOT IN (
        SELECT student_id FROM attendance_statuses
        WHERE class_id = (SELECT id FROM granted) AND session_id = (SELECT id FROM shown))
)
SELECT {access.VERDICT}, (SELECT version FROM shown) AS version, (
    SELECT row_to_json(d)
    FROM shown s
    LEFT JOIN marks ON marks.session_id = s.id
    LEFT JOIN unmarked ON true
    CROSS JOIN LATERAL (
        SELECT {_READ}, coalesce(unmarked.people, '[]') AS unmarked
    ) d
)::text AS document
"""


async def list_sessions(
    db: Database,
    actor: Actor,
    class_id: UUID,
    first: date | None,
    last: date | None,
    limit: int,
    after: tuple[date, time | None] | None,
) -> Document[list[Session]]:
    """Sessions of the class with their marks, newest first, `limit` of them after `after`.

    `first` and `last` are inclusive dates.
    """
    after_date, after_time = after or (None, None)
    row = await db.row(_LIST, actor.user_id, class_id, first, last, after_date, after_time, limit)
    check(row)
    return Document(row["document"], next_cursor=row["next_cursor"])


async def get_session(
    db: Database | Transaction, actor: Actor, session_id: UUID
) -> Document[SessionDetail]:
    """One session with its marks, and who was enrolled on its day and has none."""
    row = await db.row(_GET, actor.user_id, session_id)
    check(row, "session")
    return Document(row["document"], version=row["version"])
