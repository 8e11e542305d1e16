"""Statistics of the sessions of one class."""

from datetime import datetime
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.stats import SessionStats
from app.services.access import READ_CLASS, Actor, check
from app.services.counting.as_of import standing_at
from app.sql import Statement

# Everybody enrolled on the day without a mark is unmarked; every mark counts, enrolled or not. The
# enrolment days are a filter of the aggregate, not a join condition, since the planner would
# estimate that join as almost empty.
_OF_CLASS = Statement(
    READ_CLASS,
    """
held AS MATERIALIZED (
    SELECT s.id, s.session_date, s.start_time FROM attendance_sessions s
    WHERE s.class_id = (SELECT id FROM granted) AND s.status <> 'cancelled'
),
enrolled AS MATERIALIZED (
    SELECT h.id AS session_id, count(*) FILTER (
        WHERE e.periods @> h.session_date AND m.student_id IS NULL) AS unmarked
    FROM held h CROSS JOIN class_students e
    LEFT JOIN attendance_statuses m
        ON m.class_id = e.class_id AND m.session_id = h.id AND m.student_id = e.student_id
    WHERE e.class_id = (SELECT id FROM granted)
    GROUP BY h.id
)""",
    """
SELECT verdict, (
    SELECT coalesce(json_agg(stats ORDER BY h.session_date, h.start_time NULLS FIRST), '[]')
    FROM held h
    JOIN v_session_counts k ON k.class_id = (SELECT id FROM granted) AND k.session_id = h.id
    LEFT JOIN enrolled e ON e.session_id = h.id
    CROSS JOIN LATERAL (
        SELECT h.id AS "sessionId", h.session_date AS date, json_time(h.start_time) AS start,
               (k.counts).*, coalesce(e.unmarked, 0) AS unmarked,
               attendance_percentage(k.attended, k.counted) AS percentage
    ) stats
)::text AS document
FROM verdict
""",
)


async def of_class(
    db: Database, actor: Actor, class_id: UUID, *, as_of: datetime | None
) -> Document[list[SessionStats]]:
    """List the sessions that are not cancelled, oldest first, with the counts of their marks."""
    async with standing_at(db, as_of) as then:
        row = await then.row(_OF_CLASS, actor_id=actor.user_id, class_id=class_id)
    check(row)
    return Document(row["document"])
