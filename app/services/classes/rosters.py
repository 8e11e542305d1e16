"""Who is enrolled in a class, and from which day to which.

A roster names students by roll number. Those unknown are created; of those known, an empty
field is filled, and a stored value changed only by an administrator or by a teacher in whose
classes alone the student is.

An enrolment has periods of days. At most the last of them is not over yet, and who has such
a one is on the roster: also before its first day, since a teacher sees whom they have entered.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Conflict, Flaw, Invalid
from app.schemas.roster import (
    STUDENT_FIELDS,
    Roster,
    RosterEntry,
    RosterOutcome,
    Withdrawal,
    json_name,
)
from app.schemas.words import is_blank, roll_key
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.audit import RECORD
from app.services.sessions.leave_shown import Scope, settle
from app.services.sessions.session_lock import Change


def enrolled(periods: str) -> str:
    """SQL for whether an enrolment of these periods is on the roster: not over yet.

    The view `v_enrolment_attendance` says the same.
    """
    return f"({periods} && daterange(current_date, NULL))"


def first_day(periods: str) -> str:
    """SQL for the first day of the last period; its last day is `upper(periods) - 1`.

    Nearly every enrolment has one period, whose first day costs a tenth of a search.
    """
    return f"""
    CASE WHEN datemultirange(range_merge({periods})) = {periods} THEN lower({periods})
         ELSE (SELECT max(lower(period)) FROM unnest({periods}) period) END"""


ENROLLED = enrolled("e.periods")

# The students of the classes in `listed`, as JSON, by roll number.
ROSTERS = """
rosters AS MATERIALIZED (
    SELECT e.class_id, json_agg(student ORDER BY s.roll_key) AS students
    FROM class_students e
    JOIN students s ON s.id = e.student_id
    CROSS JOIN LATERAL (
        SELECT s.id AS "studentId", s.roll_no AS "rollNo", s.name, s.photo_url AS "photoUrl",
               s.program, s.sp_code AS "spCode", s.semester, s.status, s.duration, s.email,
               s.dtu_email AS "dtuEmail", s.phone, enrolled_from(e.periods) AS "enrolledFrom",
               upper(e.periods) - 1 AS "enrolledUntil"
    ) student
    WHERE e.class_id IN (SELECT id FROM listed) AND on_roster(e.periods)
    GROUP BY e.class_id
)"""

_LOCK = f"""
{access.CHANGE_CLASS} SELECT {access.VERDICT}, (SELECT actor_role FROM granted) AS actor_role
"""

# A statement of its own, to count those too whose enrolment the lock waited for.
_COUNT = f"""
SELECT count(*) AS students FROM class_students e WHERE e.class_id = $1 AND {ENROLLED}
"""

_FIELDS = ", ".join(STUDENT_FIELDS)
_TEXTS = ("roll_key", "roll_no", *STUDENT_FIELDS)


def _entries(first: int) -> str:
    """The roster as a table `i`: parameters from `$first` on are one array per column."""
    texts = ", ".join(f"${first + place}::text[]" for place in range(len(_TEXTS)))
    return f"""unnest({texts}, ${first + len(_TEXTS)}::date[])
        WITH ORDINALITY AS i(roll_key, roll_no, {_FIELDS}, begins, place)"""


def _given(field: str) -> str:
    return "coalesce(i.name, '')" if field == "name" else f"i.{field}"


# Creates the unknown students and locks the known ones, in the order of `app.services.access`.
_CREATE_AND_LOCK_STUDENTS = f"""
INSERT INTO students (roll_key, roll_no, {_FIELDS})
SELECT roll_key, roll_no, {", ".join(map(_given, STUDENT_FIELDS))}
FROM {_entries(1)}
ORDER BY roll_key COLLATE "C"
ON CONFLICT (roll_key) DO UPDATE SET roll_no = students.roll_no WHERE false
"""

_DIFFERS = "(i.{0} IS NOT NULL AND i.{0} IS DISTINCT FROM s.{0})"
_REFUSED = f"({_DIFFERS} AND coalesce(s.{{0}}, '') <> '' AND NOT s.may_change)"
_APPLIED = f"({_DIFFERS} AND (coalesce(s.{{0}}, '') = '' OR s.may_change))"


def _each_field(pattern: str, separator: str) -> str:
    return separator.join(pattern.format(field) for field in STUDENT_FIELDS)


_CONFLICTS = ", ".join(
    f"CASE WHEN {_REFUSED.format(field)} THEN '{json_name(field)}' END" for field in STUDENT_FIELDS
)

# How far ahead an enrolment may begin or end, in days.
_AHEAD = 400

# From the students named (`s`, `i`, `w`) to `judged`, what is asked of each enrolment, and the
# refusal where that cannot be. Where two periods touch they would be one, and a later repeat of
# the request would cut the one they have become: hence the day between them.
_JUDGED = f"""
enrolments AS MATERIALIZED (
    SELECT e.student_id, e.periods, {ENROLLED} AS enrolled, first.day AS first_day,
           upper(e.periods) AS until,
           e.periods - datemultirange(daterange(first.day, NULL)) AS earlier
    FROM class_students e CROSS JOIN LATERAL (SELECT {first_day("e.periods")} AS day) first
    WHERE e.class_id = $2
),
named AS MATERIALIZED (
    SELECT s.id AS student_id, i.place, i.begins, NULL::date AS last_day, false AS leaves
    FROM s JOIN i USING (roll_key)
    UNION ALL
    SELECT t.id, w.place, NULL, w.last_day, true
    FROM w LEFT JOIN students t USING (roll_key)
),
asked AS (
    SELECT * FROM named
    UNION ALL
    SELECT e.student_id, NULL, NULL, NULL, true FROM enrolments e
    WHERE $4 AND e.enrolled AND NOT EXISTS (
        SELECT FROM named WHERE named.student_id = e.student_id)
),
judged AS MATERIALIZED (
    SELECT asked.*, e.periods, coalesce(e.enrolled, false) AS enrolled, e.first_day, e.until,
           e.earlier,
           CASE
               WHEN leaves AND (e.periods IS NULL OR (first_day IS NULL AND last_day IS NOT NULL))
               THEN 'not_enrolled'
               WHEN greatest(begins, last_day) > current_date + {_AHEAD} THEN 'too_far_ahead'
               WHEN last_day < first_day THEN 'last_day_before_first'
               WHEN begins <= upper(CASE WHEN enrolled THEN earlier ELSE periods END)
               THEN 'within_earlier_period'
               WHEN enrolled AND begins >= until THEN 'first_day_after_last'
           END AS refusal
    FROM asked LEFT JOIN enrolments e USING (student_id)
)"""

# $1 actor, $2 class, $3 request, $4 whether those not named are withdrawn, $5 and $6 who leaves
# with their last days, from $7 on the roster.
_APPLY = f"""
WITH {access.ACTOR},
{access.COVERING},
i AS MATERIALIZED (SELECT * FROM {_entries(7)}),
w AS MATERIALIZED (
    SELECT * FROM unnest($5::text[], $6::date[]) WITH ORDINALITY AS w(roll_key, last_day, place)
),
s AS MATERIALIZED (
    SELECT s.*, NOT EXISTS (
        SELECT FROM class_students e
        JOIN classes c ON c.id = e.class_id
        LEFT JOIN actor ON true
        WHERE e.student_id = s.id AND {ENROLLED} AND {access.MAY} IS NOT TRUE
    ) AS may_change
    FROM students s JOIN i USING (roll_key)
),
filled AS (
    UPDATE students t
    SET {_each_field("{0} = CASE WHEN " + _APPLIED + " THEN i.{0} ELSE s.{0} END", ", ")}
    FROM s JOIN i USING (roll_key)
    WHERE t.id = s.id AND ({_each_field(_APPLIED, " OR ")})
    RETURNING t.roll_key
),
{_JUDGED},
planned AS MATERIALIZED (
    SELECT student_id, periods AS before, enrolled, CASE
        WHEN refusal IS NOT NULL THEN periods
        WHEN leaves AND last_day IS NULL
        THEN periods - datemultirange(daterange(current_date, NULL))
        WHEN leaves THEN earlier + datemultirange(daterange(first_day, last_day, '[]'))
        WHEN enrolled AND begins IS NULL THEN periods
        WHEN enrolled THEN earlier + datemultirange(daterange(begins, until))
        ELSE coalesce(periods, '{{}}')
             + datemultirange(daterange(coalesce(begins, current_date), NULL))
    END AS after
    FROM judged
),
acts AS MATERIALIZED (
    SELECT student_id, after, CASE
        WHEN {enrolled("after")} = enrolled THEN 'enrolment_changed'
        WHEN enrolled THEN 'student_withdrawn'
        ELSE 'student_enrolled'
    END AS action
    FROM planned WHERE after IS DISTINCT FROM before
),
written AS (
    INSERT INTO class_students (class_id, student_id, periods)
    SELECT $2, student_id, after FROM acts ORDER BY student_id
    ON CONFLICT (class_id, student_id) DO UPDATE SET periods = excluded.periods
),
recorded AS (
    {RECORD}
    SELECT $1, $3, action, 'student', student_id, jsonb_build_object(
        'classId', $2::uuid, 'firstDay', {first_day("after")}, 'lastDay', upper(after) - 1)
    FROM acts
),
conflicts AS (
    SELECT s.roll_key, s.roll_no AS "rollNo", refused.field
    FROM s JOIN i USING (roll_key)
    CROSS JOIN LATERAL unnest(ARRAY[{_CONFLICTS}]) AS refused(field)
    WHERE refused.field IS NOT NULL
),
rolls AS (
    SELECT action, json_agg(t.roll_no ORDER BY t.roll_key)::text AS list
    FROM acts JOIN students t ON t.id = acts.student_id
    GROUP BY action
)
SELECT
    (SELECT role FROM actor) AS actor_role,
    (SELECT array_agg(student_id) FROM acts WHERE student_id IN (
        SELECT student_id FROM leaves WHERE status = 'approved')) AS on_leave,
    (SELECT array_agg(roll_key) FROM filled) AS filled,
    (SELECT array_agg(refusal ORDER BY leaves, place) FROM judged WHERE refusal IS NOT NULL)
        AS refusals,
    (SELECT array_agg(format('/%s/%s', CASE WHEN leaves THEN 'withdrawals' ELSE 'students' END,
                             place - 1) ORDER BY leaves, place)
     FROM judged WHERE refusal IS NOT NULL) AS refused,
    coalesce((SELECT list FROM rolls WHERE action = 'student_enrolled'), '[]') AS added,
    coalesce((SELECT list FROM rolls WHERE action = 'student_withdrawn'), '[]') AS removed,
    coalesce((SELECT list FROM rolls WHERE action = 'enrolment_changed'), '[]') AS changed,
    (SELECT coalesce(json_agg(
        json_build_object('rollNo', "rollNo", 'field', field) ORDER BY roll_key, field), '[]')
     FROM conflicts)::text AS conflicts
