"""The weekly slots of a class."""

from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document, clock
from app.errors import Conflict, Flaw, Invalid
from app.schemas.classes import Slot, SlotChange, SlotDraft
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.timetable.entries import LOCK, found, missing, moved_twice_named, remove

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
    return found(await db.row(_GET_SLOT, actor.user_id, class_id, slot_id), "slot")


async def add_slot(db: Database, actor: Actor, class_id: UUID, draft: SlotDraft) -> Document[Slot]:
    """A new weekly slot; one that overlaps another of the class is a conflict."""
    async with db.transaction() as tx:
        check(await tx.row(LOCK, actor.user_id, class_id))
        await _refuse_overlap(tx, class_id, draft, None)
        row = await tx.row(_ADD_SLOT, class_id, draft.day_of_week, draft.start_time, draft.end_time)
    return Document(row["document"])


async def change_slot(
    db: Database, actor: Actor, class_id: UUID, slot_id: UUID, change: SlotChange
) -> Document[Slot]:
    """Change day or times of a weekly slot; sessions already opened stay where they are."""
    async with db.transaction() as tx:
        check(await tx.row(LOCK, actor.user_id, class_id))
        stored = await tx.find_row(_FIND_SLOT, class_id, slot_id)
        if stored is None:
            raise missing("slot")
        slot = _merged(stored, change)
        await _refuse_overlap(tx, class_id, slot, slot_id)
        with moved_twice_named():
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
    await remove(db, actor, class_id, slot_id, _REMOVE_SLOT, "slot")


async def _refuse_overlap(
    tx: Transaction, class_id: UUID, slot: SlotDraft, slot_id: UUID | None
) -> None:
    overlapping = await tx.find_row(
        _OVERLAPPING_SLOT, class_id, slot.day_of_week, slot.start_time, slot.end_time, slot_id
    )
    if overlapping is not None:
        raise Conflict("This overlaps another slot of the class on that day.", code="slot_overlaps")


def _ends_before_start(pointer: str) -> Invalid:
    sentence = "The end must be after the start."
    return Invalid(
        sentence, code="ends_before_start", flaws=(Flaw(pointer, "ends_before_start", sentence),)
    )
