"""The audit log: who did what to which record, by ids only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.admin import AuditEntry, Named
from app.services.access import ADMIN, Actor, check
from app.services.lists import PAGE_OF_DOCUMENTS, After, newest_first
from app.sql import Statement

COMMAND_LINE = "command line"

# Writes `acts` (action, subject, subject_id, details) to the log, with the actor and the request.
RECORDED = """
recorded AS (
    INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)
    SELECT :actor_id::uuid, :request_id::text, action, subject, subject_id, details FROM acts
)"""


def signed(actor: Actor | None) -> dict[str, object]:
    """The parameters of `RECORDED`; without an actor it was done on the command line."""
    if actor is None:
        return {"actor_id": None, "request_id": COMMAND_LINE}
    return {"actor_id": actor.user_id, "request_id": actor.request_id}


@dataclass(frozen=True)
class Filter:
    """Which entries to show; None shows all. Dates are inclusive, in the institution's zone."""

    actor_id: UUID | None = None
    subject_id: UUID | None = None
    action: str | None = None
    first: date | None = None
    last: date | None = None


_LIST = Statement(
    ADMIN,
    """
page AS MATERIALIZED (
    SELECT l.*, json_instant(l.at) || '~' || l.id AS cursor,
           row_number() OVER (ORDER BY l.at DESC, l.id) AS n
    FROM audit_log l
    WHERE EXISTS (SELECT FROM admin)
      AND (:by::uuid IS NULL OR l.actor_id = :by)
      AND (:subject_id::uuid IS NULL OR l.subject_id = :subject_id)
      AND (:action::text IS NULL OR l.action = :action)
      AND (:first::date IS NULL OR l.at >= :first)
      AND (:last::date IS NULL OR l.at < :last + 1)
      AND (:after_at::timestamptz IS NULL OR l.at < :after_at
           OR (l.at = :after_at AND l.id > :after_id::uuid))
    ORDER BY l.at DESC, l.id
    LIMIT :most + 1
),
documents AS (
    SELECT id, json_build_object(
        'id', id, 'at', json_instant(at), 'actorId', actor_id, 'requestId', request_id,
        'action', action, 'subject', subject, 'subjectId', subject_id, 'details', details
    ) AS document
    FROM page WHERE n <= :most
)""",
    PAGE_OF_DOCUMENTS,
)


async def list_entries(
    db: Database,
    actor: Actor,
    shown: Filter,
    limit: int,
    after: After,
) -> Document[list[AuditEntry]]:
    """List administrative acts, newest first: `limit` of them after `after` (instant and id)."""
    return await newest_first(
        db,
        _LIST,
        limit,
        after,
        actor_id=actor.user_id,
        by=shown.actor_id,
        subject_id=shown.subject_id,
        action=shown.action,
        first=shown.first,
        last=shown.last,
    )


# Nothing is found in two of the tables: ids are random. What was deleted has no name any more.
_NAMES = Statement(
    ADMIN,
    """
asked AS (SELECT unnest(:ids::uuid[]) AS id FROM admin),
of_people AS (
    SELECT id, 'user' AS kind, name FROM users JOIN asked USING (id)
    UNION ALL
    SELECT id, 'allowed_email', email FROM allowed_emails JOIN asked USING (id)
    UNION ALL
    SELECT id, 'student', concat_ws(' ', roll_no, name) FROM students JOIN asked USING (id)
    UNION ALL
    SELECT l.id, 'leave', concat_ws(' ', s.roll_no, s.name)
    FROM leaves l JOIN asked USING (id) JOIN students s ON s.id = l.student_id
    UNION ALL
    SELECT q.id, 'question', concat_ws(' ', s.roll_no, s.name)
    FROM mark_questions q JOIN asked USING (id) JOIN students s ON s.id = q.student_id
),
of_classes AS (
    SELECT id, 'class' AS kind, concat_ws(' ', code, name, section) AS name
    FROM classes JOIN asked USING (id)
    UNION ALL
    SELECT t.id, 'session', concat_ws(' ', c.code, c.section, t.session_date)
    FROM attendance_sessions t JOIN asked USING (id) JOIN classes c ON c.id = t.class_id
    UNION ALL
    SELECT id, 'term', name FROM terms JOIN asked USING (id)
    UNION ALL
    SELECT id, 'holiday', name FROM holidays JOIN asked USING (id)
),
named AS (SELECT * FROM of_people UNION ALL SELECT * FROM of_classes)""",
    """
SELECT verdict, (
    SELECT coalesce(json_agg(json_build_object('id', id, 'kind', kind, 'name', name)), '[]')
    FROM named
)::text AS document
FROM verdict
""",
)


async def names_of(db: Database, actor: Actor, ids: Iterable[UUID]) -> Document[list[Named]]:
    """What ids of the log are called now; those of things that are gone are left out."""
    row = await db.row(_NAMES, actor_id=actor.user_id, ids=[*ids])
    check(row)
    return Document(row["document"])
