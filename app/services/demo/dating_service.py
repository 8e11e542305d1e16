"""Dates what the demo made back to when it would have happened. Nothing else may do that.

One transaction makes the demo, and `now()` is its beginning: whatever bears that time is the
demo's, and whatever was there before keeps its own.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.db import Database


class Happened(NamedTuple):
    """When the marks of one version of a session were made."""

    session_id: UUID
    version: int
    at: datetime


# $1 to $3 what happened: session, version, time. A session is opened just before it is marked.
_MARKS = """
WITH happened AS MATERIALIZED (
    SELECT s.class_id, h.session_id, h.version, h.at
    FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[]) AS h(session_id, version, at)
    JOIN attendance_sessions s ON s.id = h.session_id
),
batches AS (
    UPDATE attendance_batches b SET made_at = h.at FROM happened h
    WHERE b.class_id = h.class_id AND b.session_id = h.session_id AND b.version = h.version
),
marks AS (
    UPDATE attendance_statuses m SET marked_at = h.at FROM happened h
    WHERE m.class_id = h.class_id AND m.session_id = h.session_id AND m.version = h.version
),
superseded AS (
    UPDATE superseded_statuses m SET marked_at = h.at FROM happened h
    WHERE m.class_id = h.class_id AND m.session_id = h.session_id AND m.version = h.version
)
UPDATE attendance_sessions s SET created_at = h.at - interval '50 seconds' FROM happened h
WHERE s.class_id = h.class_id AND s.id = h.session_id AND h.version = 1
"""

# $1 when people and classes were made, $2 the institution's time zone.
_REST = """
WITH enrolled AS MATERIALIZED (
    SELECT class_id, student_id,
           (lower(periods) + time '08:30') AT TIME ZONE $2 AS since,
           (upper(periods) + time '08:30') AT TIME ZONE $2 AS until
    FROM class_students WHERE added_at = now()
),
enrolments AS (
    UPDATE class_students e SET added_at = enrolled.since FROM enrolled
    WHERE e.class_id = enrolled.class_id AND e.student_id = enrolled.student_id
),
students AS (
    UPDATE students s SET created_at = first.since
    FROM (SELECT student_id, min(since) AS since FROM enrolled GROUP BY student_id) first
    WHERE s.id = first.student_id AND s.created_at = now()
),
rosters AS (
    UPDATE audit_log l
    SET at = CASE l.action WHEN 'student_withdrawn' THEN enrolled.until ELSE enrolled.since END
    FROM enrolled
    WHERE l.at >= now() AND l.subject_id = enrolled.student_id
      AND l.details ->> 'classId' = enrolled.class_id::text
),
acts AS (UPDATE audit_log SET at = $1 WHERE at >= now() AND subject <> 'student'),
listed AS (
    UPDATE allowed_emails SET created_at = $1, updated_at = $1 WHERE created_at = now()
),
people AS (UPDATE users SET created_at = $1 WHERE created_at = now()),
classes AS (UPDATE classes SET created_at = $1, updated_at = $1 WHERE created_at = now())
UPDATE class_reschedules
SET created_at = least(
    now(), (least(original_date, rescheduled_date) - 2 + time '16:00') AT TIME ZONE $2)
WHERE created_at = now()
"""


async def date_back(db: Database, eve: datetime, zone: str, happened: Sequence[Happened]) -> None:
    """Date all that this transaction made: marks as `happened` says, rosters by their periods,
    the rest on the `eve` of the term."""
    async with db.transaction() as tx:
        await tx.find_row(
            _MARKS,
            [one.session_id for one in happened],
            [one.version for one in happened],
            [one.at for one in happened],
        )
        await tx.find_row(_REST, eve, zone)
