"""`aims backup` and `aims restore`: the whole database as one file."""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli.database import configuration
from app.cli.processes import run_to_end
from app.cli.students import LIST, ListFile, apply_list
from app.cli.verify import verified
from app.config import RuleSettings, load_rules
from app.db import Database, open_database
from app.errors import Conflict
from app.files.backup_file import Backup, BackupWriter, Manifest, appearing, read_backup
from app.files.erasure_list import Line, read_list
from app.pg_programs import Programs
from app.services import backups, health
from app.version import VERSION

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the backup")]

CHUNK = 1024**2
LOCK_SECONDS = 60  # for a migration that holds a table


def backup(file: File) -> None:
    """Write the database to FILE, which must not exist, while people go on working.

    It holds personal data: only its owner can read it. `aims restore` refuses it if it is damaged.
    """
    manifest = run_to_end(_back_up(load_rules(), file))
    marks = manifest.rows["attendance_statuses"]
    print(f"{file}: {file.stat().st_size:,} bytes, {marks:,} marks.")


async def _back_up(rules: RuleSettings, file: Path) -> Manifest:
    async with open_database(rules.database_url, rules.timezone) as db:
        revision = await _revision(db)
        programs = Programs(rules.database_url, await backups.server_major(db))
        with appearing(file) as stream:
            writer = BackupWriter(stream)
            async with backups.one_moment(db) as moment:
                manifest = Manifest(
                    aims=VERSION,
                    revision=revision,
                    postgresql=moment.postgresql,
                    made_at=datetime.now(UTC),
                    rows=moment.rows,
                )
                await _dump(programs, moment.snapshot, writer)
            writer.finish(manifest)
    return manifest


async def _revision(db: Database) -> str:
    found = await health.revisions(db)
    if len(found) != 1:
        raise Conflict("This is not a database of AIMS: it has no schema to back up.")
    return found[0]


async def _dump(programs: Programs, snapshot: str, writer: BackupWriter) -> None:
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
    options.append(f"--lock-wait-timeout={LOCK_SECONDS}s")
    async with programs.running("pg_dump", *options, *programs.on_database()) as process:
        assert process.stdout is not None
        while chunk := await process.stdout.read(CHUNK):
            writer.add(chunk)


def restore(file: File, erasures: ListFile = LIST) -> None:
    """Restore the backup FILE into the database of DATABASE_URL, which must be empty.

    Afterwards the rows are counted, newer migrations are applied, who was erased since is erased
    again, and all is verified.
    """
    rules = load_rules()
    backup = read_backup(file)
    listed = read_list(erasures) if erasures.exists() else None
    run_to_end(_restore(rules, backup))
    if backup.manifest.revision != health.newest_revision():
        from alembic import command

        command.upgrade(configuration(rules.database_url), "head")
    if listed is None:
        print(
            f"There is no {erasures}. If anybody was erased since, find that list, "
            "then: ./aims student erase-again LIST"
        )
    sys.exit(0 if run_to_end(_finish(rules, listed or [])) else 1)


async def _restore(rules: RuleSettings, backup: Backup) -> None:
    _check_version(backup.manifest)
    async with open_database(rules.database_url, rules.timezone) as db:
        if await backups.has_contents(db):
            raise Conflict(
                "The database of DATABASE_URL is not empty. Create an empty one to restore into: "
                "what is in this one could not be told from what is restored."
            )
        programs = Programs(rules.database_url, await backups.server_major(db))
        await _load(programs, backup)
        _compare(backup.manifest.rows, await backups.rows_of_tables(db))
        await backups.analyze(db)
    made = backup.manifest.made_at
    print(f"Restored what there was on {made:%d %B %Y at %H:%M} UTC, {_size(backup.manifest)}.")


def _check_version(manifest: Manifest) -> None:
    if manifest.revision not in health.known_revisions():
        raise Conflict(
            f"The backup is of AIMS {manifest.aims}, and this older version {VERSION} does not "
            "know its schema: restore it with that version or a newer one."
        )


async def _load(programs: Programs, backup: Backup) -> None:
    """Restore in one transaction, without extensions: AIMS needs none, and an owner of a database
    may not be allowed to create them."""
    with backup.path.open("rb", buffering=0) as stream, tempfile.NamedTemporaryFile("wb") as chosen:
        stream.seek(backup.start)
        async with programs.running("pg_restore", "--list", given=stream) as listing:
            assert listing.stdout is not None
            lines = (await listing.stdout.read()).splitlines(keepends=True)
        chosen.writelines(line for line in lines if b" EXTENSION " not in line)
        chosen.flush()
        stream.seek(backup.start)
        options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
        options += [f"--use-list={chosen.name}", *programs.on_database()]
        async with programs.running("pg_restore", *options, given=stream) as process:
            await process.communicate()


def _compare(said: dict[str, int], found: dict[str, int]) -> None:
    wrong = [
        f"{table} has {found.get(table, 0):,} rows instead of {said.get(table, 0):,}"
        for table in sorted({*said, *found})
        if said.get(table, 0) != found.get(table, 0)
    ]
    if wrong:
        raise Conflict(f"What was restored is not what was backed up: {'; '.join(wrong)}.")


def _size(manifest: Manifest) -> str:
    rows = manifest.rows
    return f"{rows['classes']:,} classes and {rows['attendance_statuses']:,} marks"


async def _finish(rules: RuleSettings, listed: list[Line]) -> bool:
    """Erase who is listed, and return whether everything agrees."""
    async with open_database(rules.database_url, rules.timezone) as db:
        if listed:
            print(f"Records that were erased again: {await apply_list(db, listed)}.")
        return await verified(db)
