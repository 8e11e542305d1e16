"""`/admin/imports`: imports that the server does by itself, with a preview and progress."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.auth.dependencies import Call, SignedInRoute
from app.files.attachments import CSV
from app.files.list_csv import AT_ONCE, headers_of, list_csv
from app.files.sheets.choices import choices_of
from app.heavy import heavy
from app.queries import MAX_PAGE, check_text, instant_cursor, number_cursor
from app.request_limits import FILE, limited
from app.routes.admin.import_routes import (
    AllSheets,
    Columns,
    DryRun,
    ForClass,
    KindOfRows,
    MarkMeanings,
    MeetingDay,
    PresentMinutes,
    Sheet,
    TrustNumbers,
    Why,
    file_body,
    require_media,
)
from app.routes.answers import PAGED, READS, WRITES, Cursor, Limit, answer, problems_of
from app.schemas.import_runs import ROW_HEADINGS, Asked, ImportRun, ImportRunRow, RunOptions
from app.schemas.imports import RowOutcome
from app.schemas.words import visible
from app.services.imports.runs import asking

router = APIRouter(prefix="/admin/imports", tags=["Administration"], route_class=SignedInRoute)

FileName = Annotated[
    str, Query(alias="fileName", max_length=255, description="What the file is called, to show")
]
Fate = Annotated[
    RowOutcome | None, Query(alias="outcome", description="Only rows of which this became")
]
_ROW = "Sheet,Row,About,Outcome,Column,Why\r\n,2,23/CS/107,created,,\r\n"
_CHANGES = problems_of(401, 403, 404, 409, 422)


@router.post(
    "",
    operation_id="startImport",
    summary="Have a file previewed or imported by the server",
    status_code=202,
    response_model=ImportRun,
    responses=WRITES | {202: {"headers": {"Location": {}}}},
    openapi_extra=file_body(
        "Roll No,Student Name,Course Code,Section\n23/CS/107,Kabir V. Demo,CS301,A\n"
    ),
)
@limited(FILE)
async def start_import(
    request: Request,
    call: Call,
    kind: KindOfRows,
    dry_run: DryRun = False,
    trust_numbers: TrustNumbers = False,
    class_id: ForClass = None,
    reason: Why = None,
    sheet: Sheet = None,
    all_sheets: AllSheets = False,
    columns: Columns = "",
    marks: MarkMeanings = "",
    day: MeetingDay = None,
    present_minutes: PresentMinutes = None,
    file_name: FileName = "",
) -> Response:
    """The same as *Import a file*, without waiting for it: the answer comes as soon as the file is
    stored, and `Location` says where to ask how far it is.

    With `dryRun` the file is previewed and kept for a day, to be confirmed. Servers may be
    stopped meanwhile: the file is imported once and as a whole, or not at all.
    """
    require_media(request)
    await call.require_admin()
    for place, text in (("sheet", sheet), ("columns", columns), ("marks", marks)):
        check_text(text, place)
    options = RunOptions(
        class_id=class_id,
        reason=reason,
        trust_numbers=trust_numbers,
        sheet=sheet,
        all_sheets=all_sheets,
        columns=columns,
        marks=marks,
        day=day,
        present_minutes=present_minutes,
    )
    choices_of(options)
    asked = Asked.PREVIEW if dry_run else Asked.IMPORT
    content = await request.body()
    name = visible(file_name) or None
    run = await asking.ask(call.db, call.actor, kind, content, options, asked, name)
    request.app.state.importer.wake()
    accepted = answer(run, status=202)
    # Relative to the request's address, since a proxy may serve it below a path.
    accepted.headers["Location"] = f"imports/{json.loads(run.json)['id']}"
    return accepted


@router.get(
    "",
    operation_id="listImports",
    summary="List the imports that the server does or did",
    response_model=list[ImportRun],
    responses=problems_of(401, 403, 422) | PAGED,
)
async def list_imports(
    request: Request, call: Call, limit: Limit = MAX_PAGE, cursor: Cursor = None
) -> Response:
    """All administrators' imports of the last 30 days, newest first. If there are more, the `Link`
    header has the next page.
    """
    after = instant_cursor(cursor)
    page = await asking.list_runs(call.db, call.actor, limit, after)
    return answer(page, request=request)


@router.get(
    "/{id}",
    operation_id="getImport",
    summary="How far is an import?",
    response_model=ImportRun,
    responses=READS,
)
async def get_import(id: UUID, call: Call) -> Response:
    """Ask every second or two while `state` is `waiting` or `working`."""
    return answer(await asking.get_run(call.db, call.actor, id))


@router.get(
    "/{id}/rows",
    operation_id="listImportRows",
    summary="What became of each row?",
    response_model=list[ImportRunRow],
    responses=READS | PAGED,
)
async def list_import_rows(
    id: UUID,
    request: Request,
    call: Call,
    outcome: Fate = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Of a preview, what would become of it. Refused rows come first, then all others in the order
    of the file. If there are more, the `Link` header has the next page.
    """
    after = number_cursor(cursor) or 0
    page = await asking.list_rows(call.db, call.actor, id, outcome, limit, after)
    return answer(page, request=request)


@router.get(
    "/{id}/rows.csv",
    operation_id="downloadImportRows",
    summary="What became of each row, as a CSV",
    response_class=Response,
    responses=READS
    | {
        200: {
            "description": "The file",
            "headers": {"Content-Disposition": {}},
            "content": {CSV: {"schema": {"type": "string", "example": _ROW}}},
        }
    },
)
@heavy
async def download_import_rows(id: UUID, call: Call, outcome: Fate = None) -> Response:
    """All rows, refused ones first."""
    parts = await list_csv(
        ROW_HEADINGS,
        lambda cursor: asking.list_rows(
            call.db, call.actor, id, outcome, AT_ONCE, number_cursor(cursor) or 0
        ),
    )
    return StreamingResponse(parts, 200, headers_of("import-rows.csv"), CSV)


@router.post(
    "/{id}/confirm",
    operation_id="confirmImport",
    summary="Import what was previewed",
    status_code=202,
    response_model=ImportRun,
    responses=_CHANGES,
)
async def confirm_import(id: UUID, request: Request, call: Call) -> Response:
    """It is done as whoever confirms it, and judged again: what has changed since the preview
    counts. Confirming twice imports once. What is not previewed is a 409.
    """
    run = await asking.confirm(call.db, call.actor, id)
    request.app.state.importer.wake()
    return answer(run, status=202)


@router.delete(
    "/{id}",
    operation_id="discardImport",
    summary="Discard an import with its file",
    status_code=204,
    responses=_CHANGES,
)
async def discard_import(id: UUID, call: Call) -> Response:
    """What is being worked on, or is imported, is a 409."""
    await asking.discard(call.db, call.actor, id)
    return Response(status_code=204)
