"""Do the imports that were asked for: claim one, write its batch, say how far it is.

A run is ended by the transaction that writes its batch, and only by whoever has the claim, so a
file is imported once or not at all, however many servers die over it.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from app.batch import Batch
from app.db import Database, Transaction
from app.errors import AppError, Invalid
from app.schemas.import_runs import Asked, RunOptions, RunResult, RunState
from app.schemas.imports import Kind
from app.services.access import Actor
from app.services.imports.conditions import Conditions
from app.services.imports.importing import Step, write_batch
from app.services.imports.report import Report
from app.sql import Statement

# A server that has said nothing for so long is taken for dead.
SILENT_SECONDS = 15
# A file over which so many servers have died is not tried again.
MOST_ATTEMPTS = 5


class Lost(Exception):
    """Another server has claimed the run."""


class Claimed(NamedTuple):
    """A run that is ours to do, as `actor`."""

    id: UUID
    claim: UUID
    actor: Actor
    kind: Kind
    content: bytes
    options: RunOptions
    asked: Asked
    attempts: int


_CLAIM = Statement(
    """
next AS MATERIALIZED (
    SELECT r.id FROM import_runs r
    WHERE state IN ('waiting', 'working')
      AND (state = 'waiting' OR heartbeat < clock_timestamp() - make_interval(secs => :silent))
    ORDER BY (
        SELECT count(*) FROM import_runs earlier
        WHERE earlier.state IN ('waiting', 'working') AND earlier.created_by = r.created_by
          AND earlier.created_at < r.created_at
    ), created_at
    LIMIT 1
    FOR NO KEY UPDATE OF r SKIP LOCKED
),
claimed AS (
    UPDATE import_runs r
    SET state = 'working', claim = gen_random_uuid(), heartbeat = clock_timestamp(),
        attempts = r.attempts + 1, done = 0, total = NULL
    FROM next WHERE r.id = next.id
    RETURNING r.*
)""",
    """
SELECT id, claim, coalesce(confirmed_by, created_by) AS actor_id, request_id, kind, content,
       options::text AS options, asked, attempts
FROM claimed
""",
)


async def claim(db: Database) -> Claimed | None:
    """The run that has waited longest, or whose server is silent; None if there is none.

    Everybody's first comes before anybody's second, so that nobody's files hold up all others.
    """
    async with db.transaction() as tx:
        row = await tx.find_row(_CLAIM, silent=SILENT_SECONDS)
    if row is None:
        return None
    return Claimed(
        row["id"],
        row["claim"],
        Actor(row["actor_id"], row["request_id"]),
        Kind(row["kind"]),
        row["content"],
        RunOptions.model_validate_json(row["options"]),
        Asked(row["asked"]),
        row["attempts"],
    )


_TELL = Statement(
    """
told AS (
    UPDATE import_runs SET heartbeat = clock_timestamp(), done = :done, total = :total
    WHERE id = :id AND claim = :claim AND state = 'working'
    RETURNING id
)""",
    "SELECT EXISTS (SELECT FROM told) AS ours",
)


async def tell(db: Database, run: Claimed, done: int, total: int | None) -> None:
    """Say that the run is alive, and how far it is."""
    await db.row(_TELL, id=run.id, claim=run.claim, done=done, total=total)


_GIVE_BACK = Statement(
    """
given AS (
    UPDATE import_runs
    SET state = 'waiting', claim = NULL, attempts = attempts - :unspent::integer
    WHERE id = :id AND claim = :claim AND state = 'working'
    RETURNING id
)""",
    "SELECT EXISTS (SELECT FROM given) AS ours",
)


async def give_back(db: Database, run: Claimed, *, unspent: bool) -> None:
    """Let another server do the run, or this one later; `unspent` attempts do not count."""
    await db.row(_GIVE_BACK, id=run.id, claim=run.claim, unspent=int(unspent))


def size_of(batch: Batch) -> int | None:
    """Of how many rows of rosters, or marks, it can be said that they are done."""
    return len(batch.students) + len(batch.marks) or None


async def perform(
    db: Database, run: Claimed, batch: Batch, conditions: Conditions, step: Step
) -> None:
    """Write the batch and end the run, in one transaction; or preview it and keep nothing.

    Raises `Lost` if the run has become another server's, and then nothing is written.
    """
    report, sure = Report(batch), run.asked is Asked.IMPORT
    within = run.options.class_id
    try:
        async with db.transaction(keep=sure, patient=True) as tx:
            await write_batch(tx, run.actor, batch, conditions, report, within=within, step=step)
            if sure:
                report.check()
                await _end(tx, run, RunState.DONE, batch, report)
                return
    except Invalid as refusal:
        if refusal.code != "import_refused":
            raise
    state = RunState.REFUSED if report.refused else RunState.PREVIEWED
    async with db.transaction(patient=True) as tx:
        await _end(tx, run, state, batch, report)


# The file is needed for nothing but an import that may be confirmed.
_END = Statement(
    """
