"""The allow-list: who can sign in, and in which role."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Conflict, Invalid
from app.schemas.admin import AllowedEmail, AllowedEmailChange, AllowedEmailDraft
from app.schemas.auth import Role
from app.schemas.words import MAX_NAME, is_address, is_name
from app.services.access import Actor, require_admin
from app.services.audit import RECORDED, signed
from app.services.people.allowed import DOCUMENTS, missing
from app.sql import Statement

NAME_RULE = f"A name has at most {MAX_NAME} characters, and no control characters."


@dataclass(frozen=True)
class Entry:
    """An address with its role and the name shown for it.

    Values left out stay as they are; a new address without a role gets the role of teacher.
    """

    email: str
    role: Role | None
    name: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How many addresses were added, changed and left unchanged."""

    added: int
    changed: int
    unchanged: int


# Every change of the list takes this lock, so that two concurrent ones can't each remove one of
# the last two admins. Readers do not wait.
_LOCK = Statement("LOCK TABLE allowed_emails IN SHARE ROW EXCLUSIVE MODE")

_ADMINS = Statement("""
SELECT count(*) AS admins
FROM allowed_emails a
LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(a.email))
WHERE a.role = 'admin' AND u.disabled_at IS NULL
""")


@asynccontextmanager
async def keeping_an_admin(
    db: Database, actor: Actor | None, *, keep: bool = True
) -> AsyncIterator[Transaction]:
    """A transaction that changes who has which rights, but keeps at least one administrator.

    Without an actor it is run from the command line, which can start with no administrator.
    """
    async with db.transaction(keep=keep) as tx:
        if actor is not None:
            await require_admin(tx, actor)
        async with last_admin_stays(tx):
            yield tx


@asynccontextmanager
async def last_admin_stays(tx: Transaction) -> AsyncIterator[None]:
    """Lock the list while the block changes it; a conflict if that removes the last admin."""
    await tx.execute(_LOCK)
    before = (await tx.row(_ADMINS))["admins"]
    yield
    if before and not (await tx.row(_ADMINS))["admins"]:
        raise Conflict("At least one administrator has to remain.", code="last_admin")


# A name or role left out keeps the stored one, which cannot change meanwhile: `_LOCK` is held.
_ALLOW = Statement(
    """
written AS (
    INSERT INTO allowed_emails AS a (email, role, name)
    SELECT btrim(given.email), coalesce(given.role, there.role, 'teacher'), given.name
    FROM unnest(:emails::text[], :roles::text[], :names::text[]) AS given(email, role, name)
    LEFT JOIN allowed_emails there ON lower(btrim(there.email)) = lower(btrim(given.email))
    ON CONFLICT (lower(btrim(email))) DO UPDATE
    SET role = excluded.role, name = coalesce(excluded.name, a.name), updated_at = now()
    WHERE (a.role, a.name) IS DISTINCT FROM (excluded.role, coalesce(excluded.name, a.name))
    RETURNING a.id, a.role, lower(btrim(a.email)) AS key, a.xmax = 0 AS added
),
acts AS (
    SELECT CASE WHEN added THEN 'email_allowed' ELSE 'allowed_email_changed' END AS action,
           'allowed_email' AS subject, id AS subject_id,
           jsonb_build_object('role', role) AS details
    FROM written
)""",
    RECORDED,
    """
SELECT coalesce(array_agg(key) FILTER (WHERE added), ARRAY[]::text[]) AS added,
       coalesce(array_agg(key) FILTER (WHERE NOT added), ARRAY[]::text[]) AS changed
FROM written
""",
)


async def allow(
    db: Database, entries: Iterable[Entry], actor: Actor | None = None, *, dry_run: bool = False
) -> Outcome:
    """Add the addresses to the list, or update the role and name of those already on it.

    The last of several entries for one address counts. `dry_run` only returns what would happen.
    """
    listed = {entry.email.lower(): entry for entry in map(_checked, entries)}
    async with keeping_an_admin(db, actor, keep=not dry_run) as tx:
        added, changed = await put(tx, actor, list(listed.values()))
    return Outcome(len(added), len(changed), len(listed) - len(added) - len(changed))


async def put(
    tx: Transaction, actor: Actor | None, entries: list[Entry]
) -> tuple[list[str], list[str]]:
    """Upsert these entries, one per address; return those added and those changed, in lower case.

    Must be called within `last_admin_stays`.
    """
    done = await tx.row(
        _ALLOW,
        emails=[entry.email for entry in entries],
        roles=[entry.role for entry in entries],
        names=[entry.name for entry in entries],
        **signed(actor),
    )
    return done["added"], done["changed"]


def _checked(entry: Entry) -> Entry:
    name = (entry.name or "").strip()
    if not is_name(name):
        raise Invalid(NAME_RULE, code="invalid_name")
    return Entry(check_address(entry.email), entry.role, name or None)


_DISALLOW = Statement(
    """
acts AS (
    DELETE FROM allowed_emails WHERE lower(btrim(email)) = lower(btrim(:email))
    RETURNING 'email_disallowed' AS action, 'allowed_email' AS subject, id AS subject_id,
              '{}'::jsonb AS details
)""",
    RECORDED,
    "SELECT subject_id FROM acts",
)


async def disallow(db: Database, email: str) -> bool:
    """Remove the address from the list; False if it was not on it."""
    async with keeping_an_admin(db, None) as tx:
        removed = await tx.find_row(_DISALLOW, email=check_address(email), **signed(None))
    return removed is not None


def check_address(email: str) -> str:
    """The address without surrounding space; `Invalid` if it is not an e-mail address."""
    address = email.strip()
    if not is_address(address):
        raise Invalid("This is not an e-mail address.", code="invalid_email")
    return address


