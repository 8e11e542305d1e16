"""Who is enrolled in a class: replacing and extending the roster.

A roster names students by roll number. Those unknown are created; of those known, an empty
field is filled, and a stored value changed only by who may (contract, section 3).
"""

from datetime import date
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Conflict
from app.schemas.roster import STUDENT_FIELDS, Roster, RosterEntry, RosterOutcome, json_name
from app.schemas.words import is_blank, roll_key
from app.services import access
from app.services.access import Actor, check
from app.services.admin.audit_service import RECORD

# The students of the classes in `listed`, as JSON, by roll number.
ROSTERS = f"""
rosters AS MATERIALIZED (
    SELECT e.class_id, json_agg(student ORDER BY s.roll_key) AS students
    FROM class_students e
    JOIN students s ON s.id = e.student_id
    CROSS JOIN LATERAL (
        SELECT s.id AS "studentId", s.roll_no AS "rollNo",
               {", ".join(f's.{field} AS "{json_name(field)}"' for field in STUDENT_FIELDS)}
    ) student
    WHERE e.class_id IN (SELECT id FROM listed) AND upper_inf(e.periods)
    GROUP BY e.class_id
)"""

_LOCK = f"""
{access.CHANGE_CLASS} SELECT {access.VERDICT}, (SELECT actor_role FROM granted) AS actor_role
"""

# A statement of its own, to count those too whose enrolment the lock waited for.
_ENROLLED = """
SELECT count(*) AS students FROM class_students WHERE class_id = $1 AND upper_inf(periods)
"""

_FIELDS = ", ".join(STUDENT_FIELDS)
_VALUES = ("roll_key", "roll_no", *STUDENT_FIELDS)


def _entries(first: int) -> str:
    """The roster as a table `i`: parameters from `$first` on are one array per column."""
    arrays = ", ".join(f"${first + place}::text[]" for place in range(len(_VALUES)))
    return f"unnest({arrays}) AS i(roll_key, roll_no, {_FIELDS})"


def _given(field: str) -> str:
    return "coalesce(i.name, '')" if field == "name" else f"i.{field}"


# Creates the unknown students and locks the known ones, in one order for everybody, so that
# two rosters with common students wait for each other instead of deadlocking.
_CREATE_AND_LOCK_STUDENTS = f"""
INSERT INTO students (roll_key, roll_no, {_FIELDS})
SELECT roll_key, roll_no, {", ".join(map(_given, STUDENT_FIELDS))}
FROM {_entries(1)}
ORDER BY roll_key
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

# $1 actor, $2 class, $3 role, $4 today, $5 whether those not named are withdrawn, $6 request.
_APPLY = f"""
WITH i AS MATERIALIZED (SELECT * FROM {_entries(7)}),
s AS MATERIALIZED (
    SELECT s.*, $3 = 'admin' OR NOT EXISTS (
        SELECT FROM class_students e JOIN classes c ON c.id = e.class_id
        WHERE e.student_id = s.id AND upper_inf(e.periods) AND c.teacher_id <> $1
    ) AS may_change
    FROM students s JOIN i USING (roll_key)
),
filled AS (
    UPDATE students t
    SET {_each_field("{0} = CASE WHEN " + _APPLIED + " THEN i.{0} ELSE s.{0} END", ", ")}
    FROM s JOIN i USING (roll_key)
    WHERE t.id = s.id AND ({_each_field(_APPLIED, " OR ")})
),
added AS (
    INSERT INTO class_students AS e (class_id, student_id, periods)
    SELECT $2, s.id, datemultirange(daterange($4, NULL))
    FROM s
    ORDER BY s.id
    ON CONFLICT (class_id, student_id) DO UPDATE
    SET periods = e.periods + datemultirange(daterange($4, NULL))
    WHERE NOT upper_inf(e.periods)
    RETURNING e.student_id
),
removed AS (
    UPDATE class_students e
    SET periods = e.periods - datemultirange(daterange($4, NULL))
    WHERE $5 AND e.class_id = $2 AND upper_inf(e.periods)
      AND NOT EXISTS (SELECT FROM s WHERE s.id = e.student_id)
    RETURNING e.student_id
),
recorded AS (
    {RECORD}
    SELECT $1, $6, action, 'student', student_id, jsonb_build_object('classId', $2::uuid)
    FROM (SELECT 'student_enrolled' AS action, student_id FROM added
          UNION ALL SELECT 'student_withdrawn', student_id FROM removed) acts
),
conflicts AS (
    SELECT s.roll_key, s.roll_no AS "rollNo", refused.field
    FROM s JOIN i USING (roll_key)
    CROSS JOIN LATERAL unnest(ARRAY[{_CONFLICTS}]) AS refused(field)
    WHERE refused.field IS NOT NULL
)
SELECT
    (SELECT array_agg(student_id) FROM added) AS newcomers,
    (SELECT coalesce(json_agg(s.roll_no ORDER BY s.roll_key), '[]')
     FROM s JOIN added ON added.student_id = s.id)::text AS added,
    (SELECT coalesce(json_agg(t.roll_no ORDER BY t.roll_key), '[]')
     FROM students t JOIN removed ON removed.student_id = t.id)::text AS removed,
    (SELECT coalesce(json_agg(
        json_build_object('rollNo', "rollNo", 'field', field) ORDER BY roll_key, field), '[]')
     FROM conflicts)::text AS conflicts
"""

# Enrolling somebody shows their record, and is audited; a rehearsal is not, so there the
# newcomers ($1) are only what the request says of them.
_FORGET = f"""
UPDATE students s
SET {", ".join(f"{field} = {_given(field)}" for field in STUDENT_FIELDS)}
FROM {_entries(2)}
WHERE s.roll_key = i.roll_key AND s.id = ANY($1)
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
    today: date,
    *,
    merge: bool,
    dry_run: bool,
    confirm: bool,
) -> Document[RosterOutcome]:
    """Make the roster the given one (`merge`: only add to it) and say what that changed.

    Those withdrawn keep their marks. `dry_run` answers the same and changes nothing.
    Emptying a roster of more than one needs `confirm`.
    """
    async with db.transaction(keep=not dry_run) as tx:
        lock = await tx.row(_LOCK, actor.user_id, class_id)
        check(lock)
        if not (merge or confirm or roster.students):
            await _refuse_emptying(tx, class_id)
        columns = _columns(roster.students)
        await tx.find_row(_CREATE_AND_LOCK_STUDENTS, *columns)
        change = await tx.row(
            _APPLY,
            actor.user_id,
            class_id,
            lock["actor_role"],
            today,
            not merge,
            actor.request_id,
            *columns,
        )
        if dry_run and lock["actor_role"] != "admin":
            await tx.find_row(_FORGET, change["newcomers"], *columns)
        students = (await tx.row(_ROSTER, class_id))["students"]
    return Document(
        f'{{"students":{students},"added":{change["added"]},'
        f'"removed":{change["removed"]},"conflicts":{change["conflicts"]}}}'
    )


async def _refuse_emptying(tx: Transaction, class_id: UUID) -> None:
    students = (await tx.row(_ENROLLED, class_id))["students"]
    if students > 1:
        raise Conflict(
            f"This would remove all {students} students. Confirm it to go on.",
            code="confirmation_needed",
        )


def _columns(entries: list[RosterEntry]) -> list[list[str | None]]:
    columns: list[list[str | None]] = [
        [roll_key(entry.roll_no) for entry in entries],
        [entry.roll_no for entry in entries],
    ]
    for field in STUDENT_FIELDS:
        given = [getattr(entry, field) for entry in entries]
        columns.append([None if is_blank(value) else value for value in given])
    return columns
