"""Enrolling students in a class and ending that, by roll number.

Of students that are known, an empty field is filled, and a stored value changed only by an
administrator or by a teacher in whose classes alone the student is. Those unknown are created.
The institution's address of a student who has signed in with it only an administrator changes.

An enrolment has periods of days. At most the last of them is not over yet, and who has such
a one is on the roster: also before its first day, since a teacher sees everybody they have entered.
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

# The entries of a roster: `record` has the fields that are given, as JSON.
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
    """Create the unknown students of these and lock the known ones: classes are locked before."""
    await tx.execute(_CREATE_AND_LOCK_STUDENTS, **_columns(entries))


# Whoever was never in the class loses their roll number to a new record; anybody who once was keeps
# it, and with it the days of their enrolment. Nobody learns by a rehearsal who of them is on leave.
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
    """In a dry run, treat as unknown those who are in no class of the actor now.

    Enrolling shows a record and is audited; a rehearsal leaves no trace, so it tells of none.
    """
    by_key = {roll_key(entry.roll_no): entry for entry in entries}
    known = list(by_key.values())
    await create_and_lock(tx, known)
    await tx.execute(
        _FORGET_STRANGERS, actor_id=actor.user_id, class_id=class_id, **_columns(known)
    )


# What differs from the records there are, and who may change those values.
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
               SELECT a.id FROM student_accounts a WHERE a.student_id = k.id
           ) IS NULL)) AS may_change
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

# What is asked of each enrolment, and the refusal where that cannot be. Where two periods touch
# they would be one, and a later repeat of the request would cut the one they have become: hence
# the day between them. With `:replace` who is not named leaves.
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

# The API's names of the fields.
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
    """Enrol these students, who are locked, withdraw the leavers and, to `replace`, all others.

    `added`, `changed`, `removed` and `conflicts` of the answer are JSON, as `RosterOutcome` has
    them; `filled` are the keys of those of whose record something changed. A day that cannot be
    leaves that enrolment as it is: `refused` and `refusals` name it, and the caller decides.
    Leave shows in the sessions of new days, by the rules of `settle`.
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


# Why a day cannot be.
SENTENCES = {
    "not_enrolled": "Not enrolled in this class.",
    "too_far_ahead": f"This day is more than {_AHEAD} days ahead.",
    "last_day_before_first": "This day is before the first day of the enrolment.",
    "first_day_after_last": "This day is after the last day of the enrolment.",
    "within_earlier_period": "The student was in the class until the day before this one or "
    "longer. Choose a later day, or leave it out to continue from today.",
}
