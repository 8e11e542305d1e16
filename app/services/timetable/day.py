"""A teacher's day: what they teach on a date, what became of it, and what was missed before."""

from datetime import date, datetime

from app.db import Database
from app.documents import Document
from app.schemas.day import Day
from app.services.access import STAFF_VERDICT, TAUGHT_ON_DAY, Actor, check
from app.services.timetable.meetings import JUDGED
from app.sql import Statement

# All sessions of the day. One that is of no meeting is shown like one, by the times it has: until
# it is taken or cancelled the clock decides its `state`, and without times it lasts all day.
# NOT IN reads the marked of a session once; `OFFSET 0` has each counted by itself.
_SESSIONS = """
sessions AS MATERIALIZED (
    SELECT s.*, row_to_json(session) AS document, CASE
               WHEN v.state <> 'open' THEN v.state
               WHEN :now < wall_instant(:day + coalesce(s.start_time, '00:00')) THEN 'upcoming'
               WHEN :now < wall_instant(:day + coalesce(s.end_time, '24:00')) THEN 'in_progress'
               ELSE 'missing' END AS state
    FROM attendance_sessions s JOIN v_sessions v ON v.class_id = s.class_id AND v.id = s.id
    CROSS JOIN LATERAL (SELECT * FROM v_session_counts
        WHERE class_id = s.class_id AND session_id = s.id OFFSET 0) k
    LEFT JOIN LATERAL (SELECT json_build_object('name', u.name) AS who, b.made_at
        FROM attendance_batches b JOIN users u ON u.id = b.actor_id
        WHERE b.class_id = s.class_id AND b.session_id = s.id
        ORDER BY b.version DESC LIMIT 1) latest ON true
    CROSS JOIN LATERAL (
        SELECT s.id AS "sessionId", s.status, s.version, k.total AS marked, (k.counts).*, (
                   SELECT count(*) FROM class_students e
                   WHERE e.class_id = s.class_id AND e.periods @> :day AND e.student_id NOT IN (
                       SELECT m.student_id FROM attendance_statuses m
                       WHERE m.class_id = s.class_id AND m.session_id = s.id)) AS unmarked,
               (SELECT row_to_json(u) FROM (
                   SELECT name FROM users WHERE id = s.teacher_id) u) AS "startedBy",
               latest.who AS "lastMarkedBy", json_instant(latest.made_at) AS "lastMarkedAt"
    ) session
    WHERE s.class_id = ANY(ARRAY(SELECT id FROM shown)) AND s.session_date = :day
)"""

_DAY = Statement(
    TAUGHT_ON_DAY,
    "shown AS MATERIALIZED (SELECT * FROM taught WHERE archived_at IS NULL)",
    # Years before the first have no name in the API.
    "span AS (SELECT greatest(:day - :days_back::integer, '0001-01-01') AS first, :day AS last)",
    JUDGED,
    _SESSIONS,
    """
listed AS (
    SELECT coalesce(json_agg(meeting ORDER BY coalesce(m.start_time, s.start_time) NULLS FIRST,
               c.code COLLATE "C", c.section COLLATE "C", c.id, m.moved_to IS NULL), '[]') AS list
    FROM (SELECT * FROM judged WHERE day = :day) m FULL JOIN sessions s ON s.id = m.session_id
    JOIN shown c ON c.id = coalesce(m.class_id, s.class_id) JOIN dates d ON d.day = :day
    CROSS JOIN LATERAL (
        SELECT c.id AS "classId", c.code, c.name, c.section, d.day AS date,
               json_time(coalesce(m.start_time, s.start_time)) AS start,
               json_time(coalesce(m.end_time, s.end_time)) AS end,
               json_instant(coalesce(m.starts_at, wall_instant(:day + s.start_time))) AS "startsAt",
               json_instant(coalesce(m.ends_at, wall_instant(:day + s.end_time))) AS "endsAt",
               coalesce(m.state, s.state) AS state, m.moved_to AS "movedTo",
               m.moved_from AS "movedFrom", d.holiday, (
                   SELECT count(*) FROM class_students e
                   WHERE e.class_id = c.id AND e.periods @> :day) AS students,
               s.document AS session
    ) meeting
),
missing AS (
    SELECT m.class_id AS "classId", m.code, m.section, m.day AS date,
           json_time(m.start_time) AS start, json_time(m.end_time) AS end
    FROM judged m JOIN shown c ON c.id = m.class_id AND c.teaching @> m.day
    WHERE m.day < :day AND m.state = 'missing'
    ORDER BY m.day DESC, m.start_time DESC, m.class_id LIMIT :most
)""",
    STAFF_VERDICT,
    """
SELECT verdict, (
    SELECT json_build_object(
        'date', d.day, 'holiday', d.holiday, 'meetings', (SELECT list FROM listed),
        'missing', (SELECT coalesce(json_agg(m), '[]') FROM missing m))
    FROM dates d WHERE d.day = :day
)::text AS document
FROM verdict
""",
)
DAYS_BACK, MOST_MISSING = 14, 20


async def of_actor(db: Database, actor: Actor, day: date, now: datetime) -> Document[Day]:
    """What the actor teaches on that date, by start, and what they missed before it.

    Of classes that they own, co-teach or are the substitute in on that date, for an administrator
    too, who may work in all others but does not teach there; archived ones are left out. Among the
    meetings are sessions that belong to no slot, untimed ones first and without times.

    Missed are the meetings of the `DAYS_BACK` days before, at most the latest `MOST_MISSING`, that
    are over at `now` (the institution's time) without attendance: on days of the class's term, and
    on which the actor taught it.
    """
    row = await db.row(
        _DAY,
        actor_id=actor.user_id,
        day=day,
        now=now,
        days_back=DAYS_BACK,
        most=MOST_MISSING,
    )
    check(row)
    return Document(row["document"])
