"""Lists that are read newest first, a page at a time (keyset pagination by instant and id)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.services.access import check
from app.sql import Statement

After = tuple[datetime, UUID] | None

# From `page` (id, at, and n from 1 on; one row more than `:most`) and the `documents` of its rows
# up to `:most`, the answer of the list with the cursor of the next page.
PAGE_OF_DOCUMENTS = """
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT json_instant(last.at) || '~' || last.id FROM page last
    WHERE last.n = :most AND EXISTS (SELECT FROM page WHERE n > :most)
) AS next_cursor
FROM verdict
"""


async def newest_first(
    db: Database, statement: Statement, limit: int, after: After, **asked: object
) -> Document[Any]:
    """The `limit` entries after `after`. The statement ends with `PAGE_OF_DOCUMENTS`."""
    at, last_id = after or (None, None)
    row = await db.row(statement, **asked, after_at=at, after_id=last_id, most=limit)
    check(row)
    return Document(row["document"], next_cursor=row["next_cursor"])
