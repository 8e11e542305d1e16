"""Erasing the personal data of a student. The marks stay, as those of somebody unknown."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from app.db import Database, Transaction
from app.errors import Conflict
from app.schemas.words import roll_key
from app.services.audit import RECORDED, signed
from app.services.personal.mentions import redact
from app.services.personal.person import ERASED, PERSON, person_of
from app.sql import Statement


@dataclass(frozen=True)
class Erasure:
    """A record that was erased, as the table and the list outside the database have it."""

    student_id: UUID
    erased_at: datetime
    reason: str


# In the order of `services.access`, so that nobody marks the student meanwhile.
_LOCK_CLASSES = Statement(
    """
locked AS (
    SELECT id FROM classes
    WHERE id IN (SELECT class_id FROM class_students WHERE student_id = :id)
    ORDER BY id FOR NO KEY UPDATE
)""",
    "SELECT count(*) AS classes FROM locked",
)

_LOCK_STUDENT = Statement("SELECT id FROM students WHERE id = :id FOR UPDATE")

_IS_ERASED = Statement(
    "SELECT EXISTS (SELECT FROM erasures WHERE student_id = :id) AS erased",
)

# What a medical leave was is about health; as `other` it counts the same. Nobody decides on leave,
# or answers a question, of somebody unknown.
_FORGET = Statement(
    """
record AS (
    UPDATE students
    SET roll_no = :unknown, roll_key = :unknown_key, name = '', photo_url = NULL, program = NULL,
        sp_code = NULL, semester = NULL, status = NULL, duration = NULL, email = NULL,
        dtu_email = NULL, confirmed_email = NULL, phone = NULL
    WHERE id = :id
),
accounts AS (DELETE FROM student_accounts WHERE student_id = :id RETURNING id),
marks AS (
    UPDATE attendance_statuses
    SET remark = NULL, similarity_score = NULL, said_remark = NULL, said_score = NULL,
        leave_kind = CASE leave_kind WHEN 'medical' THEN 'other' ELSE leave_kind END
    WHERE student_id = :id
    RETURNING session_id
),
past AS (
    UPDATE superseded_statuses
    SET remark = NULL, similarity_score = NULL, said_remark = NULL, said_score = NULL,
        leave_kind = CASE leave_kind WHEN 'medical' THEN 'other' ELSE leave_kind END
    WHERE student_id = :id
    RETURNING session_id
),
excuses AS (
    UPDATE leaves
    SET note = NULL, kind = CASE kind WHEN 'medical' THEN 'other' ELSE kind END,
        status = CASE status WHEN 'pending' THEN 'withdrawn' ELSE status END
    WHERE student_id = :id
    RETURNING id
),
questions AS (
    UPDATE mark_questions
    SET text = :erased, answer = CASE WHEN answer IS NOT NULL THEN :erased END,
        status = CASE status WHEN 'open' THEN 'withdrawn' ELSE status END
    WHERE student_id = :id
    RETURNING id
)""",
    """
SELECT (SELECT count(*) FROM accounts) AS accounts, (SELECT count(*) FROM marks) AS marks,
       (SELECT count(*) FROM past) AS past, (SELECT count(*) FROM excuses) AS leaves,
       (SELECT count(*) FROM questions) AS questions
""",
)

_RECORD = Statement(
    PERSON,
    """
noted AS (
    INSERT INTO erasures (student_id, reason) SELECT id, :reason::text FROM person
    ON CONFLICT (student_id) DO NOTHING
    RETURNING *
),
acts AS (
    SELECT 'student_erased' AS action, 'student' AS subject, :id::uuid AS subject_id,
           '{}'::jsonb AS details
)""",
    RECORDED,
    """
SELECT array_agg(student_id) AS ids, array_agg(erased_at) AS instants FROM noted
""",
)

_LIST = Statement("""
SELECT array_agg(student_id ORDER BY erased_at, student_id) AS ids,
       array_agg(erased_at ORDER BY erased_at, student_id) AS instants,
       array_agg(reason ORDER BY erased_at, student_id) AS reasons
FROM erasures
""")

_NOTE = Statement("""
INSERT INTO erasures (student_id, erased_at, reason) VALUES (:student_id, :erased_at, :reason)
ON CONFLICT (student_id) DO NOTHING
""")


@dataclass(frozen=True)
class Erased:
    """What was erased, or would be: how many of each."""

    accounts: int
    marks: int
    past: int
    leaves: int
    questions: int
    texts: int
    imports: int
    files: int


async def erase(
    db: Database,
    student_id: UUID,
    reason: str,
    *,
    keep: bool = True,
    note: Callable[[list[Erasure]], None] = lambda _: None,
) -> Erased:
    """Erase the student's personal data, and record that under the reason.

    `note` is called with the entries of the list just before this is committed; if it fails,
    nothing is erased. With `keep=False` nothing is erased, and it is not called. `Conflict` if the
    student was erased before.
    """
    async with db.transaction(keep=keep, patient=True) as tx:
        await _lock(tx, student_id)
        if (await tx.row(_IS_ERASED, id=student_id))["erased"]:
            raise Conflict("This student was erased before.")
        erased = await _forget(tx, student_id)
        row = await tx.row(_RECORD, id=student_id, reason=reason, **signed(None))
        if keep:
            pairs = zip(row["ids"], row["instants"], strict=True)
            note([Erasure(id_, at, reason) for id_, at in pairs])
    return erased


async def _lock(tx: Transaction, student_id: UUID) -> bool:
    """Lock the student and their classes; return whether there is such a student."""
    await tx.execute(_LOCK_CLASSES, id=student_id)
    return await tx.find_row(_LOCK_STUDENT, id=student_id) is not None


async def _forget(tx: Transaction, student_id: UUID) -> Erased:
    person = await person_of(tx, student_id)
    unknown = f"erased-{student_id}"
    forgotten = await tx.row(
        _FORGET, id=student_id, unknown=unknown, unknown_key=roll_key(unknown), erased=ERASED
    )
    return Erased(**dict(forgotten), **await redact(tx, person))


async def erasures(db: Database) -> list[Erasure]:
    """Everybody who was erased, oldest first."""
    row = await db.row(_LIST)
    columns = (row["ids"] or (), row["instants"] or (), row["reasons"] or ())
    return [Erasure(*entry) for entry in zip(*columns, strict=True)]


async def erase_again(db: Database, listed: Iterable[Erasure]) -> int:
    """Erase who is on the list and still, or again, there; return how many records that were."""
    number = 0
    known = {entry.student_id for entry in await erasures(db)}
    for entry in listed:
        if entry.student_id in known:
            continue
        async with db.transaction(patient=True) as tx:
            if await _lock(tx, entry.student_id):
                await _forget(tx, entry.student_id)
                number += 1
            await tx.execute(_NOTE, **asdict(entry))
    return number
