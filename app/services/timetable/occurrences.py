"""The teaching day: every planned occurrence of a class, and what became of it."""

from datetime import date, datetime, timedelta
from uuid import UUID

from app.db import Database
from app.documents import Document, clock, instant
from app.schemas.calendar import Occurrence, Plan
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.timetable.meetings import meetings_on, moment

MAX_DAYS = 400
PLAN_BACK, PLAN_AHEAD = timedelta(days=30), timedelta(days=180)

_MET = meetings_on("days")


def _place(kind: str) -> str:
    return f"""
    CASE WHEN m.{kind}_date IS NOT NULL THEN json_build_object(
        'date', m.{kind}_date, 'start', {clock(f"m.{kind}_start")}, 'end', {clock(f"m.{kind}_end")}
    ) END"""


def taken(session: str, marks: str = "attendance_statuses") -> str:
    """SQL for whether somebody marked students there: leave alone takes no attendance."""
    return f"""EXISTS (
        SELECT FROM {marks} a
        WHERE a.class_id = {session}.class_id AND a.session_id = {session}.id
          AND a.source <> 'leave')"""


# A session that was taken or cancelled tells most; then the plan; then the clock.
_STATE = """
CASE
    WHEN s.status = 'cancelled' THEN 'cancelled'
    WHEN s.marked OR s.status = 'finalised' THEN 'taken'
    WHEN m.to_date IS NOT NULL THEN 'moved'
    WHEN m.holiday IS NOT NULL THEN 'holiday'
    WHEN {now} < m.starts_at THEN 'upcoming'
    WHEN {now} < m.ends_at THEN 'in_progress'
    ELSE 'missing'
END"""


def judged(now: str) -> str:
    """From `shown`, the classes, and `span`, the dates, to `judged`, their occurrences, each
    with its `state` and the session (`session_id`).

    A session is that of the meeting which begins then. Only where none does, it is that of a
    slot moved away: it was held before the move. The end of a meeting is never before its start,
    though clocks that go forward may skip the one and not the other.
    """
    return f"""
dates AS MATERIALIZED (
    SELECT day, (
        SELECT h.name FROM holidays h WHERE day BETWEEN h.first_day AND h.last_day
        ORDER BY h.first_day DESC, h.name LIMIT 1
    ) AS holiday
    FROM span CROSS JOIN LATERAL generate_series(0, span.last - span.first) n
    CROSS JOIN LATERAL (SELECT span.first + n AS day) d
),
days AS MATERIALIZED (
    SELECT c.id AS class_id, c.code, c.name, c.section, d.day, d.holiday
    FROM shown c
    LEFT JOIN terms t ON t.id = c.term_id
    JOIN dates d
        ON d.day >= coalesce(t.first_day, d.day) AND d.day <= coalesce(t.last_day, d.day)
),
met AS MATERIALIZED (
    SELECT m.*, {moment("m.day + m.start_time")} AS starts_at,
           greatest({moment("m.day + m.start_time")}, {moment("m.day + m.end_time")}) AS ends_at,
           m.to_date IS NULL
           OR NOT bool_or(m.to_date IS NULL) OVER (PARTITION BY class_id, day, start_time)
           AS has_session
    FROM ({_MET}) m
),
judged AS (
    SELECT m.*, s.id AS session_id, {_STATE.format(now=now)} AS state
    FROM met m
    LEFT JOIN LATERAL (
        SELECT s.id, s.status, {taken("s")} AS marked
        FROM attendance_sessions s
        WHERE m.has_session AND s.class_id = m.class_id
          AND s.session_date = m.day AND s.start_time = m.start_time
        LIMIT 1
    ) s ON true
)"""


def _occurrences(now: str) -> str:
    return f"""
{judged(now)},
occurrences AS (
    SELECT coalesce(json_agg(occurrence ORDER BY
        m.day, m.start_time, m.code COLLATE "C", m.section COLLATE "C", m.class_id, m.to_date
    ), '[]') AS list
    FROM judged m
    CROSS JOIN LATERAL (
        SELECT m.class_id AS "classId", m.code, m.name, m.section, m.day AS date,
               {clock("m.start_time")} AS start, {clock("m.end_time")} AS end,
               {instant("m.starts_at")} AS "startsAt", {instant("m.ends_at")} AS "endsAt",
               m.state, m.session_id AS "sessionId",
               {_place("to")} AS "movedTo", {_place("from")} AS "movedFrom", m.holiday
    ) occurrence
)"""


_OF_CLASS = f"""
{access.READ_CLASS},
shown AS (SELECT * FROM granted),
span AS (SELECT $3::date AS first, $4::date AS last),
{_occurrences("$5::timestamptz")}
SELECT {access.VERDICT}, (SELECT list FROM occurrences)::text AS document
"""

# Who will be a substitute on a day to come sees today what will be on it.
_ON_DATE = f"""
WITH {access.ACTOR},
{access.covering("greatest($2::date, current_date)")},
shown AS MATERIALIZED (
    SELECT c.* FROM classes c CROSS JOIN actor WHERE {access.MAY} AND c.archived_at IS NULL
),
span AS (SELECT $2::date AS first, $2::date AS last),
{_occurrences("$3::timestamptz")}
SELECT {access.SIGNED_OUT}, (SELECT list FROM occurrences)::text AS document
"""

# The whole term; without one, or where it has no end to speak of, $3 to $4.
_PLAN = f"""
{access.READ_CLASS},
shown AS (SELECT * FROM granted),
span AS (
    SELECT CASE WHEN whole THEN t.first_day ELSE $3::date END AS first,
           CASE WHEN whole THEN t.last_day ELSE $4::date END AS last
    FROM shown c
    LEFT JOIN terms t ON t.id = c.term_id
    CROSS JOIN LATERAL (SELECT t.last_day - t.first_day < {MAX_DAYS} AS whole) term
),
{_occurrences("$5::timestamptz")}
SELECT {access.VERDICT}, (
    SELECT json_build_object('code', c.code, 'name', c.name, 'section', c.section,
                             'occurrences', (SELECT list FROM occurrences))
    FROM shown c
)::text AS document
"""


async def of_class(
    db: Database, actor: Actor, class_id: UUID, first: date, last: date, now: datetime
) -> Document[list[Occurrence]]:
    """The occurrences of one class from `first` to `last`, by date and start."""
    row = await db.row(_OF_CLASS, actor.user_id, class_id, first, last, now)
    check(row)
    return Document(row["document"])


async def on_date(
    db: Database, actor: Actor, day: date, now: datetime
) -> Document[list[Occurrence]]:
    """What the actor's classes (an admin's are all) have on a date, by start."""
    row = await db.row(_ON_DATE, actor.user_id, day, now)
    check(row)
    return Document(row["document"])


async def plan(db: Database, actor: Actor, class_id: UUID, now: datetime) -> Document[Plan]:
    """The class with the occurrences of its term; without a term, of the weeks around `now`."""
    today = now.date()
    row = await db.row(_PLAN, actor.user_id, class_id, today - PLAN_BACK, today + PLAN_AHEAD, now)
    check(row)
    return Document(row["document"])
