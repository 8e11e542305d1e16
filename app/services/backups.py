"""What a backup says about a database, and whether one may be restored into it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.db import Database, Transaction
from app.sql import Statement

_VERSION = Statement("SELECT current_setting('server_version_num')::integer / 10000 AS major")

# Every statement of the transaction sees the database as it was at the first.
ONE_MOMENT = Statement("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

# The transaction waits for as long as the dump takes.
_SNAPSHOT = Statement("""
SELECT set_config('idle_in_transaction_session_timeout', '0', true),
       pg_export_snapshot() AS snapshot, current_setting('server_version') AS postgresql
""")

_TABLES = Statement("""
SELECT coalesce(array_agg(format('%I.%I', schemaname, tablename) ORDER BY tablename), '{}')
       AS tables
FROM pg_tables WHERE schemaname = 'public'
""")

# Anything but extensions and what belongs to them.
_CONTENTS = Statement(
    """
schemas AS MATERIALIZED (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
),
things AS (
    SELECT 'pg_class'::regclass AS kind, c.oid
    FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid FROM schemas WHERE nspname <> 'public'
)""",
    """
SELECT EXISTS (
    SELECT FROM things t WHERE NOT EXISTS (
        SELECT FROM pg_depend d
        WHERE d.classid = t.kind AND d.objid = t.oid AND d.deptype = 'e')) AS any
""",
)

_ANALYZE = Statement("ANALYZE")


@dataclass(frozen=True)
class Moment:
    """The database at one moment, which pg_dump can look at, too, by the name `snapshot`."""

    snapshot: str
    postgresql: str
    rows: dict[str, int]


async def server_major(db: Database) -> int:
    """The major version of PostgreSQL."""
    major: int = (await db.row(_VERSION))["major"]
    return major


@asynccontextmanager
async def one_moment(db: Database) -> AsyncIterator[Moment]:
    """The database as it is now, until the block ends; people go on working."""
    async with db.transaction(patient=True) as tx:
        await tx.execute(ONE_MOMENT)
        row = await tx.row(_SNAPSHOT)
        yield Moment(row["snapshot"], row["postgresql"], await _count(tx))


async def rows_of_tables(db: Database) -> dict[str, int]:
    """How many rows each table has."""
    async with db.transaction(patient=True, read_only=True) as tx:
        return await _count(tx)


async def has_contents(db: Database) -> bool:
    """Whether anything has been created in the database."""
    return bool((await db.row(_CONTENTS))["any"])


async def analyze(db: Database) -> None:
    """Let PostgreSQL know how much there is of what, which a restored database does not."""
    async with db.transaction(patient=True) as tx:
        await tx.execute(_ANALYZE)


async def _count(tx: Transaction) -> dict[str, int]:
    """A backup may be of another version, so the tables are those that are there."""
    tables: list[str] = (await tx.row(_TABLES))["tables"]
    counted = {}
    for table in tables:
        row = await tx.row(Statement("SELECT count(*) AS rows FROM " + table))
        counted[table.removeprefix("public.")] = row["rows"]
    return counted
