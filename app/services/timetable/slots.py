"""The weekly slots of a class."""

from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Conflict, Invalid
from app.schemas.classes import Slot, SlotChange, SlotDraft
from app.services.access import READ_CLASS, Actor, check
from app.services.timetable.entries import LOCK, found, missing, moved_twice_named, remove
from app.sql import Statement

_LIST_SLOTS = Statement(
    READ_CLASS,
    """
SELECT verdict, (
    SELECT coalesce(json_agg(slot_json(s) ORDER BY day_of_week, start_time), '[]')
    FROM class_schedules s JOIN granted ON granted.id = s.class_id
)::text AS document
FROM verdict
""",
)

_GET_SLOT = Statement(
    READ_CLASS,
    """
SELECT verdict, (
    SELECT slot_json(s) FROM class_schedules s JOIN granted ON granted.id = s.class_id
    WHERE s.id = :id
)::text AS document
FROM verdict
""",
)

_OVERLAPPING_SLOT = Statement("""
SELECT true AS found FROM class_schedules
WHERE class_id = :class_id AND day_of_week = :day_of_week
  AND start_time < :end_time AND end_time > :start_time AND id IS DISTINCT FROM :id
""")

_ADD_SLOT = Statement("""
INSERT INTO class_schedules AS s (class_id, day_of_week, start_time, end_time)
VALUES (:class_id, :day_of_week, :start_time, :end_time)
RETURNING slot_json(s)::text AS document
""")

_FIND_SLOT = Statement("""
SELECT day_of_week, start_time, end_time FROM class_schedules
WHERE class_id = :class_id AND id = :id
""")

# Occurrences already moved away stay moved when the time of their slot changes.
_CHANGE_SLOT = Statement(
    """
followed AS (
    UPDATE class_reschedules r
    SET original_start_time = :start_time, original_end_time = :end_time
    FROM class_schedules old
    WHERE old.class_id = :class_id AND old.id = :id AND r.class_id = :class_id
      AND r.original_start_time = old.start_time AND old.day_of_week = :day_of_week
      AND extract(isodow FROM r.original_date) = :day_of_week
)""",
    """
UPDATE class_schedules s
SET day_of_week = :day_of_week, start_time = :start_time, end_time = :end_time
WHERE class_id = :class_id AND id = :id
RETURNING slot_json(s)::text AS document
""",
)

_REMOVE_SLOT = Statement(
    "DELETE FROM class_schedules WHERE class_id = :class_id AND id = :id RETURNING id"
)


async def list_slots(db: Database, actor: Actor, class_id: UUID) -> Document[list[Slot]]:
    """List the weekly slots, by day and time."""
    row = await db.row(_LIST_SLOTS, actor_id=actor.user_id, class_id=class_id)
    check(row)
    return Document(row["document"])


async def get_slot(db: Database, actor: Actor, class_id: UUID, slot_id: UUID) -> Document[Slot]:
    """One weekly slot."""
    row = await db.row(_GET_SLOT, actor_id=actor.user_id, class_id=class_id, id=slot_id)
    return found(row, "slot")


async def add_slot(db: Database, actor: Actor, class_id: UUID, draft: SlotDraft) -> Document[Slot]:
    """Add a weekly slot; one that overlaps another slot of the class is a conflict."""
    async with db.transaction() as tx:
        check(await tx.row(LOCK, actor_id=actor.user_id, class_id=class_id))
        await _refuse_overlap(tx, class_id, draft, None)
        row = await tx.row(_ADD_SLOT, class_id=class_id, **_fields(draft))
    return Document(row["document"])


async def change_slot(
    db: Database, actor: Actor, class_id: UUID, slot_id: UUID, change: SlotChange
) -> Document[Slot]:
    """Change the day or times of a weekly slot; sessions already opened do not move."""
    async with db.transaction() as tx:
        check(await tx.row(LOCK, actor_id=actor.user_id, class_id=class_id))
        stored = await tx.find_row(_FIND_SLOT, class_id=class_id, id=slot_id)
        if stored is None:
            raise missing("slot")
        slot = _merged(stored, change)
        await _refuse_overlap(tx, class_id, slot, slot_id)
        with moved_twice_named():
            row = await tx.row(_CHANGE_SLOT, class_id=class_id, id=slot_id, **_fields(slot))
    return Document(row["document"])


def _fields(slot: SlotDraft) -> dict[str, object]:
    return {
        "day_of_week": slot.day_of_week,
        "start_time": slot.start_time,
        "end_time": slot.end_time,
    }


def _merged(stored: asyncpg.Record, change: SlotChange) -> SlotDraft:
    start = change.start_time or stored["start_time"]
    end = change.end_time or stored["end_time"]
    if end <= start:
        raise _ends_before_start("/endTime" if change.end_time else "/startTime")
    return SlotDraft.model_construct(
        day_of_week=change.day_of_week or stored["day_of_week"], start_time=start, end_time=end
    )


async def remove_slot(db: Database, actor: Actor, class_id: UUID, slot_id: UUID) -> None:
    """Remove a slot from the weekly timetable."""
    await remove(db, actor, class_id, slot_id, _REMOVE_SLOT, "slot")


async def _refuse_overlap(
    tx: Transaction, class_id: UUID, slot: SlotDraft, slot_id: UUID | None
) -> None:
    overlapping = await tx.find_row(
        _OVERLAPPING_SLOT, class_id=class_id, id=slot_id, **_fields(slot)
    )
    if overlapping is not None:
        raise Conflict("This overlaps another slot of the class on that day.", code="slot_overlaps")


def _ends_before_start(pointer: str) -> Invalid:
    return Invalid.at(pointer, "ends_before_start", "The end must be after the start.")
