"""Enrolling students in a class and withdrawing them, by roll number.

Unknown students are created. For known ones, empty fields are filled; a stored value is changed
only by an administrator, or by a teacher with access to all classes the student is in. The
institution's address is changed only by an administrator once it is confirmed or the student has
signed in with it: changed by a teacher, it would keep them out.
No roster confirms an address for signing in, not even an administrator's: apps send back what they
were shown, and that may be what a teacher has entered.

An enrolment has periods of days. Only the last of them can still be running, and a student with
such a period is on the roster, even before its first day: teachers see everybody they entered.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.db import Transaction
from app.schemas.roster import STUDENT_FIELDS, RosterEntry, Withdrawal, json_name
from app.schemas.words import is_blank, roll_key
from app.services.access import MINE, Actor
from app.services.audit import RECORDED, signed
from app.services.sessions.leave_shown import Scope, settle
from app.services.sessions.session_lock import Change
from app.sql import Statement

# The entries of a roster: `record` holds the given fields as JSON.
_GIVEN = """
given AS MATERIALIZED (
    SELECT * FROM unnest(:roll_keys::text[], :roll_nos::text[], :records::jsonb[], :begins::date[])
        WITH ORDINALITY AS g(roll_key, roll_no, record, begins, place)
)"""

# Creates the unknown students and locks the known ones, in the order of `app.services.access`.
_CREATE_AND_LOCK_STUDENTS = Statement(
    _GIVEN,
    """
INSERT INTO students (roll_key, roll_no, name, photo_url, program, sp_code, semester, status,
                      duration, email, dtu_email, phone)
SELECT g.roll_key, g.roll_no, coalesce(r.name, ''), r.photo_url, r.program, r.sp_code, r.semester,
       r.status, r.duration, r.email, r.dtu_email, r.phone
FROM given g CROSS JOIN jsonb_populate_record(NULL::students, g.record) r
ORDER BY g.roll_key COLLATE "C"
ON CONFLICT (roll_key) DO UPDATE SET roll_no = students.roll_no WHERE false
""",
)


async def create_and_lock(tx: Transaction, entries: Sequence[RosterEntry]) -> None:
    """Create the unknown students and lock the known ones; the classes are already locked."""
    await tx.execute(_CREATE_AND_LOCK_STUDENTS, **_columns(entries))


# A student who was never in the class loses their roll number to a new record; one who was keeps
# it, and with it their enrolment days. Leave is hidden too: a dry run must not reveal who is away.
_FORGET_STRANGERS = Statement(
    MINE,
    _GIVEN,
    """
strangers AS MATERIALIZED (
    SELECT s.id, given.record FROM students s JOIN given USING (roll_key)
    WHERE NOT EXISTS (
        SELECT FROM class_students e JOIN mine ON mine.id = e.class_id
        WHERE e.student_id = s.id AND on_roster(e.periods))
),
leave AS (
    UPDATE leaves SET status = 'withdrawn'
    WHERE student_id IN (SELECT id FROM strangers) AND status = 'approved'
)""",
    """
UPDATE students s
SET (name, photo_url, program, sp_code, semester, status, duration, email, dtu_email, phone) = (
        SELECT coalesce(r.name, ''), r.photo_url, r.program, r.sp_code, r.semester, r.status,
               r.duration, r.email, r.dtu_email, r.phone
        FROM jsonb_populate_record(NULL::students, strangers.record) r),
    roll_key = CASE WHEN EXISTS (
        SELECT FROM class_students e WHERE e.class_id = :class_id AND e.student_id = s.id
    ) THEN s.roll_key ELSE chr(10) || s.id END
FROM strangers WHERE s.id = strangers.id
""",
)


async def forget_strangers(
    tx: Transaction, actor: Actor, class_id: UUID, entries: Sequence[RosterEntry]
) -> None:
    """In a dry run, treat students who are in none of the actor's classes as unknown.

    Enrolling reveals a student record and is audited. A dry run leaves no trace, so it must not
    reveal any.
    """
    by_key = {roll_key(entry.roll_no): entry for entry in entries}
    known = list(by_key.values())
    await create_and_lock(tx, known)
    await tx.execute(
        _FORGET_STRANGERS, actor_id=actor.user_id, class_id=class_id, **_columns(known)
    )


# What differs from the stored records, and whether the actor may change those values.
_FILL = Statement(
    MINE,
    _GIVEN,
    """
