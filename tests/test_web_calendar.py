"""The pages of the calendar: terms and holidays, read by all staff and kept by administrators."""

from typing import Any

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import Classroom, day
from tests.conftest import Stage
from tests.support import checksum

pytestmark = pytest.mark.anyio

CALENDAR = "/app/calendar"
EVIL = "<script>alert(1)</script>"
NOWHERE = "00000000-0000-4000-8000-000000000000"
AUTUMN = {"name": "Autumn 2025", "firstDay": "2025-07-21", "lastDay": "2025-12-05"}
KINDS = pytest.mark.parametrize("kind", ["terms", "holidays"])


async def stored(stage: Stage, kind: str) -> list[dict[str, Any]]:
    return (await stage.meera.get(f"/admin/{kind}")).json()


async def made(stage: Stage, kind: str, **fields: Any) -> str:
    """The address of an entry that is there."""
    answer = await stage.meera.post(f"/admin/{kind}", AUTUMN | fields)
    assert answer.status_code == 201, answer.text
    return f"{CALENDAR}/{kind}/{answer.json()['id']}"


async def test_an_empty_calendar_says_what_to_do(meera: Browser, asha: Browser) -> None:
    page = await meera.shown(CALENDAR)
    assert "There are no terms yet" in page
    assert "No holidays are ahead." in page
    assert f'href="{CALENDAR}/terms/new"' in page
    page = await asha.shown(CALENDAR)
    assert "There are no terms yet" in page
    assert "/new" not in page


@KINDS
async def test_an_entry_is_added_once(stage: Stage, meera: Browser, kind: str) -> None:
    await meera.shown(f"{CALENDAR}/{kind}/new")
    there = await meera.done(f"{CALENDAR}/{kind}/new", AUTUMN)
    assert there == f"{CALENDAR}?done=in_calendar"
    page = await meera.shown(there)
    assert "Autumn 2025" in page
    assert "Mon 21 Jul 2025" in page
    assert "Fri 5 Dec 2025" in page
    again = await meera.done(f"{CALENDAR}/{kind}/new", AUTUMN)
    assert again == f"{CALENDAR}?done=in_calendar_already"
    (entry,) = await stored(stage, kind)
    assert entry.items() >= AUTUMN.items()


async def test_a_holiday_without_a_last_day_is_a_single_day(stage: Stage, meera: Browser) -> None:
    fields = {"name": "Diwali", "firstDay": "2025-10-20", "lastDay": ""}
    await meera.done(f"{CALENDAR}/holidays/new", fields)
    (entry,) = await stored(stage, "holidays")
    assert entry["lastDay"] == "2025-10-20"
    there = f"{CALENDAR}/holidays/{entry['id']}"
    await meera.done(there, fields | {"lastDay": "2025-10-22"})
    assert (await stored(stage, "holidays"))[0]["lastDay"] == "2025-10-22"
    await meera.done(there, fields)
    assert (await stored(stage, "holidays"))[0]["lastDay"] == "2025-10-20"


async def test_terms_have_their_state_and_holidays_that_are_over_stand_apart(
    stage: Stage, asha: Browser
) -> None:
    for name, first, last in (("Past", -9, -1), ("Current", -1, 0), ("Coming", 1, 9)):
        days = {"firstDay": str(day(first)), "lastDay": str(day(last))}
        await made(stage, "terms", name=f"{name} term", **days)
        await made(stage, "holidays", name=f"{name} holiday", **days)
    page = await asha.shown(CALENDAR)
    order = ["Coming term", "Current term", "Past term", "Current holiday", "Coming holiday"]
    places = [page.index(text) for text in [*order, "Holidays that are over (1)", "Past holiday"]]
    assert places == sorted(places)
    for name, state in (("Past", "Over"), ("Current", "Under way"), ("Coming", "Ahead")):
        assert state in page.partition(f"{name} term")[2].partition("</tr>")[0]


@KINDS
async def test_an_entry_is_changed(stage: Stage, meera: Browser, kind: str) -> None:
    there = await made(stage, kind)
    page = await meera.shown(there)
    for value in AUTUMN.values():
        assert f'value="{value}"' in page
    wanted = {"name": "Monsoon", "firstDay": "2025-07-22", "lastDay": "2025-12-12"}
    assert await meera.done(there, wanted) == f"{CALENDAR}?done=saved"
    (entry,) = await stored(stage, kind)
    assert entry.items() >= wanted.items()


@KINDS
async def test_what_others_changed_meanwhile_stays(stage: Stage, meera: Browser, kind: str) -> None:
    there = await made(stage, kind)
    was = {f"was:{name}": value for name, value in AUTUMN.items()}
    page = await meera.shown(there)
    assert all(f'name="{name}" value="{value}"' in page for name, value in was.items())
    path = there.replace(CALENDAR, "/admin")
    await stage.meera.patch(path, {"lastDay": "2025-12-12"})
    await meera.done(there, was | AUTUMN | {"name": "Monsoon"})
    (entry,) = await stored(stage, kind)
    assert (entry["name"], entry["lastDay"]) == ("Monsoon", "2025-12-12")
    answer = await meera.post(there, was | AUTUMN | {"name": "Monsoon", "lastDay": "2025-12-01"})
    assert answer.status_code == 409
    assert 'id="e-lastDay">It is “2025-12-12” now.' in answer.text


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", " ", "This is required."),
        ("name", "x" * 10_000, "This is too long."),
        ("name", "a\0b", "Control characters are not allowed."),
        ("firstDay", "", "This is required."),
        ("firstDay", "2025-02-30", "This must be a valid date"),
        ("lastDay", "1" * 10_000, "This must be a valid date"),
        ("lastDay", "2025-07-20", "The last day must not be before the first."),
    ],
)
@KINDS
async def test_what_is_wrong_is_said_beside_the_field(
    stage: Stage, meera: Browser, kind: str, field: str, value: str, sentence: str
) -> None:
    there = await made(stage, kind)
    before = await checksum(stage.connection)
    for path in (f"{CALENDAR}/{kind}/new", there):
        answer = await meera.post(path, AUTUMN | {field: value})
        assert answer.status_code == 422
        assert f'id="e-{field}">{sentence}' in answer.text
        if field != "name":
            assert 'value="Autumn 2025"' in answer.text
    assert await checksum(stage.connection) == before


