"""Rosters from a file: who is enrolled in which class."""

import json
from collections.abc import Callable
from uuid import UUID

import asyncpg

from app.batch import StudentRow
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.schemas.roster import STUDENT_FIELDS, RosterEntry
from app.schemas.words import MAX_ENTRIES, is_blank, roll_key
from app.services.access import Actor, hold_classes
from app.services.classes import rosters
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.known_names import may_be_same, stored_names
from app.services.imports.report import Report

Rows = dict[UUID, dict[str, StudentRow]]


async def write(
    tx: Transaction,
    actor: Actor,
    rows: list[StudentRow],
    classes: Resolved,
    report: Report,
    *,
    trust_numbers: bool,
    step: Callable[[int], object] = lambda _: None,
) -> None:
    """Add the students to their classes by the rules of rosters; nobody leaves any.

    A name that is another person's on its number is refused unless `trust_numbers`.

    All classes are locked before all students, each in order, so that two imports wait for
    each other instead of deadlocking.
    """
    by_class = _rosters(rows, classes, report)
    _refuse_contradictions(by_class, report)
    await hold_classes(tx, actor, by_class, to_change=True)
    everybody: dict[str, RosterEntry] = {}
    for key, row in ((key, row) for named in by_class.values() for key, row in named.items()):
        if key not in everybody or not everybody[key].name:
            everybody[key] = row.entry
    await rosters.create_and_lock(tx, list(everybody.values()))
    if not trust_numbers:
        await _refuse_others(tx, by_class, report)
    for class_id, named in by_class.items():
        entries = [row.entry for row in named.values()]
        change = await rosters.apply(tx, actor, class_id, entries)
        _tell(named, change, report)
        step(len(named))


def _rosters(rows: list[StudentRow], classes: Resolved, report: Report) -> Rows:
    """The rows of each class by the keys of their roll numbers, classes in the order of locks."""
    by_class: Rows = {}
    for row in rows:
        class_id = classes[row.class_name]
        if isinstance(class_id, Unresolved):
            report.refuse(row.row, "code", class_id.code)
            continue
        first = by_class.setdefault(class_id, {}).setdefault(roll_key(row.entry.roll_no), row)
        if first is not row and first.entry == row.entry:
            report.note(row.row, RowOutcome.UNCHANGED)  # a form that was sent twice
        elif first is not row:
            report.refuse(row.row, "roll_no", "contradiction", first.row)
        elif len(by_class[class_id]) > MAX_ENTRIES:
            report.refuse(row.row, "roll_no", "too_many")
    return dict(sorted(by_class.items()))


def _refuse_contradictions(by_class: Rows, report: Report) -> None:
    """A student is one record: rows of several classes must not say different things of it."""
    said: dict[tuple[str, str], tuple[str, int]] = {}
    rows = [(key, row) for named in by_class.values() for key, row in named.items()]
    for key, row in sorted(rows, key=lambda item: item[1].row):
        for field in STUDENT_FIELDS:
            value = getattr(row.entry, field)
            if is_blank(value):
                continue
            first, number = said.setdefault((key, field), (value, row.row))
            if first != value:
                report.refuse(row.row, field, "contradiction", number)


async def _refuse_others(tx: Transaction, by_class: Rows, report: Report) -> None:
    """Refuse the rows whose name is another person's than the one stored under the number.

    A file that gives a number two names contradicts itself, which has been said already.
    """
    rows = [(key, row) for named in by_class.values() for key, row in named.items()]
    named: dict[str, set[str]] = {}
    for key, row in rows:
        if row.entry.name:
            named.setdefault(key, set()).add(row.entry.name)
    stored = await stored_names(tx, named)
    for key, row in rows:
        name = row.entry.name
        if name and len(named[key]) == 1 and not may_be_same(stored.get(key, ""), name):
            report.refuse_other(row.row, stored[key])


def _tell(named: dict[str, StudentRow], change: asyncpg.Record, report: Report) -> None:
    rows = list(named.values())
    added = {roll_key(roll) for roll in json.loads(change["added"])}
    changed = {roll_key(roll) for roll in json.loads(change["changed"])}
    changed |= set(change["filled"] or ())
    for key, row in named.items():
        # Who is enrolled and changed by one row is shown as changed: that is what one must see.
        if key in changed:
            report.note(row.row, RowOutcome.CHANGED)
        else:
            report.note(row.row, RowOutcome.CREATED if key in added else RowOutcome.UNCHANGED)
    for place, code in zip(change["refused"] or (), change["refusals"] or (), strict=True):
        row = rows[int(place.rpartition("/")[2])]
        report.refuse(row.row, "from_", code)
    for conflict in json.loads(change["conflicts"]):
        report.keep(named[roll_key(conflict["rollNo"])].row, conflict["field"])
