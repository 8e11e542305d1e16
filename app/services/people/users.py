"""The people who operate the app."""

from uuid import UUID

from app.db import Database
from app.documents import Document, instant
from app.errors import NotFound
from app.schemas.admin import User, UserChange
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.audit import RECORD, author
from app.services.people.allow_list import keeping_an_admin

_COLUMNS = f"""
    u.id, u.email, u.name, a.role, u.department, u.employee_id AS "employeeId",
    {instant("u.last_login_at")} AS "lastLoginAt", {instant("u.disabled_at")} AS "disabledAt",
    {instant("u.created_at")} AS "createdAt\""""

_ROLE = "LEFT JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))"

_LIST = f"""
WITH {access.ADMIN},
page AS MATERIALIZED (
    SELECT u.*, lower(btrim(u.email)) COLLATE "C" AS key,
           row_number() OVER (ORDER BY lower(btrim(u.email)) COLLATE "C") AS n
    FROM users u
    WHERE EXISTS (SELECT FROM admin)
      AND ($2::text IS NULL OR lower(btrim(u.email)) COLLATE "C" > $2)
      AND ($3::text IS NULL OR strpos(
          lower(concat_ws(' ', u.email, u.name, u.department, u.employee_id)), lower($3)) > 0)
    ORDER BY lower(btrim(u.email)) COLLATE "C"
    LIMIT $4 + 1
)
SELECT {access.ADMIN_VERDICT}, (
    SELECT coalesce(json_agg(person ORDER BY u.n), '[]')
    FROM page u {_ROLE} CROSS JOIN LATERAL (SELECT {_COLUMNS}) person
    WHERE u.n <= $4
)::text AS document, (
    SELECT key FROM page WHERE n = $4 AND EXISTS (SELECT FROM page WHERE n > $4)
) AS next_cursor
"""


async def list_users(
    db: Database, actor: Actor, query: str | None, limit: int, after: str | None
) -> Document[list[User]]:
    """Everybody who ever signed in, by address; `query` is part of what identifies them."""
    row = await db.row(_LIST, actor.user_id, after, query, limit)
    check(row)
    return Document(row["document"], next_cursor=row["next_cursor"])


# $4 names the fields to change. Disabling somebody twice keeps the first time.
_CHANGE = f"""
WITH u AS (
    UPDATE users SET
        disabled_at = CASE WHEN NOT 'disabled' = ANY($4::text[]) THEN disabled_at
                           WHEN $5 THEN coalesce(disabled_at, now()) END,
        department = CASE WHEN 'department' = ANY($4::text[]) THEN $6 ELSE department END,
        employee_id = CASE WHEN 'employee_id' = ANY($4::text[]) THEN $7 ELSE employee_id END
    WHERE id = $3
    RETURNING *
),
recorded AS (
    {RECORD}
    SELECT $1, $2, CASE WHEN NOT 'disabled' = ANY($4::text[]) THEN 'user_changed'
                        WHEN $5 THEN 'user_disabled' ELSE 'user_enabled' END,
           'user', id, jsonb_build_object('fields', $4::text[])
    FROM u
)
SELECT row_to_json(person)::text AS document
FROM u {_ROLE} CROSS JOIN LATERAL (SELECT {_COLUMNS}) person
"""


async def change_user(
    db: Database, actor: Actor, user_id: UUID, wanted: UserChange
) -> Document[User]:
    """Change what was given; a disabled user is refused from the next request on."""
    given = sorted(wanted.model_fields_set)
    async with keeping_an_admin(db, actor) as tx:
        row = await tx.find_row(
            _CHANGE,
            *author(actor),
            user_id,
            given,
            wanted.disabled,
            wanted.department,
            wanted.employee_id,
        )
        if row is None:
            raise NotFound("There is no such user.")
    return Document(row["document"])
