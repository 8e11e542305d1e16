"""Marking students in a session."""

from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document, instant
from app.errors import Flaw, Invalid, Stale
from app.schemas.attendance import MarkBatch, Marks, Status
from app.schemas.words import roll_key
from app.services.access import Actor
from app.services.classes.rosters import ENROLLED
from app.services.sessions.mark_changes import WRITE, beneath, fields_of, on_leave
from app.services.sessions.session_lock import Change, lock_session, require_open

# $1 class, $2 session, $3 its date, $4 its version, $5 to $7 actor, request and reason, $8
# strict, $9 the versions the caller accepts, $10 to $15 the updates. Writes all that changes,
# or nothing. An absence on a day of leave is excused, and lies beneath the leave's mark; one
# made by hand counts as such there too. An excuse for who is excused by leave already stays
# the leave's: the app sends back what it read.
_MARK = f"""
WITH act AS (SELECT $5::uuid AS actor_id, $6::text AS request_id, $7::text AS reason),
given AS MATERIALIZED (
    SELECT *
    FROM unnest($10::text[], $11::text[], $12::text[], $13::boolean[], $14::numeric[], $15::text[])
        WITH ORDINALITY
        AS g(roll_key, roll_no, status, recognized_by_ai, similarity_score, remark, place)
),
on_leave AS MATERIALIZED ({on_leave("$1", "$2", "$3::date")}),
markable AS MATERIALIZED (
    SELECT st.roll_key, st.roll_no, st.name, e.student_id, m.student_id IS NOT NULL AS marked,
           {fields_of("m")}, m.marked_at
    FROM class_students e
    JOIN students st ON st.id = e.student_id
    LEFT JOIN attendance_statuses m
        ON m.class_id = $1 AND m.session_id = $2 AND m.student_id = e.student_id
    WHERE e.class_id = $1
      AND ({ENROLLED} OR e.periods @> $3::date OR m.student_id IS NOT NULL)
),
judged AS MATERIALIZED (
    SELECT g.place, g.roll_no, old.student_id,
           CASE WHEN old.student_id IS NULL THEN 'not_enrolled'
                WHEN g.recognized_by_ai AND 'manual' IN (old.source, old.beneath ->> 'source')
                THEN 'marked_by_hand'
           END AS refusal,
           coalesce(g.status = 'excused' AND old.source = 'leave', false) AS known,
           g.status, g.recognized_by_ai, g.similarity_score, g.remark,
           CASE WHEN g.recognized_by_ai THEN 'ai' ELSE 'manual' END AS source
    FROM given g LEFT JOIN markable old USING (roll_key)
),
wanted AS MATERIALIZED (
    SELECT student_id, status, recognized_by_ai, similarity_score, remark, source,
           NULL::uuid AS leave_id, NULL::text AS leave_kind, NULL::jsonb AS beneath
    FROM judged
    WHERE refusal IS NULL AND NOT known
      AND NOT (status = 'absent' AND student_id IN (SELECT student_id FROM on_leave))
    UNION ALL
    SELECT student_id, 'excused', false, NULL, judged.remark, 'leave',
           old.leave_id, old.leave_kind, old.beneath
    FROM judged JOIN markable old USING (student_id)
    WHERE refusal IS NULL AND known
    UNION ALL
    SELECT student_id, 'excused', false, NULL, remark, 'leave', leave_id, leave_kind,
           {beneath("status", "recognized_by_ai", "similarity_score", "remark", "source")}
    FROM judged JOIN on_leave USING (student_id)
    WHERE refusal IS NULL AND status = 'absent'
),
different AS MATERIALIZED (
    SELECT $1::uuid AS class_id, $2::uuid AS session_id, wanted.*
    FROM wanted JOIN markable old USING (student_id)
    WHERE ({fields_of("wanted")}) IS DISTINCT FROM ({fields_of("old")})
),
decision AS MATERIALIZED (
    SELECT CASE
        WHEN refused > 0 AND ($8 OR refused = asked) THEN 'refused'
        WHEN NOT EXISTS (SELECT FROM different) THEN 'unchanged'
        WHEN NOT $4 = ANY($9::integer[]) THEN 'stale'
        ELSE 'changed'
    END AS outcome
    FROM (SELECT count(*) AS asked, count(refusal) AS refused FROM judged) counts
),
changes AS MATERIALIZED (
    SELECT different.* FROM different CROSS JOIN decision WHERE outcome = 'changed'
),
{WRITE},
marks AS (
    SELECT old.roll_key, mark
    FROM markable old
    LEFT JOIN changes new ON new.student_id = old.student_id
    CROSS JOIN LATERAL (
        SELECT old.roll_no AS "rollNo", old.name,
               new.status, new.recognized_by_ai AS "recognizedByAi",
               new.similarity_score AS "similarityScore", new.remark, new.source,
               {instant("statement_timestamp()")} AS "markedAt"
        WHERE new.student_id IS NOT NULL
        UNION ALL
        SELECT old.roll_no, old.name, old.status, old.recognized_by_ai, old.similarity_score,
               old.remark, old.source, {instant("old.marked_at")}
        WHERE new.student_id IS NULL AND old.marked
    ) mark
)
SELECT decision.outcome,
       coalesce((SELECT version FROM numbered), $4) AS version,
       (SELECT json_agg(mark ORDER BY roll_key) FROM marks)::text AS statuses,
       (SELECT json_agg(json_build_object('rollNo', roll_no, 'code', refusal) ORDER BY place)
        FROM judged WHERE refusal IS NOT NULL)::text AS rejected,
       (SELECT array_agg(place ORDER BY place) FROM judged WHERE refusal IS NOT NULL) AS places,
       (SELECT array_agg(refusal ORDER BY place) FROM judged
        WHERE refusal IS NOT NULL) AS refusals
FROM decision
"""


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
    """Merge the marks into the session, all of them or none, and answer with all its marks.

    Roll numbers that may not be marked are named in `rejected`; `strict`, or nothing else in
    the batch, makes them an `Invalid`. `if_match` lists the versions the caller has seen;
    another one is `Stale`, unless the batch changes nothing.
    """
    async with db.transaction() as tx:
        session = await lock_session(tx, actor, session_id, Change(window, batch.reason))
        require_open(session)
        row = await tx.row(
            _MARK,
            session["class_id"],
            session_id,
            session["session_date"],
            session["version"],
            actor.user_id,
            actor.request_id,
            batch.reason,
            strict,
            if_match if if_match is not None else [session["version"]],
            *_columns(batch),
        )
        _check_outcome(row)
    return Document(
        f'{{"sessionId":"{session_id}","version":{row["version"]},'
        f'"statuses":{row["statuses"] or "[]"},"rejected":{row["rejected"] or "[]"}}}',
        version=row["version"],
    )


