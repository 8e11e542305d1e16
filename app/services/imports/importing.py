"""Write a batch; a file is written as a whole or not at all."""

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from app.batch import Batch
from app.db import Database, Transaction
from app.schemas.imports import ImportOutcome
from app.services.access import Actor, require_admin
from app.services.classes.enrolling import forget_strangers
from app.services.classes.rosters import lock_roster
from app.services.imports import (
    attendance_import,
    classes_import,
    faculty_import,
    moves_import,
    slots_import,
    students_import,
    teachers_import,
    terms_import,
)
from app.services.imports.attendance_import import Written
from app.services.imports.class_names import resolve
from app.services.imports.conditions import Conditions
from app.services.imports.outcomes import Outcomes
from app.services.imports.report import Report
from app.services.sessions.session_lock import Change

Step = Callable[[int], object]


async def import_batch(
    db: Database,
    actor: Actor,
    batch: Batch,
    conditions: Conditions,
    *,
    within: UUID | None = None,
    dry_run: bool = False,
    step: Step = lambda _: None,
) -> ImportOutcome:
    """Write the batch of a file as an administrator, by the rules of the single requests.

    `within` is the class that all rows are for. `Invalid` (`import_refused`) names every refused
    row; a `dry_run` reports these instead and changes nothing. `step` is called repeatedly with
    how many more roster rows or marks are done.
    """
    report = Report(batch)
    async with db.transaction(keep=not dry_run, patient=True) as tx:
        await write_batch(tx, actor, batch, conditions, report, within=within, step=step)
        if not dry_run:
            report.check()
    return report.outcome(dry_run=dry_run)


async def import_roster(
    db: Database,
    actor: Actor,
    batch: Batch,
    class_id: UUID,
    change: Change,
    *,
    trust_numbers: bool,
    dry_run: bool,
) -> ImportOutcome:
    """Add the students of the batch to a class whose roster the actor may change."""
    async with db.transaction(keep=not dry_run, patient=True) as tx:
        entries = [row.entry for row in batch.students]
        actor_role = await lock_roster(tx, actor, class_id, entries)
        # A teacher need not know who else has a number.
        report = Report(batch, names_shown=actor_role == "admin")
        if dry_run and actor_role != "admin":
            await forget_strangers(tx, actor, class_id, entries)
        names = {row.class_name for row in batch.students}
        classes = await resolve(tx, actor, names, {}, class_id)
        await students_import.write(
            *(tx, actor, batch.students, classes, report),
            change=change,
            trust_numbers=trust_numbers,
        )
        if not dry_run:
            report.check()
    return report.outcome(dry_run=dry_run)


class Done(NamedTuple):
    """The classes by their ids in the other system, and the attendance that was written."""

    classes: dict[str, UUID]
    attendance: Written


async def write_batch(
    tx: Transaction,
    actor: Actor,
    batch: Batch,
    conditions: Conditions,
    report: Outcomes,
    *,
    within: UUID | None = None,
    step: Step = lambda _: None,
) -> Done:
    """Write all parts of the batch in order: later ones may refer to earlier ones."""
    await require_admin(tx, actor)
    if batch.terms:
        await terms_import.write(tx, actor, batch.terms, report)
    if batch.faculty:
        await faculty_import.write(tx, actor, batch.faculty, conditions, report)
    outside: dict[str, UUID] = {}
    if batch.classes:
        outside = await classes_import.write(tx, batch, conditions, report)
    named = batch.class_names()
    classes = await resolve(tx, actor, named, outside, within) if named else {}
    if batch.teachers:
        await teachers_import.write(tx, actor, batch.teachers, classes, report)
    if batch.slots:
        await slots_import.write(tx, actor, batch.slots, classes, conditions, report)
    if batch.moves:
        await moves_import.write(tx, actor, batch.moves, classes, report)
    if batch.students:
        await students_import.write(
            *(tx, actor, batch.students, classes, report),
            change=Change(conditions.window, conditions.reason),
            trust_numbers=conditions.trust_numbers,
            keep=conditions.keep,
            step=step,
        )
    attendance = Written({}, 0)
    if batch.sessions or batch.marks:
        attendance = await attendance_import.write(
            tx, actor, batch, classes, conditions, report, step
        )
    return Done(outside, attendance)
