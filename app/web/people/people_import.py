"""Who may sign in, from a file: what would become of each row is shown before anything changes."""

from typing import Any

from fastapi import APIRouter, Response

from app.batch import Batch
from app.errors import AppError
from app.files.sheets.reading import read_beside
from app.heavy import heavy
from app.request_limits import FILE, limited
from app.schemas.imports import ImportOutcome, Kind
from app.services.access import require_admin
from app.services.imports import importing
from app.services.imports.conditions import Conditions
from app.web.frame.carried import carried, digest_of, file_of, require_file, require_previewed
from app.web.frame.pages import PageRoute, Visit

router = APIRouter(prefix="/app/people/import", route_class=PageRoute, include_in_schema=False)


@router.get("")
async def show(visit: Visit) -> Response:
    await require_admin(visit.db, visit.actor)
    return _page(visit, b"", "")


@router.post("")
@heavy
@limited(FILE)
async def import_file(visit: Visit) -> Response:
    """Show what the file would do; with the action `import`, do it."""
    # Nobody else's file is read.
    await require_admin(visit.db, visit.actor)
    form = await visit.read_form()
    content, name = file_of(form)
    sure = form.get("action") == "import"
    try:
        if sure:
            require_previewed(form, content)
        outcome, batch = await _import(visit, content, dry_run=not sure)
    except AppError as refusal:
        return _page(visit.refused(refusal, form), content, name)
    if sure:
        return visit.go("/app/people", done="people_imported")
    rows = {row.row: row for row in batch.faculty}
    return _page(visit, content, name, outcome=outcome, rows=rows)


async def _import(visit: Visit, content: bytes, *, dry_run: bool) -> tuple[ImportOutcome, Batch]:
    require_file(content)
    batch = await read_beside(Kind.FACULTY, content)
    conditions = Conditions(visit.now().date(), visit.window)
    outcome = await importing.import_batch(
        visit.db, visit.actor, batch, conditions, dry_run=dry_run
    )
    return outcome, batch


def _page(visit: Visit, content: bytes, name: str, **preview: Any) -> Response:
    preview = {"outcome": None, "rows": {}, "digest": digest_of(content)} | preview
    return visit.page("people/import.html", carried=carried(content), file_name=name, **preview)
