"""Classes: list, read, make, change, archive and restore."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document, instant
from app.errors import AccessDenied, Conflict, Flaw, Invalid
from app.schemas.classes import ClassChange, ClassDetails, ClassDraft
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.audit import RECORD, author
from app.services.classes.rosters import ENROLLED, ROSTERS
from app.services.timetable.calendar import CURRENT_TERM, in_term, no_such_term, term_known
from app.services.timetable.reschedules import MOVE
from app.services.timetable.slots import SLOT

# From `listed`, the classes to show, to `documents`, one JSON object each.
_PARTS = f"""
slots AS MATERIALIZED (
    SELECT s.class_id, json_agg({SLOT} ORDER BY s.day_of_week, s.start_time) AS schedule
    FROM class_schedules s
    WHERE s.class_id IN (SELECT id FROM listed)
    GROUP BY s.class_id
),
moves AS MATERIALIZED (
    SELECT r.class_id,
           json_agg({MOVE} ORDER BY r.original_date, r.original_start_time) AS reschedules
    FROM class_reschedules r
    WHERE r.class_id IN (SELECT id FROM listed)
    GROUP BY r.class_id
)"""

_COUNTS = f"""
rosters AS MATERIALIZED (
    SELECT e.class_id, count(*) AS student_count
    FROM class_students e
    WHERE e.class_id IN (SELECT id FROM listed) AND {ENROLLED}
    GROUP BY e.class_id
)"""


def _documents(rosters: str, students: str) -> str:
    return f"""
{_PARTS},
{rosters},
documents AS (
    SELECT l.code, l.section, l.id, row_to_json(shown) AS document
    FROM listed l
    CROSS JOIN actor
    LEFT JOIN slots ON slots.class_id = l.id
    LEFT JOIN moves ON moves.class_id = l.id
    LEFT JOIN rosters ON rosters.class_id = l.id
    CROSS JOIN LATERAL (
        SELECT l.id, l.code, l.name, l.section, l.ltp_pattern AS "ltpPattern",
               l.teacher_type AS "teacherType", l.practical_group AS "practicalGroup",
               l.teacher_id AS "teacherId", l.term_id AS "termId",
               CASE
                   WHEN l.teacher_id = actor.id THEN 'owner'
                   WHEN actor.role = 'admin' THEN 'admin'
                   ELSE (SELECT role FROM covering WHERE class_id = l.id)
               END AS "myRole",
               {instant("l.created_at")} AS "createdAt",
               {instant("l.updated_at")} AS "updatedAt",
               {instant("l.archived_at")} AS "archivedAt",
               coalesce(slots.schedule, '[]') AS schedule,
               coalesce(moves.reschedules, '[]') AS reschedules,
               {students}
    ) shown
)"""


_WITH_STUDENTS = _documents(ROSTERS, "coalesce(rosters.students, '[]') AS students")
_WITH_COUNT = _documents(_COUNTS, 'coalesce(rosters.student_count, 0) AS "studentCount"')


# $3 is the id of a term, `all` or `current`, which shows classes without a term as well.
def _list_sql(documents: str) -> str:
    return f"""
