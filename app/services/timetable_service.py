"""When a class meets: weekly slots, and single occurrences moved elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time
from typing import Any
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document, clock
from app.errors import Conflict, Flaw, Invalid, NotFound
from app.schemas.classes import Reschedule, RescheduleDraft, Slot, SlotChange, SlotDraft
from app.services import access
from app.services.access import Actor, check


def slots_on(class_id: str, day: str) -> str:
    """SQL for the slots (`start_time, end_time`) of a class on a date: those of its weekday
    that were not moved away, and those moved there."""
    return f"""
    SELECT w.start_time, w.end_time
    FROM class_schedules w
    WHERE w.class_id = {class_id} AND w.day_of_week = extract(isodow FROM {day})
      AND NOT EXISTS (
          SELECT FROM class_reschedules away
          WHERE away.class_id = w.class_id AND away.original_date = {day}
            AND away.original_start_time = w.start_time)
    UNION ALL
    SELECT here.rescheduled_start_time, here.rescheduled_end_time
    FROM class_reschedules here
    WHERE here.class_id = {class_id} AND here.rescheduled_date = {day}"""


SLOT = f"""
json_build_object('id', s.id, 'dayOfWeek', s.day_of_week,
                  'start', {clock("s.start_time")}, 'end', {clock("s.end_time")})"""

_LIST_SLOTS = f"""
{access.READ_CLASS}
SELECT {access.VERDICT}, (
    SELECT coalesce(json_agg({SLOT} ORDER BY s.day_of_week, s.start_time), '[]')
    FROM class_schedules s JOIN granted ON granted.id = s.class_id
)::text AS document
"""

_GET_SLOT = f"""
{access.READ_CLASS}
SELECT {access.VERDICT}, (
    SELECT {SLOT} FROM class_schedules s JOIN granted ON granted.id = s.class_id WHERE s.id = $3
)::text AS document
"""

_LOCK = f"{access.CHANGE_CLASS} SELECT {access.VERDICT}"

_OVERLAPPING_SLOT = """
SELECT true AS found FROM class_schedules
WHERE class_id = $1 AND day_of_week = $2 AND start_time < $4 AND end_time > $3
  AND id IS DISTINCT FROM $5
