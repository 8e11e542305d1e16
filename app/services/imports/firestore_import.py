"""Writing what a Firestore export says: class by class, again as often as you like.

Each class is written in a transaction of its own. Ids follow from the paths of documents, so a
second run finds what the first one made, and writes what is new. What people have done in AIMS
stays as it is and is reported.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid5

import asyncpg

from app.db import Database, Transaction
from app.errors import Conflict, Invalid
from app.reconciliation import ClassOutcome, Difference, LeftOut, Outcome
from app.schemas.auth import Role
from app.schemas.firestore import ClassRecord, Records
from app.services.access import Actor, require_admin
from app.services.imports import firestore_class, firestore_marks
from app.services.imports.firestore_class import Stored
from app.services.imports.firestore_marks import REQUEST
from app.services.people import allow_list
from app.services.people.allow_list import Entry, check_address, make_users

_NAMESPACE = UUID("6d0f0a9e-52b1-4d0c-9c61-6b6f5f1f7a55")


@dataclass(frozen=True)
class Options:
    """How to import: the teacher of classes that name none, the name of the classes' term,
    whether their teachers are put on the allow-list, and the name of the Firebase project."""

    teacher: str | None = None
    term: str | None = None
    allow_teachers: bool = False
    project: str = ""


async def run(
    db: Database,
    admin: UUID,
    records: Records,
    options: Options,
    outcome: Outcome,
    *,
    dry_run: bool = False,
    step: Callable[[], object] = lambda: None,
) -> None:
    """Write all that the records say, and into `outcome` what that did; `step` after each class.

    `admin` is the user who does it: an administrator. `dry_run` does the same in one transaction
    that is undone. When it fails, the classes of `outcome` are written, and a repeat goes on
    from there.
    """
    actor = Actor(admin, f"{REQUEST}{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    rehearsal = db.in_one_transaction(keep=False) if dry_run else nullcontext(db)
    async with rehearsal as database:
        await _Import(actor, options, outcome).run(database, records, step)


_TERM = "SELECT EXISTS (SELECT FROM terms WHERE lower(name) = lower(btrim($1))) AS known"

# $1 addresses; the users of those on the allow-list, in the same order, else null.
_TEACHERS = """
SELECT array_agg(u.id ORDER BY place) AS ids, array_agg(a.id IS NOT NULL ORDER BY place) AS allowed
FROM unnest($1::text[]) WITH ORDINALITY AS given(email, place)
LEFT JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(given.email))
LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(a.email))
"""


class _Import:
    def __init__(self, actor: Actor, options: Options, outcome: Outcome) -> None:
        self._actor, self._options, self._outcome = actor, options, outcome
        self._written: set[UUID] = set()

    async def run(self, db: Database, records: Records, step: Callable[[], object]) -> None:
        term = self._options.term
        if term is not None and not (await db.row(_TERM, term))["known"]:
            raise Invalid("There is no such term.", code="unknown_term")
        self._outcome.left_out += records.left_out
        teachers = await self._teachers(db, records)
        for record in records.classes:
            await self._class(db, record, teachers)
            step()

    async def _teachers(self, db: Database, records: Records) -> dict[str, UUID]:
        """The users of the teachers, by address; of those on the allow-list, made if need be."""
        names = {teacher.email.lower(): teacher.name for teacher in records.teachers}
        emails = sorted({r.teacher.lower() for r in records.classes if r.teacher})
        if self._options.teacher:
            emails = sorted({*emails, check_address(self._options.teacher).lower()})
        if self._options.allow_teachers:
            row = await db.row(_TEACHERS, emails)
            unknown = [
                e for e, allowed in zip(emails, row["allowed"] or (), strict=True) if not allowed
            ]
            entries = [Entry(email, Role.TEACHER, names.get(email)) for email in unknown]
            await allow_list.allow(db, entries, self._actor)
            self._outcome.made["allowed_emails"] += len(entries)
        async with db.transaction() as tx:
            await require_admin(tx, self._actor)
            before = (await tx.row(_TEACHERS, emails))["ids"] or ()
            await make_users(tx, emails)
            after = (await tx.row(_TEACHERS, emails))["ids"] or ()
        self._outcome.made["users"] += sum(id is not None for id in after) - sum(
            id is not None for id in before
        )
        return {email: id for email, id in zip(emails, after, strict=True) if id is not None}

    async def _class(self, db: Database, record: ClassRecord, teachers: dict[str, UUID]) -> None:
        email, problem = record.teacher, record.teacher_problem
        if email is None and self._options.teacher:
            email = self._options.teacher
        teacher_id = teachers.get(email.strip().lower()) if email else None
        if teacher_id is None:
            self._leave(record, "teacher_not_allowed" if email else problem or "teacher_missing")
            return
        try:
            async with db.transaction(patient=True) as tx:
                done = await self._write(tx, record, teacher_id)
        except Conflict as conflict:
            self._leave(record, conflict.code)
            return
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
            self._leave(record, "database_refused")
            return
        self._outcome.made += done.made
        self._outcome.changed += done.changed
        self._outcome.unchanged += done.unchanged
        self._outcome.left_out += done.left_out
        self._outcome.classes += done.classes

    async def _write(self, tx: Transaction, record: ClassRecord, teacher_id: UUID) -> Outcome:
        class_key = uuid5(_NAMESPACE, f"{self._options.project}\n{record.identity}")
        done = Outcome()
        stored = await firestore_class.write_class(
            tx, self._actor, record, Stored(class_key, teacher_id), self._options.term, done
        )
        if stored.class_id in self._written:
            raise Conflict("This class is of another document.", code="class_repeated")
        people = await firestore_class.write_people(tx, self._actor, record, stored.class_id, done)
        totals = ClassOutcome(
            record.path,
            stored.class_id,
            record.exported_sessions,
            record.exported,
            differences=list(record.lost),
        )
        done.classes.append(totals)
        await firestore_marks.write(tx, self._actor, record, stored, people, done, totals)
        self._written.add(stored.class_id)
        return done

    def _leave(self, record: ClassRecord, code: str) -> None:
        """The class is not written, and so neither are its sessions and marks."""
        marks = record.exported.total()
        self._outcome.left_out.append(LeftOut(record.path, "class", code, marks=marks))
        lost = Difference(code, Counter(record.exported), sessions=record.exported_sessions)
        self._outcome.classes.append(
            ClassOutcome(
                record.path, None, record.exported_sessions, record.exported, differences=[lost]
            )
        )
