"""The pages of people: who may sign in, in which role, and whose account is locked."""

import re
from typing import Any

import httpx2
import pytest

from tests.browser import Browser, browser_of
from tests.conftest import DOMAIN, Stage
from tests.support import checksum

pytestmark = pytest.mark.anyio

NEW = f"farah@{DOMAIN}"
EVIL = "<script>alert(1)</script>"
GONE = "b7a1d2c3-6e4f-4a5b-8c9d-0e1f2a3b4c5d"
LAST = "At least one administrator has to remain."


async def entry_of(stage: Stage, email: str) -> dict[str, Any]:
    query = {"query": email}
    (found,) = (await stage.meera.get("/admin/allowed-emails", params=query)).json()
    return dict(found)


async def is_listed(stage: Stage, email: str) -> bool:
    query = {"query": email}
    return bool((await stage.meera.get("/admin/allowed-emails", params=query)).json())


async def user_of(stage: Stage, user_id: Any) -> dict[str, Any]:
    return dict((await stage.meera.get(f"/admin/users/{user_id}")).json())


async def send(browser: Browser, content: str, **fields: str) -> httpx2.Response:
    """Choose a file, and send the form."""
    file = {"file": ("people.csv", content.encode(), "text/csv")}
    return await browser.post("/app/people/import", fields, files=file)


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the form that confirms."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {**dict(found), "action": "import"}


async def test_an_address_is_added_with_its_role(stage: Stage, meera: Browser) -> None:
    fields = {"email": f" {NEW} ", "role": "admin", "name": "Farah Demo"}
    there = await meera.done("/app/people", fields)
    assert there == "/app/people?done=allowed"
    entry = await entry_of(stage, NEW)
    assert (entry["role"], entry["name"]) == ("admin", "Farah Demo")
    page = await meera.shown(there)
    assert "They are on the list" in page
    assert f'href="/app/people/{entry["id"]}">{NEW}' in page


async def test_what_is_wrong_with_an_address_is_said_beside_the_field(meera: Browser) -> None:
    answer = await meera.post("/app/people", {"email": "nobody", "name": "Farah Demo"})
    assert answer.status_code == 422
    assert 'id="e-email">' in answer.text
    assert 'value="Farah Demo"' in answer.text
    answer = await meera.post("/app/people", {"email": NEW, "role": "king"})
    assert answer.status_code == 422
    assert 'id="e-role">' in answer.text
    answer = await meera.post("/app/people", {"email": NEW, "name": "x" * 10_000})
    assert answer.status_code == 422
    assert 'id="e-name">' in answer.text


async def test_an_address_that_is_listed_in_another_role_is_refused(
    stage: Stage, meera: Browser
) -> None:
    fields = {"email": stage.asha.email.upper(), "role": "admin"}
    answer = await meera.post("/app/people", fields)
    assert answer.status_code == 409
    assert "This address is on the allow-list already." in answer.text


