"""Terms and holidays, and which classes are of the current term."""

from datetime import date, timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.classroom import Classroom, classroom_of, today
from tests.conftest import Stage
from tests.fuzz import (
    Sent,
    accepted,
    assert_all_reads,
    drafts,
    examples,
    read,
    send,
    sent,
    text_up_to,
)
from tests.support import Person
from tests.test_admin import actions

pytestmark = pytest.mark.anyio

NOWHERE = "00000000-0000-4000-8000-000000000000"
AUTUMN = {"name": "Autumn 2025", "firstDay": "2025-07-21", "lastDay": "2025-12-05"}


async def add_term(stage: Stage, name: str, first: int, last: int) -> str:
    """The id of a term that begins and ends so many days from today."""
    days = {"firstDay": _day(first), "lastDay": _day(last)}
    made = await stage.meera.post("/admin/terms", {"name": name, **days})
    assert made.status_code == 201, made.text
    return made.json()["id"]


def _day(offset: int) -> str:
    return str(today() + timedelta(days=offset))


async def listed(person: Person, **query: str) -> list[str]:
    answer = await person.get("/classes", params={"roster": "false", **query})
    assert answer.status_code == 200, answer.text
    return [class_["code"] for class_ in answer.json()]


async def create(person: Person, code: str, **more: Any) -> httpx2.Response:
    body = {"code": code, "name": "Operating Systems", "section": "A", **more}
    return await person.post("/classes", body)


@pytest.mark.parametrize("kind", ["terms", "holidays"])
async def test_an_entry_is_created_once_and_a_repeat_finds_it(stage: Stage, kind: str) -> None:
    made = await stage.meera.post(f"/admin/{kind}", AUTUMN)
    again = await stage.meera.post(f"/admin/{kind}", AUTUMN | {"name": " Autumn 2025 "})
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json() | AUTUMN
    assert (await stage.meera.get(f"/admin/{kind}")).json() == [made.json()]
    assert await actions(stage) == [f"{kind[:-1]}_added"]


@pytest.mark.parametrize("kind", ["terms", "holidays"])
async def test_changing_and_removing_an_entry_is_audited(stage: Stage, kind: str) -> None:
    noun = kind[:-1]
    path = f"/admin/{kind}/{(await stage.meera.post(f'/admin/{kind}', AUTUMN)).json()['id']}"
    changed = await stage.meera.patch(path, {"lastDay": "2025-12-12", "name": None})
    assert changed.json().items() >= (AUTUMN | {"lastDay": "2025-12-12"}).items()
    assert (await stage.meera.patch(path, {"name": "Autumn"})).json()["name"] == "Autumn"
    assert (await stage.meera.delete(path)).status_code == 204
    assert (await stage.meera.delete(path)).status_code == 404
    assert (await stage.meera.get(f"/admin/{kind}")).json() == []
    entries = (await stage.meera.get("/admin/audit")).json()
    assert [entry["action"] for entry in entries] == [
        f"{noun}_removed",
        *[f"{noun}_changed"] * 2,
        f"{noun}_added",
    ]
    assert {(entry["subject"], entry["subjectId"]) for entry in entries} == {
        (noun, changed.json()["id"])
    }


