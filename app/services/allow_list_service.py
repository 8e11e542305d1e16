"""The allow-list: who may sign in, and as what."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from app.db import Database, Transaction
from app.errors import Conflict, Invalid
from app.models.user import Role


@dataclass(frozen=True)
class Entry:
    """An address with the role it has and the name shown for it."""

    email: str
    role: Role
    name: str | None = None


# Every change of the list takes this lock, so that two of them can't each remove the other
# of the last two admins. Those who only read it wait for nobody.
_LOCK = "LOCK TABLE allowed_emails IN SHARE ROW EXCLUSIVE MODE"

_ALLOW = """
INSERT INTO allowed_emails AS a (email, role, name)
SELECT btrim(email), role, name
FROM unnest($1::text[], $2::text[], $3::text[]) AS given(email, role, name)
ON CONFLICT (lower(btrim(email))) DO UPDATE
SET role = excluded.role, name = coalesce(excluded.name, a.name), updated_at = now()
WHERE (a.role, a.name) IS DISTINCT FROM (excluded.role, coalesce(excluded.name, a.name))
"""

_DISALLOW = """
DELETE FROM allowed_emails WHERE lower(btrim(email)) = lower(btrim($1)) RETURNING id
"""

_ADMINS = """
SELECT count(*) AS admins
FROM allowed_emails a
LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(a.email))
WHERE a.role = 'admin' AND u.disabled_at IS NULL
"""

# A person who has never signed in yet gets their row here, without Google's `sub`.
_USER = """
WITH allowed AS (
    SELECT btrim(email) AS email, coalesce(nullif(btrim(name), ''), btrim(email)) AS name
    FROM allowed_emails WHERE lower(btrim(email)) = lower(btrim($1))
),
made AS (
    INSERT INTO users (email, name) SELECT email, name FROM allowed
    ON CONFLICT (lower(btrim(email))) DO NOTHING
    RETURNING id
)
SELECT id FROM made
UNION ALL
SELECT u.id FROM users u JOIN allowed ON lower(btrim(u.email)) = lower(allowed.email)
"""


async def allow(db: Database, entries: Iterable[Entry]) -> None:
    """Put the addresses on the list, or give those there their new role and name."""
    listed = {check_address(entry.email).lower(): entry for entry in entries}
    async with db.transaction() as tx:
        await tx.find_row(_LOCK)
        before = await _admins(tx)
        await tx.find_row(
            _ALLOW,
            [entry.email for entry in listed.values()],
            [entry.role.value for entry in listed.values()],
            [entry.name for entry in listed.values()],
        )
        await _keep_an_admin(tx, before)


async def disallow(db: Database, email: str) -> bool:
    """Take the address off the list; False if it was not on it."""
    async with db.transaction() as tx:
        await tx.find_row(_LOCK)
        before = await _admins(tx)
        removed = await tx.find_row(_DISALLOW, check_address(email))
        await _keep_an_admin(tx, before)
    return removed is not None


async def user_of(db: Database, email: str) -> UUID:
    """The user of an allowed address, made if they have never signed in."""
    async with db.transaction() as tx:
        row = await tx.find_row(_USER, check_address(email))
    if row is None:
        raise Invalid("This address is not on the allow-list.", code="account_not_allowed")
    user_id: UUID = row["id"]
    return user_id


def check_address(email: str) -> str:
    """The address without surrounding space; `Invalid` unless it can be one."""
    address = email.strip()
    local, at, domain = address.rpartition("@")
    if not (address.isascii() and address.isprintable() and at and local and "." in domain):
        raise Invalid("This is not an e-mail address.", code="invalid_email")
    if " " in address or len(address) > 254:
        raise Invalid("This is not an e-mail address.", code="invalid_email")
    return address


async def _admins(tx: Transaction) -> int:
    return int((await tx.row(_ADMINS))["admins"])


async def _keep_an_admin(tx: Transaction, before: int) -> None:
    if before and not await _admins(tx):
        raise Conflict("The last administrator has to stay.", code="last_admin")
