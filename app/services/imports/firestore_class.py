"""A class of an export, its timetable and its students, as they are written."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from app.db import Transaction
from app.errors import Conflict
from app.reconciliation import LeftOut, Outcome
from app.schemas.firestore import ClassRecord
from app.schemas.roster import STUDENT_FIELDS, RosterEntry
from app.schemas.words import is_blank
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.audit import RECORD
from app.services.classes.rosters import enrolled, first_day
from app.services.timetable.calendar import CURRENT_TERM
from app.services.timetable.meetings import slots_on


@dataclass(frozen=True)
class Stored:
    """A class in AIMS, and who owns it."""

    class_id: UUID
    teacher_id: UUID


# $2 the class's id if this makes it, $3 its owner, $4 to $9 its words, $10 the name of its term.
# The class that there is already is the one of that id, else the owner's of code and section.
_CLASS = f"""
WITH {access.ADMIN},
term AS MATERIALIZED (
    SELECT CASE WHEN $10::text IS NULL THEN ({CURRENT_TERM})
                ELSE (SELECT id FROM terms WHERE lower(name) = lower(btrim($10))) END AS id
),
known AS MATERIALIZED (
    SELECT c.* FROM classes c CROSS JOIN term
    WHERE c.id = $2
       OR (c.archived_at IS NULL AND c.teacher_id = $3 AND c.code = $4 AND c.section = $6
           AND c.term_id IS NOT DISTINCT FROM term.id)
    ORDER BY (c.id = $2) DESC
    LIMIT 1
),
made AS (
    INSERT INTO classes (
        id, teacher_id, code, name, section, ltp_pattern, teacher_type, practical_group, term_id)
    SELECT $2, $3, $4, $5, $6, $7, $8, $9, term.id
    FROM admin CROSS JOIN term WHERE NOT EXISTS (SELECT FROM known)
    RETURNING id, teacher_id
)
SELECT {access.ADMIN_VERDICT}, EXISTS (SELECT FROM made) AS made, id, teacher_id,
       code IS NOT NULL AND code <> $4 AS of_another,
       code IS NOT NULL AND (
           (teacher_id, name, section, ltp_pattern, teacher_type, practical_group)
           IS DISTINCT FROM ($3, $5, $6, $7, $8, $9)) AS differs
FROM (SELECT id, teacher_id, code, name, section, ltp_pattern, teacher_type, practical_group
      FROM known
      UNION ALL
      SELECT id, teacher_id, NULL, NULL, NULL, NULL, NULL, NULL FROM made) found
RIGHT JOIN (SELECT) AS always ON true
"""

_LOCK = f"{access.CHANGE_CLASS} SELECT {access.VERDICT}"


async def write_class(
    tx: Transaction,
    actor: Actor,
    record: ClassRecord,
    new: Stored,
    term: str | None,
    done: Outcome,
) -> Stored:
    """The class of the record with its timetable, made as `new` if it is not there; held.

    Raises the refusals of access; a `Conflict` with the reason for leaving the class out.
    """
    draft = record.draft
    row = await tx.row(
        _CLASS,
        actor.user_id,
        new.class_id,
        new.teacher_id,
        draft.code,
        draft.name,
        draft.section,
        draft.ltp_pattern,
        draft.teacher_type,
        draft.practical_group,
        term,
    )
    check(row)
    if row["of_another"]:
        raise Conflict("This path is of another class.", code="class_of_another")
    stored = replace(new, class_id=row["id"], teacher_id=row["teacher_id"])
    check(await tx.row(_LOCK, actor.user_id, stored.class_id))
    (done.made if row["made"] else done.unchanged)["classes"] += 1
    if row["differs"]:
        done.left_out.append(LeftOut(record.path, "class", "class_differs"))
    await _write_slots(tx, record, stored.class_id, done)
    await _write_moves(tx, record, stored.class_id, done)
    return stored


# A timetable that is there stays: a slot taken away in AIMS must not come back.
_SLOTS = """
WITH stored AS MATERIALIZED (
    SELECT day_of_week, start_time, end_time FROM class_schedules WHERE class_id = $1
),
given AS MATERIALIZED (
    SELECT * FROM unnest($2::smallint[], $3::time[], $4::time[])
        AS g(day_of_week, start_time, end_time)
),
made AS (
    INSERT INTO class_schedules (class_id, day_of_week, start_time, end_time)
    SELECT $1, given.* FROM given WHERE NOT EXISTS (SELECT FROM stored)
    RETURNING id
)
SELECT (SELECT count(*) FROM made) AS made,
       (SELECT count(*) FROM given JOIN stored USING (day_of_week, start_time, end_time)) AS same