"""

_ADD_SLOT = f"""
INSERT INTO class_schedules AS s (class_id, day_of_week, start_time, end_time)
VALUES ($1, $2, $3, $4)
RETURNING {SLOT}::text AS document
"""

_FIND_SLOT = """
SELECT day_of_week, start_time, end_time FROM class_schedules WHERE class_id = $1 AND id = $2
"""

# Occurrences already moved away stay moved when their slot begins at another time.
_CHANGE_SLOT = f"""
WITH followed AS (
    UPDATE class_reschedules r
    SET original_start_time = $4, original_end_time = $5
    FROM class_schedules old
    WHERE old.class_id = $1 AND old.id = $2 AND r.class_id = $1
      AND r.original_start_time = old.start_time
      AND extract(isodow FROM r.original_date) = $3 AND old.day_of_week = $3
)
UPDATE class_schedules s SET day_of_week = $3, start_time = $4, end_time = $5
WHERE class_id = $1 AND id = $2
RETURNING {SLOT}::text AS document
"""

_REMOVE_SLOT = "DELETE FROM class_schedules WHERE class_id = $1 AND id = $2 RETURNING id"


async def list_slots(db: Database, actor: Actor, class_id: UUID) -> Document[list[Slot]]:
    """The weekly slots, by day and time."""
    row = await db.row(_LIST_SLOTS, actor.user_id, class_id)
    check(row)
    return Document(row["document"])


async def get_slot(db: Database, actor: Actor, class_id: UUID, slot_id: UUID) -> Document[Slot]:
    """One weekly slot."""
    return _found(await db.row(_GET_SLOT, actor.user_id, class_id, slot_id), "slot")


async def add_slot(db: Database, actor: Actor, class_id: UUID, draft: SlotDraft) -> Document[Slot]:
    """A new weekly slot; one that overlaps another of the class is a conflict."""
    async with db.transaction() as tx:
        check(await tx.row(_LOCK, actor.user_id, class_id))
        await _refuse_overlap(tx, class_id, draft, None)
        row = await tx.row(_ADD_SLOT, class_id, draft.day_of_week, draft.start_time, draft.end_time)
    return Document(row["document"])


async def change_slot(
    db: Database, actor: Actor, class_id: UUID, slot_id: UUID, change: SlotChange
) -> Document[Slot]:
    """Change day or times of a weekly slot; sessions already opened stay where they are."""
    async with db.transaction() as tx:
        check(await tx.row(_LOCK, actor.user_id, class_id))
        stored = await tx.find_row(_FIND_SLOT, class_id, slot_id)
        if stored is None:
            raise _missing("slot")
        slot = _merged(stored, change)
        await _refuse_overlap(tx, class_id, slot, slot_id)
        with _moved_twice_named():
            row = await tx.row(
                _CHANGE_SLOT, class_id, slot_id, slot.day_of_week, slot.start_time, slot.end_time
            )
    return Document(row["document"])


def _merged(stored: asyncpg.Record, change: SlotChange) -> SlotDraft:
    start = change.start_time or stored["start_time"]
    end = change.end_time or stored["end_time"]
    if end <= start:
        raise _ends_before_start("/endTime" if change.end_time else "/startTime")
    return SlotDraft.model_construct(
        day_of_week=change.day_of_week or stored["day_of_week"], start_time=start, end_time=end
    )


async def remove_slot(db: Database, actor: Actor, class_id: UUID, slot_id: UUID) -> None:
    """Take a slot off the weekly timetable."""
    await _remove(db, actor, class_id, slot_id, _REMOVE_SLOT, "slot")


async def _refuse_overlap(
    tx: Transaction, class_id: UUID, slot: SlotDraft, slot_id: UUID | None
) -> None:
    overlapping = await tx.find_row(
        _OVERLAPPING_SLOT, class_id, slot.day_of_week, slot.start_time, slot.end_time, slot_id
    )
    if overlapping is not None:
        raise Conflict("This overlaps another slot of the class on that day.", code="slot_overlaps")


MOVE = f"""
json_build_object(
    'id', r.id, 'originalDate', r.original_date,
    'originalStartTime', {clock("r.original_start_time")},
    'originalEndTime', {clock("r.original_end_time")},
    'rescheduledDate', r.rescheduled_date,
    'rescheduledStartTime', {clock("r.rescheduled_start_time")},
    'rescheduledEndTime', {clock("r.rescheduled_end_time")},
    'reason', r.reason)"""

_LIST_MOVES = f"""
{access.READ_CLASS}
SELECT {access.VERDICT}, (
    SELECT coalesce(json_agg({MOVE} ORDER BY r.original_date, r.original_start_time), '[]')
    FROM class_reschedules r JOIN granted ON granted.id = r.class_id
    WHERE (r.original_date >= coalesce($3, '-infinity'::date)
           AND r.original_date <= coalesce($4, 'infinity'::date))
       OR (r.rescheduled_date >= coalesce($3, '-infinity'::date)
           AND r.rescheduled_date <= coalesce($4, 'infinity'::date))
)::text AS document
"""

_GET_MOVE = f"""
{access.READ_CLASS}
SELECT {access.VERDICT}, (
    SELECT {MOVE} FROM class_reschedules r JOIN granted ON granted.id = r.class_id WHERE r.id = $3
)::text AS document
"""

# The slot meant: the one named, else of that weekday's the first not yet moved, else, all
# being moved already, the first. $4 is null when none is named, $5 a reschedule to replace.
_ORIGINAL_SLOT = """
SELECT w.start_time, w.end_time
FROM class_schedules w
LEFT JOIN class_reschedules r
    ON r.class_id = w.class_id AND r.original_date = $2
   AND r.original_start_time = w.start_time AND r.id IS DISTINCT FROM $4
WHERE w.class_id = $1 AND w.day_of_week = extract(isodow FROM $2::date)
  AND ($3::time IS NULL OR w.start_time = $3)
