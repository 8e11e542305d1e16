"""`aims db`: migrations."""

from pathlib import Path

import typer
from alembic import command
from alembic.config import Config

from app.config import load_database_url

commands = typer.Typer(help="Migrate the database named by DATABASE_URL.", no_args_is_help=True)

CHECKOUT = Path(__file__).resolve().parents[2]


def configuration(url: str) -> Config:
    """Alembic on the database of the URL, from whatever directory it is called."""
    config = Config(CHECKOUT / "alembic.ini")
    config.attributes["database_url"] = url
    return config


@commands.command()
def upgrade(revision: str = typer.Argument("head")) -> None:
    """Apply the migrations up to REVISION."""
    command.upgrade(configuration(load_database_url()), revision)


@commands.command()
def downgrade(revision: str = typer.Argument("-1")) -> None:
    """Take migrations back down to REVISION. This can lose data: make a backup first."""
    command.downgrade(configuration(load_database_url()), revision)


@commands.command()
def current() -> None:
    """Say which migration the database is at."""
    command.current(configuration(load_database_url()), verbose=False)
