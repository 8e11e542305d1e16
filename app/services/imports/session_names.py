"""Which sessions a file of attendance means; those that are not there yet are made."""

from collections.abc import Iterable
from datetime import date, time, timedelta
from typing import NamedTuple
from uuid import UUID

from app.batch import SessionName
from app.db import Transaction
from app.services.access import Actor
from app.services.imports.class_names import Resolved, Unresolved
from app.services.leave.leave_marks import apply_to_sessions
from app.services.timetable.meetings import MEETINGS
from app.sql import Statement

# The sessions that are meant: classes, days, starts, and whether "no start" is exact.
_ASKED = """
asked AS MATERIALIZED (
    SELECT * FROM unnest(:classes::uuid[], :days::date[], :starts::time[], :exact::boolean[])
        WITH ORDINALITY AS a(class_id, day, start_time, exact, place)
),
days AS MATERIALIZED (
    SELECT class_id, day, count(start_time) > 0 AS timed FROM asked GROUP BY class_id, day
)"""

# The starts they have, and which could be several. `SessionName` says the rule.
_CHOOSE = Statement(
    _ASKED,
    MEETINGS,
    """
there AS MATERIALIZED (
    SELECT s.class_id, s.session_date AS day, count(*) AS sessions,
           count(*) > count(s.start_time) AS untimed, min(s.start_time) AS start_time
    FROM days d
    JOIN attendance_sessions s ON s.class_id = d.class_id AND s.session_date = d.day
    GROUP BY s.class_id, s.session_date
),
slots AS MATERIALIZED (
    SELECT class_id, day, start_time, end_time FROM meetings WHERE to_date IS NULL
),
first_slots AS (
    SELECT class_id, day, min(start_time) AS start_time FROM slots GROUP BY class_id, day
),
chosen AS MATERIALIZED (
    SELECT a.place, a.class_id, a.day,
           a.start_time IS NULL AND NOT coalesce(untimed, false) AND CASE
               WHEN timed THEN NOT a.exact ELSE coalesce(sessions, 0) > 1 END AS several,
           CASE
               WHEN a.start_time IS NOT NULL THEN a.start_time
               WHEN timed OR untimed THEN NULL
               WHEN sessions = 1 THEN t.start_time
               WHEN NOT a.exact THEN f.start_time
           END AS start_time
    FROM asked a
    JOIN days d USING (class_id, day)
    LEFT JOIN there t USING (class_id, day)
    LEFT JOIN first_slots f USING (class_id, day)
)""",
    """
SELECT array_agg(start_time ORDER BY place) AS starts,
       array_agg(several ORDER BY place) AS several,
       array_agg((SELECT max(end_time) FROM slots s
                  WHERE (s.class_id, s.day, s.start_time)
                      = (chosen.class_id, chosen.day, chosen.start_time)) ORDER BY place) AS ends
FROM chosen
""",
)

_MAKE = Statement(
    """
made AS (
    INSERT INTO attendance_sessions (class_id, session_date, start_time, end_time, teacher_id)
    SELECT class_id, day, start_time, end_time, :actor_id
    FROM unnest(:classes::uuid[], :days::date[], :starts::time[], :ends::time[])
        AS a(class_id, day, start_time, end_time)
    ORDER BY class_id, day, start_time
    ON CONFLICT (class_id, session_date, start_time) DO NOTHING
    RETURNING id
)""",
    "SELECT coalesce(array_agg(id), '{}') AS made FROM made",
)

# A statement of its own, which sees what others have made meanwhile.
_LOCK = Statement(
    """
asked AS MATERIALIZED (
    SELECT * FROM unnest(:classes::uuid[], :days::date[], :starts::time[])
        WITH ORDINALITY AS a(class_id, day, start_time, place)
),
held AS MATERIALIZED (
    SELECT a.place, s.id FROM attendance_sessions s
    JOIN asked a ON s.class_id = a.class_id AND s.session_date = a.day
        AND s.start_time IS NOT DISTINCT FROM a.start_time
    ORDER BY s.class_id, s.id
    FOR NO KEY UPDATE OF s
)""",
    "SELECT array_agg(id ORDER BY place) AS ids FROM held",
)


class Unfound(NamedTuple):
    """Why a session cannot be: a stable code."""

    code: str


async def find_or_make(
    tx: Transaction, actor: Actor, names: Iterable[SessionName], classes: Resolved, today: date
) -> tuple[dict[SessionName, UUID | Unfound], int]:
    """The sessions, locked in order, and how many of them are new. Their classes are locked.

    In new ones leave shows as in those that are opened by hand. Names without a class are left
    out.
    """
    found: dict[SessionName, UUID | Unfound] = {}
    known: list[tuple[SessionName, UUID]] = []
    for name in names:
        class_id = classes[name.class_name]
        if name.day > today + timedelta(days=1):
            found[name] = Unfound("date_in_future")
        elif not isinstance(class_id, Unresolved):
            known.append((name, class_id))
    chosen = await _choose(tx, known)
    found |= {
        name: Unfound("several_sessions")
        for (name, _), choice in zip(known, chosen, strict=True)
        if not choice
    }
    sure = [(name, choice) for (name, _), choice in zip(known, chosen, strict=True) if choice]
    names_of = ("classes", "days", "starts", "ends")
    columns = {
        column: [choice[place] for _, choice in sure] for place, column in enumerate(names_of)
    }
    made = (await tx.row(_MAKE, **columns, actor_id=actor.user_id))["made"]
    del columns["ends"]
    ids = (await tx.row(_LOCK, **columns))["ids"] or ()
    if made:
        await apply_to_sessions(tx, actor, made)
    found |= {name: id for (name, _), id in zip(sure, ids, strict=True)}
    return found, len(made)


Choice = tuple[UUID, date, time | None, time | None]  # class, day, start, end


async def _choose(tx: Transaction, known: list[tuple[SessionName, UUID]]) -> list[Choice | None]:
    """The start that is meant for each, with the end it would have; None where several may be."""
    row = await tx.row(
        _CHOOSE,
        classes=[class_id for _, class_id in known],
        days=[name.day for name, _ in known],
        starts=[name.start for name, _ in known],
        exact=[name.exact for name, _ in known],
    )
    chosen = zip(known, row["starts"] or (), row["ends"] or (), row["several"] or (), strict=True)
    return [
        None if several else (class_id, name.day, start, end)
        for (name, class_id), start, end, several in chosen
    ]
