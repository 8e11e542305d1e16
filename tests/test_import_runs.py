"""Imports that the server does by itself: previewed, confirmed, done once, seen by all admins."""

import asyncio
from uuid import uuid4

import pytest

from app.importer import Importer
from tests.classroom import ROLLS, classroom_of
from tests.conftest import DOMAIN, Stage
from tests.files import csv, sheets
from tests.import_runs import (
    PEOPLE,
    busy,
    content_of,
    counts,
    ended,
    preview,
    rows_of,
    start,
    stored,
)
from tests.support import checksum, next_of
from tests.test_imports import Rows

__all__ = ["busy"]  # a fixture, used by its name

pytestmark = pytest.mark.anyio

# A list of 20,000 students in 20 classes.
CLASSES, A_CLASS = 20, 1_000


async def test_twenty_thousand_rows_are_previewed_and_imported_with_progress(busy: Stage) -> None:
    """The longest of these tests: the whole way of a large file."""
    meera = busy.meera
    classes: Rows = [["Code", "Name", "Section", "Teacher Email"]]
    classes += [[f"CS{n}", f"Course {n}", "A", busy.asha.email] for n in range(CLASSES)]
    made = await ended(meera, await start(meera, "classes", classes))
    assert (made["state"], counts(made)) == ("done", (CLASSES, 0, 0, 0))
    roster: Rows = [["Roll No", "Name", "Code", "Section"]]
    roster += [
        [f"23/CS{n}/{m}", f"Student {n} {m}", f"CS{n}", "A"]
        for n in range(CLASSES)
        for m in range(A_CLASS)
    ]
    path = await start(meera, "students", roster, dryRun="true", fileName="rosters\0.csv")
    seen: list[int] = []
    run = await ended(meera, path, seen)
    assert (run["state"], counts(run)) == ("previewed", (20_000, 0, 0, 0))
    assert run["fileName"] == "rosters.csv"
    assert await busy.count("students") == 0
    rows = await rows_of(meera, path)
    assert [row["row"] for row in rows] == [*range(2, 20_002)]
    assert (rows[0]["about"], rows[-1]["about"]) == ("23/CS0/0", f"23/CS{CLASSES - 1}/999")
    assert (await meera.post(f"{path}/confirm")).status_code == 202
    run = await ended(meera, path, seen)
    assert (run["state"], counts(run)) == ("done", (20_000, 0, 0, 0))
    assert (run["done"], run["total"]) == (20_000, 20_000)
    assert any(0 < done < 20_000 for done in seen)
    assert await busy.count("class_students") == 20_000
    assert len((await meera.get(f"{path}/rows.csv")).text.splitlines()) == 20_001


async def test_ten_imports_of_one_person_may_be_unfinished(busy: Stage) -> None:
    paths = [await preview(busy.meera, "faculty", PEOPLE) for _ in range(10)]
    send = {"content": csv(PEOPLE), "headers": {"Content-Type": "text/csv"}}
    refused = await busy.meera.post("/admin/imports?kind=faculty&dryRun=true", **send)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_imports")
    assert await busy.count("import_runs") == 10
    assert (await busy.meera.request("DELETE", paths[0])).status_code == 204
    await preview(busy.meera, "faculty", PEOPLE)


async def test_a_preview_changes_nothing_and_is_imported_once_it_is_confirmed(busy: Stage) -> None:
    path = await preview(busy.meera, "faculty", PEOPLE)
    assert await stored(busy) == 0
    assert await content_of(busy, path) == csv(PEOPLE)
    assert (await busy.meera.post(f"{path}/confirm")).status_code == 202
    run = await ended(busy.meera, path)
    assert (run["state"], run["confirmedByName"]) == ("done", "Meera Demo")
    assert await stored(busy) == 1
    assert await content_of(busy, path) is None
    row = await busy.connection.fetchrow("SELECT * FROM audit_log WHERE action = 'email_allowed'")
    assert row["actor_id"] == busy.meera.user_id
    assert len(row["request_id"]) == 36


async def test_without_a_preview_the_file_is_imported_at_once(busy: Stage) -> None:
    path = await start(busy.meera, "faculty", PEOPLE)
    assert (await ended(busy.meera, path))["state"] == "done"
    assert await stored(busy) == 1
    again = await ended(busy.meera, await start(busy.meera, "faculty", PEOPLE))
    assert counts(again) == (0, 0, 1, 0)


