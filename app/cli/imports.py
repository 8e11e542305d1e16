"""`aims import`: rosters, classes, timetables, people and past attendance from files."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import TypeAdapter, ValidationError

from app.batch import Batch
from app.cli.files import content_of, database_as_admin
from app.config import RuleSettings, load_rules
from app.db import Database
from app.errors import AppError, Invalid
from app.files.sheets.batches import read_batch
from app.files.sheets.choices import Choices, choices
from app.files.sheets.limits import MAX_BYTES
from app.schemas import words
from app.schemas.imports import ImportedRow, ImportOutcome, KeptValue, Kind, RowOutcome
from app.services.access import Actor
from app.services.imports.conditions import Conditions
from app.services.imports.importing import import_batch

commands = typer.Typer(
    help="Import files into the database of DATABASE_URL.",
    no_args_is_help=True,
)

_HELP = {
    Kind.STUDENTS: "Enrol students: roll number, name, class code, section ...",
    Kind.CLASSES: "Make classes: code, name, section, the teacher's address ...",
    Kind.SCHEDULES: "Make timetables: class code, section, day, start, end.",
    Kind.FACULTY: "Let people sign in: email, name, role.",
    Kind.ATTENDANCE: "Past attendance: a register, or a line per mark.",
}
_MAX_FLAWS = 20
_REASON: TypeAdapter[str] = TypeAdapter(words.Reason)


def _reason(text: str | None) -> str | None:
    try:
        return None if text is None else _REASON.validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(error.errors(include_url=False)[0]["msg"]) from None


As = Annotated[
    str | None,
    typer.Option("--as", help="The administrator who does this; required if there are several"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, row by row")]
InClass = Annotated[UUID | None, typer.Option("--class", help="The id of the class it is for")]
Reason = Annotated[
    str | None,
    typer.Option(callback=_reason, help="The reason for changing marks outside the edit window"),
]


TrustNumbers = Annotated[
    bool,
    typer.Option("--trust-numbers", help="Accept numbers whose names belong to other people here"),
]


Sheet = Annotated[str | None, typer.Option(help="The sheet of a workbook; else the first")]
MeetingDay = Annotated[
    datetime | None,
    typer.Option("--date", formats=["%Y-%m-%d"], help="Of a meeting's report: its date"),
]
PresentMinutes = Annotated[
    int | None, typer.Option(min=1, help="Of a meeting's report: minutes that count as present")
]
AllSheets = Annotated[bool, typer.Option("--all-sheets", help="All sheets of a workbook")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="What a heading means: roll_no=Exam Seat. Can be repeated"),
]
MarkMeanings = Annotated[
    list[str] | None,
    typer.Option("--mark", help="What a word means: L=excused. Can be repeated"),
]


def _command(kind: Kind) -> Callable[..., None]:
    def run(
        file: Annotated[Path, typer.Argument(help="A CSV or an .xlsx")],
        as_: As = None,
        dry_run: DryRun = False,
        class_id: InClass = None,
        reason: Reason = None,
        trust_numbers: TrustNumbers = False,
        sheet: Sheet = None,
        all_sheets: AllSheets = False,
        column: Columns = None,
        mark: MarkMeanings = None,
        date: MeetingDay = None,
        present_minutes: PresentMinutes = None,
    ) -> None:
        rules = load_rules()
        choose = partial(
            choices,
            sheet,
            column or [],
            mark or [],
            all_sheets=all_sheets,
            day=date and date.date(),
            present_minutes=present_minutes,
        )
        batch = _read(kind, file, choose, in_class=class_id is not None)
        conditions = Conditions(
            datetime.now(rules.zone).date(), rules.edit_window_days, reason, trust_numbers
        )

        async def work(db: Database, actor: Actor) -> ImportOutcome:
            with progress(batch) as step:
                return await import_batch(
                    *(db, actor, batch, conditions), within=class_id, dry_run=dry_run, step=step
                )

        tell(as_admin(rules, as_, work))

    return run


for _kind in Kind:
    commands.command(_kind.value, help=_HELP[_kind])(_command(_kind))


def _read(kind: Kind, file: Path, choose: Callable[[], Choices], *, in_class: bool) -> Batch:
    content = content_of(file, MAX_BYTES)
    try:
        return read_batch(kind, content, in_class=in_class, chosen=choose())
    except AppError as error:
        sys.exit(f"aims: {file}: {error.detail}")


def as_admin(
    rules: RuleSettings,
    email: str | None,
    work: Callable[[Database, Actor], Awaitable[ImportOutcome]],
) -> ImportOutcome:
    """Do the work as this administrator, or as the only one.

    Refusals are printed row by row, and end the command.
    """

    async def run() -> ImportOutcome:
        async with database_as_admin(rules, email) as (db, user_id):
            now = datetime.now(UTC)
            return await work(db, Actor(user_id, f"import-{now:%Y%m%dT%H%M%SZ}"))

    try:
        return asyncio.run(run())
    except Invalid as error:
        if not error.flaws:
            raise
        lines = [f"  {flaw.detail}" for flaw in error.flaws[:_MAX_FLAWS]]
        if len(error.flaws) > len(lines):
            lines.append("  ... and more, which --dry-run shows.")
        sys.exit("\n".join(["aims: Nothing was imported:", *lines]))


@contextmanager
def progress(batch: Batch) -> Iterator[Callable[[int], object]]:
    """Show a progress bar for rosters and marks if standard error is a terminal."""
    total = len(batch.students) + len(batch.marks)
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with typer.progressbar(length=total, label="Importing", file=sys.stderr) as bar:
        yield bar.update


def tell(outcome: ImportOutcome) -> None:
    """Print what became of the file: the counts, and each row of a dry run."""
    for row in outcome.rows if outcome.dry_run else []:
        print(_line(row))
    if outcome.dry_run and outcome.more_rows:
        print(f"... and {outcome.more_rows:,} more rows.")
    for kept in outcome.conflicts:
        print(f"Row {_number(kept)}: {kept.field} differs from what is stored, which was kept.")
    if outcome.ignored_columns:
        print(f"Columns ignored: {', '.join(outcome.ignored_columns)}.")
    for note in outcome.notes:
        print(note)
    print(_summary(outcome))
    if outcome.refused:
        sys.exit(1)


def _line(row: ImportedRow) -> str:
    if row.outcome is not RowOutcome.REFUSED:
        return f"Row {_number(row)}: {row.outcome}"
    place = f", column {row.column}" if row.column else ""
    return f"Row {_number(row)}{place}: refused. {row.detail}"


def _number(place: ImportedRow | KeptValue) -> str:
    return f"{place.row} of {place.sheet}" if place.sheet else str(place.row)


def _summary(outcome: ImportOutcome) -> str:
    begin = "Dry run, nothing was changed. " if outcome.dry_run else ""
    refused = f", {outcome.refused:,} refused" if outcome.refused else ""
    text = (
        f"{begin}Rows: {outcome.created:,} created, {outcome.changed:,} changed, "
        f"{outcome.unchanged:,} unchanged{refused}."
    )
    if outcome.marks:
        marks = outcome.marks
        text += (
            f" Marks: {marks.created:,} created, {marks.changed:,} changed, "
            f"{marks.unchanged:,} unchanged; {marks.sessions:,} new sessions."
        )
    return text