"""


async def _write_slots(tx: Transaction, record: ClassRecord, class_id: UUID, done: Outcome) -> None:
    slots = record.slots
    row = await tx.row(
        _SLOTS,
        class_id,
        [slot.day_of_week for slot in slots],
        [slot.start_time for slot in slots],
        [slot.end_time for slot in slots],
    )
    done.made["class_schedules"] += row["made"]
    done.unchanged["class_schedules"] += row["same"]
    if others := len(slots) - row["made"] - row["same"]:
        done.left_out.append(LeftOut(record.path, "slot", "timetable_differs", count=others))


_ADD = "g.original_date, g.original_start, g.original_end, g.new_date, g.new_start, g.new_end"

_MOVES = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($2::date[], $3::time[], $4::time[], $5::date[], $6::time[], $7::time[],
                         $8::text[])
        AS g(original_date, original_start, original_end, new_date, new_start, new_end, reason)
),
judged AS MATERIALIZED (
    SELECT g.*, CASE
        WHEN (r.rescheduled_date, r.rescheduled_start_time, r.rescheduled_end_time)
             = (g.new_date, g.new_start, g.new_end) THEN 'unchanged'
        WHEN r.id IS NOT NULL THEN 'move_differs'
        WHEN w.id IS NULL THEN 'move_of_nothing'
        WHEN EXISTS (
            SELECT FROM ({slots_on("$1", "g.new_date")}) s
            WHERE s.start_time < g.new_end AND s.end_time > g.new_start
              AND NOT (g.new_date = g.original_date AND s.start_time = g.original_start)
        ) THEN 'slot_overlaps'
        ELSE 'made'
    END AS verdict
    FROM given g
    LEFT JOIN class_schedules w
        ON w.class_id = $1 AND w.start_time = g.original_start
       AND w.day_of_week = extract(isodow FROM g.original_date)
    LEFT JOIN class_reschedules r
        ON r.class_id = $1 AND r.original_date = g.original_date
       AND r.original_start_time = g.original_start
),
made AS (
    INSERT INTO class_reschedules (
        class_id, original_date, original_start_time, original_end_time,
        rescheduled_date, rescheduled_start_time, rescheduled_end_time, reason)
    SELECT $1, {_ADD}, g.reason FROM judged g WHERE verdict = 'made'
)
SELECT coalesce(array_agg(verdict), '{{}}') AS verdicts FROM judged
"""


async def _write_moves(tx: Transaction, record: ClassRecord, class_id: UUID, done: Outcome) -> None:
    moves = record.moves
    row = await tx.row(
        _MOVES,
        class_id,
        [move.original_date for move in moves],
        [move.original_start for move in moves],
        [move.original_end for move in moves],
        [move.new_date for move in moves],
        [move.new_start for move in moves],
        [move.new_end for move in moves],
        [move.reason for move in moves],
    )
    for verdict in row["verdicts"]:
        if verdict in ("made", "unchanged"):
            getattr(done, verdict)["class_reschedules"] += 1
        else:
            done.left_out.append(LeftOut(record.path, "reschedule", verdict))


_FIELDS = ", ".join(STUDENT_FIELDS)

# From $1 on an array each of keys, roll numbers and the fields of students.
_GIVEN = f"""unnest({", ".join(f"${n}::text[]" for n in range(1, len(STUDENT_FIELDS) + 3))})
    AS i(roll_key, roll_no, {_FIELDS})"""

# In the order of `app.services.access`.
_MAKE_AND_LOCK_STUDENTS = f"""
WITH made AS (
    INSERT INTO students (roll_key, roll_no, {_FIELDS})
    SELECT roll_key, roll_no, {
    ", ".join("coalesce(name, '')" if field == "name" else field for field in STUDENT_FIELDS)
}
    FROM {_GIVEN}
    ORDER BY roll_key COLLATE "C"
    ON CONFLICT (roll_key) DO UPDATE SET roll_no = students.roll_no WHERE false
    RETURNING id
)
SELECT count(*) AS made FROM made
"""

_EMPTY = "coalesce(s.{0}, '') = '' AND i.{0} IS NOT NULL"
_DIFFERS = "coalesce(s.{0}, '') <> '' AND i.{0} IS NOT NULL AND s.{0} <> i.{0}"


def _each(pattern: str, separator: str) -> str:
    return separator.join(pattern.format(field) for field in STUDENT_FIELDS)


