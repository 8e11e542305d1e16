"""Signing in, and who one is then."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.db import Database
from app.documents import Document, instant
from app.errors import AccessDenied
from app.schemas.auth import Role
from app.schemas.users import Me
from app.services.access import Actor, check
from app.services.old_access import ACTOR, SIGNED_OUT


@dataclass(frozen=True)
class SignedIn:
    id: UUID
    email: str
    name: str
    role: Role


# The same `sub` is the same user, whatever their allow-listed address has become since. A
# first sign-in takes the row of its address only while no other `sub` is bound to it.
_SIGN_IN = """
WITH allowed AS MATERIALIZED (
    SELECT btrim(email) AS email, role, coalesce(nullif(btrim(name), ''), $3) AS name
    FROM allowed_emails
    WHERE lower(btrim(email)) = lower(btrim($1))
),
known AS (
    UPDATE users u
    SET email = CASE WHEN lower(btrim(u.email)) = lower(allowed.email)
                     THEN u.email ELSE allowed.email END,
        name = allowed.name,
        last_login_at = now()
    FROM allowed
    WHERE u.google_sub = $2 AND u.disabled_at IS NULL
    RETURNING u.id, u.email, u.name
),
bound AS (
    INSERT INTO users AS u (email, name, google_sub, last_login_at)
    SELECT email, name, $2, now()
    FROM allowed
    WHERE NOT EXISTS (SELECT FROM users WHERE google_sub = $2)
    ON CONFLICT (lower(btrim(email))) DO UPDATE
    SET google_sub = excluded.google_sub, name = excluded.name, last_login_at = now()
    WHERE (u.google_sub IS NULL OR u.google_sub = excluded.google_sub)
      AND u.disabled_at IS NULL
    RETURNING u.id, u.email, u.name
),
person AS (SELECT * FROM known UNION ALL SELECT * FROM bound)
SELECT allowed.role, person.id, person.email, person.name,
       EXISTS (
           SELECT FROM users
           WHERE disabled_at IS NOT NULL
             AND (google_sub = $2 OR lower(btrim(email)) = lower(btrim($1)))
       ) AS disabled
FROM (SELECT) AS always
LEFT JOIN allowed ON true
LEFT JOIN person ON true
"""


async def sign_in(db: Database, email: str, google_sub: str, google_name: str) -> SignedIn:
    """The user behind a verified Google account; `AccessDenied` when it is not allowed."""
    who = (email, google_sub, google_name or email)
    try:
        row = await db.row(_SIGN_IN, *who)
    except asyncpg.UniqueViolationError:
        # A first sign-in that came twice at once has made the user by now.
        row = await _sign_in_again(db, *who)
    if row["role"] is None:
        raise AccessDenied(
            "This account is not on the list of people who may use AIMS. Ask your administrator.",
            code="account_not_allowed",
        )
    if row["id"] is None:
        raise _disabled() if row["disabled"] else _bound_elsewhere()
    return SignedIn(row["id"], row["email"], row["name"], Role(row["role"]))


async def _sign_in_again(db: Database, *who: str) -> asyncpg.Record:
    try:
        return await db.row(_SIGN_IN, *who)
    except asyncpg.UniqueViolationError:
        # The new address of this account belongs to another user's row.
        raise _bound_elsewhere() from None


def _disabled() -> AccessDenied:
    return AccessDenied(
        "This account has been disabled. Ask your administrator.", code="account_disabled"
    )


def _bound_elsewhere() -> AccessDenied:
    return AccessDenied(
        "This address already belongs to another Google account here. Ask your administrator.",
        code="account_mismatch",
    )


_ME = f"""
WITH {ACTOR}
SELECT {SIGNED_OUT}, (
    SELECT row_to_json(me)
    FROM (
        SELECT u.id, u.email, u.name, actor.role, u.department,
               u.employee_id AS "employeeId",
               {instant("u.last_login_at")} AS "lastLoginAt",
               {instant("u.created_at")} AS "createdAt"
        FROM users u JOIN actor ON actor.id = u.id
    ) me
) AS document
"""


async def me(db: Database, actor: Actor) -> Document[Me]:
    """The profile of the actor, with the role they have now."""
    row = await db.row(_ME, actor.user_id)
    check(row)
    return Document(row["document"])
