"""The pages of imports: a file, its preview, how far it is, what became of each row."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from app.importer import Importer
from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, classroom_of
from tests.conftest import DOMAIN, Stage
from tests.files import csv
from tests.import_runs import PEOPLE, busy
from tests.test_imports import Rows

__all__ = ["busy"]  # a fixture, used by its name

pytestmark = pytest.mark.anyio

EVIL = "<script>alert(1)</script>"
WORKS = "You can close this page."


@pytest.fixture
async def meera(busy: Stage) -> AsyncIterator[Browser]:
    async with browser_of(busy.app, busy.meera) as browser:
        yield browser


async def send(
    browser: Browser, content: bytes | Rows, name: str = "people.csv", **fields: str
) -> httpx2.Response:
    body = content if isinstance(content, bytes) else csv(content)
    files = {"file": (name, body, "text/csv")}
    return await browser.post("/app/imports", {"kind": "faculty", **fields}, files=files)


async def sent(browser: Browser, content: bytes | Rows, **fields: str) -> str:
    """Where an upload that has to be taken leads."""
    answer = await send(browser, content, **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def over(browser: Browser, path: str) -> str:
    """The page once nothing is worked on any more."""
    for _ in range(400):
        page = await browser.shown(path)
        if WORKS not in page:
            return page
        await asyncio.sleep(0.02)
    raise AssertionError(page)


async def test_a_file_is_previewed_confirmed_and_its_result_downloaded(
    busy: Stage, meera: Browser
) -> None:
    path = await sent(meera, PEOPLE)
    page = await over(meera, path)
    assert "Nothing has changed yet. 1 would be added" in page
    assert "Import 1 row<" in page
    assert "gita@demo.university.example" in page
    assert await busy.count("allowed_emails") == 7
    assert await meera.done(f"{path}/confirm") == path
    page = await over(meera, path)
    assert "1 added, 0 changed, 0 stayed as they were." in page
    assert await busy.count("allowed_emails") == 8
    file = await meera.get(f"{path}/rows.csv")
    assert file.text.splitlines() == [
        "\ufeffSheet,Row,About,Outcome,Column,Why",
        ",2,gita@demo.university.example,created,,",
    ]
    listed = await meera.shown("/app/imports")
    assert re.search(r"people\.csv</a>.*Imported</span>", listed, re.DOTALL)
    again = await over(meera, await sent(meera, PEOPLE))
    assert "All of it is there already." in again
    assert "/confirm" not in again


async def test_while_it_works_the_page_shows_how_far_it_is_with_or_without_a_module(
    crowd: Stage,
) -> None:
    crowd.app.state.importer = Importer(crowd.app.state.settings)
    async with browser_of(crowd.app, crowd.meera) as meera:
        path = await sent(meera, PEOPLE, kind="students")
        page = await meera.shown(path)
        assert "Waiting for its turn." in page
        assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page
        assert "imports/progress.js" in page
        await crowd.connection.execute(
            "UPDATE import_runs SET state = 'working', done = 12400, total = 20000"
        )
        page = await meera.shown(path)
        assert "12,400 of 20,000 rows." in page
        assert 'max="20000" value="12400"' in page
        told = await meera.get(f"{path}/progress", headers={"Accept": "application/json"})
        assert (told.json()["done"], told.json()["total"]) == (12_400, 20_000)
        assert (await meera.post(f"{path}/confirm")).status_code == 409
        assert (await meera.post(f"{path}/discard")).status_code == 409


async def test_a_refused_file_names_its_rows_and_leads_back_with_the_same_choices(
    busy: Stage, meera: Browser
) -> None:
    await classroom_of(busy.asha)
    rows: Rows = [
        ["Seat", "Name", "Code", "Section"],
        [ROLLS[0], "Somebody Else", "CS301", "A"],
        ["900", "Kabir Demo", "CS301", "A"],
    ]
    path = await sent(meera, rows, kind="students", columns="roll_no=Seat")
    page = await over(meera, path)
    assert "Nothing has changed." in page
    assert "<b>1 cannot be imported</b>" in page
    assert "if its roll numbers are right" in page
    assert "/confirm" not in page
    only = await meera.shown(f"{path}?outcome=refused")
    assert ROLLS[0] in only
    assert ">900<" not in only
    back = re.search(r'href="(/app/imports\?[^"]+)"', page)
    assert back
    form = await meera.shown(back[1].replace("&amp;", "&"))
    assert 'value="students" selected' in form
    assert 'value="roll_no=Seat"' in form
    trusted = await sent(meera, rows, kind="students", columns="roll_no=Seat", trustNumbers="yes")
    assert "1 would be added, 1 changed" in await over(meera, trusted)


async def test_what_is_no_table_is_a_clear_page(meera: Browser) -> None:
    page = await over(meera, await sent(meera, b"PK\3\4 nothing"))
    assert "It cannot be imported" in page
    assert "Choose the file again" in page


async def test_a_file_that_is_too_large_is_a_clear_page(meera: Browser) -> None:
    answer = await send(meera, b"x" * (10 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert "<h1>Too large</h1>" in answer.text
    assert "10 MiB" in answer.text


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"kind": "nothing"}, "kind"),
        ({"date": "2025-02-30"}, "date"),
        ({"presentMinutes": "0"}, "presentMinutes"),
        ({"sheet": "x" * 256}, "sheet"),
        ({"columns": "a\0=b"}, "columns"),
        ({"reason": "\1"}, "reason"),
    ],
)
async def test_mistakes_in_the_form_are_shown_beside_their_fields(
    meera: Browser, fields: dict[str, str], place: str
) -> None:
    answer = await send(meera, PEOPLE, **fields)
    assert answer.status_code == 422
    assert f'id="e-{place}"' in answer.text


async def test_a_choice_that_is_none_is_refused_with_what_was_entered(meera: Browser) -> None:
    answer = await send(meera, PEOPLE, columns="Exam Seat")
    assert answer.status_code == 422
    assert "roll_no=Exam Seat." in answer.text
    assert 'value="Exam Seat"' in answer.text


async def test_without_a_file_one_is_asked_for(meera: Browser) -> None:
    answer = await meera.post("/app/imports", {"kind": "faculty"})
    assert answer.status_code == 422
    assert 'id="e-file">Choose a file.' in answer.text
    assert "There are none." in answer.text


async def test_an_import_is_discarded_with_its_file(busy: Stage, meera: Browser) -> None:
    path = await sent(meera, PEOPLE)
    await over(meera, path)
    assert await meera.done(f"{path}/discard") == "/app/imports?done=import_discarded"
    assert await busy.count("import_runs") == 0
    assert (await meera.get(path)).status_code == 404


async def test_a_file_can_be_for_one_class(busy: Stage, meera: Browser) -> None:
    room = await classroom_of(busy.asha)
    form = await meera.shown(f"/app/imports?classId={room.id}&kind=students")
    assert "Everything in the file is for" in form
    link = f'href="/app/imports?kind=attendance&amp;classId={room.id}"'
    assert link in await meera.shown(f"/app/classes/{room.id}/roster/import")
    rows: Rows = [["Roll No", "Name"], ["900", "Kabir Demo"]]
    path = await sent(meera, rows, kind="students", classId=room.id)
    page = await over(meera, path)
    assert "also confirms the institution’s addresses in the file" in page
    await meera.done(f"{path}/confirm")
    assert "1 added" in await over(meera, path)
    assert "900" in [student["rollNo"] for student in (await room.document())["students"]]


async def test_addresses_that_teachers_have_entered_are_confirmed_by_the_registrars_list(
    busy: Stage, meera: Browser
) -> None:
    room = await classroom_of(busy.asha)
    address = "kabir@students.demo.university.example"
    entry = {"rollNo": "23/CS/900", "name": "Kabir Demo", "dtuEmail": address}
    added = {"students": [entry]}
    await busy.asha.request("PUT", f"{room.path}/students?mode=merge", json=added)
    rows: Rows = [["Roll No", "Name", "DTU Email"], ["23/CS/900", "Kabir Demo", address]]
    path = await sent(meera, rows, kind="students", classId=room.id)
    assert "Confirm the addresses" in await over(meera, path)
    find = "/admin/students?query=23/CS/900"
    assert not (await busy.meera.get(find)).json()[0]["dtuEmailConfirmed"]
    await meera.done(f"{path}/confirm")
    await over(meera, path)
    assert (await busy.meera.get(find)).json()[0]["dtuEmailConfirmed"]


async def test_lists_go_on_page_by_page(
    busy: Stage, meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.imports.imports.MAX_PAGE", 1)
    monkeypatch.setattr("app.web.frame.lists.AT_ONCE", 1)
    monkeypatch.setattr("app.web.imports.imports._RUNS_SHOWN", 1)
    people: Rows = [*PEOPLE, ["hari@demo.university.example", "Hari Demo"]]
    paths = [await sent(meera, people), await sent(meera, people)]
    for path in paths:
        page = await over(meera, path)
    following = next_page(page)
    assert "hari@" not in page
    assert "hari@" in await meera.shown(following)
    assert len((await meera.get(f"{paths[0]}/rows.csv")).text.splitlines()) == 3
    listed = await meera.shown("/app/imports")
    assert paths[1] in listed
    assert paths[0] in await meera.shown(next_page(listed))


def next_page(page: str) -> str:
    return page.partition('">Next page')[0].rpartition('href="')[2].replace("&amp;", "&")


async def test_names_are_text_whatever_is_in_them(busy: Stage, meera: Browser) -> None:
    rows: Rows = [["Roll No", "Name", "Code"], [EVIL, EVIL, "CS301"], ["=1+1", "A", "CS301"]]
    await classroom_of(busy.asha)
    answer = await send(meera, rows, EVIL, kind="students", columns=f"name={EVIL}")
    assert "alert" not in answer.headers["location"]
    path = answer.headers["location"]
    shown = [await over(meera, path), await meera.shown("/app/imports")]
    back = re.search(r'href="(/app/imports\?[^"]+)"', shown[0])
    assert back, shown[0]
    shown.append(await meera.shown(back[1].replace("&amp;", "&")))
    for page in shown:
        assert EVIL not in page
        assert "&lt;script&gt;" in page
    path = await sent(meera, rows, kind="students")
    await over(meera, path)
    assert "'=1+1" in (await meera.get(f"{path}/rows.csv")).text


async def test_an_address_with_nonsense_is_a_clear_page(busy: Stage, meera: Browser) -> None:
    path = await sent(meera, PEOPLE)
    await over(meera, path)
    for query in ("outcome=nothing", "cursor=x", "cursor=%00", f"cursor={'1' * 10_000}"):
        for part in (path, f"{path}/rows.csv"):
            answer = await meera.get(f"{part}?{query}")
            assert answer.status_code == 422 or "rows.csv" in part, (part, query)
            assert "text/html" in answer.headers["content-type"] or "rows.csv" in part
    for query in ("cursor=x", "cursor=%00", f"cursor={'1' * 10_000}"):
        assert (await meera.get(f"/app/imports?{query}")).status_code == 422
    assert (await meera.get("/app/imports?classId=%00&kind=%00")).status_code == 200
    assert (await meera.get(f"/app/imports?classId={uuid4()}")).status_code == 404
    for part in ("", "/rows.csv", "/progress"):
        assert (await meera.get(f"/app/imports/{uuid4()}{part}")).status_code == 404
        assert (await meera.get(f"/app/imports/1{part}")).status_code == 404
    for part in ("confirm", "discard"):
        assert (await meera.post(f"/app/imports/{uuid4()}/{part}")).status_code == 404


async def test_imports_are_for_administrators(busy: Stage, meera: Browser) -> None:
    path = await sent(meera, PEOPLE)
    await over(meera, path)
    assert ">Imports</a>" in await meera.shown("/app/today")
    async with browser_of(busy.app, busy.asha) as asha:
        assert ">Imports</a>" not in await asha.shown("/app/today")
        for address in ("/app/imports", path, f"{path}/rows.csv", f"{path}/progress"):
            assert (await asha.get(address)).status_code == 403
        for address in (f"{path}/confirm", f"{path}/discard"):
            assert (await asha.post(address)).status_code == 403
        assert (await send(asha, PEOPLE)).status_code == 403
    await busy.connection.execute(
        f"UPDATE allowed_emails SET role = 'admin' WHERE email = 'bilal@{DOMAIN}'"
    )
    async with browser_of(busy.app, busy.bilal) as bilal:
        assert "1 would be added" in await bilal.shown(path)
    assert await busy.count("import_runs") == 1
    async with browser_of(busy.app) as nobody:
        assert (await nobody.get(path)).headers["location"].startswith("/app/sign-in?next=")


async def test_another_site_confirms_nothing(busy: Stage, meera: Browser) -> None:
    path = await sent(meera, PEOPLE)
    await over(meera, path)
    evil: dict[str, Any] = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await meera.post(f"{path}/confirm", headers=evil)).status_code == 403
    assert (await meera.get(f"{path}/confirm")).status_code in (404, 405)