"""

# $1 actor, $2 class, from $3 on the roster. Whoever was never in the class loses their roll
# number to a record made anew; who once was keeps it, and with it the days of their enrolment.
_FORGET_STRANGERS = f"""
WITH {access.ACTOR},
{access.COVERING}
UPDATE students s
SET {", ".join(f"{field} = {_given(field)}" for field in STUDENT_FIELDS)},
    roll_key = CASE WHEN EXISTS (
        SELECT FROM class_students e WHERE e.class_id = $2 AND e.student_id = s.id
    ) THEN s.roll_key ELSE chr(10) || s.id END
FROM {_entries(3)}
WHERE s.roll_key = i.roll_key AND NOT EXISTS (
    SELECT FROM class_students e JOIN classes c ON c.id = e.class_id CROSS JOIN actor
    WHERE e.student_id = s.id AND {ENROLLED} AND {access.MAY})
"""

_ROSTER = f"""
WITH listed AS (SELECT $1::uuid AS id),
{ROSTERS}
SELECT coalesce((SELECT students FROM rosters), '[]')::text AS students
"""


async def put_roster(
    db: Database,
    actor: Actor,
    class_id: UUID,
    roster: Roster,
    *,
    merge: bool,
    dry_run: bool,
    confirm: bool,
    window: int | None = None,
) -> Document[RosterOutcome]:
    """Make the roster the given one (`merge`: only what it names) and say what that changed.

    Those withdrawn keep their marks. `dry_run` answers the same and changes nothing, but for a
    teacher takes those for unknown who are in no class of theirs (`forget_strangers`).
    Emptying a roster of more than one needs `confirm`. Days that show or hide leave in marks of
    sessions that are finalised or older than `window` days take an administrator and a reason.
    """
    async with db.transaction(keep=not dry_run) as tx:
        actor_role = await lock_roster(tx, actor, class_id)
        if not (merge or confirm or roster.students):
            await _refuse_emptying(tx, class_id)
        if dry_run and actor_role != "admin":
            await forget_strangers(tx, actor, class_id, roster.students)
        await create_and_lock(tx, roster.students)
        change = await apply(
            *(tx, actor, class_id, roster.students, roster.withdrawals),
            replace=not merge,
            change=Change(window, roster.reason),
        )
        _check_dates(change)
        students = (await tx.row(_ROSTER, class_id))["students"]
    return Document(
        f'{{"students":{students},"added":{change["added"]},"removed":{change["removed"]},'
        f'"changed":{change["changed"]},"conflicts":{change["conflicts"]}}}'
    )


async def lock_roster(tx: Transaction, actor: Actor, class_id: UUID) -> str:
    """Hold the class for changing its roster, if the actor may; gives the actor's role."""
    lock = await tx.row(_LOCK, actor.user_id, class_id)
    check(lock)
    role: str = lock["actor_role"]
    return role