known AS MATERIALIZED (
    SELECT s.id, s.roll_key, s.roll_no, to_jsonb(s) AS stored, given.record
    FROM given JOIN students s USING (roll_key)
),
different AS MATERIALIZED (
    SELECT k.id, k.roll_key, k.roll_no, f.key AS field, f.value,
           coalesce(k.stored ->> f.key, '') = '' OR (coalesce((
               SELECT bool_and(e.class_id = ANY(ARRAY(SELECT id FROM mine))) FROM class_students e
               WHERE e.student_id = k.id AND on_roster(e.periods)), true)
           AND (f.key <> 'dtu_email' OR (SELECT role FROM staff) = 'admin' OR (
               lower(btrim(k.stored ->> 'dtu_email'))
                   IS DISTINCT FROM lower(btrim(k.stored ->> 'confirmed_email'))
               AND (SELECT a.id FROM student_accounts a WHERE a.student_id = k.id) IS NULL
           ))) AS may_change
    FROM known k CROSS JOIN LATERAL jsonb_each_text(k.record) f
    WHERE f.value IS DISTINCT FROM k.stored ->> f.key
),
records AS (
    SELECT id, jsonb_object_agg(field, value) AS record FROM different WHERE may_change GROUP BY id
),
filled AS (
    UPDATE students s
    SET (name, photo_url, program, sp_code, semester, status, duration, email, dtu_email, phone) = (
        SELECT r.name, r.photo_url, r.program, r.sp_code, r.semester, r.status, r.duration,
               r.email, r.dtu_email, r.phone
        FROM jsonb_populate_record(s, records.record) r)
    FROM records WHERE s.id = records.id AND s.id = ANY(ARRAY(SELECT id FROM records))
    RETURNING s.roll_key
),
conflicts AS (
    SELECT roll_key, field, json_build_object(
        'rollNo', roll_no, 'field', :names::jsonb ->> field) AS conflict
    FROM different WHERE NOT may_change
)""",
    """
SELECT (SELECT array_agg(roll_key) FROM filled) AS filled,
       (SELECT coalesce(json_agg(conflict ORDER BY roll_key, field), '[]') FROM conflicts)::text
           AS conflicts,
       (SELECT role FROM staff) AS actor_role
""",
)

# How far ahead an enrolment may begin or end, in days.
_AHEAD = 400

# What is requested for each enrolment, and the refusal if it is impossible. Two adjacent periods
# would merge, and repeating the request later would then cut the merged period: hence at least one
# day between them. With `:replace`, students who are not named are withdrawn.
_JUDGED = """
enrolments AS MATERIALIZED (
    SELECT student_id, periods, on_roster(periods) AS enrolled, enrolled_from(periods) AS first_day,
           upper(periods) AS until,
           periods - datemultirange(daterange(enrolled_from(periods), NULL)) AS earlier
    FROM class_students WHERE class_id = :class_id
),
named AS MATERIALIZED (
    SELECT s.id AS student_id, place, begins, NULL::date AS last_day, false AS leaves
    FROM students s JOIN given USING (roll_key)
    UNION ALL
    SELECT s.id, place, NULL, last_day, true
    FROM unnest(:leavers::text[], :last_days::date[]) WITH ORDINALITY AS w(key, last_day, place)
    LEFT JOIN students s ON s.roll_key = w.key
),
asked AS (
    SELECT * FROM named
    UNION ALL
    SELECT student_id, NULL, NULL, NULL, true FROM enrolments
    WHERE :replace AND enrolled AND student_id NOT IN (
        SELECT student_id FROM named WHERE student_id IS NOT NULL)
),
judged AS MATERIALIZED (
    SELECT asked.*, e.periods, coalesce(e.enrolled, false) AS enrolled, first_day, until, earlier,
           CASE
               WHEN leaves AND (e.periods IS NULL OR (first_day IS NULL AND last_day IS NOT NULL))
               THEN 'not_enrolled'
               WHEN greatest(begins, last_day) > current_date + :ahead::integer
               THEN 'too_far_ahead'
               WHEN last_day < first_day THEN 'last_day_before_first'
               WHEN begins <= upper(CASE WHEN enrolled THEN earlier ELSE periods END)
               THEN 'within_earlier_period'
               WHEN enrolled AND begins >= until THEN 'first_day_after_last'
           END AS refusal
    FROM asked LEFT JOIN enrolments e USING (student_id)
)"""

_ENROL = Statement(
    "given AS (SELECT * FROM unnest(:roll_keys::text[], :begins::date[])"
    " WITH ORDINALITY AS g(roll_key, begins, place))",
    _JUDGED,
    """
