"""The audit log: who did what to which record, by ids only."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.admin import AuditEntry
from app.services.access import ADMIN, Actor, check
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
    SELECT l.*, row_number() OVER (ORDER BY l.at DESC, l.id) AS n
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
entries AS (
    SELECT n, json_build_object(
        'id', id, 'at', json_instant(at), 'actorId', actor_id, 'requestId', request_id,
        'action', action, 'subject', subject, 'subjectId', subject_id, 'details', details) AS entry
    FROM page WHERE n <= :most
)""",
    """
SELECT verdict,
       (SELECT coalesce(json_agg(entry ORDER BY n), '[]') FROM entries)::text AS document,
       (SELECT json_instant(last.at) || '~' || last.id FROM page last
        WHERE last.n = :most AND EXISTS (SELECT FROM page WHERE n > :most)) AS next_cursor
FROM verdict
""",
)


async def list_entries(
    db: Database,
    actor: Actor,
    shown: Filter,
    limit: int,
    after: tuple[object, UUID] | None,
) -> Document[list[AuditEntry]]:
    """List administrative acts, newest first: `limit` of them after `after` (instant and id)."""
    at, entry_id = after or (None, None)
    row = await db.row(
        _LIST,
        actor_id=actor.user_id,
        by=shown.actor_id,
        subject_id=shown.subject_id,
        action=shown.action,
        first=shown.first,
        last=shown.last,
        after_at=at,
        after_id=entry_id,
        most=limit,
    )
    check(row)
    return Document(row["document"], next_cursor=row["next_cursor"])
