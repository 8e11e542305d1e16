"""Attendance as it was at an earlier instant.

The schema `as_of` (migration 0012) has views named like the tables that change over time: marks,
sessions, rosters and the rules as they were then. With that schema first in the search path,
statements read these views, so none has to be written twice. Timetables, holidays and terms are
today's.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from app.db import Database, Transaction
from app.sql import Statement

# PostgreSQL silently skips a schema on the search path that the role cannot use, and today's
# figures would pass for past ones. Naming a view of the schema here makes that an error.
_GO_BACK = Statement("""
SELECT set_config('search_path', 'as_of, public', true),
       set_config('aims.as_of', :at::timestamptz::text, true), count(v.id)
FROM as_of.attendance_sessions v WHERE false
""")


@asynccontextmanager
async def standing_at(db: Database, at: datetime | None) -> AsyncIterator[Database | Transaction]:
    """The connection to query for the state at that instant; without one, the current state."""
    if at is None:
        yield db
        return
    async with db.transaction() as tx:
        await tx.execute(_GO_BACK, at=at)
        yield tx
