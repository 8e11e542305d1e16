"""Imports from another system: the example reader of CONTRIBUTING.md, run as printed."""

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from textwrap import dedent
from typing import Any
from uuid import UUID

import pytest

from app.batch import (
    Batch,
    ClassName,
    ClassRow,
    MarkRow,
    SessionName,
    StudentRow,
    TeacherRow,
    TermRow,
)
from app.db import Database
from app.reconciliation import ClassOutcome, Outcome, Part, counted
from app.schemas.classes import ClassDraft
from app.schemas.roster import RosterEntry
from app.services.imports import sources
from app.services.imports.conditions import Conditions
from tests.classroom import today
from tests.conftest import DOMAIN, Stage
from tests.processes import ROOT
from tests.support import checksum

pytestmark = pytest.mark.anyio

CHAPTER = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Another source of imports\n")[2]
CODE = re.findall(r"```python\n(.*?) *```", CHAPTER.partition("\n## ")[0], re.DOTALL)
# The names that the chapter's code imports.
KNOWN = {
    known.__name__: known
    for known in (
        *(Batch, ClassName, ClassRow, MarkRow, SessionName, StudentRow, TeacherRow, TermRow),
        *(ClassOutcome, Outcome, Part, counted, ClassDraft, RosterEntry, Conditions, Database),
        *(Iterator, UUID, date),
    )
}
PEOPLE = {"23/CS/107": "Kabir V. Demo", "23/CS/108": "Kavya C. Demo"}


@pytest.fixture
def bring(stage: Stage) -> Callable[..., Awaitable[Outcome]]:
    """A function that imports courses as Meera and checks that the totals agree."""
    names: dict[str, Any] = {**KNOWN, "Any": Any, "sources": sources}
    for code in CODE:
        exec(dedent(code), names)

    async def run(*courses: dict[str, Any]) -> Outcome:
        database, admin = stage.app.state.database, stage.meera.user_id
        outcome: Outcome = await names["bring"](database, admin, {"courses": courses}, today())
        assert outcome.agrees
        return outcome

    return run


def course(**more: Any) -> dict[str, Any]:
    return {
        "id": "course-17",
        "code": "CS301",
        "title": "Operating Systems",
        "section": "A",
        "term": {"name": "Monsoon 2025", "days": ["2025-08-01", "2025-12-12"]},
        "teachers": [f"asha@{DOMAIN}", f"bilal@{DOMAIN}"],
        "students": PEOPLE,
        "attendance": {"2025-08-04": {"23/CS/107": "present", "23/CS/108": "on_duty"}},
        **more,
    }


async def only_class(person: Any) -> dict[str, Any]:
    (found,) = (await person.get("/classes", params={"term": "all"})).json()
    return dict(found)


Bring = Callable[..., Awaitable[Outcome]]


async def test_a_reader_imports_terms_classes_co_teachers_students_and_marks(
    stage: Stage, bring: Bring
) -> None:
    outcome = await bring(course())
    assert outcome.made == {
        "terms": 1,
        "classes": 1,
        "class_teachers": 1,
        "students": 2,
        "class_students": 2,
        "attendance_sessions": 1,
        "attendance_statuses": 2,
    }
    made = await only_class(stage.bilal)
    assert (made["code"], made["myRole"]) == ("CS301", "co_teacher")
    (term,) = (await stage.meera.get("/admin/terms")).json()
    assert (term["name"], term["firstDay"]) == ("Monsoon 2025", "2025-08-01")
    assert made["termId"] == term["id"]
    (session,) = (
        await stage.asha.get("/attendance/sessions", params={"classId": made["id"]})
    ).json()
    assert session["teacherId"] == str(stage.asha.user_id)
    assert {m["rollNo"]: (m["status"], m["source"]) for m in session["statuses"]} == {
        "23/CS/107": ("present", "import"),
        "23/CS/108": ("excused", "import"),
    }
    actions = await stage.connection.fetch("SELECT action FROM audit_log ORDER BY action")
    assert [action for (action,) in actions] == [
        *("class_imported", "student_enrolled", "student_enrolled", "teacher_added", "term_added")
    ]


async def test_a_repeated_import_changes_nothing_and_keeps_what_people_changed(
    stage: Stage, bring: Bring
) -> None:
    await bring(course())
    before = await checksum(stage.connection)
    assert not +(await bring(course())).made
    assert await checksum(stage.connection) == before
    made = await only_class(stage.asha)
    await stage.asha.put(f"/classes/{made['id']}/teachers", {"teachers": []})
    (term,) = (await stage.meera.get("/admin/terms")).json()
    await stage.meera.patch(f"/admin/terms/{term['id']}", {"lastDay": "2025-12-19"})
    renamed = {"name": "monsoon 2025", "days": ["2025-08-01", "2025-12-12"]}
    outcome = await bring(course(title="Systems", teachers=[f"asha@{DOMAIN}"], term=renamed))
    assert [item.code for item in outcome.left_out] == ["class_differs"]
    (term,) = (await stage.meera.get("/admin/terms")).json()
    assert term["lastDay"] == "2025-12-19"
    assert (await only_class(stage.asha))["name"] == "Operating Systems"


async def test_the_owner_and_people_who_may_not_sign_in_do_not_become_co_teachers(
    stage: Stage, bring: Bring
) -> None:
    asha, nobody = f"asha@{DOMAIN}", f"nobody@{DOMAIN}"
    outcome = await bring(course(teachers=[asha, asha.upper(), nobody]))
    assert outcome.made["class_teachers"] == 0
    assert [(item.what, item.code) for item in outcome.left_out] == [
        ("teacher", "teacher_not_allowed")
    ]


async def test_a_source_changes_only_its_own_marks(stage: Stage, bring: Bring) -> None:
    """A mark that a file has changed since then is kept."""
    await bring(course())
    made = await only_class(stage.asha)
    file = "Roll No,04/08/2025\n23/CS/107,A\n"
    answer = await stage.meera.request(
        "POST",
        f"/admin/import?kind=attendance&classId={made['id']}",
        content=file.encode(),
        headers={"Content-Type": "text/csv"},
    )
    assert answer.status_code == 200, answer.text
    newer = {"23/CS/107": "late", "23/CS/108": "absent"}
    outcome = await bring(course(attendance={"2025-08-04": newer}))
    assert outcome.changed["attendance_statuses"] == 1
    assert [item.code for item in outcome.left_out] == ["changed_in_aims"]
    (totals,) = outcome.classes
    assert totals.stored == {"absent": 2}
