"""Attendance sessions: opening one, and reading sessions with their marks."""

from datetime import date, datetime, time, timedelta
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Invalid
from app.schemas.attendance import OpenedSession, Session, SessionDetail, SessionDraft
from app.services.access import (
    READ_CLASS,
    READ_LIVE_CLASS,
    READ_SESSION,
    WRITE_CLASS,
    Actor,
    check,
)
from app.services.lists import page_of
from app.services.sessions.leave_shown import settle_session
from app.services.timetable.meetings import SLOTS_ON_DAY
from app.sql import Statement

# Turns `sessions`, those to show, into `fields`, their columns as the API names them.
SESSION_FIELDS = """
fields AS (
    SELECT s.id AS "sessionId", s.class_id AS "classId", s.session_date AS "sessionDate",
           json_time(s.start_time) AS "startTime", json_time(s.end_time) AS "endTime",
           s.teacher_id AS "teacherId", s.processed_image_url AS "processedImageUrl",
           s.status, s.version, json_instant(s.created_at) AS "createdAt"
    FROM sessions s
)"""

# `:start_time` is the requested start, `:today` and `:clock` are the institution's date and time.
# Without a start: today's slot in progress, else the last one begun, else the first; on another
# date its only session, else its first slot; without a slot the untimed session.
_FIND = Statement(
    READ_LIVE_CLASS,
    SLOTS_ON_DAY,
    """
existing AS MATERIALIZED (
    SELECT s.* FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.session_date = :day
),
chosen AS MATERIALIZED (
    SELECT CASE
        WHEN :start_time::time IS NOT NULL THEN :start_time
        WHEN :day = :today::date THEN coalesce(
            (SELECT max(start_time) FROM slots_on_day
             WHERE start_time <= :clock AND end_time > :clock),
            (SELECT max(start_time) FROM slots_on_day WHERE start_time <= :clock),
            (SELECT min(start_time) FROM slots_on_day))
        WHEN (SELECT count(*) FROM existing) = 1 THEN (SELECT start_time FROM existing)
        ELSE (SELECT min(start_time) FROM slots_on_day)
    END AS start_time
),
sessions AS (
    SELECT e.* FROM existing e JOIN chosen ON e.start_time IS NOT DISTINCT FROM chosen.start_time
)""",
    SESSION_FIELDS,
    """
SELECT verdict, chosen.start_time,
       (SELECT max(end_time) FROM slots_on_day slot WHERE slot.start_time = chosen.start_time)
           AS end_time,
       f.version, f."processedImageUrl" IS NULL AS no_image,
       (SELECT row_to_json(d) FROM (SELECT f.*, false AS created) d
        WHERE f."sessionId" IS NOT NULL)::text AS document
FROM verdict CROSS JOIN chosen LEFT JOIN fields f ON true
""",
)

# If two requests open the same session, the second finds it and fills only an empty image. The
# class stays locked, so leave decided concurrently either sees the session or is seen here.
_OPEN = Statement(
    WRITE_CLASS,
    """
sessions AS (
    INSERT INTO attendance_sessions AS s (
        class_id, session_date, start_time, end_time, teacher_id, processed_image_url)
    SELECT id, :day, :start_time, :end_time, actor_id, :image FROM granted
    ON CONFLICT (class_id, session_date, start_time) DO UPDATE
    SET processed_image_url = coalesce(s.processed_image_url, excluded.processed_image_url)
    RETURNING s.*, s.xmax = 0 AS created
)""",
    SESSION_FIELDS,
    """
SELECT verdict, s.id, s.version, s.created,
       (SELECT row_to_json(d) FROM (SELECT f.*, s.created FROM fields f) d)::text AS document
FROM verdict LEFT JOIN sessions s ON true
""",
)

_OPENED_WITH_LEAVE = Statement(
    """
sessions AS (
    SELECT * FROM attendance_sessions WHERE class_id = :class_id AND id = :session_id
)""",
    SESSION_FIELDS,
    """
SELECT f.version, row_to_json(d)::text AS document
FROM fields f CROSS JOIN LATERAL (SELECT f.*, true AS created) d
""",
)


