"""The users: teachers and administrators."""

from uuid import UUID

from app.db import Database
from app.documents import Document
from app.errors import NotFound
from app.schemas.admin import User, UserChange
from app.services.access import ADMIN, Actor, check
from app.services.audit import RECORDED, signed
from app.services.lists import PAGE_OF_DOCUMENTS, page_of
from app.services.people.allow_list import keeping_an_admin
from app.sql import Statement

# Turns `people`, the users to show, into `documents`; without an allow-list entry, role is null.
_DOCUMENTS = """
documents AS (
    SELECT u.id, json_build_object(
        'id', u.id, 'email', u.email, 'name', u.name, 'role', a.role,
        'department', u.department, 'employeeId', u.employee_id,
        'lastLoginAt', json_instant(u.last_login_at), 'disabledAt', json_instant(u.disabled_at),
        'createdAt', json_instant(u.created_at)) AS document
    FROM people u
    LEFT JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
)"""

_LIST = Statement(
    ADMIN,
    """
page AS MATERIALIZED (
    SELECT u.*, lower(btrim(u.email)) AS cursor,
           row_number() OVER (ORDER BY lower(btrim(u.email)) COLLATE "C") AS n
    FROM users u
    WHERE EXISTS (SELECT FROM admin)
      AND (:after::text IS NULL OR lower(btrim(u.email)) COLLATE "C" > :after)
      AND (:query::text IS NULL OR strpos(
          lower(concat_ws(' ', u.email, u.name, u.department, u.employee_id)), lower(:query)) > 0)
    ORDER BY lower(btrim(u.email)) COLLATE "C"
    LIMIT :most + 1
),
people AS (SELECT * FROM page WHERE n <= :most)""",
    _DOCUMENTS,
    PAGE_OF_DOCUMENTS,
)


async def list_users(
    db: Database, actor: Actor, query: str | None, limit: int, after: str | None
) -> Document[list[User]]:
    """List users by address; `query` is part of an address, name, department or employee id."""
    row = await db.row(_LIST, actor_id=actor.user_id, after=after, query=query, most=limit)
    return page_of(row)


_READ = Statement(
    ADMIN,
    "people AS (SELECT * FROM users WHERE id = :id AND EXISTS (SELECT FROM admin))",
    _DOCUMENTS,
    "SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict",
)


async def get_user(db: Database, actor: Actor, user_id: UUID) -> Document[User]:
    """One user."""
    row = await db.row(_READ, actor_id=actor.user_id, id=user_id)
    check(row)
    if row["document"] is None:
        raise _missing()
    return Document(row["document"])


# `:given` names the fields to change. Disabling a user twice keeps the first timestamp.
_CHANGE = Statement(
    """
people AS (
    UPDATE users
    SET disabled_at = CASE WHEN NOT 'disabled' = ANY(:given::text[]) THEN disabled_at
                           WHEN :disabled THEN coalesce(disabled_at, now()) END,
        department = CASE WHEN 'department' = ANY(:given) THEN :department ELSE department END,
        employee_id = CASE WHEN 'employee_id' = ANY(:given) THEN :employee_id ELSE employee_id END
    WHERE id = :id
    RETURNING *
),
acts AS (
    SELECT CASE WHEN NOT 'disabled' = ANY(:given) THEN 'user_changed'
                WHEN :disabled THEN 'user_disabled' ELSE 'user_enabled' END AS action,
           'user' AS subject, id AS subject_id, jsonb_build_object('fields', :given) AS details
    FROM people
)""",
    RECORDED,
    _DOCUMENTS,
    "SELECT document::text FROM documents",
)


async def change_user(
    db: Database, actor: Actor, user_id: UUID, wanted: UserChange
) -> Document[User]:
    """Change the given fields; a disabled user is refused from the next request on."""
    given = sorted(wanted.model_fields_set)
    async with keeping_an_admin(db, actor) as tx:
        row = await tx.find_row(
            _CHANGE,
            id=user_id,
            given=given,
            disabled=wanted.disabled,
            department=wanted.department,
            employee_id=wanted.employee_id,
            **signed(actor),
        )
        if row is None:
            raise _missing()
    return Document(row["document"])


def _missing() -> NotFound:
    return NotFound("There is no such user.")
