"""Who a student is: their record, the records that were merged into it, and the values by which
other texts may name them."""

import re
from dataclasses import dataclass
from uuid import UUID

from app.db import Database, Transaction
from app.errors import NotFound
from app.schemas.words import roll_key
from app.sql import Statement

# Shorter values would be found in texts about anything.
SHORTEST = 4
ERASED = "[erased]"

# From `:id`, the record and, in `person`, also those that were merged into it, directly or not.
PERSON = """
person AS MATERIALIZED (
    WITH RECURSIVE merged AS (
        SELECT :id::uuid AS id
        UNION
        SELECT (l.details ->> 'other')::uuid
        FROM merged m JOIN audit_log l ON l.subject_id = m.id AND l.action = 'students_merged'
    )
    SELECT id FROM merged
)"""

_FIND = Statement("SELECT (SELECT id FROM students WHERE roll_key = :roll_key) AS id")

_VALUES = Statement(
    PERSON,
    """
SELECT (SELECT array_agg(id) FROM person) AS ids,
       ARRAY[s.roll_no, s.name, s.photo_url, s.email, s.dtu_email, s.confirmed_email, s.phone]
       || ARRAY(SELECT a.email FROM student_accounts a WHERE a.student_id = s.id) AS values
FROM students s WHERE s.id = :id
""",
)


@dataclass(frozen=True)
class Person:
    """A student. `ids` has their record and those merged into it; `pattern` is a regular
    expression of PostgreSQL for texts that name them, without regard to case."""

    id: UUID
    ids: list[UUID]
    values: list[str]

    @property
    def pattern(self) -> str:
        either = "|".join(re.escape(value) for value in self.values)
        # It matches nothing if there is nothing to look for.
        return f"(?<![[:alnum:]])({either})(?![[:alnum:]])" if either else "(?!)"


async def find_person(db: Database, roll_no: str) -> UUID:
    """The id of the student with that roll number."""
    student_id: UUID | None = (await db.row(_FIND, roll_key=roll_key(roll_no)))["id"]
    if student_id is None:
        raise NotFound("There is no student with that roll number.")
    return student_id


async def person_of(tx: Transaction, student_id: UUID) -> Person:
    """The student with that id, who is there."""
    row = await tx.row(_VALUES, id=student_id)
    given = {value.strip() for value in row["values"] if value}
    # The longest first: a roll number can be part of an address.
    values = sorted((v for v in given if len(v) >= SHORTEST), key=lambda v: (-len(v), v))
    return Person(student_id, row["ids"], values)
