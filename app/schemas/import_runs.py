"""Imports that the server does by itself: what was asked, how far it is, what became of it."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.schemas.imports import ImportedRow, Kind, MarkCounts
from app.schemas.words import Answer, ClassId, Instant, UserId, example

RunId = Annotated[UUID, Field(examples=["5c0e8f7a-2b1d-4e6f-8a9b-3c4d5e6f7a81"])]


class RunState(StrEnum):
    """Where an import is.

    `waiting` and `working` go on by themselves. `previewed` can be confirmed, for a day: then it is
    `expired`. `done` is imported. `refused` changed nothing, since the file or some of its rows
    cannot be taken; `failed` changed nothing for another reason.
    """

    WAITING = "waiting"
    WORKING = "working"
    PREVIEWED = "previewed"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"


class Asked(StrEnum):
    """Whether rows are to be previewed or imported."""

    PREVIEW = "preview"
    IMPORT = "import"


class RunOptions(
    Answer,
    json_schema_extra=example(
        trustNumbers=False, allSheets=False, columns="roll_no=Exam Seat", marks=""
    ),
):
    """The options that were sent with the file."""

    class_id: ClassId | None
    reason: str | None
    trust_numbers: bool
    sheet: str | None
    all_sheets: bool
    columns: str
    marks: str
    day: Annotated[date | None, Field(alias="date")]
    present_minutes: int | None


class RunResult(
    Answer,
    json_schema_extra=example(
        created=19_800, changed=150, unchanged=50, refused=0, ignoredColumns=["F"], notes=[]
    ),
):
    """How many rows created something, changed something, changed nothing or were refused; of a
    preview, how many would. `notes` say how the file was read."""

    created: int
    changed: int
    unchanged: int
    refused: int
    marks: MarkCounts | None
    ignored_columns: list[str]
    notes: list[str]


class ImportRun(
    Answer,
    json_schema_extra=example(
        fileName="rosters.xlsx",
        state="working",
        asked="import",
        createdByName="Meera Demo",
        done=12_400,
        total=20_000,
    ),
):
    """An import that the server does by itself.

    `done` of `total` are the rows of rosters, or marks, that are processed; `total` is null until
    the file is read. While what was previewed is imported, `result` is still that of the preview.
    `code` and `detail` say why nothing can be imported; for single rows, their list does.
    """

    id: RunId
    kind: Kind
    file_name: str | None
    asked: Asked
    state: RunState
    options: RunOptions
    created_at: Instant
    created_by: UserId
    created_by_name: str
    confirmed_by: UserId | None
    confirmed_by_name: str | None
    finished_at: Instant | None
    done: int
    total: int | None
    result: RunResult | None
    code: str | None
    detail: str | None


class ImportRunRow(
    ImportedRow,
    json_schema_extra=example(row=2, outcome="created", about="23/CS/107"),
):
    """What became of a row, or would. `about` is the roll number, address or class in it."""

    about: str | None


# The columns of the rows as a file, by the names they have in JSON.
ROW_HEADINGS = {
    "sheet": "Sheet",
    "row": "Row",
    "about": "About",
    "outcome": "Outcome",
    "column": "Column",
    "detail": "Why",
}