# Creates the rows of people who have never signed in, without Google's `sub`.
_MAKE_USERS = Statement(
    """
made AS (
    INSERT INTO users (email, name)
    SELECT btrim(a.email), coalesce(nullif(btrim(a.name), ''), btrim(a.email))
    FROM allowed_emails a
    WHERE lower(btrim(a.email)) IN (
        SELECT lower(btrim(given.email)) FROM unnest(:emails::text[]) AS given(email))
    ORDER BY lower(btrim(a.email))
    ON CONFLICT (lower(btrim(email))) DO NOTHING
    RETURNING id
)""",
    "SELECT count(*) AS made FROM made",
)

_USER = Statement("""
SELECT u.id FROM users u
JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
WHERE lower(btrim(u.email)) = lower(btrim(:email))
""")


async def make_users(tx: Transaction, emails: list[str]) -> int:
    """Create the missing users of those addresses that are allowed; return how many."""
    made: int = (await tx.row(_MAKE_USERS, emails=emails))["made"]
    return made


async def user_of(db: Database, email: str) -> UUID:
    """The user of an allowed address, created if they have never signed in."""
    address = check_address(email)
    async with db.transaction() as tx:
        await make_users(tx, [address])
        row = await tx.find_row(_USER, email=address)
    if row is None:
        raise Invalid("This address is not on the allow-list.", code="account_not_allowed")
    user_id: UUID = row["id"]
    return user_id


_ADMIN_ADDRESSES = Statement("""
SELECT coalesce(array_agg(btrim(a.email) ORDER BY a.created_at), '{}') AS emails
FROM allowed_emails a
LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(a.email))
WHERE a.role = 'admin' AND u.disabled_at IS NULL
""")


async def only_admin(db: Database) -> str:
    """The address of the only administrator; a conflict if there are several or none."""
    emails = (await db.row(_ADMIN_ADDRESSES))["emails"]
    if len(emails) != 1:
        raise Conflict(
            "There are several administrators: say which of them does this."
            if emails
            else "There is no administrator yet to do this.",
            code="no_single_admin",
        )
    email: str = emails[0]
    return email


_ADD = Statement(
    """
entries AS (
    INSERT INTO allowed_emails (email, role, name) VALUES (:email, :role, :name)
    ON CONFLICT (lower(btrim(email))) DO NOTHING
    RETURNING *
),
acts AS (
    SELECT 'email_allowed' AS action, 'allowed_email' AS subject, id AS subject_id,
           jsonb_build_object('role', role) AS details
    FROM entries
)""",
    RECORDED,
    DOCUMENTS,
    "SELECT document::text AS document FROM documents",
)

_SAME = Statement(
    """
entries AS (
    SELECT * FROM allowed_emails
    WHERE lower(btrim(email)) = lower(:email) AND role = :role AND name IS NOT DISTINCT FROM :name
)""",
    DOCUMENTS,
    "SELECT document::text AS document FROM documents",
)


async def add(
    db: Database, actor: Actor, draft: AllowedEmailDraft
) -> tuple[Document[AllowedEmail], bool]:
    """Add an entry; return it, and whether this request created it.

    An identical entry is returned as it is, so that the request can be retried; an address on the
    list with another role or name is a conflict.
    """
    values = {"email": draft.email, "role": draft.role, "name": draft.name}
    async with keeping_an_admin(db, actor) as tx:
        made = await tx.find_row(_ADD, **values, **signed(actor))
        row = made or await tx.find_row(_SAME, **values)
    if row is None:
        raise _listed_already()
    return Document(row["document"]), made is not None


# `:given` names the fields to change.
_CHANGE = Statement(
    """
entries AS (
    UPDATE allowed_emails
    SET email = CASE WHEN 'email' = ANY(:given::text[]) THEN :email ELSE email END,
        role = CASE WHEN 'role' = ANY(:given) THEN :role ELSE role END,
        name = CASE WHEN 'name' = ANY(:given) THEN :name ELSE name END,
        updated_at = now()
    WHERE id = :id
    RETURNING *
),
acts AS (
    SELECT 'allowed_email_changed' AS action, 'allowed_email' AS subject, id AS subject_id,
           jsonb_build_object('role', role, 'fields', :given) AS details
    FROM entries
)""",
    RECORDED,
    DOCUMENTS,
    "SELECT document::text AS document FROM documents",
)


async def change(
    db: Database, actor: Actor, entry_id: UUID, wanted: AllowedEmailChange
) -> Document[AllowedEmail]:
    """Change the given fields. A new address stays with the same person, once they sign in."""
    given = sorted(wanted.model_fields_set)
    async with keeping_an_admin(db, actor) as tx:
        try:
            row = await tx.find_row(
                _CHANGE,
                id=entry_id,
                given=given,
                email=wanted.email,
                role=wanted.role,
                name=wanted.name,
                **signed(actor),
            )
        except asyncpg.UniqueViolationError:
            raise _listed_already() from None
        if row is None:
            raise missing()
    return Document(row["document"])


_REMOVE = Statement(
    """
acts AS (
    DELETE FROM allowed_emails WHERE id = :id
    RETURNING 'email_disallowed' AS action, 'allowed_email' AS subject, id AS subject_id,
              '{}'::jsonb AS details
)""",
    RECORDED,
    "SELECT subject_id FROM acts",
)


async def remove(db: Database, actor: Actor, entry_id: UUID) -> None:
    """Remove an entry from the list; the person is refused from the next request on."""
    async with keeping_an_admin(db, actor) as tx:
        if await tx.find_row(_REMOVE, id=entry_id, **signed(actor)) is None:
            raise missing()


def _listed_already() -> Conflict:
    return Conflict("This address is on the allow-list already.", code="email_listed")
