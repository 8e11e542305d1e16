"""The audit log: who did what to which record, by ids alone."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.db import Database
from app.documents import Document, instant
from app.schemas.admin import AuditEntry
from app.services import old_access as access
from app.services.access import Actor, check

COMMAND_LINE = "command line"

# Begins an insert; who made the change goes on with a SELECT of these six.
RECORD = "INSERT INTO audit_log (actor_id, request_id, action, subject, subject_id, details)"


def author(actor: Actor | None) -> tuple[UUID | None, str]:
    """The first two values of an entry; without an actor it was done on the command line."""
    return (actor.user_id, actor.request_id) if actor else (None, COMMAND_LINE)


@dataclass(frozen=True)
class Filter:
    """Which entries to show; None shows all. Dates are inclusive, of the institution's zone."""

    actor_id: UUID | None = None
    subject_id: UUID | None = None
    action: str | None = None
    first: date | None = None
    last: date | None = None


# $2 to $4 the filter, $5 and $6 dates, $7 and $8 after which entry, $9 how many.
_LIST = f"""
WITH {access.ADMIN},
page AS MATERIALIZED (
    SELECT l.*, row_number() OVER (ORDER BY l.at DESC, l.id) AS n
    FROM audit_log l
    WHERE EXISTS (SELECT FROM admin)
      AND ($2::uuid IS NULL OR l.actor_id = $2)
      AND ($3::uuid IS NULL OR l.subject_id = $3)
      AND ($4::text IS NULL OR l.action = $4)
      AND ($5::date IS NULL OR l.at >= $5)
      AND ($6::date IS NULL OR l.at < $6 + 1)
      AND ($7::timestamptz IS NULL OR l.at < $7 OR (l.at = $7 AND l.id > $8::uuid))
    ORDER BY l.at DESC, l.id
    LIMIT $9 + 1
)
SELECT {access.ADMIN_VERDICT}, (
    SELECT coalesce(json_agg(entry ORDER BY page.n), '[]')
    FROM page
    CROSS JOIN LATERAL (
        SELECT page.id, {instant("page.at")} AS at, page.actor_id AS "actorId",
               page.request_id AS "requestId", page.action, page.subject,
               page.subject_id AS "subjectId", page.details
    ) entry
    WHERE page.n <= $9
)::text AS document, (
    SELECT {instant("last.at")} || '~' || last.id FROM page last
    WHERE last.n = $9 AND EXISTS (SELECT FROM page WHERE n > $9)
) AS next_cursor
"""


async def list_entries(
    db: Database,
    actor: Actor,
    shown: Filter,
    limit: int,
    after: tuple[object, UUID] | None,
) -> Document[list[AuditEntry]]:
    """Administrative acts, newest first, `limit` of them after `after` (instant and id)."""
    at, entry_id = after or (None, None)
    row = await db.row(
        _LIST,
        actor.user_id,
        shown.actor_id,
        shown.subject_id,
        shown.action,
        shown.first,
        shown.last,
        at,
        entry_id,
        limit,
    )
    check(row)
    return Document(row["document"], next_cursor=row["next_cursor"])
