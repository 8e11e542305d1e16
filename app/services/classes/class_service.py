"""Classes: list, read, create, change, archive and restore."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.errors import AccessDenied, Conflict, Invalid
from app.schemas.classes import ClassChange, ClassDetails, ClassDraft
from app.services.access import (
    CLOSE_CLASS,
    MINE,
    OWN_CLASS,
    READ_CLASS,
    STAFF,
    STAFF_VERDICT,
    Actor,
    check,
)
from app.services.audit import RECORDED, signed
from app.services.classes.rosters import ROSTERS
from app.services.timetable.calendar import no_such_term
from app.sql import Relations, Statement

# Turns `listed`, the classes to show, into `documents`, one JSON object per class.
_TIMETABLES = """
schedules AS MATERIALIZED (
    SELECT class_id, json_agg(slot_json(s) ORDER BY day_of_week, start_time) AS schedule
    FROM class_schedules s WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
),
reschedules AS MATERIALIZED (
    SELECT class_id, json_agg(move_json(r) ORDER BY original_date, original_start_time)
               AS reschedules
    FROM class_reschedules r WHERE class_id IN (SELECT id FROM listed) GROUP BY class_id
)"""

_CLASSES = """
shown AS (
    SELECT l.id, l.code, l.name, l.section, l.ltp_pattern AS "ltpPattern",
           l.teacher_type AS "teacherType", l.practical_group AS "practicalGroup",
           l.teacher_id AS "teacherId", l.term_id AS "termId",
           CASE WHEN l.teacher_id = staff.id THEN 'owner' WHEN staff.role = 'admin' THEN 'admin'
                ELSE (SELECT role FROM covering WHERE class_id = l.id) END AS "myRole",
           json_instant(l.created_at) AS "createdAt", json_instant(l.updated_at) AS "updatedAt",
           json_instant(l.archived_at) AS "archivedAt",
           coalesce(schedules.schedule, '[]') AS schedule,
           coalesce(reschedules.reschedules, '[]') AS reschedules
    FROM listed l CROSS JOIN staff
    LEFT JOIN schedules ON schedules.class_id = l.id
    LEFT JOIN reschedules ON reschedules.class_id = l.id
)"""

_WITH_STUDENTS: Relations = (
    _TIMETABLES,
    _CLASSES,
    ROSTERS,
    """
documents AS (
    SELECT shown.code, shown.section, shown.id, row_to_json(document) AS document
    FROM shown LEFT JOIN rosters ON rosters.class_id = shown.id
    CROSS JOIN LATERAL (
        SELECT shown.*, coalesce(rosters.students, '[]') AS students
    ) document
)""",
)
_WITH_COUNT: Relations = (
    _TIMETABLES,
    _CLASSES,
    """
rosters AS MATERIALIZED (
    SELECT class_id, count(*) AS students FROM class_students
    WHERE class_id IN (SELECT id FROM listed) AND on_roster(periods) GROUP BY class_id
),
documents AS (
    SELECT shown.code, shown.section, shown.id, row_to_json(document) AS document
    FROM shown LEFT JOIN rosters ON rosters.class_id = shown.id
    CROSS JOIN LATERAL (SELECT shown.*, coalesce(rosters.students, 0) AS "studentCount") document
)""",
)

# `:term` is the id of a term, `all` or `current`, which includes classes without a term.
_LISTED: Relations = (
    MINE,
    """
