"""Whether the database answers, and whether its schema is the one this version works with."""

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.db import Database
from app.errors import Unavailable

_PING = "SELECT 1 AS one"

_HAS_VERSION = "SELECT to_regclass('alembic_version') IS NOT NULL AS there"

_VERSION = "SELECT array_agg(version_num) AS heads FROM alembic_version"


_TABLES = "SELECT count(*) AS tables FROM pg_tables WHERE schemaname = 'public'"

_CLASSES = "SELECT EXISTS (SELECT FROM classes) AS any"


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
    if not (await db.row(_HAS_VERSION))["there"]:
        return False
    heads: list[str] | None = (await db.row(_VERSION))["heads"]
    return heads == [newest_revision()]


@cache
def newest_revision() -> str | None:
    """The revision `alembic upgrade head` leads to."""
    root = Path(__file__).resolve().parents[2]
    config = Config()
    config.set_main_option("script_location", str(root / "alembic"))
    return ScriptDirectory.from_config(config).get_current_head()


async def is_empty(db: Database) -> bool:
    """Whether the database has no tables yet."""
    return not (await db.row(_TABLES))["tables"]


async def has_classes(db: Database) -> bool:
    """Whether anybody has made a class yet."""
    return bool((await db.row(_CLASSES))["any"])