async def test_two_terms_of_one_name_are_a_conflict(stage: Stage) -> None:
    await stage.meera.post("/admin/terms", AUTUMN)
    other = {**AUTUMN, "lastDay": "2025-12-06"}
    answer = await stage.meera.post("/admin/terms", other)
    assert (answer.status_code, answer.json()["code"]) == (409, "in_calendar_already")
    spring = (await stage.meera.post("/admin/terms", {**other, "name": "Spring"})).json()["id"]
    answer = await stage.meera.patch(f"/admin/terms/{spring}", {"name": AUTUMN["name"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "in_calendar_already")


async def test_a_holiday_comes_every_year_under_its_name(stage: Stage) -> None:
    for day in ("2025-10-20", "2026-11-08"):
        holiday = {"name": "Diwali", "firstDay": day}
        made = (await stage.meera.post("/admin/holidays", holiday)).json()
        assert (made["firstDay"], made["lastDay"]) == (day, day)
    answer = await stage.meera.patch(
        f"/admin/holidays/{made['id']}", {"firstDay": "2025-10-20", "lastDay": "2025-10-20"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "in_calendar_already")


@pytest.mark.parametrize("kind", ["terms", "holidays"])
async def test_the_last_day_is_not_before_the_first(stage: Stage, kind: str) -> None:
    path = f"/admin/{kind}"
    stored = f"{path}/{(await stage.meera.post(path, AUTUMN)).json()['id']}"
    for method, where, body, place in (
        ("POST", path, {**AUTUMN, "name": "X", "lastDay": "2025-07-20"}, "/lastDay"),
        ("PATCH", stored, {"lastDay": "2025-07-20"}, "/lastDay"),
        ("PATCH", stored, {"firstDay": "2025-12-06"}, "/firstDay"),
        ("PATCH", stored, {"firstDay": "2025-12-06", "lastDay": "2025-12-01"}, "/lastDay"),
    ):
        answer = await stage.meera.request(method, where, json=body)
        assert answer.status_code == 422
        (flaw,) = answer.json()["errors"]
        assert (flaw["pointer"], flaw["code"]) == (place, "ends_before_start")
    one_day = {"firstDay": "2025-12-06", "lastDay": "2025-12-06"}
    assert (await stage.meera.patch(stored, one_day)).status_code == 200


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2025-02-29", "2025-1-1", 20251101])
async def test_only_dates_that_exist_are_days_of_the_calendar(stage: Stage, day: Any) -> None:
    for kind in ("terms", "holidays"):
        answer = await stage.meera.post(f"/admin/{kind}", {**AUTUMN, "lastDay": day})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/lastDay"


ENTRY = {
    "name": text_up_to(255),
    "firstDay": st.dates(date(1, 1, 2), date(2025, 12, 31)).map(str),
    "lastDay": st.dates(date(2026, 1, 1), date(9999, 12, 30)).map(str),
}


@pytest.mark.parametrize("kind", ["terms", "holidays"])
@examples(40)
@given(body=sent(drafts(ENTRY)), change=sent(drafts(ENTRY, tuple(ENTRY))))
async def test_an_entry_is_stored_as_sent_or_refused(
    stage: Stage, room: Classroom, kind: str, body: Sent, change: Sent
) -> None:
    answer = await send(stage.meera, "POST", f"/admin/{kind}", body)
    if accepted(answer, body, 409):
        stored = answer.json()
        path = f"/admin/{kind}/{stored['id']}"
        assert stored.items() >= shown(body.fields).items()
        changed = await send(stage.meera, "PATCH", path, change)
        if accepted(changed, change, 409):
            stored |= shown(change.fields)
        assert stored in (await read(stage.asha, "/calendar"))[kind]
        await assert_all_reads(room)
        assert (await stage.meera.delete(path)).status_code == 204


def shown(fields: dict[str, Any]) -> dict[str, Any]:
    """What was sent, as it is shown: null is as good as left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    return {name: v.strip() if isinstance(v, str) else v for name, v in given.items()}


async def test_the_calendar_shows_everybody_what_overlaps_the_range(stage: Stage) -> None:
    await stage.meera.post("/admin/terms", AUTUMN)
    await stage.meera.post("/admin/terms", {**AUTUMN, "name": "Summer", "firstDay": "2025-05-20"})
    for name, day in (("Gandhi Jayanti", "2025-10-02"), ("Diwali", "2025-10-20")):
        await stage.meera.post("/admin/holidays", {"name": name, "firstDay": day})
    for query, terms, holidays in (
        ({}, ["Summer", "Autumn 2025"], ["Gandhi Jayanti", "Diwali"]),
        ({"from": "2025-10-02", "to": "2025-10-19"}, ["Summer", "Autumn 2025"], ["Gandhi Jayanti"]),
        ({"to": "2025-07-20"}, ["Summer"], []),
        ({"from": "2025-12-05"}, ["Summer", "Autumn 2025"], []),
        ({"from": "2025-12-06"}, [], []),
    ):
        shown = (await stage.asha.get("/calendar", params=query)).json()
        assert [term["name"] for term in shown["terms"]] == terms, query
        assert [holiday["name"] for holiday in shown["holidays"]] == holidays, query
    reversed_ = await stage.asha.get("/calendar?from=2025-10-02&to=2025-10-01")
    assert reversed_.status_code == 422


async def test_without_terms_everything_works_as_before_terms_existed(
    stage: Stage, room: Classroom
) -> None:
    await classroom_of(stage.asha, "CS302", [])
    document = await room.document()
    assert document["termId"] is None
    for choice in ("", "?term=current", "?term=all"):
        answer = (await stage.asha.get(f"/classes{choice}")).json()
        assert [class_["code"] for class_ in answer] == ["CS301", "CS302"]
        assert answer[0] == document
    again = await create(stage.asha, "CS301")
    assert (again.status_code, again.json()["code"]) == (409, "class_exists")
    session = await room.open()
    assert (await room.mark(session, {"23/CS/101": "present"})).status_code == 200
    assert (await stage.asha.get("/calendar")).json() == {"terms": [], "holidays": []}


async def test_a_class_without_a_term_stays_among_the_current_ones(
    stage: Stage, room: Classroom
) -> None:
    term = await add_term(stage, "Now", -10, 10)
    assert (await create(stage.asha, "CS302")).json()["termId"] == term
    assert await listed(stage.asha) == ["CS301", "CS302"]
    assert await listed(stage.asha, term=term) == ["CS302"]


async def test_the_current_term_covers_today_and_began_last(stage: Stage) -> None:
    await add_term(stage, "Year", -200, 100)
    inner = await add_term(stage, "Summer", -10, 0)
    await add_term(stage, "Next", 1, 90)
    made = (await create(stage.asha, "CS1")).json()
    assert made["termId"] == inner


async def test_between_terms_the_latest_is_the_current_one(stage: Stage) -> None:
    former = await add_term(stage, "Former", -90, -1)
    assert (await create(stage.asha, "CS1")).json()["termId"] == former
    coming = await add_term(stage, "Coming", 1, 90)
    assert (await create(stage.asha, "CS1")).json()["termId"] == coming


async def test_classes_are_listed_by_term(stage: Stage) -> None:
    old = await add_term(stage, "Old", -200, -100)
    now = await add_term(stage, "Now", -10, 10)
    for code, term in (("CS1", old), ("CS2", now), ("CS3", None)):
        class_ = (await create(stage.asha, code)).json()
        await stage.asha.patch(f"/classes/{class_['id']}", {"termId": term})
    for person in (stage.asha, stage.meera):
        assert await listed(person) == ["CS2", "CS3"]
        assert await listed(person, term="current") == ["CS2", "CS3"]
        assert await listed(person, term="all") == ["CS1", "CS2", "CS3"]
        assert await listed(person, term=old.upper()) == ["CS1"]
    assert await listed(stage.bilal, term="all") == []


async def test_a_list_of_an_invalid_term_is_refused(stage: Stage) -> None:
    for term, code in ((NOWHERE, "unknown_term"), ("last", None), ("", None), ("CURRENT", None)):
        answer = await stage.asha.get("/classes", params={"term": term})
        assert answer.status_code == 422
        (flaw,) = answer.json()["errors"]
        assert flaw["pointer"] == "/query/term"
        assert code in (None, flaw["code"])


async def test_a_code_and_section_are_unique_within_a_term(stage: Stage) -> None:
    old = await add_term(stage, "Old", -200, -100)
    await add_term(stage, "Now", -10, 10)
    first = (await create(stage.asha, "CS1")).json()
    assert (await create(stage.asha, "CS1")).status_code == 409
    assert (await create(stage.asha, "CS1", termId=old)).status_code == 201
    assert (await create(stage.asha, "CS1", termId=old)).json()["code"] == "class_exists"
    moved = await stage.asha.patch(f"/classes/{first['id']}", {"termId": old})
    assert (moved.status_code, moved.json()["code"]) == (409, "class_exists")
    out = await stage.asha.patch(f"/classes/{first['id']}", {"termId": None})
    assert (out.status_code, out.json()["termId"]) == (200, None)


async def test_an_unknown_term_is_refused_with_its_place(stage: Stage, room: Classroom) -> None:
    for answer in (
        await create(stage.asha, "CS1", termId=NOWHERE),
        await stage.asha.patch(room.path, {"termId": NOWHERE}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_term")
        assert answer.json()["errors"][0]["pointer"] == "/termId"
    denied = await create(stage.bilal, "CS1", termId=NOWHERE, teacherId=str(stage.asha.user_id))
    assert denied.status_code == 403


async def test_a_term_stays_as_long_as_a_class_belongs_to_it(stage: Stage) -> None:
    term = await add_term(stage, "Now", -10, 10)
    room = await classroom_of(stage.asha)
    await room.open()
    await stage.asha.delete(room.path)
    answer = await stage.meera.delete(f"/admin/terms/{term}")
    assert (answer.status_code, answer.json()["code"]) == (409, "term_in_use")
    assert await actions(stage, action="term_removed") == []
    await stage.asha.post(f"{room.path}/restore")
    await stage.asha.patch(room.path, {"termId": None})
    assert (await stage.meera.delete(f"/admin/terms/{term}")).status_code == 204
