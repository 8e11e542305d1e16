"""`aims allow`, `aims disallow`, `aims token`: who may sign in."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from app.auth.jwt import Tokens
from app.cli.files import content_of
from app.config import load_database_url, load_settings
from app.db import Database, open_database
from app.errors import AppError
from app.files.sheets.batches import read_batch
from app.files.sheets.limits import MAX_BYTES
from app.schemas.auth import Role
from app.schemas.imports import Kind
from app.services.imports.faculty_import import entries_of
from app.services.people import allow_list
from app.services.people.allow_list import Entry

T = TypeVar("T")


def allow(
    email: Annotated[str | None, typer.Argument(help="The address of a Google account")] = None,
    role: Annotated[Role, typer.Option(help="What they may do")] = Role.TEACHER,
    name: Annotated[str | None, typer.Option(help="Shown instead of Google's name")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A CSV or .xlsx with email, name, role instead")
    ] = None,
) -> None:
    """Put an address on the allow-list, or every address of a file."""
    if (email is None) == (file is None):
        sys.exit("aims: give either an address or --file, for example: aims allow asha@x.edu")
    entries = read_file(file) if file else [Entry(email or "", role, name)]
    on_database(lambda db: allow_list.allow(db, entries))
    for entry in entries if len(entries) == 1 else []:
        print(f"{entry.email} may sign in as {entry.role}.")
    if len(entries) != 1:
        print(f"{len(entries)} addresses may sign in.")


def disallow(email: Annotated[str, typer.Argument(help="The address to remove")]) -> None:
    """Take an address off the allow-list; it is refused from its next request on."""
    if on_database(lambda db: allow_list.disallow(db, email)):
        print(f"{email} may no longer sign in.")
    else:
        print(f"{email} was not on the allow-list.")


def token(email: Annotated[str, typer.Argument(help="An address on the allow-list")]) -> None:
    """Print a token to try the API with. Only with DEBUG=true."""
    settings = load_settings()
    if not settings.debug:
        sys.exit("aims: tokens are made on the command line only with DEBUG=true.")
    user_id = on_database(lambda db: allow_list.user_of(db, email))
    print(Tokens(settings).issue(user_id)[0])


def on_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Do the work on the database of `DATABASE_URL`."""

    async def run() -> T:
        async with open_database(load_database_url()) as db:
            return await work(db)

    return asyncio.run(run())


def read_file(file: Path) -> list[Entry]:
    """Read people from a CSV or .xlsx with email, name and role (default for new ones: teacher)."""
    try:
        return entries_of(read_batch(Kind.FACULTY, content_of(file, MAX_BYTES)))
    except AppError as error:
        sys.exit(f"aims: {file}: {error.detail}")