async def require_roster(db: Database, actor: Actor, class_id: UUID) -> None:
    """Raise what keeps the actor from changing the roster, before that costs anything."""
    check(await db.row(_LOCK, actor.user_id, class_id))


# For who changes no day that is closed.
_NO_TERMS = Change()


async def create_and_lock(tx: Transaction, entries: Sequence[RosterEntry]) -> None:
    """Create the unknown students of these and lock the known ones: classes are locked before."""
    await tx.find_row(_CREATE_AND_LOCK_STUDENTS, *_columns(entries))


async def forget_strangers(
    tx: Transaction, actor: Actor, class_id: UUID, entries: Sequence[RosterEntry]
) -> None:
    """In a rehearsal, take those of these for unknown who are in no class of the actor now.

    Enrolling shows a record and is audited; a rehearsal leaves no trace, so it tells of none.
    """
    by_key = {roll_key(entry.roll_no): entry for entry in entries}
    known = list(by_key.values())
    await create_and_lock(tx, known)
    await tx.find_row(_FORGET_STRANGERS, actor.user_id, class_id, *_columns(known))


async def apply(
    tx: Transaction,
    actor: Actor,
    class_id: UUID,
    entries: Sequence[RosterEntry],
    leavers: Sequence[Withdrawal] = (),
    *,
    replace: bool = False,
    change: Change = _NO_TERMS,
) -> asyncpg.Record:
    """Enrol these students, who are locked, withdraw the leavers and, to `replace`, all others.

    `added`, `changed`, `removed` and `conflicts` of the record are JSON, as `RosterOutcome` has
    them; `filled` are the keys of those of whose record something changed. A day that cannot be
    leaves that enrolment as it is: `refused` and `refusals` name it, and the caller decides.
    Leave shows in the sessions of new days, by the rules of `settle`.
    """
    row = await tx.row(
        _APPLY,
        actor.user_id,
        class_id,
        actor.request_id,
        replace,
        [roll_key(leaver.roll_no) for leaver in leavers],
        [leaver.last_day for leaver in leavers],
        *_columns(entries),
    )
    if row["on_leave"]:
        scope = Scope([class_id], student_ids=row["on_leave"])
        await settle(tx, actor, scope, change, row["actor_role"])
    return row


