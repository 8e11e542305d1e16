"""The planned occurrences of classes and their states."""

from datetime import date, datetime, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from app.db import Database
from app.documents import Document
from app.errors import Invalid
from app.schemas.calendar import Occurrence, Plan
from app.services.access import MINE_ON_DAY, READ_CLASS, STAFF_VERDICT, Actor, check
from app.services.timetable.meetings import JUDGED, MAX_DAYS
from app.sql import Relations, Statement

PLAN_BACK, PLAN_AHEAD = timedelta(days=30), timedelta(days=180)
_LIST = TypeAdapter(list[Occurrence])

_OCCURRENCES: Relations = (
    JUDGED,
    """
occurrences AS (
    SELECT coalesce(json_agg(occurrence ORDER BY m.day, m.start_time, m.code COLLATE "C",
               m.section COLLATE "C", m.class_id, m.moved_to IS NULL), '[]') AS list
    FROM judged m CROSS JOIN LATERAL (
        SELECT m.class_id AS "classId", m.code, m.name, m.section, m.day AS date,
               json_time(m.start_time) AS start, json_time(m.end_time) AS end,
               json_instant(m.starts_at) AS "startsAt", json_instant(m.ends_at) AS "endsAt",
               m.state, m.session_id AS "sessionId", m.moved_to AS "movedTo",
               m.moved_from AS "movedFrom", m.holiday
    ) occurrence
)""",
)

# Twelve a day for more than a year. Counted before any is made, by the slots of the class and the
# weeks that the dates touch.
MOST = 5_000
_SIZE = """
size AS MATERIALIZED (
    SELECT count(*) * ((:last::date - :first::date) / 7 + 1) <= :most AS fits
    FROM class_schedules s JOIN granted c ON c.id = s.class_id
)"""

_ANSWER = "SELECT verdict, (SELECT list FROM occurrences)::text AS document FROM verdict"

_OF_CLASS = Statement(
    READ_CLASS,
    _SIZE,
    "shown AS (SELECT * FROM granted WHERE (SELECT fits FROM size))",
    "span AS (SELECT :first::date AS first, :last::date AS last)",
    _OCCURRENCES,
    """
SELECT verdict, fits, (SELECT list FROM occurrences)::text AS document
FROM verdict CROSS JOIN size
""",
)

# A future substitute already sees the occurrences of their days.
_ON_DATE = Statement(
    MINE_ON_DAY,
    "shown AS MATERIALIZED (SELECT * FROM mine WHERE archived_at IS NULL)",
    "span AS (SELECT :day::date AS first, :day::date AS last)",
    _OCCURRENCES,
    STAFF_VERDICT,
    _ANSWER,
)

# What a calendar feed shows of a class: its whole term, unless that is longer than `MAX_DAYS`.
_PLANNED = Statement(
    READ_CLASS,
    """
SELECT verdict, c.code, c.name, c.section, t.first_day, t.last_day
FROM verdict LEFT JOIN granted c ON true LEFT JOIN terms t ON t.id = c.term_id
""",
)


async def of_class(
    db: Database, actor: Actor, class_id: UUID, first: date, last: date, now: datetime
) -> Document[list[Occurrence]]:
    """List the occurrences of one class from `first` to `last`, by date and start.

    Raises `Invalid` if there are more than `MOST`.
    """
    asked = {"class_id": class_id, "first": first, "last": last, "now": now}
    row = await db.row(_OF_CLASS, actor_id=actor.user_id, most=MOST, **asked)
    check(row)
    if not row["fits"]:
        raise _too_many()
    return Document(row["document"])


async def on_date(
    db: Database, actor: Actor, day: date, now: datetime
) -> Document[list[Occurrence]]:
    """List the occurrences of the actor's classes (an admin: all classes) on a date, by start."""
    row = await db.row(_ON_DATE, actor_id=actor.user_id, day=day, now=now)
    check(row)
    return Document(row["document"])


async def plan(db: Database, actor: Actor, class_id: UUID, now: datetime) -> Plan:
    """The class with the occurrences of its term, or of the months around `now` without one."""
    row = await db.row(_PLANNED, actor_id=actor.user_id, class_id=class_id)
    check(row)
    first, last = row["first_day"], row["last_day"]
    if first is None or last - first >= timedelta(days=MAX_DAYS):
        first, last = now.date() - PLAN_BACK, now.date() + PLAN_AHEAD
    listed = await of_class(db, actor, class_id, first, last, now)
    return Plan(
        code=row["code"],
        name=row["name"],
        section=row["section"],
        occurrences=_LIST.validate_json(listed.json),
    )


def _too_many() -> Invalid:
    return Invalid(
        f"The timetable of this class has more than {MOST:,} meetings on these days: ask for fewer "
        "days, or remove slots that are there by mistake.",
        code="too_many_occurrences",
    )