ORDER BY (r.id IS NOT NULL), w.start_time
LIMIT 1
"""

# The occurrence is among the slots of its new date by then, so alone there it counts one.
_CLASHES = f"""
SELECT count(*) AS slots
FROM ({slots_on("$1", "$2::date")}) slot
WHERE slot.start_time < $4 AND slot.end_time > $3
"""

_ADD_MOVE = f"""
INSERT INTO class_reschedules AS r (
    class_id, original_date, original_start_time, original_end_time,
    rescheduled_date, rescheduled_start_time, rescheduled_end_time, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (class_id, original_date, original_start_time) DO UPDATE
SET original_end_time = $4, rescheduled_date = $5, rescheduled_start_time = $6,
    rescheduled_end_time = $7, reason = $8
RETURNING {MOVE}::text AS document
"""

_REPLACE_MOVE = f"""
UPDATE class_reschedules r
SET original_date = $2, original_start_time = $3, original_end_time = $4, rescheduled_date = $5,
    rescheduled_start_time = $6, rescheduled_end_time = $7, reason = $8
WHERE class_id = $1 AND id = $9
RETURNING {MOVE}::text AS document
"""

_FIND_MOVE = "SELECT id FROM class_reschedules WHERE class_id = $1 AND id = $2"

_REMOVE_MOVE = "DELETE FROM class_reschedules WHERE class_id = $1 AND id = $2 RETURNING id"


async def list_reschedules(
    db: Database, actor: Actor, class_id: UUID, first: date | None, last: date | None
) -> Document[list[Reschedule]]:
    """The moved occurrences of which the old or the new date lies between `first` and `last`."""
    row = await db.row(_LIST_MOVES, actor.user_id, class_id, first, last)
    check(row)
    return Document(row["document"])


async def get_reschedule(
    db: Database, actor: Actor, class_id: UUID, move_id: UUID
) -> Document[Reschedule]:
    """One moved occurrence."""
    row = await db.row(_GET_MOVE, actor.user_id, class_id, move_id)
    return _found(row, "reschedule")


async def add_reschedule(
    db: Database, actor: Actor, class_id: UUID, draft: RescheduleDraft
) -> Document[Reschedule]:
    """Move one occurrence. A second move of the same occurrence replaces the first."""
    async with db.transaction() as tx:
        check(await tx.row(_LOCK, actor.user_id, class_id))
        row = await tx.row(_ADD_MOVE, class_id, *await _move(tx, class_id, draft, None))
        await _refuse_clash(tx, class_id, draft)
    return Document(row["document"])


async def replace_reschedule(
    db: Database, actor: Actor, class_id: UUID, move_id: UUID, draft: RescheduleDraft
) -> Document[Reschedule]:
    """Make the move what `draft` says, its occurrence included."""
    async with db.transaction() as tx:
        check(await tx.row(_LOCK, actor.user_id, class_id))
        if await tx.find_row(_FIND_MOVE, class_id, move_id) is None:
            raise _missing("reschedule")
        values = await _move(tx, class_id, draft, move_id)
        with _moved_twice_named():
            row = await tx.row(_REPLACE_MOVE, class_id, *values, move_id)
        await _refuse_clash(tx, class_id, draft)
    return Document(row["document"])


async def remove_reschedule(db: Database, actor: Actor, class_id: UUID, move_id: UUID) -> None:
    """Put the occurrence back where the weekly timetable has it."""
    await _remove(db, actor, class_id, move_id, _REMOVE_MOVE, "reschedule")


async def _move(
    tx: Transaction, class_id: UUID, draft: RescheduleDraft, move_id: UUID | None
) -> tuple[date, time, time, date, time, time, str | None]:
    """The columns of a reschedule, its original slot looked up in the weekly timetable."""
    original = await tx.find_row(
        _ORIGINAL_SLOT, class_id, draft.original_date, draft.original_start_time, move_id
    )
    if original is None:
        raise _no_original(draft)
    return (
        draft.original_date,
        original["start_time"],
        original["end_time"],
        draft.rescheduled_date,
        draft.rescheduled_start_time,
        draft.rescheduled_end_time,
        draft.reason,
    )


@contextmanager
def _moved_twice_named() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError:
        raise Conflict(
            "Another reschedule already moves that occurrence.", code="already_rescheduled"
        ) from None


async def _refuse_clash(tx: Transaction, class_id: UUID, draft: RescheduleDraft) -> None:
    row = await tx.row(
        _CLASHES,
        class_id,
        draft.rescheduled_date,
        draft.rescheduled_start_time,
        draft.rescheduled_end_time,
    )
    if row["slots"] > 1:
        raise Conflict(
            "This overlaps another slot of the class on that date.", code="slot_overlaps"
        )


async def _remove(
    db: Database, actor: Actor, class_id: UUID, own_id: UUID, statement: str, what: str
) -> None:
    async with db.transaction() as tx:
        check(await tx.row(_LOCK, actor.user_id, class_id))
        if await tx.find_row(statement, class_id, own_id) is None:
            raise _missing(what)


def _found(row: asyncpg.Record, what: str) -> Document[Any]:
    check(row)
    if row["document"] is None:
        raise _missing(what)
    return Document(row["document"])


def _missing(what: str) -> NotFound:
    return NotFound(f"This class has no such {what}.")


def _no_original(draft: RescheduleDraft) -> Invalid:
    place = "/originalDate" if draft.original_start_time is None else "/originalStartTime"
    sentence = "The class does not meet then, so there is nothing to move."
    return Invalid(
        sentence, code="no_such_occurrence", flaws=(Flaw(place, "no_such_occurrence", sentence),)
    )


def _ends_before_start(pointer: str) -> Invalid:
    sentence = "The end must be after the start."
    return Invalid(
        sentence, code="ends_before_start", flaws=(Flaw(pointer, "ends_before_start", sentence),)
    )
