"""What attendance was at an instant.

The schema `as_of` (migration 0012) has views named like the tables that change with time: marks,
sessions, rosters and the rules as they were then. A statement asked with that schema in front
answers from these, so no statement is written twice. Timetables, holidays and terms are today's.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from app.db import Database, Transaction
from app.sql import Statement

# PostgreSQL silently skips a schema on the search path that the role may not use, and today's
# figures would pass for those of then. Named here, it is an error instead.
_GO_BACK = Statement("""
SELECT set_config('search_path', 'as_of, public', true),
       set_config('aims.as_of', :at::timestamptz::text, true), count(v.id)
FROM as_of.attendance_sessions v WHERE false
""")


@asynccontextmanager
async def standing_at(db: Database, at: datetime | None) -> AsyncIterator[Database | Transaction]:
    """What to ask for what was at that instant; without one, for what is."""
    if at is None:
        yield db
        return
    async with db.transaction() as tx:
        await tx.execute(_GO_BACK, at=at)
        yield tx
