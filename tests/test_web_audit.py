"""The page of what happened: the audit log in words, with filters, and as a file."""

import re

import pytest

from app.web.audit.words import told
from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, co_teacher, share
from tests.conftest import DOMAIN, Stage

pytestmark = pytest.mark.anyio

NEW = f"farah@{DOMAIN}"
EVIL = "<script>alert(1)</script>"
GONE = "b7a1d2c3-6e4f-4a5b-8c9d-0e1f2a3b4c5d"
PUT_ON = "Put a student on a roster"
LET_IN = "Let somebody sign in"


async def let_in(stage: Stage, email: str = NEW) -> str:
    return str((await stage.meera.post("/admin/allowed-emails", {"email": email})).json()["id"])


def cards(page: str) -> list[str]:
    """The entries as they are shown."""
    return page.partition('<ol class="cards">')[2].split('<div class="clock">')[1:]


async def test_each_entry_says_who_did_what_about_what(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    await share(room, co_teacher(stage.chitra))
    entry = await let_in(stage)
    await stage.meera.patch(room.path, {"teacherId": str(stage.bilal.user_id)})
    given, allowed, shared, *enrolled = cards(await meera.shown("/app/audit"))
    assert "Meera Demo" in given
    assert "Gave a class to another teacher" in given
    assert f'href="/app/classes/{room.id}"' in given
    assert f'href="/app/people/users/{stage.bilal.user_id}" dir="auto">Bilal Demo' in given
    assert f'href="/app/people/{entry}" dir="auto">{NEW}' in allowed
    assert "co-teacher" in shared
    assert "Chitra Demo" in shared
    assert len(enrolled) == 3
    assert all(PUT_ON in each for each in enrolled)
    assert f"{ROLLS[0]} Student 101" in "".join(enrolled)


async def test_what_happened_is_filtered_by_all_the_api_filters_by(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    entry = await let_in(stage)
    page = await meera.shown(f"/app/audit?actorId={stage.asha.user_id}")
    assert len(cards(page)) == 3
    assert 'Only what was done by <b dir="auto">Asha Demo</b>' in page
    assert f'type="hidden" name="actorId" value="{stage.asha.user_id}"' in page
    page = await meera.shown(f"/app/audit?subjectId={entry}&action=&from=&to=")
    assert len(cards(page)) == 1
    assert f'Only what is about <b dir="auto">{NEW}</b>' in page
    page = await meera.shown("/app/audit?action=email_allowed")
    assert len(cards(page)) == 1
    assert 'value="email_allowed" selected' in page
    page = await meera.shown("/app/audit?to=2020-01-01")
    assert "Nothing matches" in page
    assert 'value="something_new" selected>Something new' in await meera.shown(
        "/app/audit?action=something_new"
    )


async def test_a_filter_is_taken_away_and_the_others_stay(stage: Stage, meera: Browser) -> None:
    entry = await let_in(stage)
    page = await meera.shown(f"/app/audit?subjectId={entry}&action=email_allowed")
    assert 'href="/app/audit?action=email_allowed">Show all again' in page


async def test_what_happened_is_read_page_by_page_and_as_a_file(
    stage: Stage, room: Classroom, meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await let_in(stage)
    monkeypatch.setattr("app.web.frame.lists.MAX_PAGE", 2)
    first = await meera.shown("/app/audit")
    assert "2 entries on this page" in first
    found = re.search('class="more"><a class="button" href="([^"]+)"', first)
    assert found
    assert len(cards(await meera.shown(found[1].replace("&amp;", "&")))) == 2
    monkeypatch.setattr("app.web.frame.lists.AT_ONCE", 2)
    file = await meera.get("/app/audit.csv")
    assert file.headers["content-type"].startswith("text/csv")
    lines = file.text.splitlines()
    assert lines[0] == "\ufeffWhen,Who,What,About,Details,Action,Id,Request"
    assert len(lines) == 5
    assert f",Meera Demo,{LET_IN},{NEW},Role: teacher,email_allowed," in lines[1]
    assert len((await meera.get("/app/audit.csv?action=email_allowed")).text.splitlines()) == 2


async def test_things_that_are_gone_have_no_name_and_no_link(stage: Stage, meera: Browser) -> None:
    entry = await let_in(stage)
    await stage.meera.delete(f"/admin/allowed-emails/{entry}")
    removed, added = cards(await meera.shown("/app/audit"))
    assert "Took somebody off the list" in removed
    for card in (removed, added):
        assert "an address that is off the list" in card
        assert f'href="/app/people/{entry}"' not in card


def test_acts_without_an_actor_are_of_the_command_line_or_of_a_student() -> None:
    entry = {
        "actorId": None,
        "requestId": "command line",
        "action": "leave_requested",
        "subject": "leave",
        "subjectId": GONE,
        "details": {},
    }
    assert told(entry, {}).who.name == "The command line"
    entry |= {"requestId": "r-1", "details": {"studentId": GONE}}
    assert told(entry, {}).who.name == "A student"
    names = {GONE: {"kind": "student", "name": "23/CS/107 Kabir V. Demo"}}
    assert told(entry, names).who.name == "23/CS/107 Kabir V. Demo"
    assert told(entry, {}).about.name == "leave that is gone"


def test_details_are_in_words_whatever_is_in_them() -> None:
    entry = {
        "actorId": GONE,
        "requestId": "r-1",
        "action": "policy_changed",
        "subject": "policy",
        "subjectId": GONE,
        "details": {
            "fields": ["roll_no", "name"],
            "firstDay": "2025-10-27",
            "lastDay": None,
            "minimumSessions": 5,
            "threshold": 6667,
            "lateWeight": 50,
            "counts": {"present": 3},
        },
    }
    shown = told(entry, {})
    assert shown.about.page == "/app/policy"
    assert [(label, [each.name for each in values]) for label, values in shown.details] == [
        ("Fields changed", ["roll number", "name"]),
        ("First day", ["Mon 27 Oct 2025"]),
        ("Minimum sessions", ["5"]),
        ("Threshold", ["66.67 %"]),
        ("Late weight", ["50 %"]),
        ("Counts", ["Present 3"]),
    ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=x", "from"),
        ("to=2025-13-01", "to"),
        ("from=2025-02-01&to=2025-01-01", "from"),
        ("action=X%00", "action"),
        ("action=DROP", "action"),
        (f"action={'x' * 10_000}", "action"),
        ("actorId=x", ""),
        ("subjectId=%00", ""),
        ("cursor=%00", ""),
        ("cursor=x~y", ""),
    ],
)
async def test_a_mistake_in_a_filter_is_named(meera: Browser, query: str, field: str) -> None:
    answer = await meera.get(f"/app/audit?{query}")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert not field or f'aria-describedby="e-{field}"' in answer.text
    # A file is the whole log, wherever the page was.
    expected = 200 if query.startswith("cursor") else 422
    assert (await meera.get(f"/app/audit.csv?{query}")).status_code == expected


async def test_what_happened_is_for_administrators(stage: Stage) -> None:
    async with browser_of(stage.app, stage.asha) as asha:
        assert "What happened" not in await asha.shown("/app/today")
        for path in ("/app/audit", "/app/audit.csv", f"/app/audit?actorId={stage.asha.user_id}"):
            assert (await asha.get(path)).status_code == 403


async def test_names_in_what_happened_are_text(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    student = (await room.document())["students"][0]["studentId"]
    await stage.meera.patch(f"/admin/students/{student}", {"name": EVIL})
    page = await meera.shown(f"/app/audit?subjectId={student}")
    assert EVIL not in page
    assert "&lt;script&gt;" in page
