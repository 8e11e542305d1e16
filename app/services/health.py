"""Whether the database answers, and whether its schema is the one this version needs."""

import re
from functools import cache
from pathlib import Path

from app.db import Database
from app.errors import Unavailable
from app.sql import Statement

MIGRATIONS = Path(__file__).resolve().parents[2] / "alembic" / "versions"
_NAMED = re.compile(r"""^(revision|down_revision) = ["']?(\w+)""", re.MULTILINE)

_PING = Statement("SELECT 1 AS one")

_HAS_VERSION = Statement("SELECT to_regclass('alembic_version') IS NOT NULL AS there")

_VERSION = Statement("SELECT array_agg(version_num) AS heads FROM alembic_version")

_TABLES = Statement("SELECT count(*) AS tables FROM pg_tables WHERE schemaname = 'public'")

_CLASSES = Statement("SELECT EXISTS (SELECT FROM classes) AS any")


async def ping(db: Database) -> None:
    """Raise `Unavailable` unless the database answers."""
    await db.row(_PING)


async def require_current_schema(db: Database) -> None:
    """Raise `Unavailable` unless the newest migration has been applied."""
    if not await is_current(db):
        raise Unavailable(
            "The database schema is not the one of this version: run alembic upgrade head.",
            code="schema_not_current",
            retry_after=5,
        )


async def is_current(db: Database) -> bool:
    """Whether the newest migration, and no other, has been applied."""
    return await revisions(db) == [newest_revision()]


async def revisions(db: Database) -> list[str]:
    """The migrations that the database is at: one, or none if it is empty."""
    if not (await db.row(_HAS_VERSION))["there"]:
        return []
    heads: list[str] | None = (await db.row(_VERSION))["heads"]
    return heads or []


@cache
def newest_revision() -> str:
    """The revision that `alembic upgrade head` leads to: the one without a successor."""
    before = known_revisions()
    (newest,) = before.keys() - before.values()
    return newest


@cache
def known_revisions() -> dict[str, str]:
    """Each revision of this version with the one before it.

    They are read from the files, since a server needs nothing else from Alembic, which is slow to
    import.
    """
    before: dict[str, str] = {}
    for file in MIGRATIONS.glob("*.py"):
        named = dict(_NAMED.findall(file.read_text()))
        before[named["revision"]] = named["down_revision"]
    return before


async def is_empty(db: Database) -> bool:
    """Whether the database has no tables yet."""
    return not (await db.row(_TABLES))["tables"]


async def has_classes(db: Database) -> bool:
    """Whether any class has been created yet."""
    return bool((await db.row(_CLASSES))["any"])