ended AS (
    UPDATE import_runs
    SET state = :state, claim = NULL, finished_at = clock_timestamp(), code = :code,
        detail = :detail, result = :result::text::jsonb, rows = :rows::text::jsonb,
        done = coalesce(:size::integer, done), total = coalesce(:size, total),
        content = CASE WHEN :state = 'previewed' THEN content END
    WHERE id = :id AND claim = :claim AND state = 'working'
    RETURNING id
)""",
    "SELECT EXISTS (SELECT FROM ended) AS ours",
)
_UNTOLD = dict.fromkeys(("result", "rows", "size", "code", "detail"))


async def _end(
    tx: Transaction, run: Claimed, state: RunState, batch: Batch, report: Report
) -> None:
    # In a thread, since requests would wait for 50,000 rows.
    result, rows = await asyncio.to_thread(_told, state, batch, report)
    # Last, since whoever says how far the run is waits for it from here on.
    await _close(tx, run, state, result=result, rows=rows, size=size_of(batch))


async def refuse(db: Database, run: Claimed, state: RunState, refusal: AppError) -> None:
    """End the run without a result: nothing was changed, for this reason."""
    async with db.transaction() as tx:
        await _close(tx, run, state, code=refusal.code, detail=refusal.detail)


async def _close(tx: Transaction, run: Claimed, state: RunState, **told: object) -> None:
    row = await tx.row(_END, id=run.id, claim=run.claim, state=state, **_UNTOLD | told)
    if not row["ours"]:
        raise Lost


def _told(state: RunState, batch: Batch, report: Report) -> tuple[str, str]:
    """The result, and what became of each row, as JSON."""
    outcome = report.outcome(dry_run=state is not RunState.DONE)
    result = RunResult(**{name: getattr(outcome, name) for name in RunResult.model_fields})
    return result.model_dump_json(by_alias=True), _rows(batch, report)


def _rows(batch: Batch, report: Report) -> str:
    """What became of each row, as `ImportRunRow`s in JSON."""
    subjects = dict(_subjects(batch))
    return json.dumps(
        [
            {
                "sheet": fate.sheet,
                "row": fate.row,
                "about": subjects.get(number),
                "outcome": fate.outcome,
                "column": fate.column,
                "code": fate.code,
                "detail": fate.detail,
            }
            for number, fate in report.fates()
        ]
    )


def _subjects(batch: Batch) -> Iterable[tuple[int, str | None]]:
    """What each row is about, by the number of the row."""
    yield from ((row.row, row.email) for row in batch.faculty)
    yield from ((row.row, f"{row.draft.code} {row.draft.section}") for row in batch.classes)
    yield from ((row.row, row.class_name.code) for row in batch.slots)
    yield from ((row.row, row.entry.roll_no) for row in batch.students)
    yield from ((mark.row, mark.roll_no) for mark in batch.marks)


# Previews that nobody has confirmed for a day lose their file, and runs are kept for a month.
_TIDY = Statement(
    """
expired AS (
    UPDATE import_runs SET state = 'expired', content = NULL
    WHERE state = 'previewed' AND finished_at < clock_timestamp() - interval '1 day'
),
old AS (
    DELETE FROM import_runs
    WHERE state NOT IN ('waiting', 'working', 'previewed')
      AND finished_at < clock_timestamp() - interval '30 days'
)""",
    "SELECT 1",
)


async def tidy(db: Database) -> None:
    """Forget the files of abandoned previews, and old runs."""
    await db.row(_TIDY)
