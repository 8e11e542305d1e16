"""The role of `deploy/app_role.sql`: all that the app needs, and no way to rewrite history.

That it is enough, the whole suite proves: its apps have this role (`conftest.py`).
"""

import asyncpg
import pytest

from app.models import Base
from tests.conftest import APP_ROLE, Stage
from tests.processes import Checkout
from tests.support import checksum

HISTORY = (
    *("audit_log", "attendance_batches", "superseded_statuses", "session_events"),
    *("enrolment_events", "policies"),
)
FORBIDDEN = [
    *(f"DELETE FROM {table}" for table in (*HISTORY, "users", "attendance_sessions")),
    *(f"TRUNCATE {table} CASCADE" for table in (*HISTORY, "attendance_statuses")),
    *(f"DROP TABLE {table} CASCADE" for table in HISTORY),
    *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in HISTORY),
    "UPDATE audit_log SET action = 'nothing'",
    "UPDATE audit_log SET actor_id = NULL",
    "UPDATE attendance_batches SET request_id = ''",
    "UPDATE superseded_statuses SET status = 'present'",
    "UPDATE superseded_statuses SET marked_by = marked_by",
    "UPDATE superseded_statuses SET marked_at = now()",
    "UPDATE session_events SET reason = ''",
    "UPDATE enrolment_events SET periods = '{}'",
    "UPDATE policies SET threshold = 0",
    "DELETE FROM policy",
    "DELETE FROM leaves",
    "CREATE TABLE notes ()",
    "UPDATE alembic_version SET version_num = '0001'",
]


@pytest.mark.anyio
@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_the_app_cannot_rewrite_history(stage: Stage, statement: str) -> None:
    assert await stage.connection.fetchval("SELECT current_user") == "aims_app"
    before = await checksum(stage.connection)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with stage.connection.transaction():
            await stage.connection.execute(statement)
    assert await checksum(stage.connection) == before


@pytest.mark.anyio
@pytest.mark.parametrize("table", Base.metadata.tables)
async def test_the_role_knows_every_table(stage: Stage, table: str) -> None:
    may = "SELECT has_table_privilege('aims_app', $1, $2)"
    assert await stage.connection.fetchval(may, table, "SELECT")
    if table == "erasures":  # the owner of the tables erases
        assert not await stage.connection.fetchval(may, table, "INSERT")
        return
    # The policy is one row, which is there.
    writes = "UPDATE" if table == "policy" else "INSERT"
    assert await stage.connection.fetchval(may, table, writes)


@pytest.mark.anyio
async def test_the_script_revokes_what_was_granted_by_hand(own_database_url: str) -> None:
    may = "SELECT has_column_privilege('aims_app', 'audit_log', 'action', 'UPDATE')"
    owner = await asyncpg.connect(own_database_url)
    await owner.execute("GRANT ALL ON audit_log TO aims_app")
    await owner.execute("GRANT UPDATE (action) ON audit_log TO aims_app")
    assert await owner.fetchval(may)
    await owner.execute(APP_ROLE.read_text())
    assert not await owner.fetchval(may)
    await owner.close()


def test_the_app_can_say_that_there_is_nothing_to_migrate_and_no_more(
    checkout: Checkout, own_database_url: str
) -> None:
    ours = checkout.having(DATABASE_URL=f"{own_database_url}&role=aims_app")
    ours.must("alembic upgrade head")
    said = ours.refuse("alembic downgrade -1")
    assert said.splitlines()[-1].endswith("migrate as the tables' owner.")


def test_a_migration_by_somebody_unknown_is_one_sentence(
    checkout: Checkout, own_database_url: str
) -> None:
    unknown = own_database_url.replace("://aims@", "://ravi@")
    said = checkout.having(DATABASE_URL=unknown).refuse("alembic upgrade head")
    assert said == ("The database does not know the user of DATABASE_URL: nothing was changed.\n")
