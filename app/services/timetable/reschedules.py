"""Rescheduling single occurrences of weekly slots."""

from datetime import date
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Conflict, Invalid
from app.schemas.classes import Reschedule, RescheduleDraft
from app.services.access import READ_CLASS, Actor, check
from app.services.timetable.entries import LOCK, found, missing, moved_twice_named, remove
from app.services.timetable.meetings import SLOTS_ON_DAY
from app.sql import Statement

_LIST_MOVES = Statement(
    READ_CLASS,
    """
SELECT verdict, (
    SELECT coalesce(json_agg(move_json(r) ORDER BY original_date, original_start_time), '[]')
    FROM class_reschedules r JOIN granted ON granted.id = r.class_id
    WHERE r.original_date <@ daterange(:first, :last, '[]')
       OR r.rescheduled_date <@ daterange(:first, :last, '[]')
)::text AS document
FROM verdict
""",
)

_GET_MOVE = Statement(
    READ_CLASS,
    """
SELECT verdict, (
    SELECT move_json(r) FROM class_reschedules r JOIN granted ON granted.id = r.class_id
    WHERE r.id = :id
)::text AS document
FROM verdict
""",
)

# The slot meant: the one named, else the first of that weekday that is not yet moved, else the
# first. `:start_time` is null if none is named, `:id` is the reschedule to replace.
_ORIGINAL_SLOT = Statement("""
SELECT w.start_time, w.end_time
FROM class_schedules w
LEFT JOIN class_reschedules r
    ON r.class_id = w.class_id AND r.original_date = :day
   AND r.original_start_time = w.start_time AND r.id IS DISTINCT FROM :id
WHERE w.class_id = :class_id AND w.day_of_week = extract(isodow FROM :day::date)
  AND (:start_time::time IS NULL OR w.start_time = :start_time)
ORDER BY (r.id IS NOT NULL), w.start_time
LIMIT 1
""")

# The moved occurrence is already among the slots of its new date, so without a clash this is 1.
_CLASHES = Statement(
    SLOTS_ON_DAY,
    """
SELECT count(*) AS slots FROM slots_on_day
WHERE start_time < :end_time AND end_time > :start_time
""",
)

_ADD_MOVE = Statement("""
INSERT INTO class_reschedules AS r (
    class_id, original_date, original_start_time, original_end_time,
    rescheduled_date, rescheduled_start_time, rescheduled_end_time, reason)
VALUES (:class_id, :original_date, :original_start, :original_end,
        :rescheduled_date, :rescheduled_start, :rescheduled_end, :reason)
ON CONFLICT (class_id, original_date, original_start_time) DO UPDATE
SET original_end_time = excluded.original_end_time,
    rescheduled_date = excluded.rescheduled_date,
    rescheduled_start_time = excluded.rescheduled_start_time,
    rescheduled_end_time = excluded.rescheduled_end_time, reason = excluded.reason
RETURNING move_json(r)::text AS document
""")

_REPLACE_MOVE = Statement("""
UPDATE class_reschedules r
SET original_date = :original_date, original_start_time = :original_start,
    original_end_time = :original_end, rescheduled_date = :rescheduled_date,
    rescheduled_start_time = :rescheduled_start, rescheduled_end_time = :rescheduled_end,
    reason = :reason
WHERE class_id = :class_id AND id = :id
RETURNING move_json(r)::text AS document
""")

_FIND_MOVE = Statement("SELECT id FROM class_reschedules WHERE class_id = :class_id AND id = :id")

_REMOVE_MOVE = Statement(
    "DELETE FROM class_reschedules WHERE class_id = :class_id AND id = :id RETURNING id"
)


async def list_reschedules(
    db: Database, actor: Actor, class_id: UUID, first: date | None, last: date | None
) -> Document[list[Reschedule]]:
    """List the moved occurrences whose old or new date lies between `first` and `last`."""
    row = await db.row(
        _LIST_MOVES, actor_id=actor.user_id, class_id=class_id, first=first, last=last
    )
    check(row)
    return Document(row["document"])


async def get_reschedule(
    db: Database, actor: Actor, class_id: UUID, move_id: UUID
) -> Document[Reschedule]:
    """One moved occurrence."""
    row = await db.row(_GET_MOVE, actor_id=actor.user_id, class_id=class_id, id=move_id)
    return found(row, "reschedule")


async def add_reschedule(
    db: Database, actor: Actor, class_id: UUID, draft: RescheduleDraft
) -> Document[Reschedule]:
    """Move one occurrence. A second move of the same occurrence replaces the first."""
    async with db.transaction() as tx:
        check(await tx.row(LOCK, actor_id=actor.user_id, class_id=class_id))
        move = await _move(tx, class_id, draft, None)
        row = await tx.row(_ADD_MOVE, class_id=class_id, **move)
        await _refuse_clash(tx, class_id, draft)
    return Document(row["document"])


async def replace_reschedule(
    db: Database, actor: Actor, class_id: UUID, move_id: UUID, draft: RescheduleDraft
) -> Document[Reschedule]:
    """Replace the move by `draft`, including which occurrence is moved."""
    async with db.transaction() as tx:
        check(await tx.row(LOCK, actor_id=actor.user_id, class_id=class_id))
        if await tx.find_row(_FIND_MOVE, class_id=class_id, id=move_id) is None:
            raise missing("reschedule")
        move = await _move(tx, class_id, draft, move_id)
        with moved_twice_named():
            row = await tx.row(_REPLACE_MOVE, class_id=class_id, id=move_id, **move)
        await _refuse_clash(tx, class_id, draft)
    return Document(row["document"])


async def remove_reschedule(db: Database, actor: Actor, class_id: UUID, move_id: UUID) -> None:
    """Move the occurrence back to its slot in the weekly timetable."""
    await remove(db, actor, class_id, move_id, _REMOVE_MOVE, "reschedule")


async def _move(
    tx: Transaction, class_id: UUID, draft: RescheduleDraft, move_id: UUID | None
) -> dict[str, object]:
    """The columns of a reschedule, with its original slot from the weekly timetable."""
    original = await tx.find_row(
        _ORIGINAL_SLOT,
        class_id=class_id,
        day=draft.original_date,
        start_time=draft.original_start_time,
        id=move_id,
    )
    if original is None:
        raise _no_original(draft)
    return {
        "original_date": draft.original_date,
        "original_start": original["start_time"],
        "original_end": original["end_time"],
        "rescheduled_date": draft.rescheduled_date,
        "rescheduled_start": draft.rescheduled_start_time,
        "rescheduled_end": draft.rescheduled_end_time,
        "reason": draft.reason,
    }


async def _refuse_clash(tx: Transaction, class_id: UUID, draft: RescheduleDraft) -> None:
    row = await tx.row(
        _CLASHES,
        class_id=class_id,
        day=draft.rescheduled_date,
        start_time=draft.rescheduled_start_time,
        end_time=draft.rescheduled_end_time,
    )
    if row["slots"] > 1:
        raise Conflict(
            "This overlaps another slot of the class on that date.", code="slot_overlaps"
        )


def _no_original(draft: RescheduleDraft) -> Invalid:
    place = "/originalDate" if draft.original_start_time is None else "/originalStartTime"
    return Invalid.at(
        place, "no_such_occurrence", "The class does not meet then, so there is nothing to move."
    )