async def _refuse_emptying(tx: Transaction, class_id: UUID) -> None:
    students = (await tx.row(_COUNT, class_id))["students"]
    if students > 1:
        raise Conflict(
            f"This would remove all {students} students. Confirm it to go on.",
            code="confirmation_needed",
        )


def _columns(entries: Sequence[RosterEntry]) -> list[list[Any]]:
    columns: list[list[Any]] = [
        [roll_key(entry.roll_no) for entry in entries],
        [entry.roll_no for entry in entries],
    ]
    for field in STUDENT_FIELDS:
        given = [getattr(entry, field) for entry in entries]
        columns.append([None if is_blank(value) else value for value in given])
    return [*columns, [entry.from_ for entry in entries]]


SENTENCES = {
    "not_enrolled": "Not enrolled in this class.",
    "too_far_ahead": f"This day is more than {_AHEAD} days ahead.",
    "last_day_before_first": "This day is before the first day of the enrolment.",
    "first_day_after_last": "This day is after the last day of the enrolment.",
    "within_earlier_period": "The student was in the class until the day before this one or "
    "longer. Choose a later day, or leave it out to go on from today.",
}


def _check_dates(change: asyncpg.Record) -> None:
    """Refuse the whole roster if a day in it cannot be."""
    flaws = []
    for place, code in zip(change["refused"] or (), change["refusals"] or (), strict=True):
        day = "lastDay" if place.startswith("/withdrawals") else "from"
        field = "rollNo" if code == "not_enrolled" else day
        flaws.append(Flaw(f"{place}/{field}", code, SENTENCES[code]))
    if flaws:
        raise Invalid(
            f"Nothing was changed. {flaws[0].detail}", code=flaws[0].code, flaws=tuple(flaws)
        )
