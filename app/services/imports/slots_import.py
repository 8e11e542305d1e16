"""Timetables from a file or another system: weekly slots of many classes."""

from datetime import time
from uuid import UUID

from app.batch import SlotRow
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.services.access import Actor, hold_classes
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.conditions import Conditions
from app.services.imports.outcomes import Outcomes, Table
from app.sql import Statement

# No start is given twice. Slots that overlap, even within the file, are not written. A slot whose
# end changes keeps its moved occurrences. With `:keep`, a class that has a timetable gets no other
# slots: one that was removed must not come back.
_WRITE = Statement(
    """
given AS MATERIALIZED (
    SELECT * FROM unnest(:classes::uuid[], :days::smallint[], :starts::time[], :ends::time[])
        WITH ORDINALITY AS g(class_id, day_of_week, start_time, end_time, place)
),
stored AS MATERIALIZED (
    SELECT class_id, day_of_week, start_time, end_time FROM class_schedules
    WHERE class_id = ANY(:classes::uuid[])
),
differing AS MATERIALIZED (
    SELECT g.place FROM given g
    WHERE :keep AND g.class_id IN (SELECT class_id FROM stored)
      AND (class_id, day_of_week, start_time, end_time) NOT IN (SELECT * FROM stored)
),
planned AS MATERIALIZED (
    SELECT class_id, day_of_week, start_time, end_time FROM given
    UNION ALL
    SELECT * FROM stored s WHERE NOT EXISTS (
        SELECT FROM given g
        WHERE (g.class_id, g.day_of_week, g.start_time)
            = (s.class_id, s.day_of_week, s.start_time))
),
overlapping AS MATERIALIZED (
    SELECT DISTINCT g.place FROM given g JOIN planned p USING (class_id, day_of_week)
    WHERE p.start_time < g.end_time AND p.end_time > g.start_time
      AND p.start_time <> g.start_time
),
fitting AS MATERIALIZED (
    SELECT g.*, s.end_time AS ended
    FROM given g LEFT JOIN stored s USING (class_id, day_of_week, start_time)
    WHERE g.place NOT IN (SELECT place FROM overlapping UNION ALL SELECT place FROM differing)
),
changed AS (
    UPDATE class_schedules s SET end_time = f.end_time
    FROM fitting f
    WHERE (s.class_id, s.day_of_week, s.start_time) = (f.class_id, f.day_of_week, f.start_time)
      AND f.ended <> f.end_time
    RETURNING f.place
),
followed AS (
    UPDATE class_reschedules r SET original_end_time = f.end_time
    FROM fitting f
    WHERE f.ended <> f.end_time
      AND (r.class_id, r.original_start_time) = (f.class_id, f.start_time)
      AND extract(isodow FROM r.original_date) = f.day_of_week
),
made AS (
    INSERT INTO class_schedules (class_id, day_of_week, start_time, end_time)
    SELECT class_id, day_of_week, start_time, end_time FROM fitting WHERE ended IS NULL
    ORDER BY place
)""",
    """
SELECT (SELECT array_agg(place) FROM differing) AS differing,
       (SELECT array_agg(place) FROM overlapping) AS overlapping,
       (SELECT array_agg(place) FROM changed) AS changed,
       (SELECT array_agg(place) FROM fitting WHERE ended IS NULL) AS made
""",
)


async def write(
    tx: Transaction,
    actor: Actor,
    rows: list[SlotRow],
    classes: Resolved,
    conditions: Conditions,
    report: Outcomes,
) -> None:
    """Add the slots, or change the end of existing ones with the same start; none is removed."""
    slots = _each_once(rows, classes, report)
    await hold_classes(tx, actor, (class_id for class_id, _, _ in slots), to_change=True)
    done = await tx.row(
        _WRITE,
        classes=[class_id for class_id, _, _ in slots],
        days=[day for _, day, _ in slots],
        starts=[start for _, _, start in slots],
        ends=[row.slot.end_time for row in slots.values()],
        keep=conditions.keep,
    )
    names = ("differing", "overlapping", "changed", "made")
    differing, overlapping, changed, made = (set(done[name] or ()) for name in names)
    for place, row in enumerate(slots.values(), start=1):
        if place in differing:
            report.refuse(Table.SLOTS, row.row, "start_time", "timetable_differs")
        elif place in overlapping:
            report.refuse(Table.SLOTS, row.row, "start_time", "slot_overlaps")
        elif place in made:
            report.note(Table.SLOTS, row.row, RowOutcome.CREATED)
        else:
            outcome = RowOutcome.CHANGED if place in changed else RowOutcome.UNCHANGED
            report.note(Table.SLOTS, row.row, outcome)


def _each_once(
    rows: list[SlotRow], classes: Resolved, report: Outcomes
) -> dict[tuple[UUID, int, time], SlotRow]:
    slots: dict[tuple[UUID, int, time], SlotRow] = {}
    for row in rows:
        class_id = classes[row.class_name]
        if isinstance(class_id, Unresolved):
            report.refuse(Table.SLOTS, row.row, "code", class_id.code)
            continue
        key = (class_id, row.slot.day_of_week, row.slot.start_time)
        first = slots.setdefault(key, row)
        if first is not row:
            report.refuse(Table.SLOTS, row.row, "start_time", "repeated", first.row)
    return slots
