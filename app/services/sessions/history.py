"""The history of marks: every change, by a person or by the system."""

from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.attendance import MarkChange
from app.services.access import READ_SESSION, Actor
from app.services.lists import page_of
from app.sql import Statement

# A mark and the ones it replaced, in the order of the versions that made them, each next to its
# predecessor. `:version`, `:roll_key` and `:student_id` are the cursor.
_HISTORY = Statement(
    READ_SESSION,
    """
states AS MATERIALIZED (
    SELECT student_id, student_id AS recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, source, marked_by, marked_at
    FROM attendance_statuses
    WHERE class_id = (SELECT id FROM granted) AND session_id = :session_id
    UNION ALL
    SELECT student_id, recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, source, marked_by, marked_at
    FROM superseded_statuses
    WHERE class_id = (SELECT id FROM granted) AND session_id = :session_id
),
steps AS MATERIALIZED (
    SELECT states.*, state,
           lag(state) OVER (PARTITION BY student_id, recorded_for ORDER BY version) AS before
    FROM states
    CROSS JOIN LATERAL (
        SELECT CASE WHEN status IS NOT NULL THEN row_to_json(s) END AS state
        FROM (SELECT status, recognized_by_ai AS "recognizedByAi",
                     similarity_score AS "similarityScore", remark, source) s
    ) shaped
),
page AS MATERIALIZED (
    SELECT steps.*, st.roll_key, st.roll_no, st.name,
           row_number() OVER (
               ORDER BY steps.version DESC, st.roll_key, steps.recorded_for) AS n
    FROM steps JOIN students st ON st.id = steps.student_id
    WHERE :version::integer IS NULL OR steps.version < :version
       OR (steps.version = :version
           AND (st.roll_key, steps.recorded_for) > (:roll_key, :student_id::uuid))
    ORDER BY steps.version DESC, st.roll_key, steps.recorded_for
    LIMIT :most + 1
),
changes AS (
    SELECT page.n, json_build_object(
        'version', page.version, 'rollNo', page.roll_no, 'name', page.name,
        'from', page.before, 'to', page.state,
        'changedBy', page.marked_by, 'changedByName', u.name,
        'changedAt', json_instant(page.marked_at), 'requestId', b.request_id,
        'reason', b.reason) AS change
    FROM page
    LEFT JOIN attendance_batches b
        ON b.class_id = (SELECT id FROM granted) AND b.session_id = :session_id
       AND b.version = page.version
    LEFT JOIN users u ON u.id = page.marked_by
    WHERE page.n <= :most
)""",
    """
SELECT verdict,
       (SELECT coalesce(json_agg(change ORDER BY n), '[]') FROM changes)::text AS document,
       (SELECT last.version || '~' || last.recorded_for || '~' || last.roll_key FROM page last
        WHERE last.n = :most AND EXISTS (SELECT FROM page WHERE n > :most)) AS next_cursor
FROM verdict
""",
)


async def history(
    db: Database,
    actor: Actor,
    session_id: UUID,
    limit: int,
    after: tuple[int, str, UUID] | None,
) -> Document[list[MarkChange]]:
    """List who changed which mark from what to what, newest first: `limit` after `after`."""
    version, key, student = after or (None, None, None)
    row = await db.row(
        _HISTORY,
        actor_id=actor.user_id,
        session_id=session_id,
        version=version,
        roll_key=key,
        student_id=student,
        most=limit,
    )
    return page_of(row, "session")
