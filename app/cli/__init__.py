"""The command line: `aims up`, `aims test`, `aims serve` and smaller commands."""

import sys

import asyncpg
import typer

from app.cli import (
    backup,
    database,
    demo,
    firestore,
    imports,
    people,
    serve,
    students,
    suite,
    up,
    verify,
)
from app.config import ConfigError
from app.errors import AppError
from app.localpg import LocalPostgresError
from app.pg_programs import ProgramError

commands = typer.Typer(
    name="aims",
    help="Attendance for universities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
commands.command()(up.up)
commands.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    suite.test
)
commands.command()(serve.serve)
commands.command()(people.allow)
commands.command()(people.disallow)
commands.command()(people.token)
commands.command()(demo.demo)
commands.command()(verify.verify)
commands.command()(backup.backup)
commands.command()(backup.restore)
imports.commands.command()(firestore.firestore)
commands.add_typer(imports.commands, name="import")
commands.add_typer(students.commands, name="student")
commands.add_typer(database.commands, name="db")


def main() -> None:
    """Run a command; an error is shown as one sentence on standard error."""
    try:
        commands()
    except (ConfigError, LocalPostgresError, ProgramError) as error:
        sys.exit(f"aims: {error}")
    except AppError as error:
        if isinstance(error.__cause__, asyncpg.DiskFullError):
            sys.exit("aims: The disk is full: PostgreSQL cannot write its data.")
        cause = f" ({type(error.__cause__).__name__})" if error.__cause__ else ""
        sys.exit(f"aims: {error.detail}{cause}")
