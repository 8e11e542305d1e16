"""Whether the database answers, and whether its schema is the one this version works with."""

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from app.db import Database
from app.errors import Unavailable

_PING = "SELECT 1 AS one"

_SCHEMA = "SELECT array_agg(version_num) AS heads FROM alembic_version"


async def ping(db: Database) -> None:
    """Raise `Unavailable` unless the database answers."""
    await db.row(_PING)


async def require_current_schema(db: Database) -> None:
    """Raise `Unavailable` unless the newest migration has been applied."""
    row = await db.row(_SCHEMA)
    if row["heads"] != [newest_revision()]:
        raise Unavailable(
            "The database schema is not the one of this version: run alembic upgrade head.",
            code="schema_not_current",
            retry_after=5,
        )


@cache
def newest_revision() -> str | None:
    """The revision `alembic upgrade head` leads to."""
    root = Path(__file__).resolve().parents[2]
    config = Config()
    config.set_main_option("script_location", str(root / "alembic"))
    return ScriptDirectory.from_config(config).get_current_head()
