#!/usr/bin/env python
"""Add addresses to the allow-list: those below, or addresses or CSV files given as arguments.

    python scripts/seed_allowed_emails.py
    python scripts/seed_allowed_emails.py asha@your.university
    python scripts/seed_allowed_emails.py faculty.csv        # columns: email,name,role

It can be run again: entries that exist already stay.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.cli.people import on_database, read_file
from app.config import ConfigError
from app.errors import AppError
from app.schemas.auth import Role
from app.services.people.allow_list import Entry, allow

# Edit this list: (address, role, name). The role is Role.TEACHER or Role.ADMIN.
ALLOWED: list[tuple[str, Role, str]] = [
    # ("asha@demo.university.example", Role.TEACHER, "Asha Demo"),
]


def entries(arguments: list[str]) -> list[Entry]:
    """The entries named by the arguments; without any, the list above."""
    if not arguments:
        return [Entry(*row) for row in ALLOWED]
    found: list[Entry] = []
    for argument in arguments:
        is_file = "@" not in argument
        found += read_file(Path(argument)) if is_file else [Entry(argument, Role.TEACHER)]
    return found


def main() -> None:
    wanted = entries(sys.argv[1:])
    if not wanted:
        sys.exit(f"Nothing to do: edit the list at the top of {__file__}, or give addresses.")
    try:
        on_database(lambda db: allow(db, wanted))
    except (ConfigError, AppError) as error:
        sys.exit(str(error))
    print(f"{len(wanted)} addresses are on the allow-list.")


if __name__ == "__main__":
    main()
