"""`aims backup` and `aims restore`: what comes back is what there was, or nothing is touched."""

import asyncio
import io
import os
import re
import signal
import stat
import subprocess
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from app import pg_programs
from app.files.backup_file import DUMP, MANIFEST, SUMS, BackupWriter, Manifest, read_backup
from app.localpg import LocalPostgres
from app.pg_programs import Binaries, installed
from app.services.health import newest_revision
from tests.command_line import Aims
from tests.conftest import copy_of
from tests.processes import Checkout
from tests.soundness import department, department_name, digest_of

__all__ = ["department", "department_name"]  # fixtures, used by their names

FILE = "monday.aims"
(NEWEST,) = {found for found in installed() if found.major == 18}


@pytest.fixture
def empty(server_url: str, worker_id: str) -> str:
    """The URL of a database without anything in it."""
    return asyncio.run(copy_of(server_url, "template0", f"aims_empty_{worker_id}"))


@pytest.fixture(scope="module")
def whole(
    checkout: Checkout,
    server_url: str,
    template: str,
    worker_id: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> bytes:
    """The content of a backup of an installation without any class."""
    file = tmp_path_factory.mktemp("backup") / FILE
    url = asyncio.run(copy_of(server_url, template, f"aims_whole_{worker_id}"))
    checkout.having(DATABASE_URL=url).must(f"aims backup {file}")
    return file.read_bytes()


def execute(url: str, sql: str) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(work())


def schema_of(url: str) -> str:
    """The SQL that makes the schema."""
    dump = [str(NEWEST.directory / "pg_dump"), "--schema-only", "--no-owner", "--no-privileges"]
    said = subprocess.run([*dump, f"--dbname={url}"], capture_output=True, text=True, check=True)
    return re.sub(r"^\\(un)?restrict .*$", "", said.stdout, flags=re.MULTILINE)


def test_a_restored_backup_equals_what_was_backed_up(department: Aims, empty: str) -> None:
    """The server's own role is enough to make it."""
    department.set(DATABASE_URL=f"{department.database_url}&role=aims_app")
    said = department.must(f"backup {FILE}")
    ((marks,),) = department.rows("SELECT count(*) FROM attendance_statuses")
    assert said == f"{FILE}: {Path(FILE).stat().st_size:,} bytes, {int(marks):,} marks.\n"
    before, schema = digest_of(department.database_url), schema_of(department.database_url)
    department.set(DATABASE_URL=empty)
    restored = department.must(f"restore {FILE}")
    assert restored.startswith("Restored what there was on ")
    assert restored.endswith("Everything agrees.\n")
    assert digest_of(empty) == before
    assert schema_of(empty) == schema


def test_a_backup_can_be_restored_by_the_tools_of_any_system(
    department: Aims, empty: str, tmp_path: Path
) -> None:
    department.must(f"backup {FILE}")
    subprocess.run(["tar", "xf", FILE], check=True)
    assert {path.name for path in tmp_path.iterdir()} == {FILE, DUMP, MANIFEST, SUMS}
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], check=True)
    program = str(NEWEST.directory / "pg_restore")
    subprocess.run([program, "--exit-on-error", f"--dbname={empty}", DUMP], check=True)
    assert digest_of(empty) == digest_of(department.database_url)


