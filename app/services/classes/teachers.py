"""Who may work in a class besides its owner: co-teachers and substitutes, each in their days."""

from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Flaw, Invalid
from app.schemas.teachers import ClassTeacher, TeacherEntry, TeacherList
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.audit import RECORD
from app.services.people.allow_list import make_users

# The owner first, then the others by name.
_LIST = f"""
{access.READ_CLASS},
teaching AS (
    SELECT teacher_id AS user_id, 'owner' AS role, NULL::date AS first_day, NULL::date AS last_day
    FROM granted
    UNION ALL
    SELECT t.user_id, t.role, t.first_day, t.last_day
    FROM class_teachers t JOIN granted ON granted.id = t.class_id
)
SELECT {access.VERDICT}, (
    SELECT coalesce(json_agg(
        teacher ORDER BY t.role <> 'owner', u.name COLLATE "C", u.email COLLATE "C"), '[]')
    FROM teaching t
    JOIN users u ON u.id = t.user_id
    CROSS JOIN LATERAL (
        SELECT u.id AS "userId", u.name, u.email, t.role, t.first_day AS "firstDay",
               t.last_day AS "lastDay", {access.in_days("t")} AS active
    ) teacher
)::text AS document
"""


async def list_teachers(
    db: Database | Transaction, actor: Actor, class_id: UUID
) -> Document[list[ClassTeacher]]:
    """Owner, co-teachers and substitutes of the class."""
    row = await db.row(_LIST, actor.user_id, class_id)
    check(row)
    return Document(row["document"])


_LOCK = f"""
{access.OWN_CLASS}
SELECT {access.VERDICT}, (SELECT teacher_id FROM granted) AS owner
"""

# The users meant by ids or addresses, in the order of the list; null where there is none.
_FIND_USERS = """
SELECT array_agg(u.id ORDER BY given.place) AS ids
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS given(user_id, email, place)
LEFT JOIN users u ON u.id = given.user_id OR lower(btrim(u.email)) = lower(btrim(given.email))
"""

# $1 actor, $2 class, $3 request, $4 to $7 the list.
_REPLACE = f"""
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest($4::uuid[], $5::text[], $6::date[], $7::date[])
        AS w(user_id, role, first_day, last_day)
),
removed AS (
    DELETE FROM class_teachers t
    WHERE t.class_id = $2 AND NOT EXISTS (SELECT FROM wanted w WHERE w.user_id = t.user_id)
    RETURNING t.*
),
written AS (
    INSERT INTO class_teachers AS t (class_id, user_id, role, first_day, last_day)
    SELECT $2, user_id, role, first_day, last_day FROM wanted ORDER BY user_id
    ON CONFLICT (class_id, user_id) DO UPDATE
    SET role = excluded.role, first_day = excluded.first_day, last_day = excluded.last_day
    WHERE (t.role, t.first_day, t.last_day)
          IS DISTINCT FROM (excluded.role, excluded.first_day, excluded.last_day)
    RETURNING t.*, t.xmax = 0 AS added
)
{RECORD}
SELECT $1, $3, action, 'class', class_id, jsonb_build_object(
    'userId', user_id, 'role', role, 'firstDay', first_day, 'lastDay', last_day)
FROM (
    SELECT 'teacher_removed' AS action, class_id, user_id, role, first_day, last_day FROM removed
    UNION ALL
    SELECT CASE WHEN added THEN 'teacher_added' ELSE 'teacher_changed' END,
           class_id, user_id, role, first_day, last_day
    FROM written
) acts
"""


async def put_teachers(
    db: Database, actor: Actor, class_id: UUID, wanted: TeacherList
) -> Document[list[ClassTeacher]]:
    """Make the co-teachers and substitutes those of the list; the owner's and the admins' to do.

    An allowed address that has never signed in gets its user here.
    """
    teachers = wanted.teachers
    async with db.transaction() as tx:
        lock = await tx.row(_LOCK, actor.user_id, class_id)
        check(lock)
        user_ids = await _users_of(tx, teachers)
        _check_each(user_ids, lock["owner"], teachers)
        await tx.find_row(
            _REPLACE,
            actor.user_id,
            class_id,
            actor.request_id,
            user_ids,
            [teacher.role for teacher in teachers],
            [teacher.first_day for teacher in teachers],
            [teacher.last_day for teacher in teachers],
        )
        return await list_teachers(tx, actor, class_id)


async def _users_of(tx: Transaction, teachers: list[TeacherEntry]) -> list[UUID | None]:
    await make_users(tx, [teacher.email for teacher in teachers if teacher.email])
    row = await tx.row(
        _FIND_USERS,
        [teacher.user_id for teacher in teachers],
        [teacher.email for teacher in teachers],
    )
    return row["ids"] or []


def _check_each(user_ids: list[UUID | None], owner: UUID, teachers: list[TeacherEntry]) -> None:
    """Refuse who is nobody, the owner, or named before."""
    flaws = []
    for place, (user_id, teacher) in enumerate(zip(user_ids, teachers, strict=True)):
        pointer = f"/teachers/{place}/{'email' if teacher.email else 'userId'}"
        if user_id is None:
            flaws.append(Flaw(pointer, "unknown_teacher", "There is no such teacher."))
        elif user_id == owner:
            flaws.append(Flaw(pointer, "owner_named", "The owner may do all this already."))
        elif user_id in user_ids[:place]:
            flaws.append(Flaw(pointer, "repeated_teacher", "This person is in the list twice."))
    if flaws:
        raise Invalid(
            f"Nothing was changed. {flaws[0].detail}", code=flaws[0].code, flaws=tuple(flaws)
        )