async def open_session(
    db: Database, actor: Actor, draft: SessionDraft, now: datetime
) -> Document[OpenedSession]:
    """The session of that class, date and slot, created if it does not exist yet.

    `now` is the institution's local time: it decides what "today" and "in progress" mean.
    A repeat returns the same session; it fills an empty image and overwrites nothing.
    """
    if draft.session_date > now.date() + timedelta(days=1):
        raise _too_far_ahead()
    found = await db.row(
        _FIND,
        actor_id=actor.user_id,
        class_id=draft.class_id,
        day=draft.session_date,
        start_time=draft.start_time,
        today=now.date(),
        clock=now.time().replace(tzinfo=None),
    )
    check(found)
    fills_image = draft.processed_image_url is not None and found["no_image"]
    if found["document"] is not None and not fills_image:
        return Document(found["document"], version=found["version"])
    async with db.transaction() as tx:
        opened = await tx.row(
            _OPEN,
            actor_id=actor.user_id,
            class_id=draft.class_id,
            day=draft.session_date,
            start_time=found["start_time"],
            end_time=draft.end_time or found["end_time"],
            image=draft.processed_image_url,
        )
        check(opened)
        key = (draft.class_id, opened["id"])
        if opened["created"] and await settle_session(tx, actor, *key, draft.session_date):
            opened = await tx.row(
                _OPENED_WITH_LEAVE, class_id=draft.class_id, session_id=opened["id"]
            )
    return Document(opened["document"], version=opened["version"])


def _too_far_ahead() -> Invalid:
    sentence = "Attendance can be taken until tomorrow, not for later dates."
    return Invalid.at("/sessionDate", "date_in_future", sentence)


# Everyone who was ever in the class has an enrolment, so every mark finds its student.
_PEOPLE = """
people AS MATERIALIZED (
    SELECT st.id, st.roll_no, st.name, row_number() OVER (ORDER BY st.roll_key)::integer AS place
    FROM class_students e JOIN students st ON st.id = e.student_id
    WHERE e.class_id = (SELECT id FROM granted)
)"""

# From `people` and `sessions` of one class, `marks`: the marks of each session as a JSON array, by
# the `place` of the people. Each session is read by itself, since all in one group would have to be
# sorted by session first.
MARKS = """
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
)"""

# Newest first; within a date the untimed session comes last. `:after_day` and `:after_time` are
# the cursor.
_LIST = Statement(
    READ_CLASS,
    """
page AS MATERIALIZED (
    SELECT s.*, row_number() OVER (ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST) AS n
    FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.session_date >= coalesce(:first, '-infinity'::date)
      AND s.session_date <= coalesce(:last, 'infinity'::date)
      AND (:after_day::date IS NULL OR s.session_date < :after_day
           OR (s.session_date = :after_day
               AND (s.start_time < :after_time
                    OR (s.start_time IS NULL AND :after_time IS NOT NULL))))
    ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST
    LIMIT :most + 1
),
sessions AS MATERIALIZED (SELECT * FROM page WHERE n <= :most)""",
    SESSION_FIELDS,
    _PEOPLE,
    MARKS,
    # Otherwise they would be read again for each session they are joined to.
    "marks_once AS MATERIALIZED (SELECT * FROM marks)",
    """
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
    WHERE last.n = :most AND EXISTS (SELECT FROM page WHERE n > :most)
) AS next_cursor
FROM verdict
""",
)

# NOT IN reads the marked students once. With NOT EXISTS, a new database without statistics would
# scan the whole index of marks for each student.
_GET = Statement(
    READ_SESSION,
    """
sessions AS MATERIALIZED (
    SELECT s.* FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.id = :session_id
)""",
    SESSION_FIELDS,
    _PEOPLE,
    MARKS,
    """
unmarked AS (
    SELECT json_agg(person ORDER BY p.place) AS people
    FROM sessions s
    JOIN class_students e ON e.class_id = s.class_id AND e.periods @> s.session_date
    JOIN people p ON p.id = e.student_id
    CROSS JOIN LATERAL (SELECT p.roll_no AS "rollNo", p.name) person
    WHERE e.student_id NOT IN (
        SELECT student_id FROM attendance_statuses
        WHERE class_id = (SELECT id FROM granted) AND session_id = (SELECT id FROM sessions))
)""",
    """
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
FROM verdict LEFT JOIN sessions s ON true
""",
)


async def list_sessions(
    db: Database,
    actor: Actor,
    class_id: UUID,
    first: date | None,
    last: date | None,
    limit: int,
    after: tuple[date, time | None] | None,
) -> Document[list[Session]]:
    """List sessions of the class with their marks, newest first: `limit` of them after `after`.

    `first` and `last` are inclusive dates.
    """
    after_date, after_time = after or (None, None)
    row = await db.row(
        _LIST,
        actor_id=actor.user_id,
        class_id=class_id,
        first=first,
        last=last,
        after_day=after_date,
        after_time=after_time,
        most=limit,
    )
    return page_of(row)


async def get_session(
    db: Database | Transaction, actor: Actor, session_id: UUID
) -> Document[SessionDetail]:
    """One session with its marks, and the students enrolled on its day who have none."""
    row = await db.row(_GET, actor_id=actor.user_id, session_id=session_id)
    check(row, "session")
    return Document(row["document"], version=row["version"])
