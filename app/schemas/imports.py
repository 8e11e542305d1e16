"""The result of importing a file: the outcome of each row."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from app.schemas.words import Answer, example

MAX_ROWS_SHOWN = 1000


class Kind(StrEnum):
    """What kind of rows a file has."""

    STUDENTS = "students"
    CLASSES = "classes"
    SCHEDULES = "schedules"
    FACULTY = "faculty"
    ATTENDANCE = "attendance"


class RowOutcome(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class ImportedRow(Answer, json_schema_extra=example(row=2, outcome="created")):
    """The outcome of a row of the file. A refused row says where and why. `sheet` is null unless
    all sheets of a workbook were read."""

    sheet: str | None
    row: Annotated[int, Field(description="The row number in the spreadsheet; the first is 1")]
    outcome: RowOutcome
    column: Annotated[
        str | None, Field(description="The column letter in the spreadsheet: A, B ...")
    ]
    code: str | None
    detail: str | None


class KeptValue(Answer, json_schema_extra=example(row=3, field="name")):
    """A stored value that the actor is not allowed to change, and that therefore stayed."""

    sheet: str | None
    row: int
    field: str


class MarkCounts(Answer, json_schema_extra=example(sessions=2, created=58, changed=1, unchanged=0)):
    """The sessions created, and the marks created, changed and unchanged."""

    sessions: int
    created: int
    changed: int
    unchanged: int


class ImportOutcome(
    Answer,
    json_schema_extra=example(
        dryRun=False,
        created=1,
        changed=0,
        unchanged=0,
        refused=0,
        moreRows=0,
        conflicts=[],
        ignoredColumns=["A"],
        notes=["Marks were read so: P is present (57), A is absent (3)."],
    ),
):
    """How many rows created something, changed something, or changed nothing.

    `rows` lists the first of them, refused ones before the others; `moreRows` are not shown.
    Only a dry run returns refused rows: otherwise they are an error. `notes` are sentences that
    say how the file was read: which words mean what, and which sheets were skipped.
    """

    dry_run: bool
    created: int
    changed: int
    unchanged: int
    refused: int
    marks: MarkCounts | None
    rows: list[ImportedRow]
    more_rows: int
    conflicts: list[KeptValue]
    ignored_columns: list[str]
    notes: list[str]
