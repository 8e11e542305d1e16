"""Find the sessions that a batch means, and create the missing ones."""

from collections.abc import Iterable
from datetime import date, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from app.batch import SessionName
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.services.access import Actor
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.outcomes import Outcomes, Table
from app.services.timetable.meetings import MEETINGS
from app.sql import Statement

# The sessions asked for: classes, days, starts, periods, and whether "no start" is exact.
_ASKED = """
asked AS MATERIALIZED (
    SELECT * FROM unnest(:classes::uuid[], :days::date[], :starts::time[], :periods::integer[],
                         :totals::integer[], :exact::boolean[])
        WITH ORDINALITY AS a(class_id, day, start_time, period, total, exact, place)
),
days AS MATERIALIZED (
    SELECT class_id, day, count(start_time) > 0 AS timed FROM asked GROUP BY class_id, day
)"""

# Their starts, and which of them are ambiguous, by the rule in `SessionName`.
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
    SELECT class_id, day, start_time, end_time FROM meetings WHERE moved_to IS NULL
),
first_slots AS (
    SELECT class_id, day, min(start_time) AS start_time FROM slots GROUP BY class_id, day
),
starts_of_days AS (
    SELECT class_id, day, array_agg(start_time ORDER BY start_time) AS starts FROM (
        SELECT class_id, day, start_time FROM slots
        UNION
        SELECT s.class_id, s.session_date, s.start_time FROM attendance_sessions s
        JOIN days d ON d.class_id = s.class_id AND d.day = s.session_date
    ) starts GROUP BY class_id, day
),
chosen AS MATERIALIZED (
    SELECT a.place, a.class_id, a.day,
           CASE
               WHEN a.period IS NOT NULL THEN cardinality(starts) IS DISTINCT FROM a.total
               WHEN a.start_time IS NOT NULL OR untimed THEN false
               WHEN timed THEN NOT a.exact
               ELSE coalesce(sessions, 0) > 1
           END AS several,
           CASE
               WHEN a.period IS NOT NULL THEN starts[a.period]
               WHEN a.start_time IS NOT NULL THEN a.start_time
               WHEN timed OR untimed THEN NULL
               WHEN sessions = 1 THEN t.start_time
               WHEN NOT a.exact THEN f.start_time
           END AS start_time
    FROM asked a
    JOIN days d USING (class_id, day)
    LEFT JOIN there t USING (class_id, day)
    LEFT JOIN first_slots f USING (class_id, day)
    LEFT JOIN starts_of_days o USING (class_id, day)
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

# A session of another system is created with its own id, for the owner of the class.
_MAKE = Statement(
    """
made AS (
    INSERT INTO attendance_sessions (
        id, class_id, session_date, start_time, end_time, teacher_id, processed_image_url)
    SELECT coalesce(a.id, gen_random_uuid()), class_id, day, start_time, end_time,
           CASE WHEN a.id IS NULL THEN :actor_id ELSE c.teacher_id END, image
    FROM unnest(:ids::uuid[], :classes::uuid[], :days::date[], :starts::time[], :ends::time[],
                :images::text[]) AS a(id, class_id, day, start_time, end_time, image)
    JOIN classes c ON c.id = a.class_id
    ORDER BY class_id, day, start_time
    ON CONFLICT DO NOTHING
    RETURNING id
)""",
    "SELECT coalesce(array_agg(id), '{}') AS made FROM made",
)

# A separate statement, which sees the sessions that others have created meanwhile.
_LOCK = Statement(
    """
asked AS MATERIALIZED (
    SELECT a.class_id, coalesce(own.id, other.id) AS id, a.place
    FROM unnest(:ids::uuid[], :classes::uuid[], :days::date[], :starts::time[])
        WITH ORDINALITY AS a(id, class_id, day, start_time, place)
    LEFT JOIN attendance_sessions own ON own.class_id = a.class_id AND own.id = a.id
    LEFT JOIN attendance_sessions other
        ON other.class_id = a.class_id AND other.session_date = a.day
       AND other.start_time IS NOT DISTINCT FROM a.start_time
),
held AS MATERIALIZED (
    SELECT a.place, s.id FROM attendance_sessions s
    JOIN asked a ON s.class_id = a.class_id AND s.id = a.id
    ORDER BY s.class_id, s.id
    FOR NO KEY UPDATE OF s
)""",
    "SELECT array_agg(id ORDER BY place) AS ids FROM held",
)

_ADD_IMAGES = Statement(
    """
pictured AS (
    UPDATE attendance_sessions s SET processed_image_url = a.image
    FROM unnest(:classes::uuid[], :ids::uuid[], :images::text[]) AS a(class_id, id, image)
    WHERE s.class_id = a.class_id AND s.id = a.id AND s.processed_image_url IS NULL
    RETURNING s.id
)""",
    "SELECT count(*) AS changed FROM pictured",
)


class Unfound(NamedTuple):
    """The reason why a session was refused, as a stable code."""

    code: str


async def find_or_make(
    tx: Transaction,
    actor: Actor,
    names: Iterable[SessionName],
    classes: Resolved,
    today: date,
    report: Outcomes,
) -> tuple[dict[SessionName, UUID | Unfound], list[UUID]]:
    """Find or create the sessions, and lock them in order; also return the ids of new ones.

    The caller has locked their classes. Names without a class are left out.
    """
    found: dict[SessionName, UUID | Unfound] = {}
    known: list[tuple[SessionName, UUID]] = []
    for name in names:
        class_id = classes[name.class_name]
        if name.day > today + timedelta(days=1):
            found[name] = Unfound("date_in_future")
        elif not isinstance(class_id, Unresolved):
            known.append((name, class_id))
    chosen = await _chosen(tx, known)
    found |= {
        name: Unfound("other_periods" if name.period else "several_sessions")
        for name, _ in known
        if name not in chosen
    }
    columns: dict[str, list[Any]] = {
        "ids": [
            uuid5(choice.class_id, name.outside_id) if name.outside_id else None
            for name, choice in chosen.items()
        ],
        "classes": [choice.class_id for choice in chosen.values()],
        "days": [name.day for name in chosen],
        "starts": [choice.start for choice in chosen.values()],
    }
    made: list[UUID] = (
        await tx.row(
            _MAKE,
            **columns,
            ends=[choice.end for choice in chosen.values()],
            images=[name.image for name in chosen],
            actor_id=actor.user_id,
        )
    )["made"]
    ids = (await tx.row(_LOCK, **columns))["ids"] or ()
    found |= _each_once(zip(chosen, ids, strict=True))
    changed = await _add_images(tx, chosen, found)
    report.count(Table.SESSIONS, RowOutcome.CREATED, len(made))
    report.count(Table.SESSIONS, RowOutcome.CHANGED, changed)
    unchanged = len(set(ids)) - len(made) - changed
    report.count(Table.SESSIONS, RowOutcome.UNCHANGED, unchanged)
    return found, made


def _each_once(ids: Iterable[tuple[SessionName, UUID]]) -> dict[SessionName, UUID | Unfound]:
    """The sessions by name. If several of another system are the same here, the first counts."""
    found: dict[SessionName, UUID | Unfound] = {}
    taken: set[UUID] = set()
    for name, session_id in ids:
        repeated = name.outside_id is not None and session_id in taken
        found[name] = Unfound("session_repeated") if repeated else session_id
        taken.add(session_id)
    return found


class _Choice(NamedTuple):
    class_id: UUID
    start: time | None
    end: time | None


async def _chosen(
    tx: Transaction, known: list[tuple[SessionName, UUID]]
) -> dict[SessionName, _Choice]:
    """The start that each name means, with the end of its slot; without ambiguous names."""
    chosen = {
        name: _Choice(class_id, name.start, name.end) for name, class_id in known if name.outside_id
    }
    asked = [(name, class_id) for name, class_id in known if not name.outside_id]
    if not asked:
        return chosen
    row = await tx.row(
        _CHOOSE,
        classes=[class_id for _, class_id in asked],
        days=[name.day for name, _ in asked],
        starts=[name.start for name, _ in asked],
        periods=[name.period and name.period.nth for name, _ in asked],
        totals=[name.period and name.period.total for name, _ in asked],
        exact=[name.exact for name, _ in asked],
    )
    columns = zip(asked, row["starts"] or (), row["ends"] or (), row["several"] or (), strict=True)
    return chosen | {
        name: _Choice(class_id, start, end)
        for (name, class_id), start, end, several in columns
        if not several
    }


async def _add_images(
    tx: Transaction,
    chosen: dict[SessionName, _Choice],
    found: dict[SessionName, UUID | Unfound],
) -> int:
    """Add the photos of the names to sessions without one; return how many were changed."""
    named = [
        (choice.class_id, session_id, name.image)
        for name, choice in chosen.items()
        if name.image and not isinstance(session_id := found[name], Unfound)
    ]
    if not named:
        return 0
    classes, ids, images = (list(column) for column in zip(*named, strict=True))
    row = await tx.row(_ADD_IMAGES, classes=classes, ids=ids, images=images)
    changed: int = row["changed"]
    return changed
