"""The history of marks: every change, whoever or whatever made it."""

from uuid import UUID

from app.db import Database
from app.documents import Document, instant
from app.schemas.attendance import MarkChange
from app.services import old_access as access
from app.services.access import Actor, check

# A mark and the ones it replaced, in the order of the versions that made them: each stands
# beside the one before it. $3 to $5 say after which one to go on, $6 how many to give.
_HISTORY = f"""
{access.READ_SESSION},
states AS MATERIALIZED (
    SELECT student_id, student_id AS recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, source, marked_by, marked_at
    FROM attendance_statuses WHERE class_id = (SELECT id FROM granted) AND session_id = $2
    UNION ALL
    SELECT student_id, recorded_for, version, status, recognized_by_ai,
           similarity_score, remark, source, marked_by, marked_at
    FROM superseded_statuses WHERE class_id = (SELECT id FROM granted) AND session_id = $2
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
               {instant("page.marked_at")} AS "changedAt", b.request_id AS "requestId",
               b.reason
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
