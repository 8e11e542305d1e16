"""Access to PostgreSQL: a small pool, timeouts, and database errors turned into `AppError`s."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from app.errors import Unavailable
from app.logs import logger
from app.pool import Connection, Pool
from app.sql import Statement

POOL_SIZE = 4  # per process; larger ones were slower (docs/decisions/0001-sql-first.md)
ACQUIRE_SECONDS = 2
CONNECT_SECONDS = 3
COMMAND_SECONDS = 4.5  # slightly over the server's own limit, which gives the better error

_SERVER_SETTINGS = {
    "application_name": "aims",
    "datestyle": "ISO",  # `json_instant` depends on it
    "statement_timeout": "4000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "15000",
    "jit": "off",
    # With the default, the planner scans small tables fully on every request (docs/decisions).
    "random_page_cost": "1.1",
}


def server_settings(zone: str) -> dict[str, str]:
    """The settings of every connection. The zone is the institution's, so that `current_date` in
    SQL is its "today", wherever the database runs."""
    return {**_SERVER_SETTINGS, "timezone": zone}


# Transient faults that do not depend on the request: it may succeed a moment later.
_PASSING_FAULTS = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # raised if the connection breaks in the middle of a message
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)

# Something that this version's schema has is missing in the actual one.
_NOT_IN_SCHEMA = (
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedObjectError,
    asyncpg.UndefinedTableError,
)


# Errors by which PostgreSQL or a pooler rejects a setting of a new connection.
_SETTING_REFUSED = (
    asyncpg.CantChangeRuntimeParamError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidParameterValueError,
    asyncpg.PostgresSyntaxError,
    asyncpg.ProtocolViolationError,
    asyncpg.UndefinedObjectError,
)

# A prepared statement belongs to another connection: a pooler has swapped them.
_STATEMENT_LOST = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)

_READ_ONLY = "SET TRANSACTION READ ONLY"


@dataclass(frozen=True)
class _Limits:
    """What a transaction sets, and how many seconds each of its statements may take."""

    settings: str
    seconds: float


# For the work of many requests.
_PATIENT = _Limits("SET LOCAL statement_timeout = 60000", seconds=60)
# With PostgreSQL's default of 4 MB, counting 4.8 million marks takes five times as long: it
# remembers pages instead of rows, and writes what it groups to disk.
_REPORT = _Limits("SET LOCAL statement_timeout = 9000; SET LOCAL work_mem = '64MB'", seconds=9.5)


class Database:
    """Runs SQL. Each `row` is its own transaction; `transaction()` groups several statements."""

    def __init__(self, pool: "Pool | _OneConnection") -> None:
        self._pool = pool

    def refuse_crowd(self) -> None:
        """`Unavailable` if too many wait for a connection: better now than after a wait."""
        if self._pool.crowded:
            raise Unavailable(
                "Too many requests are waiting just now. Please try again in a moment.",
                code="busy",
                retry_after=2,
            )

    async def row(self, statement: Statement, **values: Any) -> asyncpg.Record:
        """Run a statement that always returns one row, and return that row."""
        with _faults_named():
            connection = await self._acquire()
            try:
                row = await connection.fetchrow(statement.text, *statement.arguments(values))
            except TimeoutError:
                _drop(connection)
                raise
            finally:
                self._pool.release(connection)
        assert row is not None, "the statement must answer with a row"
        return row

    async def report(self, statement: Statement, **values: Any) -> asyncpg.Record:
        """The same for a statement that counts the marks of a whole term.

        It may use more memory and time, so whoever asks has a place for heavy work (`app.heavy`).
        """
        async with self._transaction(limits=_REPORT) as tx:
            return await tx.row(statement, **values)

    @asynccontextmanager
    async def in_one_transaction(self, *, keep: bool = True) -> AsyncIterator["Database"]:
        """This database, with everything done in the block in one `transaction`.

        For commands that call services many times: inside, each transaction is a savepoint, and
        there can be only one at a time. `keep` is that of `transaction`.
        """
        async with self.transaction(keep=keep) as tx:
            yield Database(_OneConnection(tx._connection))

    @asynccontextmanager
    async def transaction(
        self, *, keep: bool = True, patient: bool = False, read_only: bool = False
    ) -> AsyncIterator["Transaction"]:
        """One transaction, committed when the block ends and rolled back when it raises.

        With `keep=False` it is always rolled back: a dry run. `patient` gives each statement a
        minute, for work that is larger than a single request's. With `read_only` PostgreSQL
        refuses to write.
        """
        limits = _PATIENT if patient else None
        async with self._transaction(keep=keep, limits=limits, read_only=read_only) as tx:
            yield tx

    @asynccontextmanager
    async def _transaction(
        self, *, keep: bool = True, limits: _Limits | None = None, read_only: bool = False
    ) -> AsyncIterator["Transaction"]:
        with _faults_named():
            connection = await self._acquire()
            try:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    if read_only:
                        await connection.execute(_READ_ONLY)
                    if limits:
                        await connection.execute(limits.settings)
                    yield Transaction(connection, limits.seconds if limits else None)
                except TimeoutError:
                    raise
                except BaseException:
                    await transaction.rollback()
                    raise
                await (transaction.commit() if keep else transaction.rollback())
            except TimeoutError:
                _drop(connection)
                raise
            finally:
                self._pool.release(connection)

    async def _acquire(self) -> Connection:
        try:
            return await self._pool.acquire(ACQUIRE_SECONDS)
        except _SETTING_REFUSED as fault:
            raise _setting_refused(fault) from fault


def _drop(connection: Connection) -> None:
    """Drop the connection to an unresponsive server: a cancel request would take as long again."""
    connection.terminate()


class _OneConnection:
    """Stands in for the pool, with a connection whose transaction is ended elsewhere."""

    crowded = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def acquire(self, seconds: float) -> Connection:
        return self._connection

    def release(self, connection: Connection) -> None:
        """Do nothing: the owner of the transaction keeps using the connection."""


class Transaction:
    """Runs SQL inside a transaction that `Database.transaction` holds open."""

    def __init__(self, connection: Any, seconds: float | None = None) -> None:
        self._connection = connection
        self._limit = {"timeout": seconds} if seconds else {}

    async def row(self, statement: Statement, **values: Any) -> asyncpg.Record:
        """Run a statement that always returns one row, and return that row."""
        row = await self.find_row(statement, **values)
        assert row is not None, "the statement must answer with a row"
        return row

    async def find_row(self, statement: Statement, **values: Any) -> asyncpg.Record | None:
        """Run a statement and return its first row, if it has any."""
        row: asyncpg.Record | None = await self._connection.fetchrow(
            statement.text, *statement.arguments(values), **self._limit
        )
        return row

    async def execute(self, statement: Statement, **values: Any) -> None:
        """Run a statement whose rows are not needed."""
        await self.find_row(statement, **values)


@asynccontextmanager
async def open_database(url: str, zone: str = "UTC") -> AsyncIterator[Database]:
    """A pool on `url` for an institution in that time zone, closed when the block ends.

    It connects when first used, so an unavailable database does not delay the start.
    """

    async def connect() -> Connection:
        return await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            max_cached_statement_lifetime=0,
            server_settings=server_settings(zone),
        )

    pool = Pool(connect, POOL_SIZE)
    try:
        yield Database(pool)
    finally:
        await pool.close()


def _setting_refused(fault: Exception) -> Unavailable:
    """The error for a rejected setting: one of ours, the time zone, or one in the URL."""
    if "TimeZone" in fault.args[0]:
        return Unavailable(
            "PostgreSQL does not know the time zone of TIMEZONE: install its zone data, or choose "
            "the zone's present name.",
            code="timezone_unknown",
            retry_after=60,
        )
    logger.error("PostgreSQL takes no connection as DATABASE_URL wants it: %s", fault.args[0])
    return Unavailable(_NOT_SET_UP, code="database_url_refused", retry_after=60)


# The log names what is missing, such as a table: these PostgreSQL messages quote no data.
_NOT_SET_UP = (
    "The database is not set up for this version of the server. Please tell your administrator."
)


@contextmanager
def _faults_named() -> Iterator[None]:
    try:
        yield
    except _NOT_IN_SCHEMA as fault:
        logger.error("The database lacks what this version needs: %s", fault.args[0])
        raise Unavailable(_NOT_SET_UP, code="schema_not_current", retry_after=60) from fault
    except _STATEMENT_LOST as fault:
        logger.error("DATABASE_URL leads to a pooler that is not in session mode.")
        raise Unavailable(_NOT_SET_UP, code="database_url_refused", retry_after=60) from fault
    except asyncpg.InsufficientPrivilegeError as fault:
        logger.error("The user of DATABASE_URL lacks a right: %s", fault.args[0])
        raise Unavailable(_NOT_SET_UP, code="database_rights_missing", retry_after=60) from fault
    except _PASSING_FAULTS as fault:
        if _is_our_mistake(fault):
            raise
        raise Unavailable(
            "The database cannot answer just now. Please try again in a moment.",
            code="database_unavailable",
            retry_after=1,
        ) from fault


def _is_our_mistake(fault: Exception) -> bool:
    """Whether the arguments do not fit the statement: asyncpg uses the same class for that as for
    a closed connection."""
    return isinstance(fault, asyncpg.InterfaceError) and "argument" in str(fault)