async def test_confirming_at_once_and_again_imports_once(busy: Stage) -> None:
    path = await preview(busy.meera, "faculty", PEOPLE)
    answers = await asyncio.gather(*(busy.meera.post(f"{path}/confirm") for _ in range(4)))
    assert [answer.status_code for answer in answers] == [202] * 4
    assert (await ended(busy.meera, path))["state"] == "done"
    assert (await busy.meera.post(f"{path}/confirm")).json()["state"] == "done"
    acts = "SELECT count(*) FROM audit_log WHERE action = 'email_allowed'"
    assert await busy.connection.fetchval(acts) == 1


async def test_a_refused_file_changes_nothing_and_names_each_row(busy: Stage) -> None:
    await classroom_of(busy.asha)
    roster: Rows = [
        ["Roll No", "Name", "Code", "Section"],
        ["1", "Kabir Demo", "CS301", "A"],
        ["", "Nobody", "CS301", "A"],
        ["2", "Kavya Demo", "CS999", ""],
    ]
    before = await busy.count("students")
    for dry_run in ("true", "false"):
        path = await start(busy.meera, "students", roster, dryRun=dry_run)
        run = await ended(busy.meera, path)
        assert (run["state"], counts(run)) == ("refused", (1, 0, 0, 2))
        rows = await rows_of(busy.meera, path)
        told = [(row["row"], row["column"], row["outcome"], row["about"]) for row in rows]
        assert told == [
            (3, "A", "refused", None),
            (4, "C", "refused", "2"),
            (2, None, "created", "1"),
        ]
        only = await rows_of(busy.meera, path, outcome="refused", limit=1)
        assert [row["row"] for row in only] == [3, 4]
        answer = await busy.meera.post(f"{path}/confirm")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_previewed")
        assert await content_of(busy, path) is None
    assert await busy.count("students") == before


@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4 no workbook", b"\xff\xfe\x00\x01", b"no,thing\n1,2"]
)
async def test_what_is_no_table_is_refused_in_words(busy: Stage, content: bytes) -> None:
    run = await ended(busy.meera, await preview(busy.meera, "students", content))
    assert (run["state"], run["result"]) == ("refused", None)
    assert run["code"] in ("unreadable_file", "column_missing")
    assert run["detail"].endswith(".")


async def test_rows_of_all_sheets_are_told_by_sheet(busy: Stage) -> None:
    room = await classroom_of(busy.asha)
    book = sheets(One=[["Roll No", "Name"], [ROLLS[0], "Student 101"]], Two=[["Roll"], ["9"]])
    path = await preview(busy.meera, "students", book, classId=room.id, allSheets="true")
    rows = await rows_of(busy.meera, path)
    assert [(row["sheet"], row["row"], row["outcome"]) for row in rows] == [
        ("One", 2, "unchanged"),
        ("Two", 2, "created"),
    ]
    run = (await busy.meera.get(path)).json()
    assert run["options"] == {
        "classId": room.id,
        "reason": None,
        "trustNumbers": False,
        "sheet": None,
        "allSheets": True,
        "columns": "",
        "marks": "",
        "date": None,
        "presentMinutes": None,
    }


async def test_past_attendance_is_counted_in_marks(busy: Stage) -> None:
    room = await classroom_of(busy.asha)
    register: Rows = [["Roll No", "2025-10-20"], *([roll, "P"] for roll in ROLLS)]
    path = await start(busy.meera, "attendance", register, classId=room.id)
    run = await ended(busy.meera, path)
    assert (run["state"], run["total"]) == ("done", len(ROLLS))
    assert run["result"]["marks"] == {
        "sessions": 1,
        "created": len(ROLLS),
        "changed": 0,
        "unchanged": 0,
    }
    assert await busy.count("attendance_statuses") == len(ROLLS)


