"""`aims verify`: whether what the database derives agrees with what it is derived from."""

import asyncio
import sys

import typer

from app.config import load_rules
from app.db import Database, open_database
from app.services.verifying import verify as checks
from app.services.verifying.verify import Verdict


def verify() -> None:
    """Check that histories, marks, leave and statistics agree, and name what does not.

    Reads only, while people go on working. The exit code is 1 if anything disagrees.
    """
    rules = load_rules()

    async def work() -> bool:
        async with open_database(rules.database_url, rules.timezone) as db:
            return await verified(db)

    sys.exit(0 if asyncio.run(work()) else 1)


async def verified(db: Database) -> bool:
    """Make all checks, print what each gives, and return whether all hold."""
    schema = await checks.check_schema(db)
    verdicts = [schema] if schema.wrong else [schema, *await _checked(db)]
    for verdict in verdicts:
        _tell(verdict)
    failed = sum(verdict.wrong > 0 for verdict in verdicts)
    if schema.wrong:
        print("Nothing else was checked: run ./aims db upgrade first.")
    else:
        print(f"{failed} of {len(verdicts)} checks failed." if failed else "Everything agrees.")
    return not failed


async def _checked(db: Database) -> list[Verdict]:
    parts = await checks.parts_of(db)
    if not sys.stderr.isatty():
        return await checks.verify(db, parts)
    steps = checks.steps_of(parts)
    with typer.progressbar(length=steps, label="Checking", file=sys.stderr) as bar:
        return await checks.verify(db, parts, lambda: bar.update(1))


def _tell(verdict: Verdict) -> None:
    print(f"{'WRONG' if verdict.wrong else 'ok   '} {verdict.holds}")
    for place in verdict.places:
        print(f"      - {place}")
    if verdict.wrong > len(verdict.places):
        print(f"      - and {verdict.wrong - len(verdict.places):,} more")
