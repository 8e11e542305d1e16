"""`aims import firestore`: classes and attendance from Firebase."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from app.cli.files import content_of, database_as_admin
from app.config import RuleSettings, load_rules
from app.errors import AppError
from app.files.firestore import export
from app.files.firestore.batches import SOURCE, Options, parts_of
from app.files.firestore.contents import Records
from app.files.firestore.mapping import PACKAGED, Mapping, read_mapping
from app.files.firestore.records import read_records
from app.files.sources.report import as_json, as_text
from app.reconciliation import Outcome
from app.services.imports import sources
from app.services.imports.conditions import Conditions
from app.services.people.allow_list import check_address


class _Task(NamedTuple):
    """What to import, and as which administrator."""

    records: Records
    options: Options
    admin: str | None
    dry_run: bool


def firestore(
    file: Annotated[Path, typer.Argument(help="The export, as JSON")],
    as_: Annotated[
        str | None,
        typer.Option("--as", help="The administrator who does this; required if there are several"),
    ] = None,
    mapping: Annotated[Path, typer.Option(help="Which fields mean what (TOML)")] = PACKAGED,
    teacher: Annotated[
        str | None, typer.Option(help="The owner of classes that name no teacher, by address")
    ] = None,
    allow_teachers: Annotated[
        bool, typer.Option("--allow-teachers", help="Let the teachers of the classes sign in")
    ] = False,
    term: Annotated[str | None, typer.Option(help="The term of new classes, by its name")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write the whole report to this file, as JSON")
    ] = None,
) -> None:
    """Import a Firestore export, and compare the totals of each class on both sides.

    It can be run again: existing data is found, and what people have changed in AIMS is kept.
    Totals that differ without a reason end it with an error.
    """
    rules = load_rules()
    chosen = read_mapping(content_of(mapping, export.MAX_BYTES))
    records = _read(file, chosen, rules)
    owner = check_address(teacher) if teacher else None
    options = Options(owner, term, allow_teachers, chosen.project)
    task = _Task(records, options, as_, dry_run)
    outcome = Outcome(left_out=list(records.left_out))
    failure = None
    try:
        asyncio.run(_import(rules, task, outcome))
    except AppError as error:
        if not outcome.classes:
            raise
        failure = error.detail
    print(as_text(records, outcome, dry_run=dry_run))
    if report:
        _write(report, json.dumps(as_json(records, outcome, dry_run=dry_run), indent=1))
    if failure:
        count = f"{len(outcome.classes)} of {len(records.classes)} classes"
        sys.exit(
            f"aims: {failure} {count} were done before. Run it again: it continues from there."
        )
    if not outcome.agrees:
        sys.exit("aims: Totals differ without a reason: see the classes above.")
    if records.unread:
        sys.exit(
            "aims: Some fields or collections were not read: see above. Name them in the mapping, "
            "or under passed_over there if they are not wanted."
        )


def _read(path: Path, mapping: Mapping, rules: RuleSettings) -> Records:
    today = datetime.now(rules.zone).date()
    try:
        return read_records(
            export.read_json(content_of(path, export.MAX_BYTES)), mapping, rules.zone, today
        )
    except AppError as error:
        sys.exit(f"aims: {path}: {error.detail}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(f"{text}\n", "utf-8")
    except OSError as error:
        sys.exit(f"aims: {path} cannot be written: {error.strerror}.")


async def _import(rules: RuleSettings, task: _Task, outcome: Outcome) -> None:
    today = datetime.now(rules.zone).date()
    conditions = Conditions(today, trust_numbers=True, source=SOURCE)
    async with database_as_admin(rules, task.admin) as (db, admin):
        with _progress(len(task.records.classes)) as step:
            await sources.run(
                *(db, admin, parts_of(task.records, task.options), conditions, outcome),
                dry_run=task.dry_run,
                step=step,
            )


@contextmanager
def _progress(classes: int) -> Iterator[Callable[[], object]]:
    """Show a progress bar if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with typer.progressbar(length=classes, label="Importing", file=sys.stderr) as bar:
        yield lambda: bar.update(1)