WITH {access.ACTOR},
{access.COVERING},
listed AS MATERIALIZED (
    SELECT c.* FROM classes c CROSS JOIN actor
    WHERE {access.MAY} AND (c.archived_at IS NOT NULL) = $2 AND {in_term("c", "$3")}
),
{documents}
SELECT {access.SIGNED_OUT}, (
    SELECT coalesce(json_agg(document ORDER BY code COLLATE "C", section COLLATE "C", id), '[]')
    FROM documents
)::text AS document, {term_known("$3")} AS term_known
"""


def _get_sql(documents: str) -> str:
    return f"""
{access.READ_CLASS},
listed AS (SELECT * FROM granted),
{documents}
SELECT {access.VERDICT}, (SELECT document FROM documents)::text AS document
"""


_LIST = {True: _list_sql(_WITH_STUDENTS), False: _list_sql(_WITH_COUNT)}
_GET = {True: _get_sql(_WITH_STUDENTS), False: _get_sql(_WITH_COUNT)}


async def list_classes(
    db: Database, actor: Actor, *, roster: bool, archived: bool, term: str
) -> Document[list[ClassDetails]]:
    """The classes of a term the actor may work in today (an admin's are all).

    They are in the order of code and section. `term` is an id, `current` or `all`; classes
    without a term are among the current ones.
    """
    row = await db.row(_LIST[roster], actor.user_id, archived, term.lower())
    check(row)
    if not row["term_known"]:
        raise no_such_term("/query/term")
    return Document(row["document"])


async def get_class(
    db: Database | Transaction, actor: Actor, class_id: UUID, *, roster: bool = True
) -> Document[ClassDetails]:
    """One class, archived or not."""
    row = await db.row(_GET[roster], actor.user_id, class_id)
    check(row)
    return Document(row["document"])


_CREATE = f"""
WITH {access.ACTOR},
owner AS MATERIALIZED (
    SELECT u.id FROM users u JOIN actor ON u.id = coalesce($2, actor.id)
),
made AS (
    INSERT INTO classes (
        teacher_id, code, name, section, ltp_pattern, teacher_type, practical_group, term_id)
    SELECT owner.id, $3, $4, $5, $6, $7, $8, coalesce($9, ({CURRENT_TERM}))
    FROM owner JOIN actor ON actor.role = 'admin' OR owner.id = actor.id
    RETURNING id
)
SELECT CASE
    WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
    WHEN EXISTS (SELECT FROM actor WHERE role <> 'admin' AND id <> coalesce($2, id)) THEN 'denied'
    ELSE 'granted'
END AS verdict, (SELECT id FROM made) AS id
"""


async def create_class(db: Database, actor: Actor, draft: ClassDraft) -> Document[ClassDetails]:
    """A new class of the actor's own, or of `teacher_id` when an admin says so.

    Unless the draft names a term, it is one of the current term.
    """
    async with db.transaction() as tx:
        with _collisions_named():
            row = await tx.row(
                _CREATE,
                actor.user_id,
                draft.teacher_id,
                draft.code,
                draft.name,
                draft.section,
                draft.ltp_pattern,
                draft.teacher_type,
                draft.practical_group,
                draft.term_id,
            )
        check(row)
        if row["id"] is None:
            raise _no_such_teacher()
        return await get_class(tx, actor, row["id"])


_COLUMNS = (
    "code",
    "name",
    "section",
    "ltp_pattern",
    "teacher_type",
    "practical_group",
    "teacher_id",
    "term_id",
)

# `$3` names the columns to change; the values follow in the order of `_COLUMNS`.
_CHANGES = ", ".join(
    f"{column} = CASE WHEN '{column}' = ANY($3::text[]) THEN ${place} ELSE c.{column} END"
    for place, column in enumerate(_COLUMNS, start=4)
)

# Who becomes the owner needs no place beside the owner any more.
_UPDATE = f"""
{access.OWN_CLASS},
changed AS (
    UPDATE classes c SET {_CHANGES}, updated_at = now()
    FROM granted
    WHERE c.id = granted.id
      AND (granted.actor_role = 'admin' OR NOT 'teacher_id' = ANY($3::text[])
           OR $10 = granted.teacher_id)
      AND ($10 IS NULL OR EXISTS (SELECT FROM users WHERE id = $10))
    RETURNING c.id, c.teacher_id, granted.teacher_id AS former
),
risen AS (
    DELETE FROM class_teachers t USING changed
    WHERE t.class_id = changed.id AND t.user_id = changed.teacher_id
),
recorded AS (
    {RECORD}
    SELECT $1, $12, 'class_reassigned', 'class', id,
           jsonb_build_object('from', former, 'to', teacher_id)
    FROM changed WHERE teacher_id <> former
)
SELECT {access.VERDICT}, EXISTS (SELECT FROM changed) AS changed,
       (SELECT actor_role FROM granted) AS actor_role
"""


async def update_class(
    db: Database, actor: Actor, class_id: UUID, change: ClassChange
) -> Document[ClassDetails]:
    """Change what was given; giving the class to another teacher is the admins'."""
    given = [column for column in _COLUMNS if column in change.model_fields_set]
    if "teacher_id" in given and change.teacher_id is None:
        raise _no_such_teacher()
    values: list[Any] = [getattr(change, column) for column in _COLUMNS]
    async with db.transaction() as tx:
        with _collisions_named():
            row = await tx.row(_UPDATE, actor.user_id, class_id, given, *values, actor.request_id)
        check(row)
        if not row["changed"]:
            if row["actor_role"] != "admin":
                raise AccessDenied("Only an administrator may give a class to another teacher.")
            raise _no_such_teacher()
        return await get_class(tx, actor, class_id)


_LOCK_TO_CLOSE = f"{access.CLOSE_CLASS} SELECT {access.VERDICT}"

# A statement of its own, to see a session whose opening the lock waited for.
_HAS_SESSIONS = (
    "SELECT EXISTS (SELECT FROM attendance_sessions WHERE class_id = $1) AS has_sessions"
)

# Each is recorded only if it changes something: archiving twice is once.
_ARCHIVE = f"""
WITH changed AS (
    UPDATE classes SET archived_at = now(), updated_at = now()
    WHERE id = $3 AND archived_at IS NULL
    RETURNING id
)
{RECORD} SELECT $1, $2, 'class_archived', 'class', id, '{{}}' FROM changed
"""

_REMOVE = f"""
WITH changed AS (DELETE FROM classes WHERE id = $3 RETURNING id)
{RECORD} SELECT $1, $2, 'class_deleted', 'class', id, '{{}}' FROM changed
"""

_RESTORE = f"""
WITH changed AS (
    UPDATE classes SET archived_at = NULL, updated_at = now()
    WHERE id = $3 AND archived_at IS NOT NULL
    RETURNING id
)
{RECORD} SELECT $1, $2, 'class_restored', 'class', id, '{{}}' FROM changed
"""


async def delete_class(db: Database, actor: Actor, class_id: UUID) -> None:
    """Remove a class without sessions; archive one that has any, so no mark is ever lost."""
    async with db.transaction() as tx:
        check(await tx.row(_LOCK_TO_CLOSE, actor.user_id, class_id))
        archives = (await tx.row(_HAS_SESSIONS, class_id))["has_sessions"]
        await tx.find_row(_ARCHIVE if archives else _REMOVE, *author(actor), class_id)


async def restore_class(db: Database, actor: Actor, class_id: UUID) -> Document[ClassDetails]:
    """Bring an archived class back; for one that is not archived nothing changes."""
    async with db.transaction() as tx:
        check(await tx.row(_LOCK_TO_CLOSE, actor.user_id, class_id))
        with _collisions_named():
            await tx.find_row(_RESTORE, *author(actor), class_id)
        return await get_class(tx, actor, class_id)


@contextmanager
def _collisions_named() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError:
        raise Conflict(
            "This teacher already has a class with this code and section.", code="class_exists"
        ) from None
    except asyncpg.ForeignKeyViolationError:
        raise no_such_term("/termId") from None


def _no_such_teacher() -> Invalid:
    return Invalid(
        "There is no such teacher.",
        code="unknown_teacher",
        flaws=(Flaw("/teacherId", "unknown_teacher", "There is no such teacher."),),
    )
