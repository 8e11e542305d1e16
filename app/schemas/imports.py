"""What an import of a file answers: what became of each row."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from app.schemas.words import Answer, example

MAX_ROWS_SHOWN = 1000


class Kind(StrEnum):
    """What a file is about."""

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
    """What became of a row of the file. A refused one says where and why. `sheet` is null unless
    all sheets of a workbook were read."""

    sheet: str | None
    row: Annotated[int, Field(description="As the spreadsheet counts: the first row is 1")]
    outcome: RowOutcome
    column: Annotated[str | None, Field(description="As the spreadsheet names it: A, B ...")]
    code: str | None
    detail: str | None


class KeptValue(Answer, json_schema_extra=example(row=3, field="name")):
    """A stored value that the actor may not change, and that was therefore left as it is."""

    sheet: str | None
    row: int
    field: str


class MarkCounts(Answer, json_schema_extra=example(sessions=2, created=58, changed=1, unchanged=0)):
    """The sessions made, and the marks made, changed, and found as the file has them."""

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
    """How many rows made something new, changed something, or found all as they have it.

    `rows` are the first of them, those refused before the others; `moreRows` are not shown.
    Only a dry run answers with rows that are refused: without one they are an error. `notes` are
    sentences that say how the file was read: which words mean what, which sheets were left out.
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