@pytest.mark.parametrize(
    "removal",
    [
        "DELETE FROM allowed_emails WHERE email = $1",
        "UPDATE allowed_emails SET role = 'teacher' WHERE email = $1",
        "UPDATE users SET disabled_at = now() WHERE email = $1",
    ],
)
async def test_somebody_removed_in_between_imports_nothing(crowd: Stage, removal: str) -> None:
    await crowd.connection.execute(
        f"UPDATE allowed_emails SET role = 'admin' WHERE email = 'divya@{DOMAIN}'"
    )
    path = await start(crowd.meera, "faculty", PEOPLE)
    await crowd.connection.execute(removal, crowd.meera.email)
    crowd.app.state.importer = Importer(crowd.app.state.settings)
    crowd.app.state.importer.wake()
    async with crowd.app.state.importer.at_work(crowd.app.state.database):
        run = await ended(crowd.divya, path)
    assert (run["state"], run["code"]) == ("failed", "access_denied")
    assert "no longer an administrator" in run["detail"]
    assert await stored(crowd) == 0


async def test_another_administrator_sees_and_confirms_it_and_answers_for_it(busy: Stage) -> None:
    await busy.connection.execute(
        f"UPDATE allowed_emails SET role = 'admin' WHERE email = 'divya@{DOMAIN}'"
    )
    path = await preview(busy.meera, "faculty", PEOPLE)
    assert [run["state"] for run in (await busy.divya.get("/admin/imports")).json()] == [
        "previewed"
    ]
    await busy.divya.post(f"{path}/confirm")
    run = await ended(busy.divya, path)
    assert (run["createdByName"], run["confirmedByName"]) == ("Meera Demo", "Divya Demo")
    added = "SELECT actor_id FROM audit_log WHERE action = 'email_allowed'"
    assert await busy.connection.fetchval(added) == busy.divya.user_id


async def test_discarding_takes_everything_away_but_what_is_done(busy: Stage) -> None:
    path = await preview(busy.meera, "faculty", PEOPLE)
    assert (await busy.meera.delete(path)).status_code == 204
    assert await busy.count("import_runs") == 0
    assert (await busy.meera.get(path)).status_code == 404
    done = await start(busy.meera, "faculty", PEOPLE)
    await ended(busy.meera, done)
    answer = await busy.meera.delete(done)
    assert (answer.status_code, answer.json()["code"]) == (409, "import_done")
    await busy.connection.execute("UPDATE import_runs SET state = 'working', heartbeat = now()")
    answer = await busy.meera.delete(done)
    assert (answer.status_code, answer.json()["code"]) == (409, "import_working")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"kind": "nothing"}, "/query/kind"),
        ({"kind": "students", "columns": "Exam Seat"}, None),
        ({"kind": "students", "sheet": "\0"}, "/query/sheet"),
        ({"kind": "students", "columns": "a=\0"}, "/query/columns"),
        ({"kind": "students", "marks": "a=present\0"}, None),
        ({"kind": "students", "fileName": "x" * 256}, "/query/fileName"),
        ({"kind": "students", "classId": "1"}, "/query/classId"),
    ],
)
async def test_mistakes_in_the_options_are_refused_before_anything_is_kept(
    stage: Stage, query: dict[str, str], pointer: str | None
) -> None:
    before = await checksum(stage.connection)
    answer = await stage.meera.request(
        "POST",
        "/admin/imports",
        content=csv(PEOPLE),
        params=query,
        headers={"Content-Type": "text/csv"},
    )
    assert answer.status_code == 422
    if pointer:
        assert [flaw["pointer"] for flaw in answer.json()["errors"]] == [pointer]
    assert await checksum(stage.connection) == before


@pytest.mark.parametrize("cursor", ["x", "-1", "1" * 10, "\0"])
async def test_a_cursor_that_is_none_is_refused(stage: Stage, cursor: str) -> None:
    for path in (f"/admin/imports/{uuid4()}/rows", "/admin/imports"):
        assert (await stage.meera.get(path, params={"cursor": cursor})).status_code == 422


async def test_imports_are_listed_newest_first_page_by_page(stage: Stage) -> None:
    paths = [await start(stage.meera, "faculty", PEOPLE, fileName=f"{n}.csv") for n in range(3)]
    answer = await stage.meera.get("/admin/imports?limit=2")
    rest = await stage.meera.get(next_of(answer) or "")
    listed = [run["fileName"] for run in [*answer.json(), *rest.json()]]
    assert listed == ["2.csv", "1.csv", "0.csv"]
    assert next_of(rest) is None
    assert len(set(paths)) == 3
