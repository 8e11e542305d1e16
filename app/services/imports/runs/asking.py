"""Ask for imports that the server does by itself, follow them, confirm or discard them."""

from typing import Any
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.errors import Conflict, NotFound
from app.schemas.import_runs import Asked, ImportRun, ImportRunRow, RunOptions, RunState
from app.schemas.imports import Kind, RowOutcome
from app.services.access import ADMIN, Actor, check
from app.services.lists import PAGE_OF_DOCUMENTS, After, newest_first
from app.sql import Statement

# Turns `runs` into `documents`.
_DOCUMENTS = """
documents AS (
    SELECT r.id, json_build_object(
        'id', r.id, 'kind', r.kind, 'fileName', r.file_name, 'asked', r.asked, 'state', r.state,
        'options', r.options, 'createdAt', json_instant(r.created_at),
        'createdBy', r.created_by, 'createdByName', u.name,
        'confirmedBy', r.confirmed_by, 'confirmedByName', c.name,
        'finishedAt', json_instant(r.finished_at), 'done', r.done, 'total', r.total,
        'result', r.result, 'code', r.code, 'detail', r.detail) AS document
    FROM runs r
    JOIN users u ON u.id = r.created_by
    LEFT JOIN users c ON c.id = r.confirmed_by
)"""

# So many imports of one person may wait, run or be previews to confirm: each keeps its file.
MOST_UNFINISHED = 10

_ASK = Statement(
    ADMIN,
    """
unfinished AS (
    SELECT r.id FROM import_runs r JOIN admin ON admin.id = r.created_by
    WHERE r.state IN ('waiting', 'working', 'previewed')
),
runs AS (
    INSERT INTO import_runs (created_by, request_id, kind, file_name, content, options, asked)
    SELECT id, :request_id, :kind, :file_name, :content::bytea, :options::text::jsonb, :asked
    FROM admin WHERE (SELECT count(*) FROM unfinished) < :most::integer
    RETURNING *
)""",
    _DOCUMENTS,
    "SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict",
)


async def ask(
    db: Database,
    actor: Actor,
    kind: Kind,
    content: bytes,
    options: RunOptions,
    asked: Asked,
    file_name: str | None = None,
) -> Document[ImportRun]:
    """Keep the file until a server has previewed or imported it.

    `Conflict` if `MOST_UNFINISHED` imports of the actor are not over.
    """
    row = await db.row(
        _ASK,
        actor_id=actor.user_id,
        request_id=actor.request_id,
        kind=kind,
        file_name=file_name,
        content=content,
        options=options.model_dump_json(by_alias=True),
        asked=asked,
        most=MOST_UNFINISHED,
    )
    check(row)
    if row["document"] is None:
        raise Conflict(
            f"{MOST_UNFINISHED} of your imports are not over. Confirm or discard some first.",
            code="too_many_imports",
        )
    return Document(row["document"])


_LIST = Statement(
    ADMIN,
    """
page AS MATERIALIZED (
    SELECT r.*, json_instant(r.created_at) || '~' || r.id AS cursor,
           row_number() OVER (ORDER BY r.created_at DESC, r.id) AS n
    FROM import_runs r
    WHERE EXISTS (SELECT FROM admin)
      AND (:after_at::timestamptz IS NULL OR r.created_at < :after_at
           OR (r.created_at = :after_at AND r.id > :after_id::uuid))
    ORDER BY r.created_at DESC, r.id
    LIMIT :most + 1
),
runs AS (SELECT * FROM page WHERE n <= :most)""",
    _DOCUMENTS,
    PAGE_OF_DOCUMENTS,
)


async def list_runs(
    db: Database, actor: Actor, limit: int, after: After
) -> Document[list[ImportRun]]:
    """List all administrators' imports, newest first."""
    return await newest_first(db, _LIST, limit, after, actor_id=actor.user_id)


_READ = Statement(
    ADMIN,
    "runs AS (SELECT * FROM import_runs WHERE id = :id AND EXISTS (SELECT FROM admin))",
    _DOCUMENTS,
    "SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict",
)


async def get_run(db: Database, actor: Actor, run_id: UUID) -> Document[ImportRun]:
    """One import, as it is now."""
    row = await db.row(_READ, actor_id=actor.user_id, id=run_id)
    check(row)
    return Document(_found(row["document"]))


