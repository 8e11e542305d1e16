"""People who may sign in, from a file."""

from app.batch import Batch, FacultyRow
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.services.access import Actor
from app.services.imports.report import Report
from app.services.people.allow_list import Entry, last_admin_stays, put


async def write(tx: Transaction, actor: Actor, rows: list[FacultyRow], report: Report) -> None:
    """Put the addresses on the allow-list, or give those there their role and name.

    Nobody is taken off. An address that stands in the file twice is refused the second time.
    """
    listed: dict[str, FacultyRow] = {}
    for row in rows:
        first = listed.setdefault(row.email.strip().lower(), row)
        if first is not row:
            report.refuse(row.row, "email", "repeated", first.row)
    async with last_admin_stays(tx):
        entries = [Entry(row.email.strip(), row.role, row.name) for row in listed.values()]
        added, changed = map(set, await put(tx, actor, entries))
    for key, row in listed.items():
        if key in added:
            report.note(row.row, RowOutcome.CREATED)
        else:
            report.note(row.row, RowOutcome.CHANGED if key in changed else RowOutcome.UNCHANGED)


def entries_of(batch: Batch) -> list[Entry]:
    """The people of the batch as entries of the allow-list; `Invalid` names rows that are none."""
    Report(batch).check()
    return [Entry(row.email, row.role, row.name) for row in batch.faculty]
