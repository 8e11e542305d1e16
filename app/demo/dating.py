"""Backdate the demo's data to when it would have happened. Nothing else may do that.

One transaction makes the demo, and `now()` is its start: rows with that time or a later one are
the demo's, and older rows keep theirs. The id of a request says when it would have been made.
"""

from dataclasses import replace
from datetime import UTC, datetime

from app.db import Database
from app.services.access import Actor
from app.sql import Statement


def at(actor: Actor, moment: datetime) -> Actor:
    """The actor in a request made at that moment."""
    return replace(actor, request_id=f"demo-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}")


_MOMENT = """
CASE WHEN request_id LIKE 'demo-%' THEN substr(request_id, 6)::timestamptz END"""

# A session is opened just before the first thing that happens to it.
_SESSIONS = Statement(f"""
WITH batches AS (
    UPDATE attendance_batches SET made_at = {_MOMENT} WHERE made_at >= now()
    RETURNING class_id, session_id, version, made_at
),
marks AS (
    UPDATE attendance_statuses m SET marked_at = b.made_at FROM batches b
    WHERE m.class_id = b.class_id AND m.session_id = b.session_id AND m.version = b.version
),
superseded AS (
    UPDATE superseded_statuses m SET marked_at = b.made_at FROM batches b
    WHERE m.class_id = b.class_id AND m.session_id = b.session_id AND m.version = b.version
),
events AS (
    UPDATE session_events SET at = {_MOMENT} WHERE at >= now()
    RETURNING class_id, session_id, at
)
UPDATE attendance_sessions s SET created_at = first.at - interval '50 seconds'
FROM (
    SELECT class_id, session_id, min(at) AS at
    FROM (SELECT class_id, session_id, made_at AS at FROM batches UNION ALL TABLE events) acts
    GROUP BY class_id, session_id
) first
WHERE s.class_id = first.class_id AND s.id = first.session_id
""")

# `:eve` is when people and the calendar were created, `:zone` the institution's time zone.
_REST = Statement(f"""
WITH enrolled AS MATERIALIZED (
    SELECT class_id, student_id, (lower(periods) + time '08:30') AT TIME ZONE :zone AS since
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
acts AS MATERIALIZED (
    SELECT id, coalesce({_MOMENT}, :eve) AS at, subject, subject_id, details
    FROM audit_log WHERE at >= now()
),
periods AS (
    UPDATE enrolment_events SET since = coalesce({_MOMENT}, :eve) WHERE since >= now()
),
policies AS (UPDATE policies SET since = :eve WHERE since >= now()),
log AS (UPDATE audit_log l SET at = acts.at FROM acts WHERE l.id = acts.id),
leaves AS (
    UPDATE leaves l
    SET created_at = decisions.first,
        decided_at = CASE WHEN status <> 'pending' THEN decisions.last END
    FROM (
        SELECT subject_id, min(at) AS first, max(at) AS last
        FROM acts WHERE subject = 'leave' GROUP BY subject_id
    ) decisions
    WHERE l.id = decisions.subject_id
),
questions AS (
    UPDATE mark_questions q SET asked_at = m.marked_at + interval '2 hours'
    FROM attendance_statuses m
    WHERE m.class_id = q.class_id AND m.session_id = q.session_id AND m.student_id = q.student_id
      AND q.asked_at >= now()
    RETURNING q.student_id, m.marked_at
),
accounts AS (
    UPDATE student_accounts a SET created_at = q.marked_at, last_login_at = q.marked_at
    FROM questions q WHERE a.student_id = q.student_id AND a.created_at >= now()
),
teachers AS (
    UPDATE class_teachers t SET created_at = acts.at FROM acts
    WHERE acts.subject_id = t.class_id AND acts.details ->> 'userId' = t.user_id::text
),
listed AS (
    UPDATE allowed_emails SET created_at = :eve, updated_at = :eve WHERE created_at = now()
),
people AS (UPDATE users SET created_at = :eve WHERE created_at = now()),
calendar AS (UPDATE terms SET created_at = :eve WHERE created_at = now()),
holidays AS (UPDATE holidays SET created_at = :eve WHERE created_at = now()),
classes AS (
    UPDATE classes c SET created_at = eve.at, updated_at = eve.at
    FROM terms t
    CROSS JOIN LATERAL (SELECT (t.first_day - 3 + time '10:00') AT TIME ZONE :zone AS at) eve
    WHERE t.id = c.term_id AND c.created_at = now()
)
UPDATE class_reschedules
SET created_at = least(
    now(), (least(original_date, rescheduled_date) - 2 + time '16:00') AT TIME ZONE :zone)
WHERE created_at = now()
""")


async def date_back(db: Database, eve: datetime, zone: str) -> None:
    """Backdate all that this transaction made: what requests did by their ids, enrolments by their
    first days, classes by their term, and the rest to `eve`, before everything else."""
    async with db.transaction() as tx:
        await tx.execute(_SESSIONS)
        await tx.execute(_REST, eve=eve, zone=zone)
