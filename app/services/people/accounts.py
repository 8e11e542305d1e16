"""Signing in, and the profile of the signed-in user."""

import asyncpg

from app.db import Database
from app.documents import Document
from app.schemas.auth import SignedInRole
from app.schemas.users import Me
from app.services.access import STAFF, STAFF_VERDICT, Actor, check
from app.services.people.signed_in import SignedIn, bound_elsewhere, disabled
from app.sql import Statement

# The same subject of the same issuer is the same user, whatever their allow-listed address has
# become since. A first sign-in takes the row of its address only while it is bound to nobody.
_SIGN_IN = Statement(
    """
allowed AS MATERIALIZED (
    SELECT btrim(email) AS email, role, coalesce(nullif(btrim(name), ''), :name) AS name
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
    WHERE (u.issuer, u.google_sub) = (:issuer, :subject) AND u.disabled_at IS NULL
    RETURNING u.id, u.email, u.name
),
bound AS (
    INSERT INTO users AS u (email, name, issuer, google_sub, last_login_at)
    SELECT email, name, :issuer, :subject, now()
    FROM allowed
    WHERE NOT EXISTS (SELECT FROM users WHERE (issuer, google_sub) = (:issuer, :subject))
    ON CONFLICT (lower(btrim(email))) DO UPDATE
    SET issuer = excluded.issuer, google_sub = excluded.google_sub, name = excluded.name,
        last_login_at = now()
    WHERE (u.google_sub IS NULL
           OR (u.issuer, u.google_sub) = (excluded.issuer, excluded.google_sub))
      AND u.disabled_at IS NULL
    RETURNING u.id, u.email, u.name
),
person AS (SELECT * FROM known UNION ALL SELECT * FROM bound)""",
    """
SELECT allowed.role, person.id, person.email, person.name,
       EXISTS (
           SELECT FROM users
           WHERE disabled_at IS NOT NULL
             AND ((issuer, google_sub) = (:issuer, :subject)
                  OR lower(btrim(email)) = lower(btrim(:email)))
       ) AS disabled
FROM (SELECT) AS always
LEFT JOIN allowed ON true
LEFT JOIN person ON true
""",
)


async def find_user(
    db: Database, issuer: str, subject: str, email: str, name: str
) -> SignedIn | None:
    """The user behind a verified account of an issuer; None if the address is not allowed."""
    who = {"issuer": issuer, "subject": subject, "email": email, "name": name or email}
    try:
        row = await db.row(_SIGN_IN, **who)
    except asyncpg.UniqueViolationError:
        # A concurrent first sign-in has just created the user.
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
    """The actor's profile with their current role."""
    row = await db.row(_ME, actor_id=actor.user_id)
    check(row)
    return Document(row["document"])
