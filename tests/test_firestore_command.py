"""`aims import firestore`, and the page about it as it is written."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.reconciliation import ClassOutcome, Outcome
from app.services.imports import sources
from tests.command_line import Aims
from tests.firestore_exports import DOMAIN, Export, attendance, class_, everybody, written
from tests.test_pages import fences

PAGE = "docs/leaving-firebase.md"
MEERA = f"meera@{DOMAIN}"


def test_the_example_of_the_page_says_what_the_page_says(aims: Aims, tmp_path: Path) -> None:
    (example,), (says,) = fences(PAGE, "json"), fences(PAGE, "text")
    (tmp_path / "export.json").write_text(example, "utf-8")
    command = "import firestore export.json --allow-teachers"
    assert aims.refuse(command) == (
        "aims: There is no administrator yet to do this. Add --as ADDRESS.\n"
    )
    aims.must(f"allow {MEERA} --role admin")
    rehearsed = aims.must(f"{command} --dry-run").replace("Rows (dry run: nothing is kept)", "Rows")
    assert rehearsed.split() == says.split()
    assert aims.must(f"{command} --report report.json") == says
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["agrees"] is True
    assert report["documents"] == {
        "read": {"teachers": 1, "classes": 2, "attendance": 4},
        "notRead": {"feedback": 1},
    }
    one, two = report["classes"]
    assert one["marks"]["present"] == {"export": 3, "aims": 2}
    assert one["differences"][-1] | {"reason": ""} == {
        "code": "date_unreadable",
        "reason": "",
        "sessions": 1,
        "onlyInExport": {"present": 1},
        "onlyInAims": {},
    }
    assert two["classId"] is None
    assert "Kabir" not in json.dumps(report)
    assert "23/CS/" not in json.dumps(report)
    assert "attendance_statuses 0 0 4 " in " ".join(aims.must(command).split())


def test_an_error_is_one_sentence(aims: Aims, tmp_path: Path) -> None:
    for name in ("meera", "nila"):
        aims.must(f"allow {name}@{DOMAIN} --role admin")
    (tmp_path / "good.json").write_bytes(written({"classes": {"d1": class_()}}))
    (tmp_path / "bad.json").write_text('{"classes": {')
    for arguments, sentence in {
        "bad.json": "bad.json: This is not JSON, from line 1, column 14 on. It seems",
        "none.json": "none.json cannot be read: No such file or directory.",
        "good.json --mapping bad.json": "The mapping cannot be used. It is not TOML: ",
        "good.json": "There are several administrators: say which of them does this. Add --as",
        f"good.json --as asha@{DOMAIN}": "This address is not on the allow-list.",
        f"good.json --as {MEERA} --term X": "There is no such term.",
        f"good.json --as {MEERA} --teacher asha": "This is not an e-mail address.",
    }.items():
        said = aims.refuse(f"import firestore {arguments}")
        assert said.startswith(f"aims: {sentence}")
        assert len(said.splitlines()) == 1


@pytest.mark.anyio
async def test_an_interrupted_import_says_how_far_it_came_and_continues(
    aims: Aims, own: asyncpg.Connection, tmp_path: Path
) -> None:
    export: Export = {
        "classes": {f"d{n}": class_(f"C{n}", students=[]) for n in (1, 2)},
        "attendance": {"d2_2025-08-04": attendance("d2", "2025-08-04", everybody())},
    }
    (tmp_path / "export.json").write_bytes(written(export))
    command = "import firestore export.json --allow-teachers"
    await asyncio.to_thread(aims.must, f"allow {MEERA} --role admin")
    await asyncio.to_thread(aims.must, command)
    async with own.transaction():
        await own.execute("SELECT FROM classes WHERE code = 'C2' FOR SHARE")
        said = await asyncio.to_thread(aims.refuse, command)
    assert "The database cannot answer just now." in said
    assert "1 of 2 classes were done before. Run it again: it continues from there." in said
    again = await asyncio.to_thread(aims.must, command)
    assert "classes/d2         1        3       0     0        0  equal" in again


def test_totals_that_differ_without_a_reason_end_it_with_an_error(
    aims: Aims, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No import should lose a mark, so this one is made to report that it has."""

    async def lose_a_mark(*arguments: Any, **_: Any) -> None:
        (outcome,) = (part for part in arguments if isinstance(part, Outcome))
        lost = ClassOutcome("classes/d1", uuid4(), 1, Counter(present=3), 1, Counter(present=2))
        outcome.classes.append(lost)

    aims.must(f"allow {MEERA} --role admin")
    monkeypatch.setattr(sources, "run", lose_a_mark)
    (tmp_path / "export.json").write_bytes(written({"classes": {"d1": class_()}}))
    said = aims.refuse("import firestore export.json --report report.json")
    assert "      3/2       0     0        0  DIFFER WITHOUT A REASON" in said
    assert said.endswith("aims: Totals differ without a reason: see the classes above.\n")
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (report["agrees"], report["classes"][0]["agrees"]) == (False, False)
