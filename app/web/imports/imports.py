"""Imports by administrators: a file, what would become of its rows, how far it is, what became.

The server does the work, whoever looks: every page shows what is stored, so a tab can be closed.
"""

from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from app.documents import Document
from app.errors import AppError
from app.files.sheets.choices import choices_of
from app.heavy import heavy
from app.queries import MAX_PAGE, check_text, instant_cursor, number_cursor
from app.request_limits import FILE, limited
from app.schemas.import_runs import ROW_HEADINGS, Asked, RunOptions
from app.schemas.imports import Kind, RowOutcome
from app.schemas.words import Reason, StoredDate, Words, visible
from app.services.imports.runs import asking
from app.web.classes.class_page import the_class
from app.web.frame.carried import require_file
from app.web.frame.forms import Form
from app.web.frame.lists import Place, download
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/imports", route_class=PageRoute, include_in_schema=False)

KINDS = {
    Kind.STUDENTS: "Students of classes",
    Kind.CLASSES: "Classes",
    Kind.SCHEDULES: "Timetables",
    Kind.FACULTY: "People who may sign in",
    Kind.ATTENDANCE: "Past attendance",
}
STATES = {
    "waiting": "Waiting",
    "working": "Working",
    "previewed": "To be confirmed",
    "done": "Imported",
    "refused": "Cannot be imported",
    "failed": "Failed",
    "expired": "Not confirmed in time",
}
_WORDS: dict[str, Any] = {"kinds": KINDS, "states": STATES}
_RUNS_SHOWN = 20


class _Upload(Words):
    """What the form has beside the file."""

    kind: Kind
    class_id: UUID | None = None
    reason: Reason | None = None
    trust_numbers: bool = False
    sheet: Annotated[str, Field(max_length=255)] | None = None
    all_sheets: bool = False
    columns: Annotated[str, Field(max_length=1000)] = ""
    marks: Annotated[str, Field(max_length=1000)] = ""
    day: Annotated[StoredDate | None, Field(alias="date")] = None
    present_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None


class _Shown(Place):
    """Which rows are shown."""

    outcome: RowOutcome | None = None


@router.get("")
async def choose(visit: Visit) -> Response:
    return await _form(visit.asked())


@router.post("")
@limited(FILE)
async def upload(visit: Visit) -> Response:
    """Have the server look at the file."""
    form = await visit.read_form()
    try:
        wanted = form.read(_Upload)
        options = _options(wanted)
        require_file(form.file)
        run = await asking.ask(
            *(visit.db, visit.actor, wanted.kind, form.file, options, Asked.PREVIEW),
            visible(form.file_name)[-255:] or None,
        )
    except AppError as refusal:
        return await _form(visit.refused(refusal, form))
    visit.request.app.state.importer.wake()
    return visit.go(f"/app/imports/{read(run)['id']}")


@router.get("/{id}")
async def show(visit: Visit, id: UUID) -> Response:
    """How far the import is, or what became, or would become, of each row."""
    visit = visit.asked()
    run = read(await asking.get_run(visit.db, visit.actor, id))
    rows, following, outcome = [], None, None
    if run["state"] not in ("waiting", "working"):
        shown = visit.filters(_Shown)
        page = await _rows(id, visit, shown, shown.cursor, MAX_PAGE)
        rows, following, outcome = read(page), visit.following(page), shown.outcome
    return visit.page(
        "imports/run.html",
        run=run,
        rows=rows,
        following=following,
        shown=outcome,
        again=_again(run),
        **_WORDS,
    )


@router.get("/{id}/progress")
async def progress(visit: Visit, id: UUID) -> Response:
    """The import as the API has it, for the page's module."""
    run = await asking.get_run(visit.db, visit.actor, id)
    return Response(run.json, media_type="application/json")


@router.get("/{id}/rows.csv")
@heavy
@limited(FILE)
async def rows_as_csv(visit: Visit, id: UUID) -> Response:
    return await download(visit, "import-rows.csv", ROW_HEADINGS, _Shown, partial(_rows, id))


@router.post("/{id}/confirm")
async def confirm(visit: Visit, id: UUID) -> Response:
    await asking.confirm(visit.db, visit.actor, id)
    visit.request.app.state.importer.wake()
    return visit.go(f"/app/imports/{id}")


@router.post("/{id}/discard")
async def discard(visit: Visit, id: UUID) -> Response:
    await asking.discard(visit.db, visit.actor, id)
    return visit.go("/app/imports", done="import_discarded")


async def _form(visit: Visit) -> Response:
    form = visit.form or Form([])
    cursor = visit.request.query_params.get("cursor")
    after = instant_cursor(cursor)
    page = await asking.list_runs(visit.db, visit.actor, _RUNS_SHOWN, after)
    return visit.page(
        "imports/imports.html",
        runs=read(page),
        following=visit.following(page),
        class_=await _class(visit, form.get("classId")),
        most=FILE,
        **_WORDS,
    )


async def _class(visit: Visit, class_id: str) -> dict[str, Any] | None:
    """The class that the whole file is for, if the address names one."""
    if not class_id:
        return None
    try:
        id = UUID(class_id)
    except ValueError:
        return None
    return await the_class(visit, id)


def _options(wanted: _Upload) -> RunOptions:
    for name in ("sheet", "columns", "marks"):
        check_text(getattr(wanted, name), name)
    options = RunOptions(**wanted.model_dump(exclude={"kind"}))
    choices_of(options)
    return options


async def _rows(
    id: UUID, visit: Visit, shown: _Shown, cursor: str | None, limit: int
) -> Document[Any]:
    after = number_cursor(cursor) or 0
    return await asking.list_rows(visit.db, visit.actor, id, shown.outcome, limit, after)


def _again(run: dict[str, Any]) -> str:
    """The address of the form with the same choices."""
    given = {name: value for name, value in run["options"].items() if value}
    given |= {name: "yes" for name, value in given.items() if value is True}
    return f"/app/imports?{urlencode({'kind': run['kind'], **given})}"
