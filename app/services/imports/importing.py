"""Writes what a file brings: all of it, or nothing."""

from collections.abc import Callable
from uuid import UUID

from app.batch import Batch
from app.db import Database, Transaction
from app.schemas.imports import ImportOutcome
from app.services.access import Actor, require_admin
from app.services.classes.rosters import forget_strangers, lock_roster
from app.services.imports import (
    attendance_import,
    classes_import,
    faculty_import,
    slots_import,
    students_import,
)
from app.services.imports.attendance_import import Terms
from app.services.imports.class_names import resolve
from app.services.imports.report import Report

Step = Callable[[int], object]


async def import_batch(
    db: Database,
    actor: Actor,
    batch: Batch,
    terms: Terms,
    *,
    within: UUID | None = None,
    dry_run: bool = False,
    step: Step = lambda _: None,
) -> ImportOutcome:
    """Write the batch for an administrator, by the rules that hold for the single requests.

    People, classes, timetables, rosters, then attendance: what comes later may build on what
    came before. `within` is the class that all rows are for. `Invalid` (`import_refused`) names
    every row that cannot be, unless it is a `dry_run`, which tells of them and changes nothing.
    `step` is told again and again how many more rosters' rows or marks are done.
    """
    report = Report(batch)
    async with db.transaction(keep=not dry_run, patient=True) as tx:
        await require_admin(tx, actor)
        if batch.faculty:
            await faculty_import.write(tx, actor, batch.faculty, report)
        if batch.classes:
            await classes_import.write(tx, batch.classes, report)
        await _write_into_classes(tx, actor, batch, terms, within, report, step)
        if not dry_run:
            report.check()
    return report.outcome(dry_run=dry_run)


async def import_roster(
    db: Database, actor: Actor, batch: Batch, class_id: UUID, *, trust_numbers: bool, dry_run: bool
) -> ImportOutcome:
    """Add the students of the batch to a class in which the actor may do that."""
    async with db.transaction(keep=not dry_run, patient=True) as tx:
        actor_role = await lock_roster(tx, actor, class_id)
        # A teacher need not know whose number it is that somebody else has.
        report = Report(batch, names_shown=actor_role == "admin")
        if dry_run and actor_role != "admin":
            await forget_strangers(tx, actor, class_id, [row.entry for row in batch.students])
        classes = await resolve(tx, actor, {row.class_name for row in batch.students}, class_id)
        await students_import.write(
            *(tx, actor, batch.students, classes, report), trust_numbers=trust_numbers
        )
        if not dry_run:
            report.check()
    return report.outcome(dry_run=dry_run)


async def _write_into_classes(
    tx: Transaction,
    actor: Actor,
    batch: Batch,
    terms: Terms,
    within: UUID | None,
    report: Report,
    step: Step,
) -> None:
    named = {row.class_name for row in batch.slots} | {row.class_name for row in batch.students}
    named |= {name.class_name for name in batch.sessions}
    named |= {mark.session.class_name for mark in batch.marks}
    if not named:
        return
    classes = await resolve(tx, actor, named, within)
    if batch.slots:
        await slots_import.write(tx, actor, batch.slots, classes, report)
    if batch.students:
        await students_import.write(
            *(tx, actor, batch.students, classes, report),
            trust_numbers=terms.trust_numbers,
            step=step,
        )
    if batch.sessions or batch.marks:
        await attendance_import.write(
            tx, actor, batch.sessions, batch.marks, classes, terms, report, step
        )
