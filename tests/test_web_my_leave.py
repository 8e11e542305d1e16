"""A student asks for leave on their pages, sees what is decided, and takes it back."""

from collections.abc import AsyncIterator
from html import unescape
from uuid import UUID

import pytest

from app.demo.google import DemoGoogle
from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, decide
from tests.conftest import Stage
from tests.students import kiran_of, let_in

pytestmark = pytest.mark.anyio

PAGE = "/app/my/leave"
WEEK = {"firstDay": "2025-10-20", "lastDay": "2025-10-24", "kind": "medical"}


@pytest.fixture
async def kiran(
    stage: Stage, room: Classroom, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Browser]:
    """The browser of the first student of Asha's class."""
    let_in(stage, monkeypatch)
    async with browser_of(stage.app, await kiran_of(stage, google)) as browser:
        yield browser


async def ask(kiran: Browser, **more: str) -> None:
    assert await kiran.done(PAGE, WEEK | more) == f"{PAGE}?done=leave_requested"


async def requests(stage: Stage) -> list[dict[str, str]]:
    """What the office finds, newest first."""
    found: list[dict[str, str]] = (await stage.meera.get("/leaves")).json()
    return found


async def test_leave_is_asked_for_and_its_state_is_shown(
    stage: Stage, room: Classroom, kiran: Browser
) -> None:
    assert "You have not asked for leave yet." in await kiran.shown(PAGE)
    await ask(kiran, classId=room.id, note="I have the flu.")
    page = await kiran.shown(f"{PAGE}?done=leave_requested")
    for text in (
        "Your request is sent.",
        "Mon 20 Oct 2025",
        "Fri 24 Oct 2025",
        "Waiting",
        "Medical",
        "CS301 Operating Systems A",
        "I have the flu.",
        "Nobody has decided yet.",
    ):
        assert text in page
    (leave,) = await requests(stage)
    assert (leave["classId"], leave["note"], leave["requestedBy"]) == (
        *(room.id, "I have the flu."),
        None,
    )
    await decide(stage.asha, leave["id"], "approve")
    page = await kiran.shown(PAGE)
    assert "Approved" in page
    assert f"{leave['id']}/withdraw" not in page


async def test_leave_for_all_classes_is_asked_for_and_rejected(
    stage: Stage, kiran: Browser
) -> None:
    await ask(kiran, kind="on_duty", classId="")
    (leave,) = await requests(stage)
    assert (leave["classId"], leave["kind"]) == (None, "on_duty")
    page = await kiran.shown(PAGE)
    assert "On duty for the institution," in page
    assert "all classes" in page
    await decide(stage.meera, leave["id"], "reject")
    assert "Not approved" in await kiran.shown(PAGE)


async def test_a_request_is_taken_back_until_it_is_decided_on(
    stage: Stage, room: Classroom, kiran: Browser
) -> None:
    await ask(kiran, classId=room.id)
    (leave,) = await requests(stage)
    path = f"{PAGE}/{leave['id']}/withdraw"
    assert path in await kiran.shown(PAGE)
    assert await kiran.done(path) == f"{PAGE}?done=request_withdrawn"
    page = await kiran.shown(f"{PAGE}?done=request_withdrawn")
    assert "Your request is withdrawn." in page
    assert path not in page
    await ask(kiran, classId=room.id)
    (leave,) = [each for each in await requests(stage) if each["status"] == "pending"]
    await decide(stage.asha, leave["id"], "approve")
    refused = await kiran.post(f"{PAGE}/{leave['id']}/withdraw")
    assert refused.status_code == 409
    assert "This leave has been decided on already." in refused.text


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"lastDay": "2025-10-19"}, "lastDay", "The last day is before the first."),
        ({"lastDay": "2026-12-24"}, "lastDay", "Leave can last at most a year."),
        ({"firstDay": ""}, "firstDay", "This is required."),
        ({"firstDay": "tomorrow"}, "firstDay", "This must be a valid date"),
        ({"kind": "holiday"}, "kind", "This value is not accepted here."),
        ({"classId": "nothing"}, "classId", "This must be an id"),
        ({"note": "x" * 1001}, "note", "This is too long."),
    ],
)
async def test_a_request_that_is_refused_is_shown_again(
    stage: Stage, kiran: Browser, change: dict[str, str], field: str, said: str
) -> None:
    fields = WEEK | {"note": "I have the flu."} | change
    refused = await kiran.post(PAGE, fields)
    assert refused.status_code == 422
    assert f'id="e-{field}"' in refused.text
    assert said in unescape(refused.text)
    assert f'value="{fields["note"]}"' in refused.text
    assert await requests(stage) == []


