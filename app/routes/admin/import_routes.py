"""Importing rosters, classes, timetables, people and past attendance from files."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from app.auth.dependencies import Call, SignedInRoute
from app.errors import UnsupportedMedia
from app.files.attachments import CSV, XLSX
from app.files.sheets.choices import Choices, choices, several
from app.files.sheets.limits import MAX_ROWS
from app.files.sheets.reading import read_beside
from app.heavy import heavy
from app.queries import check_text
from app.request_limits import FILE, limited
from app.routes.answers import WRITES
from app.schemas.imports import ImportOutcome, Kind
from app.schemas.words import Reason, StoredDate
from app.services.classes.rosters import require_roster
from app.services.imports import importing
from app.services.imports.conditions import Conditions
from app.services.sessions.session_lock import Change

router = APIRouter(route_class=SignedInRoute)

# Clients that do not know the media type send this.
_UNKNOWN = "application/octet-stream"

KindOfRows = Annotated[Kind, Query(description="What kind of rows the file has")]
ForClass = Annotated[
    UUID | None, Query(alias="classId", description="The class the whole file is for")
]
DryRun = Annotated[
    bool, Query(alias="dryRun", description="Report what would happen to each row; change nothing")
]


TrustNumbers = Annotated[
    bool,
    Query(
        alias="trustNumbers",
        description="Accept rows whose name differs from the one stored under their roll number; "
        "by default they are refused (`another_name`)",
    ),
]


Why = Annotated[
    Reason | None,
    Query(description="Required if marks in sessions that are closed for marking would change"),
]
Sheet = Annotated[
    str | None,
    Query(max_length=255, description="The sheet of a workbook to read; default: the first"),
]
AllSheets = Annotated[
    bool,
    Query(
        alias="allSheets",
        description="Read all sheets of a workbook; places and `rows` then name the sheet",
    ),
]
MeetingDay = Annotated[
    StoredDate | None, Query(alias="date", description="For a meeting report: the meeting's date")
]
PresentMinutes = Annotated[
    int | None,
    Query(
        alias="presentMinutes",
        ge=1,
        le=1440,
        description="For a meeting report: how many minutes somebody must have joined to be "
        "present",
    ),
]
Columns = Annotated[
    str,
    Query(
        max_length=1000,
        description="What headings mean: `roll_no=Exam Seat`, several separated by `;`",
    ),
]
MarkMeanings = Annotated[
    str,
    Query(
        max_length=1000,
        description="What attendance words mean: `L=excused`, several separated by `;`. "
        "One of present, absent, late, excused, on_duty, nothing",
    ),
]


def file_body(example: str) -> dict[str, Any]:
    """The request body, for OpenAPI: either kind of file, recognised by its content."""
    return {
        "requestBody": {
            "required": True,
            "description": f"A CSV or a workbook (.xlsx) of {FILE.in_words} and {MAX_ROWS:,} rows "
            "at most",
            "content": {
                CSV: {"schema": {"type": "string"}, "example": example},
                XLSX: {"schema": {"type": "string", "format": "binary"}, "example": ""},
            },
        }
    }


@router.post(
    "/classes/{id}/students/import",
    tags=["Classes"],
    operation_id="importRoster",
    summary="Add students from a file",
    response_model=ImportOutcome,
    responses=WRITES,
    openapi_extra=file_body("Roll No,Student Name\n23/CS/107,Kabir V. Demo\n"),
)
@heavy
@limited(FILE)
async def import_roster(
    id: UUID,
    request: Request,
    call: Call,
    dry_run: DryRun = False,
    trust_numbers: TrustNumbers = False,
    reason: Why = None,
    sheet: Sheet = None,
    all_sheets: AllSheets = False,
    columns: Columns = "",
    marks: MarkMeanings = "",
) -> ImportOutcome:
    """By the rules of a merged roster, all rows or none: nobody leaves the class, an empty cell
    erases nothing, and a stored value that the actor is not allowed to change stays (`conflicts`).
    A teacher's dry run treats students who are in none of their classes as new.

    Send the file itself, with its media type. Headings are recognised in their common spellings:
    `Roll No`, `University Roll`, `Student Name` ... Importing the same file again changes nothing.
    """
    require_media(request)
    await require_roster(call.db, call.actor, id)
    chosen = _chosen(sheet, all_sheets, columns, marks)
    batch = await read_beside(Kind.STUDENTS, await request.body(), chosen, in_class=True)
    return await importing.import_roster(
        *(call.db, call.actor, batch, id, Change(call.window, reason)),
        trust_numbers=trust_numbers,
        dry_run=dry_run,
    )


@router.post(
    "/admin/import",
    tags=["Administration"],
    operation_id="importFile",
    summary="Import a file",
    response_model=ImportOutcome,
    responses=WRITES,
    openapi_extra=file_body(
        "Roll No,Student Name,Course Code,Section\n23/CS/107,Kabir V. Demo,CS301,A\n"
    ),
)
@heavy
@limited(FILE)
async def import_file(
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
) -> ImportOutcome:
    """People, classes, timetables, rosters or past attendance, all rows or none.

    Send the file itself, with its media type; a register that this server wrote can be imported
    as attendance. Importing the same file again changes nothing. Each bad row is listed with its
    place.
    """
    require_media(request)
    await call.require_admin()
    meeting = {"day": day, "present_minutes": present_minutes}
    chosen = _chosen(sheet, all_sheets, columns, marks, **meeting)
    batch = await read_beside(kind, await request.body(), chosen, in_class=class_id is not None)
    conditions = Conditions(call.now().date(), call.window, reason, trust_numbers)
    return await importing.import_batch(
        call.db, call.actor, batch, conditions, within=class_id, dry_run=dry_run
    )


def require_media(request: Request) -> None:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in (CSV, XLSX, _UNKNOWN):
        raise UnsupportedMedia(f"Send the file itself, with Content-Type: {CSV} or {XLSX}.")


def _chosen(
    sheet: str | None, all_sheets: bool, columns: str, marks: str, **meeting: Any
) -> Choices:
    check_text(sheet, "sheet")
    return choices(sheet, several(columns), several(marks), all_sheets=all_sheets, **meeting)