listed AS MATERIALIZED (
    SELECT * FROM mine
    WHERE (archived_at IS NOT NULL) = :archived
      AND of_term(term_id, :term, (SELECT id FROM v_current_term))
)""",
)
_ALL = """
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY code COLLATE "C", section COLLATE "C", id), '[]')
    FROM documents
)::text AS document,
:term IN ('all', 'current') OR EXISTS (SELECT FROM terms WHERE id::text = :term) AS term_known
FROM verdict
"""
_ONE = "SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict"
_GRANTED = "listed AS (SELECT * FROM granted)"

_LIST = {
    True: Statement(_LISTED, _WITH_STUDENTS, STAFF_VERDICT, _ALL),
    False: Statement(_LISTED, _WITH_COUNT, STAFF_VERDICT, _ALL),
}
_GET = {
    True: Statement(READ_CLASS, _GRANTED, _WITH_STUDENTS, _ONE),
    False: Statement(READ_CLASS, _GRANTED, _WITH_COUNT, _ONE),
}


async def list_classes(
    db: Database, actor: Actor, *, roster: bool, archived: bool, term: str
) -> Document[list[ClassDetails]]:
    """List the classes of a term that the actor has access to today (an admin: all classes).

    They are ordered by code and section. `term` is an id, `current` or `all`; `current` includes
    classes without a term.
    """
    row = await db.row(_LIST[roster], actor_id=actor.user_id, archived=archived, term=term.lower())
    check(row)
    if not row["term_known"]:
        raise no_such_term("/query/term")
    return Document(row["document"])


async def get_class(
    db: Database | Transaction, actor: Actor, class_id: UUID, *, roster: bool = True
) -> Document[ClassDetails]:
    """One class, archived or not."""
    row = await db.row(_GET[roster], actor_id=actor.user_id, class_id=class_id)
    check(row)
    return Document(row["document"])


_CREATE = Statement(
    STAFF,
    """
owner AS MATERIALIZED (
    SELECT u.id FROM users u JOIN staff ON u.id = coalesce(:teacher_id, staff.id)
),
made AS (
    INSERT INTO classes (
        teacher_id, code, name, section, ltp_pattern, teacher_type, practical_group, term_id)
    SELECT owner.id, :code, :name, :section, :ltp_pattern, :teacher_type, :practical_group,
           coalesce(:term_id, (SELECT id FROM v_current_term))
    FROM owner JOIN staff ON staff.role = 'admin' OR owner.id = staff.id
    RETURNING id
),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
        WHEN NOT EXISTS (
            SELECT FROM staff WHERE role = 'admin' OR id = coalesce(:teacher_id, id)) THEN 'denied'
        ELSE 'granted'
    END AS verdict
)""",
    "SELECT verdict, (SELECT id FROM made) AS id FROM verdict",
)


async def create_class(db: Database, actor: Actor, draft: ClassDraft) -> Document[ClassDetails]:
    """Create a class owned by the actor, or by `teacher_id` if an admin names one.

    Unless the draft names a term, the class belongs to the current term.
    """
    async with db.transaction() as tx:
        with _collisions_named():
            row = await tx.row(
                _CREATE,
                actor_id=actor.user_id,
                **{column: getattr(draft, column) for column in _COLUMNS},
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

# `:given` names the columns to change. A new owner is removed from the class's other teachers.
_UPDATE = Statement(
    OWN_CLASS,
    """
changed AS (
    UPDATE classes c
    SET code = CASE WHEN 'code' = ANY(:given::text[]) THEN :code ELSE c.code END,
        name = CASE WHEN 'name' = ANY(:given) THEN :name ELSE c.name END,
        section = CASE WHEN 'section' = ANY(:given) THEN :section ELSE c.section END,
        ltp_pattern = CASE WHEN 'ltp_pattern' = ANY(:given)
                           THEN :ltp_pattern ELSE c.ltp_pattern END,
        teacher_type = CASE WHEN 'teacher_type' = ANY(:given)
                            THEN :teacher_type ELSE c.teacher_type END,
        practical_group = CASE WHEN 'practical_group' = ANY(:given)
                               THEN :practical_group ELSE c.practical_group END,
        teacher_id = CASE WHEN 'teacher_id' = ANY(:given) THEN :teacher_id ELSE c.teacher_id END,
        term_id = CASE WHEN 'term_id' = ANY(:given) THEN :term_id ELSE c.term_id END,
        updated_at = now()
    FROM granted
    WHERE c.id = granted.id
      AND (granted.actor_role = 'admin' OR NOT 'teacher_id' = ANY(:given)
           OR :teacher_id = granted.teacher_id)
      AND (:teacher_id IS NULL OR EXISTS (SELECT FROM users WHERE id = :teacher_id))
    RETURNING c.id, c.teacher_id, granted.teacher_id AS former
),
risen AS (
    DELETE FROM class_teachers t USING changed
    WHERE t.class_id = changed.id AND t.user_id = changed.teacher_id
),
acts AS (
    SELECT 'class_reassigned' AS action, 'class' AS subject, id AS subject_id,
           jsonb_build_object('from', former, 'to', teacher_id) AS details
    FROM changed WHERE teacher_id <> former
)""",
    RECORDED,
    """
