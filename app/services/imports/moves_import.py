"""Moved occurrences of weekly slots, from another system."""

from uuid import UUID

from app.batch import MoveRow
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.services.access import Actor, hold_classes
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.outcomes import Outcomes, Table
from app.services.timetable.meetings import MEETINGS
from app.sql import Statement

# `MEETINGS` gives what is planned on the new days, before any of these moves.
_WRITE = Statement(
    """
given AS MATERIALIZED (
    SELECT * FROM unnest(
        :classes::uuid[], :original_dates::date[], :original_starts::time[],
        :original_ends::time[], :new_dates::date[], :new_starts::time[], :new_ends::time[],
        :reasons::text[])
        WITH ORDINALITY AS g(
            class_id, original_date, original_start, original_end, new_date, new_start, new_end,
            reason, place)
),
days AS (SELECT DISTINCT class_id, new_date AS day FROM given)""",
    MEETINGS,
    """
judged AS MATERIALIZED (
    SELECT g.*, CASE
        WHEN (r.rescheduled_date, r.rescheduled_start_time, r.rescheduled_end_time)
             = (g.new_date, g.new_start, g.new_end) THEN 'unchanged'
        WHEN r.id IS NOT NULL THEN 'move_differs'
        WHEN w.id IS NULL THEN 'move_of_nothing'
        WHEN EXISTS (
            SELECT FROM meetings m
            WHERE (m.class_id, m.day) = (g.class_id, g.new_date) AND m.moved_to IS NULL
              AND m.start_time < g.new_end AND m.end_time > g.new_start
              AND NOT (g.new_date = g.original_date AND m.start_time = g.original_start)
        ) THEN 'slot_overlaps'
        ELSE 'created'
    END AS verdict
    FROM given g
    LEFT JOIN class_schedules w
        ON w.class_id = g.class_id AND w.start_time = g.original_start
       AND w.day_of_week = extract(isodow FROM g.original_date)
    LEFT JOIN class_reschedules r
        ON r.class_id = g.class_id AND r.original_date = g.original_date
       AND r.original_start_time = g.original_start
),
made AS (
    INSERT INTO class_reschedules (
        class_id, original_date, original_start_time, original_end_time,
        rescheduled_date, rescheduled_start_time, rescheduled_end_time, reason)
    SELECT class_id, original_date, original_start, original_end, new_date, new_start, new_end,
           reason
    FROM judged WHERE verdict = 'created'
)""",
    "SELECT array_agg(verdict ORDER BY place) AS verdicts FROM judged",
)


async def write(
    tx: Transaction, actor: Actor, rows: list[MoveRow], classes: Resolved, report: Outcomes
) -> None:
    """Move the occurrences; one that was already moved stays where it is."""
    known: list[tuple[UUID, MoveRow]] = []
    for row in rows:
        class_id = classes[row.class_name]
        if isinstance(class_id, Unresolved):
            report.refuse(Table.MOVES, row.row, "code", class_id.code)
        else:
            known.append((class_id, row))
    await hold_classes(tx, actor, (class_id for class_id, _ in known), to_change=True)
    moves = [row.move for _, row in known]
    done = await tx.row(
        _WRITE,
        classes=[class_id for class_id, _ in known],
        original_dates=[move.original_date for move in moves],
        original_starts=[move.original_start for move in moves],
        original_ends=[move.original_end for move in moves],
        new_dates=[move.new_date for move in moves],
        new_starts=[move.new_start for move in moves],
        new_ends=[move.new_end for move in moves],
        reasons=[move.reason for move in moves],
    )
    for (_, row), verdict in zip(known, done["verdicts"] or (), strict=True):
        if verdict in (RowOutcome.CREATED, RowOutcome.UNCHANGED):
            report.note(Table.MOVES, row.row, RowOutcome(verdict))
        else:
            report.refuse(Table.MOVES, row.row, "original_date", verdict)
