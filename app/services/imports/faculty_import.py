"""People who may sign in, from a file or another system."""

from app.batch import Batch, FacultyRow
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.services.access import Actor
from app.services.imports.conditions import Conditions
from app.services.imports.outcomes import Outcomes, Table
from app.services.imports.report import Report
from app.services.people.allow_list import Entry, last_admin_stays, put
from app.sql import Statement

_ALLOWED = Statement("""
SELECT array_agg(lower(btrim(email))) AS allowed FROM allowed_emails
WHERE lower(btrim(email)) = ANY(:emails::text[])
""")


async def write(
    tx: Transaction, actor: Actor, rows: list[FacultyRow], conditions: Conditions, report: Outcomes
) -> None:
    """Add the addresses to the allow-list, or update the role and name of those already on it.

    From a source, existing entries are kept as they are and not reported. Nobody is removed. A
    repeated address is refused.
    """
    listed: dict[str, FacultyRow] = {}
    for row in rows:
        first = listed.setdefault(row.email.strip().lower(), row)
        if first is not row:
            report.refuse(Table.ALLOWED_EMAILS, row.row, "email", "repeated", first.row)
    staying: set[str] = set()
    if conditions.keep:
        staying.update((await tx.row(_ALLOWED, emails=list(listed)))["allowed"] or ())
    entries = [
        Entry(row.email.strip(), row.role, row.name)
        for key, row in listed.items()
        if key not in staying
    ]
    added, changed = await _put(tx, actor, entries) if entries else (set[str](), set[str]())
    for key in listed.keys() - staying:
        if key in added:
            outcome = RowOutcome.CREATED
        else:
            outcome = RowOutcome.CHANGED if key in changed else RowOutcome.UNCHANGED
        report.note(Table.ALLOWED_EMAILS, listed[key].row, outcome)


async def _put(tx: Transaction, actor: Actor, entries: list[Entry]) -> tuple[set[str], set[str]]:
    async with last_admin_stays(tx):
        added, changed = await put(tx, actor, entries)
    return set(added), set(changed)


def entries_of(batch: Batch) -> list[Entry]:
    """The people of the batch as allow-list entries; `Invalid` names the refused rows."""
    Report(batch).check()
    return [Entry(row.email, row.role, row.name) for row in batch.faculty]
