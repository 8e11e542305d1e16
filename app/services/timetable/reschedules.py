"""Single occurrences of weekly slots, moved elsewhere."""

from datetime import date, time
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document, clock
from app.errors import Conflict, Flaw, Invalid
from app.schemas.classes import Reschedule, RescheduleDraft
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.timetable.entries import LOCK, found, missing, moved_twice_named, remove
from app.services.timetable.meetings import slots_on

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
    return found(row, "reschedule")


async def add_reschedule(
    db: Database, actor: Actor, class_id: UUID, draft: RescheduleDraft
) -> Document[Reschedule]:
    """Move one occurrence. A second move of the same occurrence replaces the first."""
    async with db.transaction() as tx:
        check(await tx.row(LOCK, actor.user_id, class_id))
        row = await tx.row(_ADD_MOVE, class_id, *await _move(tx, class_id, draft, None))
        await _refuse_clash(tx, class_id, draft)
    return Document(row["document"])


async def replace_reschedule(
    db: Database, actor: Actor, class_id: UUID, move_id: UUID, draft: RescheduleDraft
) -> Document[Reschedule]:
    """Make the move what `draft` says, its occurrence included."""
    async with db.transaction() as tx:
        check(await tx.row(LOCK, actor.user_id, class_id))
        if await tx.find_row(_FIND_MOVE, class_id, move_id) is None:
            raise missing("reschedule")
        values = await _move(tx, class_id, draft, move_id)
        with moved_twice_named():
            row = await tx.row(_REPLACE_MOVE, class_id, *values, move_id)
        await _refuse_clash(tx, class_id, draft)
    return Document(row["document"])


async def remove_reschedule(db: Database, actor: Actor, class_id: UUID, move_id: UUID) -> None:
    """Put the occurrence back where the weekly timetable has it."""
    await remove(db, actor, class_id, move_id, _REMOVE_MOVE, "reschedule")


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


def _no_original(draft: RescheduleDraft) -> Invalid:
    place = "/originalDate" if draft.original_start_time is None else "/originalStartTime"
    sentence = "The class does not meet then, so there is nothing to move."
    return Invalid(
        sentence, code="no_such_occurrence", flaws=(Flaw(place, "no_such_occurrence", sentence),)
    )
