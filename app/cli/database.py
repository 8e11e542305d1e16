"""`aims db`: migrations. Alembic is imported only where it is used, to keep other commands fast."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from app.config import load_database_url

if TYPE_CHECKING:
    from alembic.config import Config

commands = typer.Typer(help="Migrate the database named by DATABASE_URL.", no_args_is_help=True)

CHECKOUT = Path(__file__).resolve().parents[2]


def configuration(url: str) -> "Config":
    """Alembic's configuration for the database of the URL, from any working directory."""
    from alembic.config import Config

    config = Config(CHECKOUT / "alembic.ini")
    config.attributes["database_url"] = url
    return config


@commands.command()
def upgrade(revision: str = typer.Argument("head")) -> None:
    """Apply the migrations up to REVISION."""
    from alembic import command

    command.upgrade(configuration(load_database_url()), revision)


@commands.command()
def downgrade(revision: str = typer.Argument("-1")) -> None:
    """Undo migrations down to REVISION. This can lose data: make a backup first."""
    from alembic import command

    command.downgrade(configuration(load_database_url()), revision)


@commands.command()
def current() -> None:
    """Say which migration the database is at."""
    from alembic import command

    command.current(configuration(load_database_url()), verbose=False)
