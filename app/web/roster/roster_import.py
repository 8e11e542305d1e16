"""A roster from a file: what would become of each row is shown before anything changes.

The form that confirms it carries the file.
"""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.batch import Batch
from app.errors import AppError
from app.files.sheets.choices import choices, several
from app.files.sheets.reading import read_beside
from app.heavy import heavy
from app.request_limits import FILE, limited
from app.schemas.imports import ImportOutcome, Kind
from app.schemas.lifecycle import Explained
from app.services.classes.rosters import require_roster
from app.services.imports import importing
from app.services.sessions.session_lock import Change
from app.web.classes.class_page import the_class
from app.web.frame.carried import carried, digest_of, file_of, require_file, require_previewed
from app.web.frame.forms import Form
from app.web.frame.pages import PageRoute, Visit

router = APIRouter(
    prefix="/app/classes/{id}/roster/import", route_class=PageRoute, include_in_schema=False
)


@router.get("")
async def show(visit: Visit, id: UUID) -> Response:
    return await _page(visit, id, b"", "")


@router.post("")
@heavy
@limited(FILE)
async def import_file(visit: Visit, id: UUID) -> Response:
    """Show what the file would do; with the action `import`, do it."""
    form = await visit.read_form()
    content, name = file_of(form)
    sure = form.get("action") == "import"
    try:
        if sure:
            require_previewed(form, content)
        outcome, batch = await _import(visit, id, content, form, dry_run=not sure)
    except AppError as refusal:
        return await _page(visit.refused(refusal, form), id, content, name)
    if sure:
        return visit.go(f"/app/classes/{id}/roster", done="imported")
    return await _page(visit, id, content, name, form=form, outcome=outcome, rows=_rows(batch))


async def _import(
    visit: Visit, id: UUID, content: bytes, form: Form, *, dry_run: bool
) -> tuple[ImportOutcome, Batch]:
    await require_roster(visit.db, visit.actor, id)
    require_file(content)
    chosen = choices(form.get("sheet") or None, several(form.get("columns")), [])
    batch = await read_beside(Kind.STUDENTS, content, chosen, in_class=True)
    outcome = await importing.import_roster(
        *(visit.db, visit.actor, batch, id, Change(visit.window, form.read(Explained).reason)),
        trust_numbers=bool(form.get("trustNumbers")),
        dry_run=dry_run,
    )
    return outcome, batch


def _rows(batch: Batch) -> dict[int, Any]:
    """The entries by the numbers of their rows, to show whom a row is about."""
    return {row.row: row.entry for row in batch.students}


async def _page(visit: Visit, id: UUID, content: bytes, name: str, **preview: Any) -> Response:
    class_ = await the_class(visit, id)
    preview = {"form": None, "outcome": None, "rows": {}, "digest": digest_of(content)} | preview
    return visit.page(
        "roster/import.html", class_=class_, carried=carried(content), file_name=name, **preview
    )