def _columns(batch: MarkBatch) -> tuple[list[object], ...]:
    updates = batch.updates
    return (
        [roll_key(update.roll_no) for update in updates],
        [update.roll_no for update in updates],
        [update.status for update in updates],
        [update.recognized_by_ai for update in updates],
        [update.similarity_score for update in updates],
        [update.remark for update in updates],
    )


_REFUSALS = {
    "not_enrolled": "This roll number is not enrolled in this class.",
    "marked_by_hand": "This student was marked by hand, and a photo does not change that.",
}


def _check_outcome(row: asyncpg.Record) -> None:
    if row["outcome"] == "stale":
        raise Stale("Somebody else has changed this attendance since. Reload it and try again.")
    if row["outcome"] == "refused":
        flaws = tuple(
            Flaw(f"/updates/{place - 1}/rollNo", code, _REFUSALS[code])
            for place, code in zip(row["places"], row["refusals"], strict=True)
        )
        raise Invalid(f"Nothing was marked. {flaws[0].detail}", code=flaws[0].code, flaws=flaws)


# $1 class, $2 session, $3 its date, $4 to $6 actor, request and reason, $7 status, $8 source.
# Marks everybody who was enrolled on the day and has no mark; an absence is excused by leave.
# When a session is finalised, it also lies beneath what leave had excused without a mark.
_FILL = f"""
WITH act AS (SELECT $4::uuid AS actor_id, $5::text AS request_id, $6::text AS reason),
on_leave AS MATERIALIZED ({on_leave("$1", "$2", "$3::date")}),
changes AS MATERIALIZED (
    SELECT $1::uuid AS class_id, $2::uuid AS session_id, e.student_id,
           CASE WHEN excused THEN 'excused' ELSE $7 END AS status,
           false AS recognized_by_ai, NULL::numeric AS similarity_score, NULL::text AS remark,
           CASE WHEN excused THEN 'leave' ELSE $8 END AS source,
           CASE WHEN excused THEN l.leave_id END AS leave_id,
           CASE WHEN excused THEN l.leave_kind END AS leave_kind,
           CASE WHEN excused THEN {beneath("$7::text", "false", "NULL", "NULL", "$8::text")}
           END AS beneath
    FROM class_students e
    LEFT JOIN on_leave l USING (student_id)
    CROSS JOIN LATERAL (
        SELECT l.leave_id IS NOT NULL AND $7::text = 'absent' AS excused
    ) rule
    WHERE e.class_id = $1 AND e.periods @> $3::date
      AND NOT EXISTS (
          SELECT FROM attendance_statuses m
          WHERE m.class_id = $1 AND m.session_id = $2 AND m.student_id = e.student_id)
),
hidden AS (
    UPDATE attendance_statuses m
    SET beneath = {beneath("$7::text", "false", "NULL", "NULL", "$8::text")}
    FROM class_students e
    WHERE $8 = 'auto' AND m.class_id = $1 AND m.session_id = $2
      AND m.source = 'leave' AND m.beneath IS NULL
      AND e.class_id = $1 AND e.student_id = m.student_id AND e.periods @> $3::date
),
{WRITE}
SELECT count(*) AS marked FROM changes
"""


async def fill(
    tx: Transaction,
    actor: Actor,
    session: asyncpg.Record,
    status: Status,
    source: str,
    reason: str | None,
) -> None:
    """Mark who was enrolled on the session's day and has no mark yet."""
    await tx.row(
        _FILL,
        session["class_id"],
        session["session_id"],
        session["session_date"],
        actor.user_id,
        actor.request_id,
        reason,
        status,
        source,
    )
