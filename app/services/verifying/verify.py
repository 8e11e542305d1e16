"""Recompute what the database derives, and say where it disagrees. Nothing is written or locked.

Each statement looks at a few classes in a transaction of its own: that bounds memory, holds no
old row versions back for long, and lets attendance go on meanwhile, since whoever changes marks
changes them and their history in one transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from app.db import Database
from app.schemas.words import roll_key
from app.services import health
from app.services.verifying import histories, leave, recounts, references
from app.services.verifying.findings import MOST_TOLD, Check
from app.sql import Statement

CHECKS = (
    references.MARKS_HAVE_A_PLACE,
    references.NAMES_LEAD_SOMEWHERE,
    histories.VERSIONS_HAVE_NO_GAPS,
    histories.MARKS_HAVE_A_REQUEST,
    histories.HISTORIES_LEAD_TO_MARKS,
    histories.HISTORIES_LEAD_TO_ROSTERS,
    histories.HISTORY_LEADS_TO_POLICY,
    leave.LEAVE_SHOWS,
    recounts.STUDENTS_ARE_COUNTED,
    recounts.SESSIONS_ARE_COUNTED,
)
SCHEMA = "The database has the schema of this version."
ROLL_KEYS = "Students are compared by the roll number that they have."

_OTHER_KEY = "the key is not that of the roll number: correct it, or merge the record with the one \
that looks alike"

CLASSES_AT_ONCE = 20
STUDENTS_AT_ONCE = 5_000


@dataclass
class Verdict:
    """How often a check fails, with a line about each of the first places where it does."""

    holds: str
    wrong: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, wrong: int, places: list[str]) -> None:
        """Add what another part of the data gave."""
        self.wrong += wrong
        self.places = (self.places + places)[:MOST_TOLD]


_CLASSES = Statement("SELECT coalesce(array_agg(id ORDER BY id), '{}') AS ids FROM classes")

_AFTER_EVERYTHING = Statement("SELECT set_config('aims.as_of', 'infinity', true)")

_STUDENTS = Statement(
    """
page AS (
    SELECT id, roll_no, roll_key FROM students
    WHERE :after::uuid IS NULL OR id > :after ORDER BY id LIMIT :most::integer
)""",
    """
SELECT coalesce(array_agg(id ORDER BY id), '{}') AS ids,
       array_agg(roll_no ORDER BY id) AS roll_nos, array_agg(roll_key ORDER BY id) AS roll_keys
FROM page
""",
)


async def parts_of(db: Database) -> list[list[UUID]]:
    """The classes, in groups that are looked at together."""
    ids: list[UUID] = (await db.row(_CLASSES))["ids"]
    return [ids[n : n + CLASSES_AT_ONCE] for n in range(0, len(ids), CLASSES_AT_ONCE)]


def steps_of(parts: list[list[UUID]]) -> int:
    """How many steps `verify` takes."""
    return 1 + sum(1 if check.at_once else len(parts) for check in CHECKS)


async def check_schema(db: Database) -> Verdict:
    """Whether this version's schema is there, without which nothing else can be asked."""
    verdict = Verdict(SCHEMA)
    if not await health.is_current(db):
        there = ", ".join(await health.revisions(db)) or "none"
        needed = health.newest_revision()
        verdict.add(1, [f"it is at migration {there}, this version needs {needed}"])
    return verdict


async def verify(
    db: Database, parts: list[list[UUID]], step: Callable[[], object] = lambda: None
) -> list[Verdict]:
    """Make all other checks on these parts; `step` is called after each step."""
    verdicts = [await _roll_keys(db)]
    step()
    for check in CHECKS:
        verdict = Verdict(check.holds)
        pieces = [{}] if check.at_once else [{"class_ids": part} for part in parts]
        for piece in pieces:
            await _look(db, check, piece, verdict)
            step()
        verdicts.append(verdict)
    return verdicts


async def _look(db: Database, check: Check, piece: dict[str, list[UUID]], verdict: Verdict) -> None:
    async with db.transaction(patient=True, read_only=True) as tx:
        await tx.execute(_AFTER_EVERYTHING)
        row = await tx.row(check.statement, **piece, most=MOST_TOLD)
    verdict.add(row["wrong"], row["places"])


async def _roll_keys(db: Database) -> Verdict:
    """Keys are made by Python, which folds more letters than PostgreSQL does."""
    verdict, after = Verdict(ROLL_KEYS), None
    while True:
        row = await db.row(_STUDENTS, after=after, most=STUDENTS_AT_ONCE)
        if not row["ids"]:
            return verdict
        students = zip(row["ids"], row["roll_nos"], row["roll_keys"], strict=True)
        for student_id, roll_no, key in students:
            if roll_key(roll_no) != key:
                verdict.add(1, [f"student {student_id}: {_OTHER_KEY}"])
        after = row["ids"][-1]
