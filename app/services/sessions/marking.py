"""Marking students in a session."""

import json
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Flaw, Invalid
from app.schemas.attendance import MarkBatch, Marks, Status
from app.schemas.words import roll_key
from app.services.access import Actor
from app.services.sessions.attendance_service import MARKS
from app.services.sessions.mark_changes import DIFFERENT, ON_LEAVE, ONE_SESSION, SHOWN, WRITTEN
from app.services.sessions.session_lock import (
    Change,
    changed_since,
    lock_session,
    require_open,
)
from app.sql import Statement

# Writes all changes or none. `excused` for a student already excused by leave keeps the mark
# entered beneath the leave: the app sends back what it has read.
_MARK = Statement(
    ONE_SESSION,
    ON_LEAVE,
    """
given AS MATERIALIZED (
    SELECT * FROM unnest(:roll_keys::text[], :statuses::text[], :recognized::boolean[],
                         :scores::numeric[], :remarks::text[]) WITH ORDINALITY
        AS g(roll_key, status, recognized_by_ai, similarity_score, remark, place)
),
judged AS MATERIALIZED (
    SELECT g.*, e.student_id, leave_id, said_status, said_score, said_remark, said_source, CASE
        WHEN (on_roster(e.periods) OR e.periods @> :day OR m.student_id IS NOT NULL) IS NOT TRUE
        THEN 'not_enrolled'
        WHEN g.recognized_by_ai AND 'manual' IN (m.source, m.said_source) THEN 'marked_by_hand'
    END AS refusal
    FROM given g
    LEFT JOIN students st ON st.roll_key = g.roll_key
    LEFT JOIN enrolments e ON e.student_id = st.id
    LEFT JOIN attendance_statuses m ON m.class_id = :class_id AND m.session_id = :session_id
        AND m.student_id = e.student_id
),
said AS MATERIALIZED (
    SELECT :class_id::uuid AS class_id, :session_id::uuid AS session_id, student_id, word.*
    FROM judged CROSS JOIN LATERAL (
        SELECT status, recognized_by_ai, similarity_score, remark,
               CASE WHEN recognized_by_ai THEN 'ai' ELSE 'manual' END AS source,
               NULL::text AS leave_kind, remark AS note
        WHERE status <> 'excused' OR leave_id IS NULL
        UNION ALL
        SELECT said_status, said_source = 'ai', said_score, said_remark, said_source, NULL, remark
        WHERE status = 'excused' AND leave_id IS NOT NULL
    ) word
    WHERE refusal IS NULL
)""",
    SHOWN,
    DIFFERENT,
    """
decision AS MATERIALIZED (
    SELECT CASE
        WHEN count(refusal) > 0 AND (:strict OR count(refusal) = count(*)) THEN 'refused'
        WHEN NOT EXISTS (SELECT FROM different) THEN 'unchanged'
        WHEN NOT :version::integer = ANY(:if_match::integer[]) THEN 'stale'
        ELSE 'changed'
    END AS outcome
    FROM judged
),
changes AS MATERIALIZED (
    SELECT different.* FROM different CROSS JOIN decision WHERE outcome = 'changed'
)""",
    WRITTEN,
    """
SELECT (SELECT outcome FROM decision) AS outcome,
       coalesce((SELECT version FROM numbered), :version) AS version,
       array_agg(place ORDER BY place) FILTER (WHERE refusal IS NOT NULL) AS places,
       array_agg(refusal ORDER BY place) FILTER (WHERE refusal IS NOT NULL) AS refusals
FROM judged
""",
)

# A separate statement, since `_MARK` could not see its own writes. Within one session, the student
# is looked up for each mark.
_MARKS = Statement(
    """
sessions AS (SELECT :session_id::uuid AS id),
granted AS (SELECT :class_id::uuid AS id),
people AS NOT MATERIALIZED (SELECT id, roll_no, name, roll_key AS place FROM students)""",
    MARKS,
    "SELECT coalesce((SELECT statuses FROM marks), '[]')::text AS statuses",
)


async def mark(
    db: Database,
    actor: Actor,
    session_id: UUID,
    batch: MarkBatch,
    *,
    strict: bool,
    if_match: list[int] | None,
    window: int | None = None,
) -> Document[Marks]:
    """Merge the marks into the session in one step, and return all its marks.

    Roll numbers that cannot be marked are listed in `rejected`; with `strict`, or if all are
    rejected, `Invalid` is raised instead. `if_match` lists the versions the caller has seen; any
    other current version raises `Stale`, unless the batch changes nothing.
    """
    async with db.transaction() as tx:
        return await mark_within(
            tx, actor, session_id, batch, strict=strict, if_match=if_match, window=window
        )


