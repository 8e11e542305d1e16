"""Run migrations on `DATABASE_URL`, one process at a time, with a short lock timeout."""

import asyncio
import sys

import asyncpg
from alembic import context
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.config import ConfigError, load_database_url
from app.models import Base

# Any constant will do, as long as every migrating process uses the same one.
MIGRATION_LOCK = 7_310_265_417
QUEUE_SECONDS = 60  # for another migration to end
LOCK_SECONDS = 5  # for a table that the running service uses
# Errors that the person running the migration can fix.
REFUSALS = {
    "55P03": "Somebody holds a lock that the migration needs: nothing was changed. Try again.",
    "42501": "The user of DATABASE_URL may not change the schema: migrate as the tables' owner.",
    "28000": "The database does not know the user of DATABASE_URL: nothing was changed.",
    "28P01": "The database refuses the password of DATABASE_URL's user: nothing was changed.",
}


def include_object(thing: object, name: str | None, kind: str, *_: object) -> bool:
    """Views are written by hand in migrations; only tables are compared."""
    return not (kind == "table" and name is not None and name.startswith("v_"))


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=include_object,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{QUEUE_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        context.run_migrations()


class NoConnection(Exception):
    """The connection could not be made; the message says why."""


async def connection_to(url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(url, timeout=10)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        refusal = REFUSALS.get(getattr(error, "sqlstate", ""))
        raise NoConnection(
            refusal
            or f"The database takes no such connection ({error.args[0]}): nothing was changed."
        ) from None


async def connect() -> None:
    url = context.config.attributes.get("database_url") or load_database_url()
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connection_to(url),
        poolclass=NullPool,
    )
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


def run() -> None:
    if context.is_offline_mode():
        context.configure(url="postgresql://", target_metadata=Base.metadata, literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    try:
        asyncio.run(connect())
    except ConfigError as error:
        sys.exit(f"The settings do not allow a migration:\n{error}")
    except NoConnection as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The database does not answer ({type(error).__name__}): nothing was changed.")
    except DBAPIError as error:
        refusal = REFUSALS.get(getattr(error.orig, "sqlstate", None) or "")
        if refusal is None:
            raise
        sys.exit(refusal)


run()