SELECT verdict, EXISTS (SELECT FROM changed) AS changed,
       (SELECT actor_role FROM granted) AS actor_role
FROM verdict
""",
)


async def update_class(
    db: Database, actor: Actor, class_id: UUID, change: ClassChange
) -> Document[ClassDetails]:
    """Change the given fields; only admins can give the class to another teacher."""
    given = [column for column in _COLUMNS if column in change.model_fields_set]
    if "teacher_id" in given and change.teacher_id is None:
        raise _no_such_teacher()
    values = {column: getattr(change, column) for column in _COLUMNS}
    async with db.transaction() as tx:
        with _collisions_named():
            row = await tx.row(_UPDATE, class_id=class_id, given=given, **values, **signed(actor))
        check(row)
        if not row["changed"]:
            if row["actor_role"] != "admin":
                raise AccessDenied("Only an administrator may give a class to another teacher.")
            raise _no_such_teacher()
        return await get_class(tx, actor, class_id)


_LOCK_TO_CLOSE = Statement(CLOSE_CLASS, "SELECT verdict FROM verdict")

# A separate statement, so that it sees a session whose creation the lock waited for.
_HAS_SESSIONS = Statement(
    "SELECT EXISTS (SELECT FROM attendance_sessions WHERE class_id = :class_id) AS has_sessions"
)

# Each act is recorded only if it changes something: archiving twice is recorded once.
_ARCHIVE = Statement(
    """
acts AS (
    UPDATE classes SET archived_at = now(), updated_at = now()
    WHERE id = :class_id AND archived_at IS NULL
    RETURNING 'class_archived' AS action, 'class' AS subject, id AS subject_id,
              '{}'::jsonb AS details
)""",
    RECORDED,
    "SELECT count(*) AS acts FROM acts",
)

_REMOVE = Statement(
    """
acts AS (
    DELETE FROM classes WHERE id = :class_id
    RETURNING 'class_deleted' AS action, 'class' AS subject, id AS subject_id,
              '{}'::jsonb AS details
)""",
    RECORDED,
    "SELECT count(*) AS acts FROM acts",
)

_RESTORE = Statement(
    """
acts AS (
    UPDATE classes SET archived_at = NULL, updated_at = now()
    WHERE id = :class_id AND archived_at IS NOT NULL
    RETURNING 'class_restored' AS action, 'class' AS subject, id AS subject_id,
              '{}'::jsonb AS details
)""",
    RECORDED,
    "SELECT count(*) AS acts FROM acts",
)


async def delete_class(db: Database, actor: Actor, class_id: UUID) -> bool:
    """Delete a class without sessions; archive one that has any, so that no mark is lost.

    Returns whether it was archived.
    """
    async with db.transaction() as tx:
        check(await tx.row(_LOCK_TO_CLOSE, actor_id=actor.user_id, class_id=class_id))
        archives: bool = (await tx.row(_HAS_SESSIONS, class_id=class_id))["has_sessions"]
        act = _ARCHIVE if archives else _REMOVE
        await tx.execute(act, class_id=class_id, **signed(actor))
    return archives


async def restore_class(db: Database, actor: Actor, class_id: UUID) -> Document[ClassDetails]:
    """Restore an archived class; one that is not archived stays as it is."""
    async with db.transaction() as tx:
        check(await tx.row(_LOCK_TO_CLOSE, actor_id=actor.user_id, class_id=class_id))
        with _collisions_named():
            await tx.execute(_RESTORE, class_id=class_id, **signed(actor))
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
    return Invalid.at("/teacherId", "unknown_teacher", "There is no such teacher.")