async def mark_within(
    tx: Transaction,
    actor: Actor,
    session_id: UUID,
    batch: MarkBatch,
    *,
    strict: bool = False,
    if_match: list[int] | None = None,
    window: int | None = None,
) -> Document[Marks]:
    """The same as part of something more, whose transaction it is."""
    session = await lock_session(tx, actor, session_id, Change(window, batch.reason))
    require_open(session)
    row = await tx.row(
        _MARK,
        **_held(session, actor, batch.reason),
        version=session["version"],
        strict=strict,
        if_match=if_match if if_match is not None else [session["version"]],
        **_columns(batch),
    )
    refused = dict(zip(row["places"] or (), row["refusals"] or (), strict=True))
    _check_outcome(row["outcome"], refused)
    marks = await tx.row(_MARKS, class_id=session["class_id"], session_id=session_id)
    rejected = json.dumps(
        [
            {"rollNo": batch.updates[place - 1].roll_no, "code": code}
            for place, code in refused.items()
        ]
    )
    return Document(
        f'{{"sessionId":"{session_id}","version":{row["version"]},'
        f'"statuses":{marks["statuses"]},"rejected":{rejected}}}',
        version=row["version"],
    )


def _held(session: asyncpg.Record, actor: Actor, reason: str | None) -> dict[str, object]:
    """The parameters for the locked session, the actor and the reason."""
    return {
        "class_id": session["class_id"],
        "session_id": session["session_id"],
        "day": session["session_date"],
        "actor_id": actor.user_id,
        "request_id": actor.request_id,
        "reason": reason,
    }


def _columns(batch: MarkBatch) -> dict[str, list[object]]:
    updates = batch.updates
    return {
        "roll_keys": [roll_key(update.roll_no) for update in updates],
        "statuses": [update.status for update in updates],
        "recognized": [update.recognized_by_ai for update in updates],
        "scores": [update.similarity_score for update in updates],
        "remarks": [update.remark for update in updates],
    }


_REFUSALS = {
    "not_enrolled": "This roll number is not enrolled in this class.",
    "marked_by_hand": "This student was marked by hand; a photo does not overrule that.",
}


def _check_outcome(outcome: str, refused: dict[int, str]) -> None:
    """Raise the error for the outcome; `refused` maps positions of updates, from 1, to codes."""
    if outcome == "stale":
        raise changed_since()
    if outcome == "refused":
        flaws = tuple(
            Flaw(f"/updates/{place - 1}/rollNo", code, _REFUSALS[code])
            for place, code in refused.items()
        )
        raise Invalid(f"Nothing was marked. {flaws[0].detail}", code=flaws[0].code, flaws=flaws)


# Marks everybody who was enrolled on the day and has no mark (being excused by leave is a mark).
_FILL = Statement(
    ONE_SESSION,
    ON_LEAVE,
    """
said AS MATERIALIZED (
    SELECT e.class_id, :session_id::uuid AS session_id, e.student_id, :status::text AS status,
           false AS recognized_by_ai, NULL::numeric AS similarity_score, NULL::text AS remark,
           :source::text AS source, NULL::text AS leave_kind, NULL::text AS note
    FROM enrolments e
    WHERE e.periods @> :day AND e.student_id NOT IN (
        SELECT student_id FROM attendance_statuses
        WHERE class_id = :class_id AND session_id = :session_id)
)""",
    SHOWN,
    "changes AS MATERIALIZED (SELECT * FROM shown)",
    WRITTEN,
    "SELECT FROM numbered",
)


async def fill(
    tx: Transaction,
    actor: Actor,
    session: asyncpg.Record,
    status: Status,
    source: str,
    reason: str | None,
) -> None:
    """Mark everybody who was enrolled on the session's day and has no mark yet."""
    await tx.execute(_FILL, **_held(session, actor, reason), status=status, source=source)


# A mark hidden by leave is not in the history and has no version of its own.
_FILL_BENEATH_LEAVE = Statement("""
UPDATE attendance_statuses m SET said_status = 'absent', said_source = 'auto'
FROM class_students e
WHERE m.class_id = :class_id AND m.session_id = :session_id
  AND m.leave_id IS NOT NULL AND m.said_status IS NULL
  AND e.class_id = m.class_id AND e.student_id = m.student_id AND e.periods @> :day::date
""")


async def fill_absent(
    tx: Transaction, actor: Actor, session: asyncpg.Record, reason: str | None
) -> None:
    """Mark everybody without a mark absent, also beneath leave, which hides it."""
    await tx.execute(
        _FILL_BENEATH_LEAVE,
        class_id=session["class_id"],
        session_id=session["session_id"],
        day=session["session_date"],
    )
    await fill(tx, actor, session, Status.ABSENT, "auto", reason)
