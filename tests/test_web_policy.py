"""The pages of the policy: read by all staff, changed by administrators after a preview."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from app.web.policy import policy as policy_page
from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, classroom_of, day
from tests.conftest import Stage
from tests.support import checksum

pytestmark = pytest.mark.anyio

POLICY, PREVIEW = "/app/policy", "/app/policy/preview"
DEFAULT = {
    "threshold": "75",
    "lateWeight": "100",
    "excused": "absent",
    "onDuty": "present",
    "minimumSessions": "5",
}
OTHER = {
    "threshold": "66.67",
    "lateWeight": "50",
    "excused": "excluded",
    "onDuty": "absent",
    "minimumSessions": "1",
}
STORED = {
    "threshold": 6667,
    "lateWeight": 50,
    "excused": "excluded",
    "onDuty": "absent",
    "minimumSessions": 1,
}


def previewed(**fields: Any) -> str:
    """The address of the preview of these rules, the others being those in force at first."""
    return f"{PREVIEW}?{urlencode(DEFAULT | fields)}"


def confirmation(page: str) -> dict[str, str]:
    """What the form sends that puts the previewed rules in force."""
    form = page.partition('<form method="post" action="/app/policy">')[2].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="([\w:]+)" value="([^"]*)"', form))


async def in_force(stage: Stage) -> dict[str, Any]:
    policy = (await stage.meera.get("/admin/policy")).json()
    return {name: policy[name] for name in STORED}


async def absent(room: Classroom, roll: str, *, of: int = 4) -> None:
    """So many sessions: the student was absent in the first, and present in the others."""
    for distance in range(of):
        session = await room.open(day(-1 - distance), startTime="09:00")
        await room.mark(session, {roll: "present" if distance else "absent"})


async def test_the_rules_in_force_are_said_in_words(stage: Stage, meera: Browser) -> None:
    page = await meera.shown(POLICY)
    for words in ("75 %", "as presence", "as absence", "5"):
        assert f"<b>{words}</b>" in page
    assert "The policy has not been changed since AIMS was set up." in page
    await stage.meera.put("/admin/policy", STORED)
    page = await meera.shown(POLICY)
    for words in ("66.67 %", "as 50 % of a session", "not at all", "as absence", "1"):
        assert f"<b>{words}</b>" in page
    await stage.meera.put("/admin/policy", STORED | {"lateWeight": 0, "minimumSessions": 0})
    page = await meera.shown(POLICY)
    assert "<b>none</b>" in page
    for name, value in OTHER.items():
        if name in ("threshold", "excused", "onDuty"):
            assert f'value="{value}"' in page


async def test_teachers_read_the_policy_without_its_form_and_history(
    stage: Stage, asha: Browser
) -> None:
    await stage.meera.put("/admin/policy", STORED)
    page = await asha.shown(POLICY)
    assert "<b>66.67 %</b>" in page
    assert PREVIEW not in page
    assert "How it changed" not in page


async def test_only_administrators_preview_or_change_it(stage: Stage, asha: Browser) -> None:
    before = await checksum(stage.connection)
    assert (await asha.get(previewed(threshold="0"))).status_code == 403
    answer = await asha.post(POLICY, OTHER)
    assert answer.status_code == 403
    assert 'method="post" action="/app/policy"' not in answer.text
    async with browser_of(stage.app) as nobody:
        assert (await nobody.get(POLICY)).status_code == 303
        assert (await nobody.post(POLICY, OTHER)).status_code == 401
    assert await checksum(stage.connection) == before


async def test_a_preview_names_who_would_cross_the_line_and_changes_nothing(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    await absent(room, ROLLS[0])
    before = await checksum(stage.connection)
    page = await meera.shown(previewed(threshold="75.01", minimumSessions="4"))
    assert await checksum(stage.connection) == before
    assert "<dt>Would fall below the line</dt><dd>1</dd>" in page
    assert "<dt>Would no longer be below it</dt><dd>0</dd>" in page
    row = page.partition(ROLLS[0])[2].partition("</tr>")[0]
    assert "Falls below the line" in row
    assert "75 %" in row
    assert f'href="/app/classes/{room.id}"' in page
    assert ROLLS[1] not in page
    await stage.meera.put("/admin/policy", STORED | {"threshold": 7501})
    page = await meera.shown(previewed(threshold="75", minimumSessions="4"))
    assert "<dt>Would no longer be below it</dt><dd>1</dd>" in page
    assert "No longer below it" in page.partition(ROLLS[0])[2].partition("</tr>")[0]


async def test_what_is_confirmed_is_what_was_previewed(stage: Stage, meera: Browser) -> None:
    page = await meera.shown(previewed(**OTHER))
    assert "Nobody would cross the line." in page
    fields = confirmation(page)
    assert {name: fields[name] for name in OTHER} == OTHER
    there = await meera.done(POLICY, fields)
    assert there == f"{POLICY}?done=policy_set"
    assert await in_force(stage) == STORED
    assert "These rules are in force." in await meera.shown(there)


async def test_a_preview_of_other_rules_than_those_in_force_is_not_confirmed(
    stage: Stage, meera: Browser
) -> None:
    fields = confirmation(await meera.shown(previewed(**OTHER)))
    await stage.meera.put("/admin/policy", STORED | {"threshold": 9000})
    answer = await meera.post(POLICY, fields)
    assert answer.status_code == 409
    assert "Look at it again before you confirm." in answer.text
    assert (await in_force(stage))["threshold"] == 9000


@pytest.mark.parametrize("threshold", ["0", "0.01", "0.29", "33.3", "57.23", "75.00", "100"])
async def test_every_line_arrives_to_the_hundredth(
    stage: Stage, meera: Browser, threshold: str
) -> None:
    fields = confirmation(await meera.shown(previewed(threshold=threshold, lateWeight="7")))
    await meera.done(POLICY, fields)
    assert (await in_force(stage))["threshold"] == round(float(threshold) * 100)


async def test_the_rules_in_force_need_no_confirmation(meera: Browser) -> None:
    page = await meera.shown(previewed())
    assert "These are the rules in force." in page
    assert confirmation(page) == {}


async def test_other_rules_can_be_tried_from_the_preview(meera: Browser) -> None:
    page = await meera.shown(previewed(threshold="42"))
    form = page.partition('<form method="get" action="/app/policy/preview">')[2]
    assert 'name="threshold" type="number" value="42"' in form


async def test_a_preview_is_shown_page_by_page(
    stage: Stage, meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.policy.policy.MAX_PAGE", 2)
    for code, rolls in (("CS301", ROLLS[:2]), ("CS302", ROLLS[:1])):
        room = await classroom_of(stage.asha, code)
        for roll in rolls:
            await absent(room, roll, of=1)
    there: str | None = previewed(threshold="70", minimumSessions="1")
    seen = []
    while there:
        page = await meera.shown(there)
        assert "<dt>Would fall below the line</dt><dd>3</dd>" in page
        assert confirmation(page)["threshold"] == "70"
        rows = page.partition("Students who would")[2]
        seen += re.findall(
            r'<b dir="auto">(\w+)</b>.*?<a class="roll" href="[^"]*">(.*?)</a>', rows, re.DOTALL
        )
        more = re.search(r'class="more"><a class="button" href="([^"]+)"', page)
        there = unescape(more[1]) if more else None
    assert seen == [("CS301", ROLLS[0]), ("CS301", ROLLS[1]), ("CS302", ROLLS[0])]


async def test_a_preview_is_downloaded_whole(
    stage: Stage, meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.frame.lists.AT_ONCE", 2)
    room = await classroom_of(stage.asha)
    for roll in ROLLS:
        await absent(room, roll, of=1)
    page = await meera.shown(previewed(threshold="70.5", minimumSessions="1"))
    link = re.search(r'href="(/app/policy/preview\.csv[^"]+)" download', page)
    assert link
    heading, *rows = (await meera.shown(unescape(link[1]))).strip("\ufeff").splitlines()
    assert heading == "Course Code,Section,Roll No,Name,Direction,Percentage now,Percentage then"
    assert rows == [f"CS301,A,{roll},Student {roll[-3:]},falls,0.0,0.0" for roll in ROLLS]
    assert (await meera.get(f"{PREVIEW}.csv?threshold=101")).status_code == 422


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("threshold", "", "This is required."),
        ("threshold", "-1", "This is too small."),
        ("threshold", "100.01", "This is too large."),
        ("threshold", "75.005", "This value is not accepted here."),
        ("threshold", "much", "This value is not accepted here."),
        ("threshold", "NaN", "This value is not accepted here."),
        ("threshold", "9" * 10_000, "This is too large."),
        ("lateWeight", "101", "This is too large."),
        ("lateWeight", "0.5", "This must be a whole number."),
        ("lateWeight", "9" * 10_000, "This value is not accepted here."),
        ("excused", "late", "This value is not accepted here."),
        ("onDuty", "a\0b", "This value is not accepted here."),
        ("minimumSessions", "1001", "This is too large."),
        ("minimumSessions", EVIL := "<script>alert(1)</script>", "This must be a whole number."),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field(
    stage: Stage, meera: Browser, field: str, value: str, sentence: str
) -> None:
    before = await checksum(stage.connection)
    wrong = OTHER | {field: value}
    for answer in (
        await meera.get(f"{PREVIEW}?{urlencode(wrong)}"),
        await meera.post(POLICY, wrong),
    ):
        assert answer.status_code == 422
        assert f'id="e-{field}">{sentence}' in answer.text
        kept = "lateWeight" if field == "minimumSessions" else "minimumSessions"
        assert re.search(f'name="{kept}" type="number" value="{OTHER[kept]}"', answer.text)
        assert EVIL not in answer.text
    assert await checksum(stage.connection) == before


@pytest.mark.parametrize("cursor", ["x", "%00", "~", "x" * 10_000])
async def test_a_place_in_a_list_that_is_not_one_is_refused(meera: Browser, cursor: str) -> None:
    for path in (f"{POLICY}?cursor={cursor}", f"{previewed(threshold='1')}&cursor={cursor}"):
        assert (await meera.get(path)).status_code == 422


async def test_what_the_rules_were_is_listed_page_by_page(
    stage: Stage, meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_page, "_SHOWN_CHANGES", 2)
    for threshold in (6000, 6100, 6200):
        await stage.meera.put("/admin/policy", STORED | {"threshold": threshold})
    page = (await meera.shown(POLICY)).partition("How it changed")[2]
    more = re.search(r'class="more"><a class="button" href="([^"]+)"', page)
    assert more
    rest = (await meera.shown(unescape(more[1]))).partition("How it changed")[2]
    found = [re.findall(r">(6\d %)</td>", text) for text in (page, rest)]
    assert [len(lines) for lines in found] == [2, 1]
    assert {*found[0], *found[1]} == {"60 %", "61 %", "62 %"}


async def test_no_address_changes_the_policy(stage: Stage, meera: Browser) -> None:
    before = await checksum(stage.connection)
    await meera.shown(f"{POLICY}?{urlencode(OTHER)}")
    await meera.shown(f"{PREVIEW}?{urlencode(OTHER)}")
    assert await checksum(stage.connection) == before
    answer = await meera.post(POLICY, OTHER, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert await checksum(stage.connection) == before
