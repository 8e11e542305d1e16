"""Import another system class by class; the import can be repeated at any time.

Each class is written in its own transaction. Its id and those of its sessions are derived from
those of the other system, so a second run finds what the first one created, and writes what is new.
What people have changed in AIMS is kept and reported.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.errors import Conflict
from app.reconciliation import Outcome, Part
from app.services.access import Actor, require_admin
from app.services.audit import RECORDED, signed
from app.services.imports.conditions import Conditions
from app.services.imports.importing import write_batch
from app.services.imports.outcomes import Table
from app.services.imports.reconciling import Reconciliation
from app.services.imports.totals import compare
from app.sql import Statement


async def run(
    db: Database,
    admin: UUID,
    parts: Iterable[Part],
    conditions: Conditions,
    outcome: Outcome,
    *,
    dry_run: bool = False,
    step: Callable[[], object] = lambda: None,
) -> None:
    """Write all parts and add the results to `outcome`; call `step` after each part.

    `admin` is the administrator who does it; `conditions` name the source. A `dry_run` does the
    same in one transaction that is rolled back. After a failure, the classes in `outcome` are
    written, and another run continues from there.
    """
    actor = Actor(admin, f"{conditions.source}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    rehearsal = db.in_one_transaction(keep=False) if dry_run else nullcontext(db)
    written: set[UUID] = set()
    async with rehearsal as database:
        async with database.transaction() as tx:
            await require_admin(tx, actor)
        for part in parts:
            if part.problem:
                outcome.leave(part.totals, part.problem)
            else:
                await _write(database, actor, part, conditions, written, outcome)
            step()


async def _write(
    db: Database,
    actor: Actor,
    part: Part,
    conditions: Conditions,
    written: set[UUID],
    outcome: Outcome,
) -> None:
    lost = list(part.totals.differences)
    try:
        async with db.transaction(patient=True) as tx:
            done = await _write_part(tx, actor, part, conditions, written)
    except Conflict as conflict:
        part.totals.differences = lost
        outcome.leave(part.totals, conflict.code)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
        outcome.leave(part.totals, "database_refused")
    else:
        written.update(totals.class_id for totals in done.classes if totals.class_id)
        outcome.add(done)


async def _write_part(
    tx: Transaction, actor: Actor, part: Part, conditions: Conditions, written: set[UUID]
) -> Outcome:
    reconciliation = Reconciliation(part.totals)
    done = await write_batch(tx, actor, part.batch, conditions, reconciliation)
    (class_id,) = done.classes.values()
    if class_id in written:
        raise Conflict("This class belongs to another document.", code="class_repeated")
    outcome = reconciliation.outcome()
    await compare(tx, class_id, part, done.attendance, conditions)
    await _record(tx, actor, class_id, outcome)
    return outcome


_RECORD = Statement(
    """
acts AS (
    SELECT 'class_imported' AS action, 'class' AS subject, :class_id::uuid AS subject_id,
           :details::text::jsonb AS details
)""",
    RECORDED,
    "SELECT action FROM acts",
)


async def _record(tx: Transaction, actor: Actor, class_id: UUID, outcome: Outcome) -> None:
    sessions, marks = outcome.made[Table.SESSIONS], outcome.made[Table.MARKS]
    if sessions or marks:
        details = json.dumps({"sessions": sessions, "marks": marks})
        await tx.execute(_RECORD, class_id=class_id, details=details, **signed(actor))
