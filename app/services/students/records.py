"""Student records: search and corrections, for administrators."""

from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Conflict, NotFound
from app.schemas.admin import Student, StudentChange
from app.schemas.roster import STUDENT_FIELDS
from app.schemas.words import roll_key
from app.services.access import ADMIN, Actor, check, require_admin
from app.services.audit import RECORDED, signed
from app.services.lists import PAGE_OF_DOCUMENTS, page_of
from app.sql import Statement

# Turns `found`, the students to show, into `documents`.
_DOCUMENTS = """
documents AS (
    SELECT s.id, json_build_object(
        'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name, 'photoUrl', s.photo_url,
        'program', s.program, 'spCode', s.sp_code, 'semester', s.semester, 'status', s.status,
        'duration', s.duration, 'email', s.email, 'dtuEmail', s.dtu_email, 'phone', s.phone,
        'dtuEmailConfirmed',
        coalesce(lower(btrim(s.dtu_email)) = lower(btrim(s.confirmed_email)), false),
        'createdAt', json_instant(s.created_at), 'classes', (
            SELECT count(*) FROM class_students e
            WHERE e.student_id = s.id AND on_roster(e.periods))) AS document
    FROM found s
)"""

# `lower` alone would miss what Python's case folding finds in a roll number.
_LIST = Statement(
    ADMIN,
    """
page AS MATERIALIZED (
    SELECT s.*, s.roll_key AS cursor, row_number() OVER (ORDER BY s.roll_key) AS n
    FROM students s
    WHERE EXISTS (SELECT FROM admin)
      AND (:after::text IS NULL OR s.roll_key > :after)
      AND (:query::text IS NULL OR strpos(s.roll_key, :roll_key) > 0
           OR strpos(lower(concat_ws(' ', s.name, s.email, s.dtu_email)), lower(:query)) > 0)
    ORDER BY s.roll_key
    LIMIT :most + 1
),
found AS (SELECT * FROM page WHERE n <= :most)""",
    _DOCUMENTS,
    PAGE_OF_DOCUMENTS,
)


async def find_students(
    db: Database, actor: Actor, query: str | None, limit: int, after: str | None
) -> Document[list[Student]]:
    """List students by roll number; `query` is part of a roll number, a name or an address."""
    key = roll_key(query) if query is not None else None
    row = await db.row(
        _LIST, actor_id=actor.user_id, after=after, query=query, roll_key=key, most=limit
    )
    return page_of(row)


_READ = Statement(
    ADMIN,
    "found AS (SELECT * FROM students WHERE id = :id AND EXISTS (SELECT FROM admin))",
    _DOCUMENTS,
    "SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict",
)


async def get_student(db: Database, actor: Actor, student_id: UUID) -> Document[Student]:
    """One student's record."""
    row = await db.row(_READ, actor_id=actor.user_id, id=student_id)
    check(row)
    if row["document"] is None:
        raise missing()
    return Document(row["document"])


# `:given` names the columns to change. Whoever signed in with another address is no longer known.
_CHANGE = Statement(
    """
changed AS (
    UPDATE students s
    SET roll_no = CASE WHEN 'roll_no' = ANY(:given::text[]) THEN :roll_no ELSE s.roll_no END,
        roll_key = CASE WHEN 'roll_no' = ANY(:given) THEN :roll_key ELSE s.roll_key END,
        name = CASE WHEN 'name' = ANY(:given) THEN :name ELSE s.name END,
        photo_url = CASE WHEN 'photo_url' = ANY(:given) THEN :photo_url ELSE s.photo_url END,
        program = CASE WHEN 'program' = ANY(:given) THEN :program ELSE s.program END,
        sp_code = CASE WHEN 'sp_code' = ANY(:given) THEN :sp_code ELSE s.sp_code END,
        semester = CASE WHEN 'semester' = ANY(:given) THEN :semester ELSE s.semester END,
        status = CASE WHEN 'status' = ANY(:given) THEN :status ELSE s.status END,
        duration = CASE WHEN 'duration' = ANY(:given) THEN :duration ELSE s.duration END,
        email = CASE WHEN 'email' = ANY(:given) THEN :email ELSE s.email END,
        dtu_email = CASE WHEN 'dtu_email' = ANY(:given) THEN :dtu_email ELSE s.dtu_email END,
        confirmed_email = CASE WHEN 'dtu_email' = ANY(:given) THEN :dtu_email
                               ELSE s.confirmed_email END,
        phone = CASE WHEN 'phone' = ANY(:given) THEN :phone ELSE s.phone END
    WHERE s.id = :id
    RETURNING s.id
),
ended AS (
    DELETE FROM student_accounts
    WHERE student_id = :id AND 'dtu_email' = ANY(:given) AND disabled_at IS NULL
      AND lower(btrim(email)) IS DISTINCT FROM lower(btrim(:dtu_email))
),
acts AS (
    SELECT 'student_changed' AS action, 'student' AS subject, id AS subject_id,
           jsonb_build_object('fields', :recorded::text[]) AS details
    FROM changed
)""",
    RECORDED,
    "SELECT subject_id FROM acts",
)

_GET = Statement(
    "found AS (SELECT * FROM students WHERE id = :id)",
    _DOCUMENTS,
    "SELECT document::text FROM documents",
)


async def change_student(
    db: Database, actor: Actor, student_id: UUID, wanted: StudentChange
) -> Document[Student]:
    """Change the given fields; marks and rosters follow a corrected roll number.

    The institution's address is confirmed by being given, also if it was there already.
    """
    given = sorted(wanted.model_fields_set)
    values = {field: getattr(wanted, field) for field in ("roll_no", *STUDENT_FIELDS)}
    async with db.transaction() as tx:
        await require_admin(tx, actor)
        try:
            row = await tx.find_row(
                _CHANGE,
                id=student_id,
                given=given,
                recorded=[*given, "roll_key"] if "roll_no" in given else given,
                roll_key=roll_key(wanted.roll_no),
                **values,
                **signed(actor),
            )
        except asyncpg.UniqueViolationError:
            raise _taken() from None
        if row is None:
            raise missing()
        return Document(await student_document(tx, student_id))


async def student_document(tx: Transaction, student_id: UUID) -> str:
    """The JSON of an existing student."""
    document: str = (await tx.row(_GET, id=student_id))["document"]
    return document


def _taken() -> Conflict:
    sentence = "Another student has this roll number. If they are one person, merge the two."
    return Conflict.at("/rollNo", "roll_number_taken", sentence)


def missing() -> NotFound:
    return NotFound("There is no such student.")
