"""Marking students in a session, and the history of their marks."""

from uuid import UUID

import asyncpg

from app.db import Database
from app.documents import Document, instant
from app.errors import Flaw, Invalid, Stale
from app.schemas.attendance import MarkBatch, MarkChange, Marks
from app.schemas.words import roll_key
from app.services import access
from app.services.access import Actor, check
from app.services.roster_service import ENROLLED

# Locks class, then session, so that the next statement sees what these waited for: a
# statement that waits and then compares would compare marks from before the wait.
_LOCK = f"""
{access.MARK_SESSION},
session AS MATERIALIZED (
    SELECT s.version FROM attendance_sessions s JOIN granted ON s.class_id = granted.id
    WHERE s.id = $2
    FOR NO KEY UPDATE OF s
)
SELECT {access.VERDICT}, (SELECT id FROM granted) AS class_id,
       (SELECT version FROM session) AS version
"""

# $1 class, $2 session, $3 its version, $4 actor, $5 request id, $6 strict, $7 the versions the
# caller accepts, $8 to $13 the updates. Writes all that changes, or nothing. Times are of
# this statement, which began after the lock was had, so they grow as the versions do.
_MARK = f"""
WITH given AS MATERIALIZED (
    SELECT *
    FROM unnest($8::text[], $9::text[], $10::text[], $11::boolean[], $12::numeric[], $13::text[])
        WITH ORDINALITY
        AS g(roll_key, roll_no, status, recognized_by_ai, similarity_score, remark, place)
),
markable AS MATERIALIZED (
    SELECT st.roll_key, st.roll_no, st.name, e.student_id, m.student_id IS NOT NULL AS marked,
           m.status, m.recognized_by_ai, m.similarity_score, m.remark,
           m.source, m.marked_by, m.marked_at, m.version
    FROM class_students e
    JOIN students st ON st.id = e.student_id
    LEFT JOIN attendance_statuses m
        ON m.class_id = $1 AND m.session_id = $2 AND m.student_id = e.student_id
    WHERE e.class_id = $1 AND ({ENROLLED} OR m.student_id IS NOT NULL OR e.periods @> (
        SELECT session_date FROM attendance_sessions WHERE class_id = $1 AND id = $2))
),
changes AS MATERIALIZED (
    SELECT old.student_id, old.marked, g.status, g.recognized_by_ai, g.similarity_score, g.remark
    FROM given g JOIN markable old USING (roll_key)
    WHERE (old.status, old.recognized_by_ai, old.similarity_score, old.remark)
          IS DISTINCT FROM (g.status, g.recognized_by_ai, g.similarity_score, g.remark)
),
refused AS MATERIALIZED (
    SELECT g.place, g.roll_no FROM given g
    WHERE NOT EXISTS (SELECT FROM markable WHERE markable.roll_key = g.roll_key)
),
decision AS MATERIALIZED (
    SELECT CASE
        WHEN EXISTS (SELECT FROM refused)
             AND ($6 OR (SELECT count(*) FROM refused) = (SELECT count(*) FROM given))
        THEN 'refused'
        WHEN NOT EXISTS (SELECT FROM changes) THEN 'unchanged'
        WHEN NOT $3 = ANY($7::integer[]) THEN 'stale'
        ELSE 'changed'
    END AS outcome
),
going AS MATERIALIZED (SELECT $3 + 1 AS version FROM decision WHERE outcome = 'changed'),
counted AS (
    UPDATE attendance_sessions s SET version = going.version
    FROM going WHERE s.class_id = $1 AND s.id = $2
),
recorded AS (
    INSERT INTO attendance_batches (class_id, session_id, version, request_id, actor_id, made_at)
    SELECT $1, $2, going.version, $5, $4, statement_timestamp() FROM going
),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, status, recognized_by_ai,
        similarity_score, remark, source, marked_by, marked_at)
    SELECT $1, $2, old.student_id, old.student_id, old.version, old.status, old.recognized_by_ai,
           old.similarity_score, old.remark, old.source, old.marked_by, old.marked_at
    FROM going CROSS JOIN changes JOIN markable old USING (student_id)
    WHERE old.marked
),
written AS (
    INSERT INTO attendance_statuses (
        class_id, session_id, student_id, status, recognized_by_ai,
        similarity_score, remark, source, marked_by, marked_at, version)
    SELECT $1, $2, student_id, status, recognized_by_ai, similarity_score, remark,
           CASE WHEN recognized_by_ai THEN 'ai' ELSE 'manual' END, $4,
           statement_timestamp(), going.version
    FROM going CROSS JOIN changes
    ORDER BY student_id
    ON CONFLICT (class_id, session_id, student_id) DO UPDATE
    SET status = excluded.status, recognized_by_ai = excluded.recognized_by_ai,
        similarity_score = excluded.similarity_score, remark = excluded.remark,
        source = excluded.source, marked_by = excluded.marked_by,
        marked_at = excluded.marked_at, version = excluded.version
),
marks AS (
    SELECT old.roll_key, mark
    FROM markable old
    LEFT JOIN changes new ON new.student_id = old.student_id
    CROSS JOIN LATERAL (
        SELECT old.roll_no AS "rollNo", old.name,
               new.status, new.recognized_by_ai AS "recognizedByAi",
               new.similarity_score AS "similarityScore", new.remark,
               {instant("statement_timestamp()")} AS "markedAt"
        WHERE new.student_id IS NOT NULL
        UNION ALL
        SELECT old.roll_no, old.name, old.status, old.recognized_by_ai, old.similarity_score,
               old.remark, {instant("old.marked_at")}
        WHERE new.student_id IS NULL AND old.marked
    ) mark
)
SELECT decision.outcome,
       coalesce((SELECT version FROM going), $3) AS version,
       (SELECT json_agg(mark ORDER BY roll_key) FROM marks)::text AS statuses,
       (SELECT json_agg(json_build_object('rollNo', roll_no, 'code', 'not_enrolled') ORDER BY place)
        FROM refused)::text AS rejected,
       (SELECT array_agg(place ORDER BY place) FROM refused) AS refused_places
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
) -> Document[Marks]:
    """Merge the marks into the session, all of them or none, and answer with all its marks.

    Roll numbers that may not be marked are named in `rejected`; `strict`, or nothing else in
    the batch, makes them an `Invalid`. `if_match` lists the versions the caller has seen;
    another one is `Stale`, unless the batch changes nothing.
    """
    async with db.transaction() as tx:
        lock = await tx.row(_LOCK, actor.user_id, session_id)
        check(lock, "session")
        row = await tx.row(
            _MARK,
            lock["class_id"],
            session_id,
            lock["version"],
            actor.user_id,
            actor.request_id,
            strict,
            if_match if if_match is not None else [lock["version"]],
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


def _check_outcome(row: asyncpg.Record) -> None:
    if row["outcome"] == "stale":
        raise Stale("Somebody else has changed this attendance since. Reload it and try again.")
    if row["outcome"] == "refused":
        raise Invalid(
            "Nothing was marked: these roll numbers are not enrolled in this class.",
            code="not_enrolled",
            flaws=tuple(
                Flaw(f"/updates/{place - 1}/rollNo", "not_enrolled", "Not enrolled in this class.")
                for place in row["refused_places"]
            ),
        )


# A mark and the ones it replaced, in the order of the versions that made them: each stands
# beside the one before it. $3 to $5 say after which one to go on, $6 how many to give.
_HISTORY = f"""
{access.READ_SESSION},
states AS MATERIALIZED (
    SELECT student_id, student_id AS recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, marked_by, marked_at
    FROM attendance_statuses WHERE class_id = (SELECT id FROM granted) AND session_id = $2
    UNION ALL
    SELECT student_id, recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, marked_by, marked_at
    FROM superseded_statuses WHERE class_id = (SELECT id FROM granted) AND session_id = $2
),
steps AS MATERIALIZED (
    SELECT states.*, state,
           lag(state) OVER (PARTITION BY student_id, recorded_for ORDER BY version) AS before
    FROM states
    CROSS JOIN LATERAL (
        SELECT row_to_json(s) AS state
        FROM (SELECT status, recognized_by_ai AS "recognizedByAi",
                     similarity_score AS "similarityScore", remark) s
    ) shaped
),
page AS MATERIALIZED (
    SELECT steps.*, st.roll_key, st.roll_no, st.name,
           row_number() OVER (
               ORDER BY steps.version DESC, st.roll_key, steps.recorded_for) AS n
    FROM steps JOIN students st ON st.id = steps.student_id
    WHERE $3::integer IS NULL OR steps.version < $3
       OR (steps.version = $3 AND (st.roll_key, steps.recorded_for) > ($4, $5::uuid))
    ORDER BY steps.version DESC, st.roll_key, steps.recorded_for
    LIMIT $6 + 1
)
SELECT {access.VERDICT}, (
    SELECT coalesce(json_agg(change ORDER BY page.n), '[]')
    FROM page
    LEFT JOIN attendance_batches b
        ON b.class_id = (SELECT id FROM granted) AND b.session_id = $2 AND b.version = page.version
    LEFT JOIN users u ON u.id = page.marked_by
    CROSS JOIN LATERAL (
        SELECT page.version, page.roll_no AS "rollNo", page.name,
               page.before AS "from", page.state AS "to",
               page.marked_by AS "changedBy", u.name AS "changedByName",
               {instant("page.marked_at")} AS "changedAt", b.request_id AS "requestId"
    ) change
    WHERE page.n <= $6
)::text AS document, (
    SELECT last.version || '~' || last.recorded_for || '~' || last.roll_key FROM page last
    WHERE last.n = $6 AND EXISTS (SELECT FROM page WHERE n > $6)
) AS next_cursor
"""


async def history(
    db: Database,
    actor: Actor,
    session_id: UUID,
    limit: int,
    after: tuple[int, str, UUID] | None,
) -> Document[list[MarkChange]]:
    """Who changed which mark from what to what, newest first, `limit` changes after `after`."""
    version, key, student = after or (None, None, None)
    row = await db.row(_HISTORY, actor.user_id, session_id, version, key, student, limit)
    check(row, "session")
    return Document(row["document"], next_cursor=row["next_cursor"])