async def test_a_term_has_a_last_day(meera: Browser) -> None:
    answer = await meera.post(f"{CALENDAR}/terms/new", AUTUMN | {"lastDay": ""})
    assert answer.status_code == 422
    assert 'id="e-lastDay">This is required.' in answer.text


async def test_two_terms_of_one_name_are_refused_beside_the_name(
    stage: Stage, meera: Browser
) -> None:
    await made(stage, "terms")
    spring = await made(stage, "terms", name="Spring")
    for path in (f"{CALENDAR}/terms/new", spring):
        answer = await meera.post(path, AUTUMN | {"lastDay": "2025-12-06"})
        assert answer.status_code == 409
        assert 'id="e-name">This term is in the calendar already.' in answer.text
        assert 'value="2025-12-06"' in answer.text


@KINDS
async def test_removing_says_what_it_means_and_asks(
    stage: Stage, meera: Browser, kind: str
) -> None:
    there = await made(stage, kind)
    assert f'href="{there}/remove"' in await meera.shown(there)
    page = await meera.shown(f"{there}/remove")
    words = {"terms": "no meeting and no session changes", "holidays": "meet on these days again"}
    assert words[kind] in page
    assert len(await stored(stage, kind)) == 1
    assert await meera.done(f"{there}/remove") == f"{CALENDAR}?done=off_calendar"
    assert await stored(stage, kind) == []
    assert (await meera.post(f"{there}/remove")).status_code == 404


@pytest.mark.parametrize("archived", [False, True])
async def test_a_term_with_classes_stays_and_its_page_shows_them(
    stage: Stage, meera: Browser, archived: bool
) -> None:
    there = await made(stage, "terms")
    term = there.rpartition("/")[2]
    body = {"code": "CS301", "name": "Operating Systems", "section": "A", "termId": term}
    class_ = (await stage.asha.post("/classes", body)).json()["id"]
    if archived:
        await Classroom(stage.asha, class_).open()
        await stage.asha.delete(f"/classes/{class_}")
    page = await meera.shown(f"{there}/remove")
    assert "1 class belongs to this term, so it cannot be removed." in page
    query = "&amp;archived=true" if archived else ""
    assert f'href="/app/classes?term={term}{query}"' in page
    assert "<button class" not in page.partition("<main")[2]
    answer = await meera.post(f"{there}/remove")
    assert answer.status_code == 409
    assert "This term has classes. Move them to another term first." in answer.text
    assert len(await stored(stage, "terms")) == 1


@KINDS
async def test_only_administrators_are_given_forms(stage: Stage, asha: Browser, kind: str) -> None:
    there = await made(stage, kind)
    before = await checksum(stage.connection)
    page = await asha.shown(CALENDAR)
    assert "Autumn 2025" in page
    assert there not in page
    for path in (f"{CALENDAR}/{kind}/new", there, f"{there}/remove"):
        assert (await asha.get(path)).status_code == 403
        assert (await asha.post(path, AUTUMN | {"name": "Mine"})).status_code == 403
    async with browser_of(stage.app) as nobody:
        assert (await nobody.get(there)).status_code == 303
        assert (await nobody.post(there, AUTUMN)).status_code == 401
    assert await checksum(stage.connection) == before


@pytest.mark.parametrize(
    "path",
    [
        "/terms",
        "/terms/x",
        "/terms/%00",
        f"/terms/{'1' * 10_000}",
        f"/terms/{NOWHERE}",
        f"/terms/{NOWHERE}/remove",
        f"/holidays/{NOWHERE}",
        "/exams/new",
        f"/exams/{NOWHERE}",
    ],
)
async def test_addresses_that_lead_nowhere_are_pages_that_say_so(meera: Browser, path: str) -> None:
    assert (await meera.get(CALENDAR + path)).status_code == 404


@KINDS
async def test_an_entry_that_is_gone_is_not_there_to_be_changed(meera: Browser, kind: str) -> None:
    assert (await meera.post(f"{CALENDAR}/{kind}/{NOWHERE}", AUTUMN)).status_code == 404


@KINDS
async def test_markup_in_a_name_is_text(stage: Stage, meera: Browser, kind: str) -> None:
    await meera.done(f"{CALENDAR}/{kind}/new", AUTUMN | {"name": EVIL})
    there = f"{CALENDAR}/{kind}/{(await stored(stage, kind))[0]['id']}"
    for path in (CALENDAR, there, f"{there}/remove"):
        assert "&lt;script&gt;alert(1)" in await meera.shown(path)
    answer = await meera.post(there, AUTUMN | {"name": EVIL, "lastDay": "x"})
    assert "&lt;script&gt;alert(1)" in answer.text
