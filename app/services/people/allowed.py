"""Reading the allow-list: page by page, or one entry."""

from uuid import UUID

from app.db import Database
from app.documents import Document
from app.errors import NotFound
from app.schemas.admin import AllowedEmail
from app.services.access import ADMIN, Actor, check
from app.services.lists import PAGE_OF_DOCUMENTS, page_of
from app.sql import Statement

# Turns `entries` into `documents`.
DOCUMENTS = """
documents AS (
    SELECT id, json_build_object(
        'id', id, 'email', email, 'name', name, 'role', role,
        'createdAt', json_instant(created_at), 'updatedAt', json_instant(updated_at)) AS document
    FROM entries
)"""

_LIST = Statement(
    ADMIN,
    """
page AS MATERIALIZED (
    SELECT a.*, lower(btrim(a.email)) AS cursor,
           row_number() OVER (ORDER BY lower(btrim(a.email)) COLLATE "C") AS n
    FROM allowed_emails a
    WHERE EXISTS (SELECT FROM admin)
      AND (:after::text IS NULL OR lower(btrim(a.email)) COLLATE "C" > :after)
      AND (:query::text IS NULL
           OR strpos(lower(a.email || ' ' || coalesce(a.name, '')), lower(:query)) > 0)
    ORDER BY lower(btrim(a.email)) COLLATE "C"
    LIMIT :most + 1
),
entries AS (SELECT * FROM page WHERE n <= :most)""",
    DOCUMENTS,
    PAGE_OF_DOCUMENTS,
)


async def list_allowed(
    db: Database, actor: Actor, query: str | None, limit: int, after: str | None
) -> Document[list[AllowedEmail]]:
    """List entries by address, `limit` after `after`; `query` is part of an address or name."""
    row = await db.row(_LIST, actor_id=actor.user_id, after=after, query=query, most=limit)
    return page_of(row)


_READ = Statement(
    ADMIN,
    "entries AS (SELECT * FROM allowed_emails WHERE id = :id AND EXISTS (SELECT FROM admin))",
    DOCUMENTS,
    "SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict",
)


async def get_allowed(db: Database, actor: Actor, entry_id: UUID) -> Document[AllowedEmail]:
    """One entry of the list."""
    row = await db.row(_READ, actor_id=actor.user_id, id=entry_id)
    check(row)
    if row["document"] is None:
        raise missing()
    return Document(row["document"])


def missing() -> NotFound:
    return NotFound("There is no such entry of the allow-list.")
