"""`aims import`, run from a terminal."""

from pathlib import Path

import pytest

from tests.command_line import Aims
from tests.conftest import DOMAIN
from tests.files import csv, xlsx

MEERA, ASHA = f"meera@{DOMAIN}", f"asha@{DOMAIN}"
FILES = {
    "faculty": xlsx([["Email", "Name"], [ASHA, "Asha Demo"]]),
    "classes": csv([["Code", "Name", "Section", "Teacher"], ["CS301", "Systems", "A", ASHA]]),
    "schedules": csv([["Code", "Day", "Start", "End"], ["CS301", "Mon", "9:00", "10:00"]]),
    "students": csv([["Roll No", "Name", "Code"], ["1", "Kabir", "CS301"], ["2", "L", "CS301"]]),
    "attendance": xlsx([["Roll No", "Code", "27/10/2025"], [1, "CS301", "P"], [2, "CS301", "A"]]),
}


@pytest.fixture
def meeras(aims: Aims, tmp_path: Path) -> Aims:
    """An installation whose only administrator is Meera, run in the directory of the files."""
    for kind, content in FILES.items():
        (tmp_path / kind).write_bytes(content)
    aims.must(f"allow {MEERA} --role admin")
    return aims


def test_five_files_create_a_department(meeras: Aims, tmp_path: Path) -> None:
    for kind in FILES:
        made = 2 if kind in ("students", "attendance") else 1
        said = meeras.must(f"import {kind} {kind}")
        assert f"Rows: {made} created, 0 changed, 0 unchanged." in said
    marked = "SELECT m.status, u.email FROM attendance_statuses m JOIN users u ON u.id = marked_by"
    assert meeras.rows(f"{marked} ORDER BY 1") == [("absent", MEERA), ("present", MEERA)]
    assert meeras.must(f"import attendance attendance --as {MEERA}") == (
        "Marks were read so: P is present (1), A is absent (1).\n"
        "Rows: 0 created, 0 changed, 2 unchanged. "
        "Marks: 0 created, 0 changed, 2 unchanged; 0 new sessions.\n"
    )
    (tmp_path / "more").write_bytes(csv([["Roll", "Code", "Fees"], ["3", "CS301"], ["4", "X"]]))
    assert meeras.refuse("import students more --dry-run").splitlines() == [
        "Row 3, column B: refused. There is no such class.",
        "Row 2: created",
        "Columns ignored: C.",
        "Dry run, nothing was changed. Rows: 1 created, 0 changed, 0 unchanged, 1 refused.",
    ]
    assert meeras.refuse("import students more") == (
        "aims: Nothing was imported:\n  Row 3, column B: There is no such class.\n"
    )
    assert meeras.rows("SELECT count(*) FROM students") == [(2,)]


def test_an_import_runs_as_one_administrator(meeras: Aims) -> None:
    meeras.must("import faculty faculty")
    assert meeras.refuse(f"import faculty faculty --as {ASHA}") == "aims: Access denied\n"
    meeras.rows(f"INSERT INTO allowed_emails (email, role) VALUES ('x@{DOMAIN}', 'admin')")
    assert meeras.refuse("import faculty faculty") == (
        "aims: There are several administrators: say which of them does this. Add --as ADDRESS.\n"
    )


def test_a_bad_reason_and_an_old_schema_are_refused(meeras: Aims) -> None:
    for reason in ("' '", "x" * 1001):
        code, _, said = meeras.run(f"import attendance attendance --reason {reason}")
        assert (code, "--reason" in said) == (2, True)
    meeras.rows("UPDATE alembic_version SET version_num = '0001'")
    assert meeras.refuse("import faculty faculty") == (
        "aims: The database schema is not the one of this version: run alembic upgrade head.\n"
    )


def test_an_unreadable_file_is_reported_in_one_sentence(meeras: Aims, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b" " * (10 * 1024**2 + 1))
    (tmp_path / "empty").write_bytes(b"")
    assert [meeras.refuse(f"import students {name}") for name in ("none", "large", "empty")] == [
        "aims: none cannot be read: No such file or directory.\n",
        "aims: large is larger than 10 MiB. Divide it into several.\n",
        "aims: empty: This file is empty.\n",
    ]


def test_columns_and_marks_can_be_mapped_on_the_command_line(meeras: Aims, tmp_path: Path) -> None:
    for kind in ("faculty", "classes", "students"):
        meeras.must(f"import {kind} {kind}")
    (tmp_path / "seats").write_bytes(csv([["Seat", "Code", "27/10/2025"], ["1", "CS301", "X"]]))
    said = meeras.must("import attendance seats --column roll_no=Seat --mark X=late")
    assert "Marks were read so: X is late (1)." in said
    refused = meeras.refuse("import attendance seats --mark X=gone")
    assert refused == (
        "aims: seats: A mark is one of present, absent, late, excused, on_duty, nothing.\n"
    )
