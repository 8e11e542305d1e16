"""Signing in, and who one is then."""

import asyncpg

from app.db import Database
from app.documents import Document
from app.schemas.auth import SignedInRole
from app.schemas.users import Me
from app.services.access import STAFF, STAFF_VERDICT, Actor, check
from app.services.people.signed_in import SignedIn, bound_elsewhere, disabled, not_allowed
from app.sql import Statement

# The same `sub` is the same user, whatever their allow-listed address has become since. A
# first sign-in takes the row of its address only while no other `sub` is bound to it.
_SIGN_IN = Statement(
    """
allowed AS MATERIALIZED (
    SELECT btrim(email) AS email, role, coalesce(nullif(btrim(name), ''), :google_name) AS name
    FROM allowed_emails
    WHERE lower(btrim(email)) = lower(btrim(:email))
),
known AS (
    UPDATE users u
    SET email = CASE WHEN lower(btrim(u.email)) = lower(allowed.email)
                     THEN u.email ELSE allowed.email END,
        name = allowed.name,
        last_login_at = now()
    FROM allowed
    WHERE u.google_sub = :google_sub AND u.disabled_at IS NULL
    RETURNING u.id, u.email, u.name
),
bound AS (
    INSERT INTO users AS u (email, name, google_sub, last_login_at)
    SELECT email, name, :google_sub, now()
    FROM allowed
    WHERE NOT EXISTS (SELECT FROM users WHERE google_sub = :google_sub)
    ON CONFLICT (lower(btrim(email))) DO UPDATE
    SET google_sub = excluded.google_sub, name = excluded.name, last_login_at = now()
    WHERE (u.google_sub IS NULL OR u.google_sub = excluded.google_sub)
      AND u.disabled_at IS NULL
    RETURNING u.id, u.email, u.name
),
person AS (SELECT * FROM known UNION ALL SELECT * FROM bound)""",
    """
SELECT allowed.role, person.id, person.email, person.name,
       EXISTS (
           SELECT FROM users
           WHERE disabled_at IS NOT NULL
             AND (google_sub = :google_sub OR lower(btrim(email)) = lower(btrim(:email)))
       ) AS disabled
FROM (SELECT) AS always
LEFT JOIN allowed ON true
LEFT JOIN person ON true
""",
)


async def sign_in(db: Database, email: str, google_sub: str, google_name: str) -> SignedIn:
    """The user behind a verified Google account; `AccessDenied` when it is not allowed."""
    user = await find_user(db, email, google_sub, google_name)
    if user is None:
        raise not_allowed()
    return user


async def find_user(db: Database, email: str, google_sub: str, google_name: str) -> SignedIn | None:
    """The same, but None when the address is not on the allow-list."""
    who = {"email": email, "google_sub": google_sub, "google_name": google_name or email}
    try:
        row = await db.row(_SIGN_IN, **who)
    except asyncpg.UniqueViolationError:
        # A first sign-in that came twice at once has made the user by now.
        row = await _sign_in_again(db, who)
    if row["role"] is None:
        return None
    if row["id"] is None:
        raise disabled() if row["disabled"] else bound_elsewhere()
    return SignedIn(row["id"], row["email"], row["name"], SignedInRole(row["role"]))


async def _sign_in_again(db: Database, who: dict[str, str]) -> asyncpg.Record:
    try:
        return await db.row(_SIGN_IN, **who)
    except asyncpg.UniqueViolationError:
        # The new address of this account belongs to another user's row.
        raise bound_elsewhere() from None


_ME = Statement(
    STAFF,
    STAFF_VERDICT,
    """
SELECT verdict, (
    SELECT json_build_object(
        'id', u.id, 'email', u.email, 'name', u.name, 'role', staff.role,
        'department', u.department, 'employeeId', u.employee_id,
        'lastLoginAt', json_instant(u.last_login_at), 'createdAt', json_instant(u.created_at))
    FROM users u JOIN staff ON staff.id = u.id
) AS document
FROM verdict
""",
)


async def me(db: Database, actor: Actor) -> Document[Me]:
    """The profile of the actor, with the role they have now."""
    row = await db.row(_ME, actor_id=actor.user_id)
    check(row)
    return Document(row["document"])
