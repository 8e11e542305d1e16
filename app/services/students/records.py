"""Student records as an administrator finds and corrects them."""

from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document, instant
from app.errors import Conflict, NotFound
from app.schemas.admin import Student, StudentChange
from app.schemas.roster import STUDENT_FIELDS, json_name
from app.schemas.words import roll_key
from app.services import old_access as access
from app.services.access import Actor, check, require_admin
from app.services.audit import RECORD, author
from app.services.classes.rosters import ENROLLED

_DOCUMENT = f"""
CROSS JOIN LATERAL (
    SELECT s.id AS "studentId", s.roll_no AS "rollNo",
           {", ".join(f's.{field} AS "{json_name(field)}"' for field in STUDENT_FIELDS)},
           {instant("s.created_at")} AS "createdAt",
           (SELECT count(*) FROM class_students e
            WHERE e.student_id = s.id AND {ENROLLED}) AS classes
) student"""

# `lower` alone would miss what Python's case folding finds in a roll number.
_LIST = f"""
WITH {access.ADMIN},
page AS MATERIALIZED (
    SELECT s.*, row_number() OVER (ORDER BY s.roll_key) AS n
    FROM students s
    WHERE EXISTS (SELECT FROM admin)
      AND ($2::text IS NULL OR s.roll_key > $2)
      AND ($3::text IS NULL OR strpos(s.roll_key, $4) > 0
           OR strpos(lower(concat_ws(' ', s.name, s.email, s.dtu_email)), lower($3)) > 0)
    ORDER BY s.roll_key
    LIMIT $5 + 1
)
SELECT {access.ADMIN_VERDICT}, (
    SELECT coalesce(json_agg(student ORDER BY s.n), '[]')
    FROM page s {_DOCUMENT}
    WHERE s.n <= $5
)::text AS document, (
    SELECT roll_key FROM page WHERE n = $5 AND EXISTS (SELECT FROM page WHERE n > $5)
) AS next_cursor
"""


async def find_students(
    db: Database, actor: Actor, query: str | None, limit: int, after: str | None
) -> Document[list[Student]]:
    """Students by roll number; `query` is part of a roll number, a name or an address."""
    key = roll_key(query) if query is not None else None
    row = await db.row(_LIST, actor.user_id, after, query, key, limit)
    check(row)
    return Document(row["document"], next_cursor=row["next_cursor"])


_COLUMNS = ("roll_no", "roll_key", *STUDENT_FIELDS)

# $4 names the columns to change; the values follow in the order of `_COLUMNS`.
_CHANGE = f"""
WITH changed AS (
    UPDATE students s SET {
    ", ".join(
        f"{column} = CASE WHEN '{column}' = ANY($4::text[]) THEN ${place} ELSE s.{column} END"
        for place, column in enumerate(_COLUMNS, start=5)
    )
}
    WHERE s.id = $3
    RETURNING s.id
)
{RECORD}
SELECT $1, $2, 'student_changed', 'student', id, jsonb_build_object('fields', $4::text[])
FROM changed
RETURNING subject_id
"""

_GET = f"""
SELECT row_to_json(student)::text AS document FROM students s {_DOCUMENT} WHERE s.id = $1
"""


async def change_student(
    db: Database, actor: Actor, student_id: UUID, wanted: StudentChange
) -> Document[Student]:
    """Change what was given; marks and rosters follow a corrected roll number."""
    given = sorted(wanted.model_fields_set)
    values = {field: getattr(wanted, field) for field in ("roll_no", *STUDENT_FIELDS)}
    if "roll_no" in given:
        given.append("roll_key")
    values["roll_key"] = roll_key(wanted.roll_no)
    async with db.transaction() as tx:
        await require_admin(tx, actor)
        try:
            row = await tx.find_row(
                _CHANGE,
                *author(actor),
                student_id,
                given,
                *(values[column] for column in _COLUMNS),
            )
        except asyncpg.UniqueViolationError:
            raise Conflict(
                "Another student has this roll number. If they are one person, merge the two.",
                code="roll_number_taken",
            ) from None
        if row is None:
            raise missing()
        return Document(await student_document(tx, student_id))


async def student_document(tx: Transaction, student_id: UUID) -> str:
    """The JSON of a student who is there."""
    document: str = (await tx.row(_GET, student_id))["document"]
    return document


def missing() -> NotFound:
    return NotFound("There is no such student.")
