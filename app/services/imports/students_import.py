"""Rosters from a file or another system: who is enrolled in which class."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from app.batch import StudentRow
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.schemas.roster import STUDENT_FIELDS, RosterEntry
from app.schemas.words import MAX_ENTRIES, is_blank, roll_key
from app.services.access import Actor, hold_classes
from app.services.classes.enrolling import create_and_lock, enrol
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.known_names import refuse_others
from app.services.imports.missing_students import add_missing, known_keys
from app.services.imports.outcomes import Outcomes, Table
from app.services.sessions.session_lock import Change
from app.services.students.confirming import confirm_addresses

Rows = dict[UUID, dict[str, StudentRow]]


async def write(
    tx: Transaction,
    actor: Actor,
    rows: list[StudentRow],
    classes: Resolved,
    report: Outcomes,
    *,
    change: Change,
    trust_numbers: bool,
    keep: bool = False,
    step: Callable[[int], object] = lambda _: None,
) -> None:
    """Add the students to their classes by the rules of rosters; nobody is withdrawn.

    With `keep`, only what is missing is added. Otherwise the addresses in an administrator's file
    are confirmed: students can sign in with them. A row with another person's name for its roll
    number is refused unless `trust_numbers`.

    All classes are locked before all students, each in order, so that two imports wait for
    each other instead of deadlocking.
    """
    by_class = _rosters(rows, classes, report, most=None if keep else MAX_ENTRIES)
    _refuse_contradictions(by_class, report)
    await hold_classes(tx, actor, by_class, to_change=True)
    everybody: dict[str, RosterEntry] = {}
    for key, row in ((key, row) for named in by_class.values() for key, row in named.items()):
        if key not in everybody or not everybody[key].name:
            everybody[key] = row.entry
    known = await known_keys(tx, everybody) if keep else set(everybody)
    await create_and_lock(tx, list(everybody.values()))
    if not trust_numbers:
        await refuse_others(tx, _named_once(by_class), report)
    for class_id, named in by_class.items():
        if keep:
            await add_missing(tx, actor, class_id, named, known, report)
        else:
            entries = [row.entry for row in named.values()]
            _report(named, await enrol(tx, actor, class_id, entries, change=change), report)
        step(len(named))
    if not keep:
        await confirm_addresses(tx, actor, _addresses(by_class))


def _rosters(rows: list[StudentRow], classes: Resolved, report: Outcomes, most: int | None) -> Rows:
    """The rows of each class by roll key, with the classes in lock order."""
    by_class: Rows = {}
    for row in rows:
        class_id = classes[row.class_name]
        if isinstance(class_id, Unresolved):
            report.refuse(Table.ENROLMENTS, row.row, "code", class_id.code)
            continue
        first = by_class.setdefault(class_id, {}).setdefault(roll_key(row.entry.roll_no), row)
        if first is not row and first.entry == row.entry:
            report.note(Table.ENROLMENTS, row.row, RowOutcome.UNCHANGED)  # a form submitted twice
        elif first is not row:
            report.refuse(Table.ENROLMENTS, row.row, "roll_no", "contradiction", first.row)
        elif most and len(by_class[class_id]) > most:
            report.refuse(Table.ENROLMENTS, row.row, "roll_no", "too_many")
    return dict(sorted(by_class.items()))


def _addresses(by_class: Rows) -> Iterator[tuple[str, str]]:
    """The institution's addresses of the rows by roll key."""
    for named in by_class.values():
        for key, row in named.items():
            if row.entry.dtu_email:
                yield key, row.entry.dtu_email


def _refuse_contradictions(by_class: Rows, report: Outcomes) -> None:
    """Refuse different values for a student in rows of several classes: it is one record."""
    values: dict[tuple[str, str], tuple[str, int]] = {}
    rows = [(key, row) for named in by_class.values() for key, row in named.items()]
    for key, row in sorted(rows, key=lambda item: item[1].row):
        for field in STUDENT_FIELDS:
            value = getattr(row.entry, field)
            if is_blank(value):
                continue
            first, number = values.setdefault((key, field), (value, row.row))
            if first != value:
                report.refuse(Table.ENROLMENTS, row.row, field, "contradiction", number)


def _named_once(by_class: Rows) -> Iterator[tuple[int, str, str]]:
    """The rows with a name, each with its roll key; without numbers that have two names in the
    file, which were already refused as contradictions."""
    rows = [(key, row) for named in by_class.values() for key, row in named.items()]
    names: dict[str, set[str]] = {}
    for key, row in rows:
        if row.entry.name:
            names.setdefault(key, set()).add(row.entry.name)
    for key, row in rows:
        if row.entry.name and len(names[key]) == 1:
            yield row.row, key, row.entry.name


def _report(named: dict[str, StudentRow], change: dict[str, Any], report: Outcomes) -> None:
    rows = list(named.values())
    added = {roll_key(roll) for roll in json.loads(change["added"])}
    changed = {roll_key(roll) for roll in json.loads(change["changed"])}
    changed |= set(change["filled"] or ())
    for key, row in named.items():
        # A student enrolled and changed by one row is shown as changed, which matters more.
        if key in changed:
            report.note(Table.STUDENTS, row.row, RowOutcome.CHANGED)
        else:
            outcome = RowOutcome.CREATED if key in added else RowOutcome.UNCHANGED
            report.note(Table.ENROLMENTS, row.row, outcome)
    for place, code in zip(change["refused"] or (), change["refusals"] or (), strict=True):
        row = rows[int(place.rpartition("/")[2])]
        report.refuse(Table.ENROLMENTS, row.row, "from_", code)
    for conflict in json.loads(change["conflicts"]):
        row = named[roll_key(conflict["rollNo"])]
        report.keep(Table.STUDENTS, row.row, "value_differs", conflict["field"])