async def test_people_are_found_and_listed_page_by_page(
    meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/app/people", "/app/people/users"):
        page = await meera.shown(f"{path}?query=BILAL")
        assert f"bilal@{DOMAIN}" in page
        assert f"asha@{DOMAIN}" not in page
        assert 'value="BILAL"' in page
        assert "matches" in await meera.shown(f"{path}?query=nobody%25")
        monkeypatch.setattr("app.web.frame.lists.MAX_PAGE", 2)
        emails, following = set[str](), path
        while following:
            page = await meera.shown(following)
            emails |= set(re.findall(rf"\w+@{DOMAIN}(?=<)", page))
            found = re.search('class="more"><a class="button" href="([^"]+)"', page)
            following = found[1].replace("&amp;", "&") if found else ""
        assert {f"{name}@{DOMAIN}" for name in ("asha", "bilal", "meera")} <= emails


@pytest.mark.parametrize("query", ["query=%00", f"query={'x' * 10_000}", "cursor=%00"])
async def test_a_search_that_cannot_be_is_refused(meera: Browser, query: str) -> None:
    for path in ("/app/people", "/app/people/users"):
        assert (await meera.get(f"{path}?{query}")).status_code == 422
    # A file is the whole list, wherever the page was.
    expected = 200 if query.startswith("cursor") else 422
    assert (await meera.get(f"/app/people.csv?{query}")).status_code == expected


async def test_the_list_is_a_file_that_can_be_imported_again(
    stage: Stage, meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.meera.post("/admin/allowed-emails", {"email": NEW, "name": "=1+1"})
    monkeypatch.setattr("app.web.frame.lists.AT_ONCE", 2)
    file = await meera.get("/app/people.csv")
    assert file.headers["content-type"].startswith("text/csv")
    assert file.text.startswith("\ufeffEmail,Name,Role\r\n")
    assert f"{NEW},'=1+1,teacher" in file.text
    assert f"{stage.meera.email},Meera Demo,admin" in file.text
    found = (await meera.get("/app/people.csv?query=meera")).text.splitlines()
    assert len(found) == 2
    preview = await send(meera, "\r\n".join(found))
    assert "All of them are on the list already" in preview.text


async def test_an_entry_is_changed_only_in_what_differs(stage: Stage, meera: Browser) -> None:
    entry = await entry_of(stage, stage.bilal.email)
    page = f"/app/people/{entry['id']}"
    fields = {"email": entry["email"], "name": "Bilal A. Demo", "role": "teacher"}
    assert await meera.done(page, fields) == f"{page}?done=saved"
    assert (await entry_of(stage, stage.bilal.email))["name"] == "Bilal A. Demo"
    log = f"/admin/audit?subjectId={entry['id']}"
    assert [each["details"]["fields"] for each in (await stage.meera.get(log)).json()] == [["name"]]
    await meera.done(page, fields)
    assert len((await stage.meera.get(log)).json()) == 1
    await meera.done(page, {**fields, "name": "", "role": "admin"})
    entry = await entry_of(stage, stage.bilal.email)
    assert (entry["name"], entry["role"]) == (None, "admin")


async def test_a_page_that_was_open_meanwhile_gives_no_role_back(
    stage: Stage, meera: Browser
) -> None:
    entry = await entry_of(stage, stage.bilal.email)
    page, path = f"/app/people/{entry['id']}", f"/admin/allowed-emails/{entry['id']}"
    await stage.meera.patch(path, {"role": "admin"})
    sent = {"email": entry["email"], "name": "Bilal A. Demo", "role": "admin"}
    was = {"was:email": entry["email"], "was:name": entry["name"] or "", "was:role": "admin"}
    shown = await meera.shown(page)
    assert all(f'name="{name}" value="{value}"' in shown for name, value in was.items())
    await stage.meera.patch(path, {"role": "teacher"})
    await meera.done(page, sent | was)
    entry = await entry_of(stage, stage.bilal.email)
    assert (entry["name"], entry["role"]) == ("Bilal A. Demo", "teacher")
    answer = await meera.post(page, sent | was | {"name": "Bilal B. Demo"})
    assert answer.status_code == 409
    assert "It is “Bilal A. Demo” now." in answer.text


async def test_a_page_of_an_account_that_was_open_meanwhile_keeps_what_others_changed(
    stage: Stage, meera: Browser
) -> None:
    page = f"/app/people/users/{stage.bilal.user_id}"
    was = {"was:department": "", "was:employeeId": ""}
    await stage.meera.patch(page.replace("/app/people", "/admin"), {"department": "Physics"})
    await meera.done(page, was | {"department": "", "employeeId": "7"})
    user = (await stage.meera.get(page.replace("/app/people", "/admin"))).json()
    assert (user["department"], user["employeeId"]) == ("Physics", "7")
    answer = await meera.post(page, was | {"department": "Chemistry", "employeeId": "7"})
    assert answer.status_code == 409
    assert "It is “Physics” now." in answer.text


async def test_an_entry_keeps_what_was_entered_when_it_is_refused(
    stage: Stage, meera: Browser
) -> None:
    entry = await entry_of(stage, stage.bilal.email)
    page = f"/app/people/{entry['id']}"
    answer = await meera.post(page, {"email": "nobody", "name": "Bilal A. Demo"})
    assert answer.status_code == 422
    assert 'id="e-email">' in answer.text
    assert 'value="Bilal A. Demo"' in answer.text
    answer = await meera.post(page, {"email": stage.asha.email})
    assert answer.status_code == 409
    assert "This address is on the allow-list already." in answer.text


async def test_removing_says_what_it_does_and_is_confirmed(stage: Stage, meera: Browser) -> None:
    entry = await entry_of(stage, stage.bilal.email)
    page = f"/app/people/{entry['id']}"
    assert f'href="{page}/remove"' in await meera.shown(page)
    asked = await meera.shown(f"{page}/remove")
    assert "may no longer sign in" in asked
    assert "your own address" not in asked
    assert await is_listed(stage, stage.bilal.email)
    there = await meera.done(f"{page}/remove")
    assert "They are off the list" in await meera.shown(there)
    assert not await is_listed(stage, stage.bilal.email)
    assert (await meera.get(page)).status_code == 404
    assert (await meera.post(f"{page}/remove")).status_code == 404


async def test_the_last_administrator_stays(stage: Stage, meera: Browser) -> None:
    entry = await entry_of(stage, stage.meera.email)
    page = f"/app/people/{entry['id']}"
    assert "your own address" in await meera.shown(f"{page}/remove")
    account = f"/app/people/users/{stage.meera.user_id}"
    for path, fields in (
        (page, {"role": "teacher"}),
        (f"{page}/remove", {}),
        (f"{account}/deactivate", {}),
    ):
        answer = await meera.post(path, fields)
        assert answer.status_code == 409, path
        assert LAST in answer.text
    assert LAST in (await send(meera, f"Email,Role\n{stage.meera.email},teacher\n")).text
    assert (await entry_of(stage, stage.meera.email))["role"] == "admin"
    assert (await user_of(stage, stage.meera.user_id))["disabledAt"] is None


async def test_accounts_show_role_state_and_last_sign_in(stage: Stage, meera: Browser) -> None:
    signed_in = "UPDATE users SET last_login_at = '2025-10-27T03:28:12Z' WHERE id = $1"
    await stage.connection.execute(signed_in, stage.asha.user_id)
    rows = (await meera.shown("/app/people/users")).split("<tr>")
    row = {re.search(r"dir=\"auto\">(\w+)", each)[1]: each for each in rows[2:]}  # type: ignore[index]
    assert "Teacher" in row["Asha"]
    assert "27 Oct 2025" in row["Asha"]
    assert "Active" in row["Asha"]
    assert "Never" in row["Bilal"]
    assert "Administrator" in row["Meera"]
    assert "Not on the list" in row["Ravi"]
    assert "Deactivated" in row["Omar"]


async def test_an_account_gets_a_department_and_an_employee_number(
    stage: Stage, meera: Browser
) -> None:
    page = f"/app/people/users/{stage.asha.user_id}"
    fields = {"department": "Computer Science", "employeeId": "DEMO-17"}
    assert await meera.done(page, fields) == f"{page}?done=saved"
    user = await user_of(stage, stage.asha.user_id)
    assert {**user, **fields} == user
    await meera.done(page, {"department": "", "employeeId": "DEMO-17"})
    assert (await user_of(stage, stage.asha.user_id))["department"] is None
    answer = await meera.post(page, {"department": "x" * 300})
    assert answer.status_code == 422
    assert 'id="e-department">' in answer.text


async def test_an_account_is_locked_and_opened_again(stage: Stage, meera: Browser) -> None:
    page = f"/app/people/users/{stage.asha.user_id}"
    await meera.done(f"{page}/deactivate")
    assert "This account has been deactivated" in await meera.shown(page)
    async with browser_of(stage.app, stage.asha) as asha:
        assert (await asha.get("/app/today")).status_code == 303
        await meera.done(f"{page}/activate")
        await asha.shown("/app/today")
    assert "Deactivate" in await meera.shown(page)


async def test_a_file_of_people_is_imported_after_a_preview_of_each_row(
    stage: Stage, meera: Browser
) -> None:
    content = f"Email,Name,Role\n{NEW},Farah Demo,\n{stage.bilal.email},Bilal A. Demo,admin\n"
    preview = await send(meera, content)
    assert preview.status_code == 200
    assert "1 would be added, 1 changed; 0 would stay as they are" in preview.text
    row = preview.text.partition(f"<td>{NEW}</td>")[2].partition("</tr>")[0]
    assert "Farah Demo" in row
    assert "Added" in row
    assert not await is_listed(stage, NEW)
    there = await meera.done("/app/people/import", hidden(preview.text))
    assert there == "/app/people?done=people_imported"
    assert (await entry_of(stage, NEW))["role"] == "teacher"
    assert (await entry_of(stage, stage.bilal.email))["role"] == "admin"


async def test_a_file_with_bad_rows_is_not_imported(stage: Stage, meera: Browser) -> None:
    content = f"Email,Name\nnobody,X\n{NEW},Farah Demo\n{NEW},Farah Demo\n"
    preview = await send(meera, content)
    assert "<b>2 cannot be imported</b>" in preview.text
    assert "Row 3 already says the same." in preview.text
    assert 'value="import"' not in preview.text
    answer = await send(meera, content, action="import")
    assert answer.status_code == 422
    assert "Nothing was imported." in answer.text
    assert not await is_listed(stage, NEW)
    answer = await send(meera, "Colour\nred\n")
    assert answer.status_code == 422
    assert "Choose" not in answer.text


async def test_another_file_than_the_large_one_that_was_shown_is_not_imported(
    stage: Stage, meera: Browser
) -> None:
    large = f"Email,Name\n{NEW},Farah Demo\n" + "\n" * 800_000
    confirm = hidden((await send(meera, large)).text)
    assert "content" not in confirm
    before = await checksum(stage.connection)
    other = large.replace("Name", "Role").replace("Farah Demo", "admin")
    answer = await send(meera, other, **confirm)
    assert answer.status_code == 422
    assert "This is another file." in answer.text
    assert await checksum(stage.connection) == before
    assert (await send(meera, large, **confirm)).status_code == 303


@pytest.mark.parametrize("fields", [{}, {"content": "é"}, {"content": "abc"}])
async def test_without_a_file_one_is_asked_for(meera: Browser, fields: dict[str, str]) -> None:
    answer = await meera.post("/app/people/import", fields)
    assert answer.status_code == 422
    assert 'id="e-file">Choose a file.' in answer.text


@pytest.mark.parametrize("id", ["x", "%00", GONE])
async def test_people_who_are_not_there_are_not_found(meera: Browser, id: str) -> None:
    for path in (f"/app/people/{id}", f"/app/people/{id}/remove", f"/app/people/users/{id}"):
        assert (await meera.get(path)).status_code == 404
    for path in (f"/app/people/{id}", f"/app/people/users/{id}/deactivate"):
        assert (await meera.post(path, {"name": "X"})).status_code == 404


async def test_people_are_for_administrators(stage: Stage) -> None:
    entry = await entry_of(stage, stage.bilal.email)
    account = f"/app/people/users/{stage.bilal.user_id}"
    async with browser_of(stage.app, stage.asha) as asha:
        assert "People" not in await asha.shown("/app/today")
        for path in ("/app/people", "/app/people.csv", f"/app/people/{entry['id']}", account):
            assert (await asha.get(path)).status_code == 403
        assert (await asha.post("/app/people", {"email": "nobody"})).status_code == 403
        assert (await asha.post(f"{account}/deactivate")).status_code == 403
        assert (await send(asha, "Colour\nred\n")).status_code == 403


async def test_names_of_people_are_text_whatever_is_in_them(stage: Stage, meera: Browser) -> None:
    await meera.done("/app/people", {"email": NEW, "name": EVIL})
    entry = await entry_of(stage, NEW)
    account = f"/app/people/users/{stage.asha.user_id}"
    await meera.done(account, {"department": EVIL})
    preview = await send(meera, f"Email,Name\ngita@{DOMAIN},{EVIL}\n")
    page = f"/app/people/{entry['id']}"
    paths = ("/app/people", page, f"{page}/remove", account, "/app/people/users")
    for text in (preview.text, *[await meera.shown(path) for path in paths]):
        assert EVIL not in text
        assert "&lt;script&gt;" in text