planned AS (
    SELECT student_id, periods AS before, enrolled, CASE
        WHEN leaves AND last_day IS NULL
        THEN periods - datemultirange(daterange(current_date, NULL))
        WHEN leaves THEN earlier + datemultirange(daterange(first_day, last_day, '[]'))
        WHEN enrolled AND begins IS NULL THEN periods
        WHEN enrolled THEN earlier + datemultirange(daterange(begins, until))
        ELSE coalesce(periods, '{}')
             + datemultirange(daterange(coalesce(begins, current_date), NULL))
    END AS after
    FROM judged WHERE refusal IS NULL
),
moved AS MATERIALIZED (
    SELECT student_id, after, CASE
        WHEN on_roster(after) = enrolled THEN 'enrolment_changed'
        WHEN enrolled THEN 'student_withdrawn'
        ELSE 'student_enrolled'
    END AS action
    FROM planned WHERE after IS DISTINCT FROM before
),
written AS (
    INSERT INTO class_students (class_id, student_id, periods)
    SELECT :class_id, student_id, after FROM moved ORDER BY student_id
    ON CONFLICT (class_id, student_id) DO UPDATE SET periods = excluded.periods
),
events AS (
    INSERT INTO enrolment_events (
        class_id, student_id, recorded_for, periods, actor_id, request_id)
    SELECT :class_id, student_id, student_id, after, :actor_id::uuid, :request_id::text FROM moved
),
acts AS (
    SELECT action, 'student' AS subject, student_id AS subject_id, jsonb_build_object(
        'classId', :class_id::uuid, 'firstDay', last_period_start(after),
        'lastDay', upper(after) - 1) AS details
    FROM moved
)""",
    RECORDED,
    """
rolls AS (
    SELECT action, json_agg(roll_no ORDER BY roll_key)::text AS list
    FROM moved JOIN students s ON s.id = moved.student_id GROUP BY action
)""",
    """
SELECT
    (SELECT array_agg(student_id) FROM moved WHERE student_id IN (
        SELECT student_id FROM leaves WHERE status = 'approved')) AS on_leave,
    (SELECT array_agg(refusal ORDER BY leaves, place) FROM judged WHERE refusal IS NOT NULL)
        AS refusals,
    (SELECT array_agg(format('/%s/%s', CASE WHEN leaves THEN 'withdrawals' ELSE 'students' END,
                             place - 1) ORDER BY leaves, place)
     FROM judged WHERE refusal IS NOT NULL) AS refused,
    coalesce((SELECT list FROM rolls WHERE action = 'student_enrolled'), '[]') AS added,
    coalesce((SELECT list FROM rolls WHERE action = 'student_withdrawn'), '[]') AS removed,
    coalesce((SELECT list FROM rolls WHERE action = 'enrolment_changed'), '[]') AS changed
""",
)

# The fields' names in the API.
_NAMES = json.dumps({field: json_name(field) for field in STUDENT_FIELDS})


async def enrol(
    tx: Transaction,
    actor: Actor,
    class_id: UUID,
    entries: Sequence[RosterEntry],
    leavers: Sequence[Withdrawal] = (),
    *,
    change: Change,
    replace: bool = False,
) -> dict[str, Any]:
    """Enrol these locked students, withdraw the leavers and, with `replace`, all other students.

    `added`, `changed`, `removed` and `conflicts` of the result are JSON, as in `RosterOutcome`;
    `filled` holds the keys of students whose record changed. An impossible day leaves that
    enrolment unchanged: `refused` and `refusals` name it, and the caller decides what to do.
    Leave is applied to the sessions of newly enrolled days, by the rules of `settle`.
    """
    columns = _columns(entries)
    filled = await tx.row(_FILL, actor_id=actor.user_id, names=_NAMES, **columns)
    enrolled = await tx.row(
        _ENROL,
        **signed(actor),
        class_id=class_id,
        roll_keys=columns["roll_keys"],
        begins=columns["begins"],
        leavers=[roll_key(leaver.roll_no) for leaver in leavers],
        last_days=[leaver.last_day for leaver in leavers],
        replace=replace,
        ahead=_AHEAD,
    )
    if enrolled["on_leave"]:
        scope = Scope([class_id], student_ids=enrolled["on_leave"])
        await settle(tx, actor, scope, change, role=filled["actor_role"])
    return {**filled, **enrolled}


def _columns(entries: Sequence[RosterEntry]) -> dict[str, list[Any]]:
    return {
        "roll_keys": [roll_key(entry.roll_no) for entry in entries],
        "roll_nos": [entry.roll_no for entry in entries],
        "records": [_record(entry) for entry in entries],
        "begins": [entry.from_ for entry in entries],
    }


def _record(entry: RosterEntry) -> str:
    values = {field: getattr(entry, field) for field in STUDENT_FIELDS}
    return json.dumps({field: value for field, value in values.items() if not is_blank(value)})


# Why a day is impossible.
SENTENCES = {
    "not_enrolled": "Not enrolled in this class.",
    "too_far_ahead": f"This day is more than {_AHEAD} days ahead.",
    "last_day_before_first": "This day is before the first day of the enrolment.",
    "first_day_after_last": "This day is after the last day of the enrolment.",
    "within_earlier_period": "The student was in the class until the day before this one or "
    "longer. Choose a later day, or leave it out to continue from today.",
}
