"""Workbooks of which all sheets are read: a month a sheet, a section a sheet."""

from pathlib import Path
from typing import Any

import pytest

from app.batch import Batch
from app.errors import Invalid
from app.files.sheets import batches
from app.files.sheets.batches import read_batch
from app.files.sheets.choices import choices
from app.schemas.imports import Kind
from tests.classroom import ROLLS, Classroom
from tests.command_line import Aims
from tests.conftest import DOMAIN, Stage
from tests.files import csv, sheets
from tests.test_imports import send

pytestmark = pytest.mark.anyio

ONE, TWO = ROLLS[:2]
ABOUT = [["Class", "CS301"], ["Section", "A"], []]
AUGUST = [*ABOUT, ["Roll No", "2025-08-04", "2025-08-05"], [ONE, "P", "A"], [TWO, "P", "P"]]
SEPTEMBER = [*ABOUT, ["Hostel", "Roll No", "2025-09-01"], ["", ONE, "P"], ["", TWO, "L"]]
COVER = [["Department of Systems"], ["Session 2025"]]


def read(content: bytes, kind: Kind = Kind.ATTENDANCE) -> Batch:
    return read_batch(kind, content, chosen=choices(None, [], [], all_sheets=True))


async def send_all(stage: Stage, content: bytes, **query: Any) -> Any:
    return await send(
        stage.meera, "/admin/import", content, kind="attendance", allSheets="true", **query
    )


async def test_a_month_a_sheet_is_imported_whole(stage: Stage, room: Classroom) -> None:
    book = sheets(Blank=[], Cover=COVER, August=AUGUST, September=SEPTEMBER)
    rehearsed = (await send_all(stage, book, dryRun="true")).json()
    done = (await send_all(stage, book)).json()
    assert {**rehearsed, "dryRun": False} == done
    assert done["marks"] == {"sessions": 3, "created": 6, "changed": 0, "unchanged": 0}
    assert [(row["sheet"], row["row"]) for row in done["rows"]] == [
        *(("August", 5), ("August", 6), ("September", 5), ("September", 6))
    ]
    assert done["ignoredColumns"] == ["September!A"]
    assert done["notes"] == [
        "August: Marks were read so: P is present (3), A is absent (1).",
        "September: Marks were read so: P is present (1), L is late (1).",
        "Not read, having no headings: Cover.",
    ]
    assert (await send_all(stage, book)).json()["unchanged"] == 4


async def test_what_is_refused_names_its_sheet_and_nothing_is_imported(
    stage: Stage, room: Classroom
) -> None:
    stranger = [*SEPTEMBER, ["", "23/XX/999", "P"]]
    answer = await send_all(stage, sheets(August=AUGUST, **{"Sep~Oct": stranger}))
    (flaw,) = answer.json()["errors"]
    assert flaw["pointer"] == "/sheets/Sep~0Oct/rows/7/C"
    assert flaw["detail"].startswith("Row 7 of Sep~Oct, column C: ")
    assert await stage.connection.fetchval("SELECT count(*) FROM attendance_sessions") == 0


async def test_sheets_that_contradict_each_other_are_refused(stage: Stage, room: Classroom) -> None:
    other = [*ABOUT, ["Roll No", "2025-08-04"], [ONE, "A"]]
    answer = await send_all(stage, sheets(August=AUGUST, Again=other))
    (flaw,) = answer.json()["errors"]
    assert (flaw["pointer"], flaw["code"]) == ("/sheets/Again/rows/5/B", "contradiction")
    assert "Row 5 of August" in flaw["detail"]


def test_rosters_of_sections_are_read_one_after_the_other() -> None:
    rosters = {name: [["Roll No", "Code"], [f"23/CS/{name}", "CS301"]] for name in ("101", "102")}
    batch = read(sheets(**rosters), Kind.STUDENTS)
    assert [row.entry.roll_no for row in batch.students] == ["23/CS/101", "23/CS/102"]
    assert [sheet.name for sheet in batch.sheets] == ["101", "102"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (csv(AUGUST), "This is not a workbook"),
        (sheets(Cover=COVER), "No row names the columns."),
        (sheets(Blank=[]), "This file is empty."),
        (sheets(A=AUGUST, B=[["Seat", "1"], ["7", "P"], ["8", "A"]]), "Sheet B: No row names"),
        (
            sheets(A=AUGUST, B=[["Roll No", "Roll No"], ["1", "2"]]),
            "Sheet B: Row 1: columns A and B",
        ),
    ],
)
def test_what_cannot_be_read_as_a_whole_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(content)
    assert refused.value.detail.startswith(sentence)


def test_all_sheets_together_have_the_limit_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_ROWS", 3)
    with pytest.raises(Invalid, match="too much for one import"):
        read(sheets(August=AUGUST, September=SEPTEMBER))


def test_one_sheet_and_all_of_them_are_not_chosen_together() -> None:
    with pytest.raises(Invalid) as refused:
        choices("August", [], [], all_sheets=True)
    assert refused.value.code == "invalid_choice"


def test_the_command_reads_all_sheets(aims: Aims, tmp_path: Path) -> None:
    aims.must(f"allow meera@{DOMAIN} --role admin")
    people = {"A": [["Email"], [f"asha@{DOMAIN}"]], "B": [["Email"], [f"bilal@{DOMAIN}"], ["x"]]}
    (tmp_path / "people.xlsx").write_bytes(sheets(**people))
    said = aims.refuse("import faculty people.xlsx --all-sheets --dry-run").splitlines()
    assert [line.partition(":")[0] for line in said] == [
        *("Row 3 of B, column A", "Row 2 of A", "Row 2 of B", "Dry run, nothing was changed. Rows")
    ]
