"""`aims student`: what is kept about one student, and forgetting them."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from app.cli.people import on_database
from app.db import Database
from app.errors import Unavailable
from app.files.erasure_list import Line, append, read_list
from app.schemas.words import MAX_TEXT
from app.services import health
from app.services.personal import erasing
from app.services.personal.erasing import Erased, Erasure
from app.services.personal.export import export as export_of
from app.services.personal.person import find_person

commands = typer.Typer(help="What is kept about one student.", no_args_is_help=True)

LIST = Path("erasures.jsonl")

Roll = Annotated[str, typer.Argument(metavar="ROLL", help="The roll number")]
ListFile = Annotated[
    Path, typer.Option("--erasures", help="The list of erasures, kept beside the backups")
]


@commands.command()
def export(roll: Roll) -> None:
    """Print everything that is kept about the student, as JSON; `about` says what each part is."""

    async def work(db: Database) -> dict[str, object]:
        await health.require_current_schema(db)
        return await export_of(db, await find_person(db, roll))

    document = {"madeAt": datetime.now(UTC).isoformat(), **on_database(work)}
    print(json.dumps(document, ensure_ascii=False, indent=2))


@commands.command()
def erase(
    roll: Roll,
    reason: Annotated[str, typer.Option(help="Why, without personal data: it is kept")],
    erasures: ListFile = LIST,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Erase the student's personal data everywhere; the marks stay, as those of somebody unknown.

    This cannot be undone. The list of erasures is for `aims restore`, which erases them again.
    """
    if not reason.strip() or len(reason) > MAX_TEXT or not reason.isprintable():
        sys.exit(f"aims: give a reason of at most {MAX_TEXT} characters.")
    student_id, found = on_database(lambda db: _look(db, roll, reason))
    _tell("This would erase", found)
    if not yes and not typer.confirm("Erase this for ever?"):
        sys.exit("aims: nothing was erased.")

    def note(entries: list[Erasure]) -> None:
        append(erasures, map(_line, entries))

    on_database(lambda db: erasing.erase(db, student_id, reason.strip(), note=note))
    print(f"Erased. {erasures.resolve()} lists it: keep that file with the backups.")


async def _look(db: Database, roll: str, reason: str) -> tuple[UUID, Erased]:
    await health.require_current_schema(db)
    student_id = await find_person(db, roll)
    try:
        return student_id, await erasing.erase(db, student_id, reason, keep=False)
    except Unavailable as error:
        if error.code == "database_rights_missing":
            sys.exit(
                "aims: The user of DATABASE_URL may not change history: "
                "erase as the owner of the tables."
            )
        raise


def _tell(begin: str, found: Erased) -> None:
    print(
        f"{begin} the record's roll number, name, addresses and all other values; "
        f"accounts: {found.accounts}; remarks and scores of marks: {found.marks}, of replaced "
        f"marks: {found.past}; notes of leave: {found.leaves}; questions: {found.questions}; "
        f"values in other texts: {found.texts}, in imports: {found.imports}; files that wait to be "
        f"imported, whomever they name: {found.files}."
    )


@commands.command()
def erasures() -> None:
    """Print the list of erasures, as the database has it."""
    for entry in on_database(erasing.erasures):
        print(_line(entry).model_dump_json())


@commands.command("erase-again")
def erase_again(
    erasures: Annotated[Path, typer.Argument(metavar="LIST", help="The list of erasures")],
) -> None:
    """Erase who is on the list and in the database, after it went back to an earlier time."""
    lines = read_list(erasures)
    number = on_database(lambda db: apply_list(db, lines))
    print(f"Records that were erased again: {number}.")


async def apply_list(db: Database, lines: Iterable[Line]) -> int:
    """Erase who is on the list; return how many records that were."""
    listed = [Erasure(line.student_id, line.erased_at, line.reason) for line in lines]
    return await erasing.erase_again(db, listed)


def _line(entry: Erasure) -> Line:
    return Line(**asdict(entry))