# Only what is empty is filled: AIMS may have a value that was corrected there.
_FILL = f"""
WITH i AS MATERIALIZED (SELECT * FROM {_GIVEN}),
filled AS (
    UPDATE students s
    SET {_each(f"{{0}} = CASE WHEN {_EMPTY} THEN i.{{0}} ELSE s.{{0}} END", ", ")}
    FROM i
    WHERE s.roll_key = i.roll_key AND ({_each(f"({_EMPTY})", " OR ")})
    RETURNING s.id
)
SELECT count(*) AS known, array_agg(s.roll_key) AS keys, array_agg(s.id) AS ids,
       (SELECT count(*) FROM filled) AS filled,
       coalesce(sum({_each(f"({_DIFFERS})::integer", " + ")}), 0) AS kept
FROM students s JOIN i USING (roll_key)
"""

# $1 actor, $2 class, $3 request, $4 students, $5 whether they are on the export's roster, $6 and
# $7 their first and last day with a mark, $8 the first day of all. Who is on the roster is in
# the class from that day on; who only has marks was in it, and is withdrawn. An enrolment that
# there is stays as it is.
_ENROL = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($4::uuid[], $5::boolean[], $6::date[], $7::date[])
        AS g(student_id, listed, first, last)
),
enrolled AS (
    INSERT INTO class_students (class_id, student_id, periods)
    SELECT $2, student_id, CASE
        WHEN listed THEN datemultirange(daterange(coalesce($8, current_date), NULL))
        WHEN first < current_date
        THEN datemultirange(daterange(first, least(last, current_date - 1), '[]'))
        ELSE '{{}}' END
    FROM given
    WHERE NOT EXISTS (
        SELECT FROM class_students e WHERE e.class_id = $2 AND e.student_id = given.student_id)
    ORDER BY student_id
    RETURNING student_id, periods
),
recorded AS (
    {RECORD}
    SELECT $1, $3, 'student_enrolled', 'student', student_id, jsonb_build_object(
        'classId', $2::uuid, 'firstDay', {first_day("periods")}, 'lastDay', upper(periods) - 1)
    FROM enrolled
)
SELECT (SELECT count(*) FROM enrolled) AS enrolled, (
    SELECT count(*) FROM given JOIN class_students e USING (student_id)
    WHERE e.class_id = $2 AND given.listed AND NOT {enrolled("e.periods")}
) AS withdrawn
"""


async def write_people(
    tx: Transaction, actor: Actor, record: ClassRecord, class_id: UUID, done: Outcome
) -> dict[str, UUID]:
    """The ids of all with a place on the roster or a mark, by the keys of their roll numbers."""
    entries = {key: RosterEntry.model_construct(roll_no=roll) for key, roll in record.rolls.items()}
    entries |= record.students
    if not entries:
        return {}
    columns = _columns(entries)
    made = (await tx.row(_MAKE_AND_LOCK_STUDENTS, *columns))["made"]
    row = await tx.row(_FILL, *columns)
    done.made["students"] += made
    done.changed["students"] += row["filled"]
    done.unchanged["students"] += row["known"] - made - row["filled"]
    if row["kept"]:
        done.left_out.append(LeftOut(record.path, "field", "value_differs", count=row["kept"]))
    people = dict(zip(row["keys"], row["ids"], strict=True))
    await _enrol(tx, actor, record, class_id, people, done)
    return people


def _columns(entries: dict[str, RosterEntry]) -> list[list[str | None]]:
    columns: list[list[str | None]] = [
        list(entries),
        [entry.roll_no for entry in entries.values()],
    ]
    for field in STUDENT_FIELDS:
        given = [getattr(entry, field) for entry in entries.values()]
        columns.append([None if is_blank(value) else value for value in given])
    return columns


async def _enrol(
    tx: Transaction,
    actor: Actor,
    record: ClassRecord,
    class_id: UUID,
    people: dict[str, UUID],
    done: Outcome,
) -> None:
    days: dict[str, list[date]] = {}
    for session in record.sessions:
        for key in session.marks:
            days.setdefault(key, []).append(session.day)
    row = await tx.row(
        _ENROL,
        actor.user_id,
        class_id,
        actor.request_id,
        list(people.values()),
        [key in record.students for key in people],
        [min(days[key]) if key in days else None for key in people],
        [max(days[key]) if key in days else None for key in people],
        min((session.day for session in record.sessions), default=None),
    )
    done.made["class_students"] += row["enrolled"]
    done.unchanged["class_students"] += len(people) - row["enrolled"]
    if row["withdrawn"]:
        count = row["withdrawn"]
        done.left_out.append(LeftOut(record.path, "student", "withdrawn_in_aims", count=count))
