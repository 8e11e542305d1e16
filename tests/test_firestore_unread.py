"""What a document says and nobody reads: it is named, and no class counts as equal then."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Aims
from tests.firestore_exports import DOMAIN, OURS, attendance, class_, everybody, read, written

MEERA = f"meera@{DOMAIN}"
DAY = "2025-10-27"


def unread(document: dict[str, Any], **more: Any) -> dict[str, int]:
    return dict(read({"classes": {"d1": class_()}, "attendance": {"a1": document}, **more}).unread)


def test_what_the_apps_own_documents_say_is_all_read() -> None:
    assert unread(attendance("d1", DAY, everybody())) == {}


@pytest.mark.parametrize("field", ["presentStudents", "isPresent", "2025-08-04"])
def test_a_field_that_no_place_names_is_unread(field: str) -> None:
    document = attendance("d1", DAY, {}, **{field: ["23/CS/101"]})
    assert unread(document) == {f"attendance/*.{field}": 1}


def test_an_empty_or_ignored_field_is_not_missed() -> None:
    assert unread(attendance("d1", DAY, {}, notes="", updatedAt="2025-10-27")) == {}
    mapping = OURS.model_copy(update={"passed_over": [*OURS.passed_over, "weather"]})
    export = {"attendance": {"a1": attendance("d1", DAY, {}, weather="rain")}}
    assert read({"classes": {"d1": class_()}, **export}, mapping).unread == {}


def test_a_collection_within_a_document_that_was_read_is_unread() -> None:
    document = {**class_(), "__collections__": {"marks": {"m1": {"roll": "23/CS/101"}}}}
    assert read({"classes": {"d1": document}}).unread == {"classes/*/marks": 1}


def test_the_command_calls_nothing_equal_that_it_has_not_read(aims: Aims, tmp_path: Path) -> None:
    aims.must(f"allow {MEERA} --role admin")
    document = attendance("d1", DAY, {}, presentStudents=["23/CS/101"])
    export = {"classes": {"d1": class_()}, "attendance": {"a1": document}}
    (tmp_path / "export.json").write_bytes(written(export))
    command = "import firestore export.json --allow-teachers --report report.json"
    said = aims.refuse(command)
    assert "aims: Some fields or collections were not read" in said
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["agrees"] is False
    assert report["unread"] == {"attendance/*.presentStudents": 1}