async def test_too_many_requests_are_refused_and_the_last_is_not_lost(
    stage: Stage, kiran: Browser
) -> None:
    for n in range(20):
        await ask(kiran, note=f"Reason {n}")
    refused = await kiran.post(PAGE, WEEK | {"note": "One more"})
    assert refused.status_code == 409
    assert 'value="One more"' in refused.text


async def test_what_staff_asked_for_is_seen_without_their_words(
    stage: Stage, room: Classroom, kiran: Browser
) -> None:
    leave = await asked_leave(stage.asha, ROLLS[0], classId=room.id, note="Broke a leg", **WEEK)
    page = await kiran.shown(PAGE)
    assert "Staff asked" in page
    assert "Broke a leg" not in page
    assert f"{leave}/withdraw" not in page
    assert (await kiran.post(f"{PAGE}/{leave}/withdraw")).status_code == 403


async def test_nothing_tells_of_anybody_else(stage: Stage, room: Classroom, kiran: Browser) -> None:
    other = await classroom_of(stage.bilal, "CS999", ROLLS[1:])
    theirs = await asked_leave(stage.bilal, ROLLS[1], classId=other.id, **WEEK)
    await asked_leave(stage.asha, ROLLS[1], classId=room.id, note="Their own", **WEEK)
    page = await kiran.shown(PAGE)
    for text in ("CS999", "Their own", ROLLS[1], "Asha", "Bilal"):
        assert text not in page
    for path, fields in (
        (PAGE, WEEK | {"classId": other.id}),
        (f"{PAGE}/{theirs}/withdraw", {}),
    ):
        nowhere = {name: text.replace(other.id, str(UUID(int=0))) for name, text in fields.items()}
        found = await kiran.post(path, fields)
        missing = await kiran.post(path.replace(theirs, str(UUID(int=0))), nowhere)
        assert found.status_code == missing.status_code == 404
    assert len(await requests(stage)) == 2


async def test_markup_in_a_reason_is_text(kiran: Browser) -> None:
    await ask(kiran, note="<script>alert(1)</script>")
    assert "&lt;script&gt;alert(1)" in await kiran.shown(PAGE)


async def test_the_page_is_for_students_alone(stage: Stage, kiran: Browser) -> None:
    async with browser_of(stage.app, stage.asha) as asha:
        assert (await asha.get(PAGE)).status_code == 403
        assert (await asha.post(PAGE, WEEK)).status_code == 403
    async with browser_of(stage.app) as nobody:
        assert (await nobody.get(PAGE)).headers["location"].startswith("/app/sign-in")
    refused = await kiran.post(PAGE, WEEK, headers={"Origin": "https://elsewhere.example"})
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [("?cursor=%00", 422), (f"?cursor={'9' * 10_000}", 422), ("/nothing/withdraw", 404)],
)
async def test_an_address_that_leads_nowhere_says_so(
    kiran: Browser, path: str, status: int
) -> None:
    send = kiran.post if path.endswith("withdraw") else kiran.get
    assert (await send(f"{PAGE}{path}")).status_code == status


async def test_only_the_page_one_is_on_is_marked_in_the_navigation(kiran: Browser) -> None:
    for path in ("/app/my", PAGE):
        page = await kiran.shown(path)
        assert page.count("aria-current") == 1
        assert f'<a href="{path}" aria-current="page">' in page