def test_a_backup_is_for_its_owner_alone_and_says_what_it_is_of(aims: Aims, tmp_path: Path) -> None:
    aims.must(f"backup {FILE}")
    assert stat.S_IMODE(Path(FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    manifest = read_backup(Path(FILE)).manifest
    assert manifest.revision == newest_revision()
    assert manifest.postgresql.startswith("18.")
    assert manifest.rows["policy"] == 1
    assert abs((datetime.now(UTC) - manifest.made_at).total_seconds()) < 60


def test_a_file_that_is_there_stays_as_it_is(aims: Aims, tmp_path: Path) -> None:
    Path(FILE).write_text("precious")
    assert "is never overwritten" in aims.refuse(f"backup {FILE}")
    assert Path(FILE).read_text() == "precious"
    assert "cannot be written: No such file" in aims.refuse(f"backup nowhere/{FILE}")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_file_that_appears_meanwhile_stays_as_it_is(aims: Aims, tmp_path: Path) -> None:
    pretend(
        aims, tmp_path, f'echo precious > {tmp_path}/{FILE}\nexec {NEWEST.directory}/pg_dump "$@"'
    )
    assert "is never overwritten" in aims.refuse(f"backup {FILE}")
    assert Path(FILE).read_text() == "precious\n"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [FILE]


def test_people_who_go_on_working_do_not_spoil_a_backup(department: Aims, empty: str) -> None:
    """What is counted and what is dumped are of one moment."""
    enter = (
        "INSERT INTO students (roll_no, roll_key) SELECT n, n FROM"
        " (SELECT gen_random_uuid()::text AS n FROM generate_series(1, 100)) g"
    )

    done = threading.Event()

    async def work() -> None:
        connection = await asyncpg.connect(department.database_url)
        while not done.is_set():
            await connection.execute(enter)
        await connection.close()

    with ThreadPoolExecutor() as pool:
        working = pool.submit(asyncio.run, work())
        department.must(f"backup {FILE}")
        done.set()
        working.result()
    department.set(DATABASE_URL=empty)
    department.must(f"restore {FILE}")
    ((before,),) = department.rows("SELECT count(*) FROM students")
    assert 0 < read_backup(Path(FILE)).manifest.rows["students"] < int(before)


def damaged(whole: bytes) -> dict[str, bytes]:
    """The backup with a bit turned in each of its parts, cut, or extended."""
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        parts = {member.name: member for member in archive.getmembers()}
    places = {
        "header": 3,
        **{f"{name} begin": member.offset_data for name, member in parts.items()},
        **{f"{name} end": member.offset_data + member.size - 2 for name, member in parts.items()},
        "middle": parts[DUMP].size // 2,
    }
    turned = {
        name: whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for name, at in places.items()
    }
    return turned | {
        "cut at once": whole[:100],
        "cut in the middle": whole[: len(whole) // 2],
        "cut before the sums": whole[: parts[SUMS].offset],
        "empty": b"",
        "a dump": whole[512 : parts[DUMP].size],
        "some text": b"roll no,name\n1,Asha Demo\n",
    }


def test_a_damaged_or_foreign_file_is_refused_before_anything_is_touched(
    aims: Aims, empty: str, whole: bytes
) -> None:
    aims.set(DATABASE_URL=empty)
    for name, content in damaged(whole).items():
        Path(FILE).write_bytes(content)
        said = aims.refuse(f"restore {FILE}")
        assert said == (
            f"aims: {FILE} is not a backup that aims backup made, or it is damaged.\n"
        ), name
    assert "cannot be read: No such file" in aims.refuse("restore nothing.aims")
    assert "cannot be read: Is a directory" in aims.refuse("restore .")
    assert digest_is_empty(empty)


def digest_is_empty(url: str) -> bool:
    async def work() -> bool:
        connection = await asyncpg.connect(url)
        tables = "SELECT count(*) = 0 FROM pg_tables WHERE schemaname IN ('public', 'as_of')"
        empty: bool = await connection.fetchval(tables)
        await connection.close()
        return empty

    return asyncio.run(work())


@pytest.mark.parametrize(
    "thing",
    [
        "CREATE TABLE notes (line text)",
        "CREATE SCHEMA as_of",
        "CREATE TYPE mood AS ENUM ('good')",
        "CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_a_database_with_anything_in_it_is_refused(
    aims: Aims, empty: str, whole: bytes, thing: str
) -> None:
    execute(empty, thing)
    aims.set(DATABASE_URL=empty)
    Path(FILE).write_bytes(whole)
    before = schema_of(empty)
    assert "is not empty" in aims.refuse(f"restore {FILE}")
    assert schema_of(empty) == before


def written_again(whole: bytes, **changes: object) -> None:
    """Write the backup with another manifest."""
    Path(FILE).write_bytes(whole)
    read = read_backup(Path(FILE))
    with tarfile.open(FILE) as archive:
        dump = archive.extractfile(DUMP)
        assert dump
        content = dump.read()
    with Path(FILE).open("w+b") as file:
        writer = BackupWriter(file)
        writer.add(content)
        writer.finish(Manifest(**read.manifest.model_dump() | changes))


def test_the_owner_of_a_database_needs_no_other_right_and_extensions_stay_out_of_it(
    aims: Aims, empty: str
) -> None:
    keeper = "DROP ROLE IF EXISTS aims_keeper; CREATE ROLE aims_keeper LOGIN"
    execute(aims.database_url, "CREATE EXTENSION pageinspect")
    execute(empty, f"{keeper}; ALTER DATABASE {empty_name(empty)} OWNER TO aims_keeper")
    execute(empty, "CREATE EXTENSION hstore")
    aims.must(f"backup {FILE}")
    aims.set(DATABASE_URL=empty.replace("aims@", "aims_keeper@"))
    aims.must(f"restore {FILE}")
    assert digest_of(empty) == digest_of(aims.database_url)


def empty_name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def test_a_backup_of_a_newer_version_is_refused(aims: Aims, empty: str, whole: bytes) -> None:
    written_again(whole, aims="7.1.0", revision="9001")
    aims.set(DATABASE_URL=empty)
    said = aims.refuse(f"restore {FILE}")
    assert said.startswith("aims: The backup is of AIMS 7.1.0, and this older version ")
    assert digest_is_empty(empty)


def test_rows_that_are_not_those_that_were_backed_up_are_named(
    aims: Aims, empty: str, whole: bytes
) -> None:
    rows = {**read_rows(whole), "classes": 12}
    written_again(whole, rows=rows)
    aims.set(DATABASE_URL=empty)
    sentence = "What was restored is not what was backed up: classes has 0 rows instead of 12."
    assert sentence in aims.refuse(f"restore {FILE}")


def read_rows(whole: bytes) -> dict[str, int]:
    Path(FILE).write_bytes(whole)
    return read_backup(Path(FILE)).manifest.rows


def test_a_restored_database_that_disagrees_with_itself_fails_the_restore(
    department: Aims, empty: str
) -> None:
    execute(department.database_url, "UPDATE attendance_sessions SET version = version + 1")
    department.must(f"backup {FILE}")
    department.set(DATABASE_URL=empty)
    assert "the session is at version" in department.refuse(f"restore {FILE}")


def test_a_backup_of_an_older_version_is_migrated(aims: Aims, empty: str) -> None:
    aims.must("db downgrade 0016")
    aims.must(f"backup {FILE}")
    aims.set(DATABASE_URL=empty)
    said = aims.must(f"restore {FILE}")
    assert "ok    The database has the schema of this version." in said
    assert read_backup(Path(FILE)).manifest.revision == "0016"


def test_what_is_no_database_of_aims_is_not_backed_up(aims: Aims, empty: str) -> None:
    aims.set(DATABASE_URL=empty)
    assert "is not a database of AIMS" in aims.refuse(f"backup {FILE}")


def pretend(aims: Aims, place: Path, script: str, major: int = 18) -> None:
    """Have the programs of PostgreSQL found only on the path, with this script as pg_dump."""
    folder = place / "bin"
    folder.mkdir()
    version = f'[ "$1" = --version ] && echo "pg_dump (PostgreSQL) {major}.1" && exit\n'
    (folder / "pg_dump").write_text(f"#!/bin/sh\n{version}{script}\n")
    (folder / "pg_restore").write_text(f'#!/bin/sh\nexec {NEWEST.directory}/pg_restore "$@"\n')
    for program in folder.iterdir():
        program.chmod(0o755)
    aims.set(PATH=f"{folder}:{os.environ['PATH']}")
    aims.patch.setattr(pg_programs, "installed", lambda: iter(()))


def test_a_password_is_never_on_a_command_line(aims: Aims, tmp_path: Path) -> None:
    record = f'echo "$@" > {tmp_path}/arguments\necho "$PGPASSWORD" > {tmp_path}/password\n'
    pretend(aims, tmp_path, f'{record}exec {NEWEST.directory}/pg_dump "$@"')
    aims.set(DATABASE_URL=aims.database_url.replace("aims@", "aims:open%20s%C3%A9same@"))
    aims.must(f"backup {FILE}")
    assert "same" not in (tmp_path / "arguments").read_text()
    assert (tmp_path / "password").read_text() == "open sésame\n"


def test_a_dump_that_fails_leaves_nothing_behind(aims: Aims, tmp_path: Path) -> None:
    pretend(aims, tmp_path, "echo PGDMP; echo 'pg_dump: error: it hurts' >&2; exit 1")
    assert aims.refuse(f"backup {FILE}") == "aims: pg_dump: error: it hurts.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_a_backup_that_is_stopped_leaves_nothing_behind(
    installed_slowly: Checkout, tmp_path: Path
) -> None:
    process = installed_slowly.start(f"aims backup {tmp_path}/{FILE}")
    with process:
        while not (tmp_path / "bin" / "running").exists():
            assert process.poll() is None
            time.sleep(0.02)
        assert list(tmp_path.glob(".*.part"))
        process.send_signal(signal.SIGTERM)
        code = process.wait(10)
        assert code == 130, process.stdout and process.stdout.read()
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


@pytest.fixture
def installed_slowly(checkout: Checkout, aims: Aims, tmp_path: Path) -> Checkout:
    """A checkout whose pg_dump takes for ever, and comes before any other."""
    pretend(aims, tmp_path, f"touch {tmp_path}/bin/running; exec sleep 60")
    code = "import app.pg_programs as p; p.installed = lambda: iter(())"
    (tmp_path / "bin" / "sitecustomize.py").write_text(code)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    where = f"{tmp_path}/bin"
    return checkout.having(DATABASE_URL=aims.database_url, PATH=path, PYTHONPATH=where)


def test_programs_older_than_the_server_are_refused_by_name(aims: Aims, tmp_path: Path) -> None:
    pretend(aims, tmp_path, "exit 1", major=17)
    said = aims.refuse(f"backup {FILE}")
    assert said == (
        "aims: This needs pg_dump and pg_restore of PostgreSQL 18, the version of the server, or "
        "a newer one: install postgresql-client-18.\n"
    )


def test_a_server_gets_the_programs_of_its_own_version(aims: Aims) -> None:
    """On PostgreSQL 16 the ones of 18 would use settings that it does not know. Starting it takes
    seconds."""
    with LocalPostgres.throwaway(16) as server:
        for name in ("old", "new"):
            server.create_database(name)
        aims.set(DATABASE_URL=server.url("old"))
        aims.must("db upgrade")
        aims.must(f"backup {FILE}")
        aims.set(DATABASE_URL=server.url("new"))
        assert aims.must(f"restore {FILE}").endswith("Everything agrees.\n")
        assert digest_of(server.url("new")) == digest_of(server.url("old"))
    programs = pg_programs.Programs("postgresql://x@/y", 16)
    assert Binaries(programs._directory, 16) in installed()