_ROWS = Statement(
    ADMIN,
    """
run AS (SELECT rows FROM import_runs WHERE id = :id AND EXISTS (SELECT FROM admin)),
page AS MATERIALIZED (
    SELECT place, document, row_number() OVER (ORDER BY place) AS n
    FROM run, jsonb_array_elements(rows) WITH ORDINALITY AS g(document, place)
    WHERE place > :after::integer
      AND (:outcome::text IS NULL OR document ->> 'outcome' = :outcome)
    ORDER BY place
    LIMIT :most + 1
)""",
    """
SELECT verdict, CASE WHEN EXISTS (SELECT FROM run) THEN (
    SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM page WHERE n <= :most
) END::text AS document, (
    SELECT place::text FROM page WHERE n = :most AND EXISTS (SELECT FROM page WHERE n > :most)
) AS next_cursor
FROM verdict
""",
)


async def list_rows(
    db: Database,
    actor: Actor,
    run_id: UUID,
    outcome: RowOutcome | None,
    limit: int,
    after: int,
) -> Document[list[ImportRunRow]]:
    """List what became of each row, or would: refused rows first, from the one `after` on."""
    row = await db.row(
        _ROWS, actor_id=actor.user_id, id=run_id, outcome=outcome, after=after, most=limit
    )
    check(row)
    return Document(_found(row["document"]), next_cursor=row["next_cursor"])


# Whoever clicks twice confirms once: what was confirmed before is answered as it is now.
_CONFIRM = Statement(
    ADMIN,
    """
asked AS MATERIALIZED (
    SELECT * FROM import_runs WHERE id = :id AND EXISTS (SELECT FROM admin) FOR NO KEY UPDATE
),
confirmed AS (
    UPDATE import_runs r
    SET asked = 'import', state = 'waiting', confirmed_by = (SELECT id FROM admin),
        request_id = :request_id, attempts = 0, done = 0, finished_at = NULL
    FROM asked a
    WHERE r.id = a.id AND a.state = 'previewed'
    RETURNING r.*
),
runs AS (
    SELECT * FROM confirmed
    UNION ALL SELECT * FROM asked WHERE NOT EXISTS (SELECT FROM confirmed)
)""",
    _DOCUMENTS,
    """
SELECT verdict, (SELECT document FROM documents)::text AS document,
       (SELECT state FROM runs) AS state, (SELECT confirmed_by FROM runs) AS confirmed_by
FROM verdict
""",
)
_NOT_PREVIEWED = {
    RunState.WAITING: "The preview is not there yet. Wait for it.",
    RunState.WORKING: "The preview is not there yet. Wait for it.",
    RunState.EXPIRED: "A preview can be confirmed for a day. Send the file again.",
    RunState.DONE: "This is imported already.",
}


async def confirm(db: Database, actor: Actor, run_id: UUID) -> Document[ImportRun]:
    """Have what was previewed imported, as the actor; `Conflict` if there is no such preview."""
    row = await db.row(_CONFIRM, actor_id=actor.user_id, request_id=actor.request_id, id=run_id)
    check(row)
    document = _found(row["document"])
    state = RunState(row["state"])
    goes_on = state in (RunState.WAITING, RunState.WORKING, RunState.DONE)
    if not (goes_on and row["confirmed_by"]):
        sentence = _NOT_PREVIEWED.get(state, "Nothing of this can be imported. Send a new file.")
        raise Conflict(sentence, code="not_previewed")
    return Document(document)


_DISCARD = Statement(
    ADMIN,
    """
asked AS MATERIALIZED (
    SELECT id, state FROM import_runs WHERE id = :id AND EXISTS (SELECT FROM admin) FOR UPDATE
),
discarded AS (
    DELETE FROM import_runs r USING asked a
    WHERE r.id = a.id AND a.state NOT IN ('working', 'done')
)""",
    "SELECT verdict, (SELECT state FROM asked) AS state FROM verdict",
)


async def discard(db: Database, actor: Actor, run_id: UUID) -> None:
    """Forget the import with its file; `Conflict` while it is worked on, and if it is done."""
    row = await db.row(_DISCARD, actor_id=actor.user_id, id=run_id)
    check(row)
    state = _found(row["state"])
    if state == RunState.WORKING:
        raise Conflict("This is being worked on. Wait until it is over.", code="import_working")
    if state == RunState.DONE:
        raise Conflict("This is imported; what was done stays on record.", code="import_done")


def _found(value: Any) -> Any:
    if value is None:
        raise NotFound("There is no such import.")
    return value
