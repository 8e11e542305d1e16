"""`aims import`, as somebody at a terminal uses it."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import commands
from tests.conftest import DOMAIN
from tests.files import csv, xlsx
from tests.processes import Checkout
from tests.test_commands import execute

MEERA, ASHA = f"meera@{DOMAIN}", f"asha@{DOMAIN}"
FILES = {
    "faculty": xlsx([["Email", "Name"], [ASHA, "Asha Demo"]]),
    "classes": csv([["Code", "Name", "Section", "Teacher"], ["CS301", "Systems", "A", ASHA]]),
    "schedules": csv([["Code", "Day", "Start", "End"], ["CS301", "Mon", "9:00", "10:00"]]),
    "students": csv([["Roll No", "Name", "Code"], ["1", "Kabir", "CS301"], ["2", "L", "CS301"]]),
    "attendance": xlsx([["Roll No", "Code", "27/10/2025"], [1, "CS301", "P"], [2, "CS301", "A"]]),
}


@pytest.fixture
def on_database(
    checkout: Checkout,
    own_database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Checkout:
    """A migrated database with Meera as its one administrator, and a directory with the files.

    The settings of this process are those of the checkout, away from a developer's `.env`.
    """
    for kind, content in FILES.items():
        (tmp_path / kind).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    installed = checkout.having(DATABASE_URL=own_database_url)
    execute(installed, f"INSERT INTO allowed_emails (email, role) VALUES ('{MEERA}', 'admin')")
    return installed


def said(arguments: str, *, code: int = 0) -> str:
    """What `aims import` says in this process, where it is quicker than in one of its own."""
    done = CliRunner().invoke(commands, ["import", *shlex.split(arguments)])
    assert done.exit_code == code, done.output
    return done.output


def test_five_files_make_a_department(on_database: Checkout, tmp_path: Path) -> None:
    for kind in FILES:
        made = 2 if kind in ("students", "attendance") else 1
        assert said(f"{kind} {kind}").startswith(f"Rows: {made} created, 0 changed, 0 unchanged.")
    marked = "SELECT m.status, u.email FROM attendance_statuses m JOIN users u ON u.id = marked_by"
    assert execute(on_database, f"{marked} ORDER BY 1") == [("absent", MEERA), ("present", MEERA)]
    assert said(f"attendance attendance --as {MEERA}") == (
        "Rows: 0 created, 0 changed, 2 unchanged. "
        "Marks: 0 created, 0 changed, 2 unchanged; 0 new sessions.\n"
    )
    (tmp_path / "more").write_bytes(csv([["Roll", "Code", "Fees"], ["3", "CS301"], ["4", "X"]]))
    assert said("students more --dry-run", code=1).splitlines() == [
        "Row 3, column B: refused. There is no such class.",
        "Row 2: created",
        "Columns passed over: C.",
        "Dry run, nothing was changed. Rows: 1 created, 0 changed, 0 unchanged, 1 refused.",
    ]
    assert said("students more", code=1) == (
        "aims: Nothing was imported:\n  Row 3, column B: There is no such class.\n"
    )
    assert execute(on_database, "SELECT count(*) FROM students") == [(2,)]


def test_an_import_is_done_by_an_administrator(on_database: Checkout) -> None:
    said("faculty faculty")
    file = Path("faculty").absolute()
    assert on_database.refuse(f"aims import faculty {file} --as {ASHA}") == "aims: Access denied\n"
    execute(on_database, f"INSERT INTO allowed_emails (email, role) VALUES ('x@{DOMAIN}', 'admin')")
    assert said("faculty faculty", code=1) == (
        "aims: There are several administrators: say which of them does this. Add --as ADDRESS.\n"
    )


def test_a_reason_is_one_and_the_schema_is_that_of_this_version(on_database: Checkout) -> None:
    for reason in ("' '", "x" * 1001):
        assert "--reason" in said(f"attendance attendance --reason {reason}", code=2)
    execute(on_database, "UPDATE alembic_version SET version_num = '0001'")
    assert on_database.refuse(f"aims import faculty {Path('faculty').absolute()}") == (
        "aims: The database schema is not the one of this version: run alembic upgrade head.\n"
    )


@pytest.mark.usefixtures("on_database")
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b" " * (10 * 1024**2 + 1))
    (tmp_path / "empty").write_bytes(b"")
    assert [said(f"students {name}", code=1) for name in ("none", "large", "empty")] == [
        "aims: none cannot be read: No such file or directory.\n",
        "aims: large is larger than 10 MiB. Divide it into several.\n",
        "aims: empty: This file is empty.\n",
    ]
