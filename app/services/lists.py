"""Lists that are read a page at a time (keyset pagination), most of them newest first."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.db import Database
from app.documents import Document
from app.services.access import check
from app.sql import Statement

After = tuple[datetime, UUID] | None

# From `page` (id, cursor, and n from 1 on; one row more than `:most`) and the `documents` of its
# rows up to `:most`, the answer of the list with the cursor of the next page.
PAGE_OF_DOCUMENTS = """
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM documents JOIN page USING (id)
)::text AS document, (
    SELECT cursor FROM page WHERE n = :most AND EXISTS (SELECT FROM page WHERE n > :most)
) AS next_cursor
FROM verdict
"""


async def newest_first(
    db: Database, statement: Statement, limit: int, after: After, **asked: object
) -> Document[Any]:
    """The `limit` entries after `after`. The statement ends with `PAGE_OF_DOCUMENTS`."""
    at, last_id = after or (None, None)
    row = await db.row(statement, **asked, after_at=at, after_id=last_id, most=limit)
    return page_of(row)


def page_of(row: asyncpg.Record, what: str = "class") -> Document[Any]:
    """The page in the row, unless its verdict is a refusal; `what` names what was not found."""
    check(row, what)
    return Document(row["document"], next_cursor=row["next_cursor"])
