"""Who has access to a class besides its owner: co-teachers and substitutes, on their days."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Flaw, Invalid
from app.schemas.teachers import ClassTeacher, TeacherEntry, TeacherList
from app.services.access import OWN_CLASS, READ_CLASS, Actor, check
from app.services.audit import RECORDED, signed
from app.services.people.allow_list import make_users
from app.sql import Statement

# The owner first, then the others by name.
_LIST = Statement(
    READ_CLASS,
    """
teaching AS (
    SELECT teacher_id AS user_id, 'owner' AS role, NULL::date AS first_day, NULL::date AS last_day
    FROM granted
    UNION ALL
    SELECT t.user_id, t.role, t.first_day, t.last_day
    FROM class_teachers t JOIN granted ON granted.id = t.class_id
),
teachers AS (
    SELECT t.role, u.name, u.email, json_build_object(
        'userId', u.id, 'name', u.name, 'email', u.email, 'role', t.role,
        'firstDay', t.first_day, 'lastDay', t.last_day,
        'active', daterange(t.first_day, t.last_day, '[]') @> current_date) AS teacher
    FROM teaching t JOIN users u ON u.id = t.user_id
)""",
    """
SELECT verdict, (
    SELECT json_agg(teacher ORDER BY role <> 'owner', name COLLATE "C", email COLLATE "C")
    FROM teachers
)::text AS document
FROM verdict
""",
)


async def list_teachers(
    db: Database | Transaction, actor: Actor, class_id: UUID
) -> Document[list[ClassTeacher]]:
    """List the owner, co-teachers and substitutes of the class."""
    row = await db.row(_LIST, actor_id=actor.user_id, class_id=class_id)
    check(row)
    return Document(row["document"])


_LOCKED = Statement(
    OWN_CLASS, "SELECT verdict, (SELECT teacher_id FROM granted) AS owner FROM verdict"
)

# The users with these ids or addresses, in the order of the list; null for unknown ones.
_FIND_USERS = Statement("""
SELECT array_agg(u.id ORDER BY given.place) AS ids
FROM unnest(:user_ids::uuid[], :emails::text[]) WITH ORDINALITY AS given(user_id, email, place)
LEFT JOIN users u ON u.id = given.user_id OR lower(btrim(u.email)) = lower(btrim(given.email))
""")

_REPLACE = Statement(
    """
wanted AS MATERIALIZED (
    SELECT * FROM unnest(
        :user_ids::uuid[], :roles::text[], :first_days::date[], :last_days::date[])
        AS w(user_id, role, first_day, last_day)
),
removed AS (
    DELETE FROM class_teachers t
    WHERE t.class_id = :class_id AND NOT EXISTS (SELECT FROM wanted w WHERE w.user_id = t.user_id)
    RETURNING t.*
),
written AS (
    INSERT INTO class_teachers AS t (class_id, user_id, role, first_day, last_day)
    SELECT :class_id, user_id, role, first_day, last_day FROM wanted ORDER BY user_id
    ON CONFLICT (class_id, user_id) DO UPDATE
    SET role = excluded.role, first_day = excluded.first_day, last_day = excluded.last_day
    WHERE (t.role, t.first_day, t.last_day)
          IS DISTINCT FROM (excluded.role, excluded.first_day, excluded.last_day)
    RETURNING t.*, t.xmax = 0 AS added
),
changed AS (
    SELECT 'teacher_removed' AS action, user_id, role, first_day, last_day FROM removed
    UNION ALL
    SELECT CASE WHEN added THEN 'teacher_added' ELSE 'teacher_changed' END,
           user_id, role, first_day, last_day
    FROM written
),
acts AS (
    SELECT action, 'class' AS subject, :class_id AS subject_id, jsonb_build_object(
        'userId', user_id, 'role', role, 'firstDay', first_day, 'lastDay', last_day) AS details
    FROM changed
)""",
    RECORDED,
    "SELECT count(*) AS acts FROM acts",
)


async def put_teachers(
    db: Database, actor: Actor, class_id: UUID, wanted: TeacherList
) -> Document[list[ClassTeacher]]:
    """Replace the co-teachers and substitutes by the list; only for the owner and admins.

    A user is created for an allowed address that has never signed in.
    """
    async with db.transaction() as tx:
        owner = await _lock(tx, actor, class_id)
        return await _replace(tx, actor, class_id, owner, wanted.teachers)


async def change_teachers(
    db: Database,
    actor: Actor,
    class_id: UUID,
    change: Callable[[list[dict[str, Any]]], TeacherList],
) -> Document[list[ClassTeacher]]:
    """Replace the co-teachers and substitutes by what `change` makes of their entries.

    Nobody else changes them meanwhile.
    """
    async with db.transaction() as tx:
        owner = await _lock(tx, actor, class_id)
        listed = json.loads((await list_teachers(tx, actor, class_id)).json)
        entries = [
            {name: teacher[name] for name in ("userId", "role", "firstDay", "lastDay")}
            for teacher in listed
            if teacher["role"] != "owner"
        ]
        return await _replace(tx, actor, class_id, owner, change(entries).teachers)


async def _lock(tx: Transaction, actor: Actor, class_id: UUID) -> UUID:
    """Lock the class for its owner or an administrator; returns the owner."""
    row = await tx.row(_LOCKED, actor_id=actor.user_id, class_id=class_id)
    check(row)
    owner: UUID = row["owner"]
    return owner


async def _replace(
    tx: Transaction, actor: Actor, class_id: UUID, owner: UUID, teachers: list[TeacherEntry]
) -> Document[list[ClassTeacher]]:
    user_ids = await _users_of(tx, teachers)
    _check_each(user_ids, owner, teachers)
    await tx.execute(
        _REPLACE,
        class_id=class_id,
        user_ids=user_ids,
        roles=[teacher.role for teacher in teachers],
        first_days=[teacher.first_day for teacher in teachers],
        last_days=[teacher.last_day for teacher in teachers],
        **signed(actor),
    )
    return await list_teachers(tx, actor, class_id)


async def _users_of(tx: Transaction, teachers: list[TeacherEntry]) -> list[UUID | None]:
    await make_users(tx, [teacher.email for teacher in teachers if teacher.email])
    row = await tx.row(
        _FIND_USERS,
        user_ids=[teacher.user_id for teacher in teachers],
        emails=[teacher.email for teacher in teachers],
    )
    return row["ids"] or []


def _check_each(user_ids: list[UUID | None], owner: UUID, teachers: list[TeacherEntry]) -> None:
    """Refuse unknown users, the owner, and duplicates."""
    flaws = []
    for place, (user_id, teacher) in enumerate(zip(user_ids, teachers, strict=True)):
        pointer = f"/teachers/{place}/{'email' if teacher.email else 'userId'}"
        if user_id is None:
            flaws.append(Flaw(pointer, "unknown_teacher", "There is no such teacher."))
        elif user_id == owner:
            flaws.append(
                Flaw(pointer, "owner_named", "The owner of the class has these rights already.")
            )
        elif user_id in user_ids[:place]:
            flaws.append(Flaw(pointer, "repeated_teacher", "This person is in the list already."))
    if flaws:
        raise Invalid(
            f"Nothing was changed. {flaws[0].detail}", code=flaws[0].code, flaws=tuple(flaws)
        )
