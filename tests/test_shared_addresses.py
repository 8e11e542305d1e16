"""Institution's addresses that are on several records, listed before anybody is refused."""

from typing import Any

import pytest

from app.demo.google import DemoGoogle
from tests.browser import Browser
from tests.classroom import ROLLS, Classroom
from tests.conftest import Stage
from tests.students import KIRAN, give_address, id_of_roll, let_in, try_to_sign_in
from tests.support import next_of

pytestmark = pytest.mark.anyio

PATH = "/admin/shared-addresses"
PAGE = "/app/students/shared-addresses"


async def shared(stage: Stage, query: str = "") -> list[dict[str, Any]]:
    answer = await stage.meera.get(PATH + query)
    assert answer.status_code == 200, answer.text
    addresses: list[dict[str, Any]] = answer.json()
    return addresses


async def enter(room: Classroom, addresses: dict[str, str]) -> None:
    """The teacher enters addresses by roll number, and confirms none by that."""
    students = [{"rollNo": roll, "dtuEmail": address} for roll, address in addresses.items()]
    put = await room.teacher.put(f"{room.path}/students?mode=merge", {"students": students})
    assert put.status_code == 200, put.text


async def test_an_address_on_two_records_is_listed_with_both(stage: Stage, room: Classroom) -> None:
    assert await shared(stage) == []
    await give_address(stage, ROLLS[0], KIRAN)
    await give_address(stage, ROLLS[2], "third@students.demo.university.example")
    assert await shared(stage) == []
    await enter(room, {ROLLS[1]: f" {KIRAN.upper()} "})
    (one,) = await shared(stage)
    assert (one["address"], one["records"], one["confirmed"]) == (KIRAN, 2, 1)
    assert [(s["rollNo"], s["dtuEmailConfirmed"]) for s in one["students"]] == [
        (ROLLS[0], True),
        (ROLLS[1], False),
    ]
    assert one["students"][1]["studentId"] == await id_of_roll(stage, ROLLS[1])
    assert one["students"][1]["name"] == "Student 102"
    await give_address(stage, ROLLS[1], KIRAN)
    assert [found["confirmed"] for found in await shared(stage)] == [2]
    await give_address(stage, ROLLS[1], None)
    assert await shared(stage) == []


async def test_who_can_sign_in_with_a_shared_address_is_as_it_says(
    stage: Stage, room: Classroom, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(stage, monkeypatch)
    await enter(room, dict.fromkeys(ROLLS[:2], KIRAN))
    for confirmed, status in ((0, 403), (1, 200), (2, 403)):
        if confirmed:
            await give_address(stage, ROLLS[confirmed - 1], KIRAN)
        assert [one["confirmed"] for one in await shared(stage)] == [confirmed]
        assert (await try_to_sign_in(stage, google)).status_code == status


async def test_no_address_is_none_that_is_shared(stage: Stage, room: Classroom) -> None:
    await stage.connection.execute("UPDATE students SET dtu_email = ' ' WHERE roll_no <> $1", "x")
    assert await shared(stage) == []


async def test_addresses_come_in_alphabetical_order_page_by_page(
    stage: Stage, room: Classroom
) -> None:
    rolls = [f"24/EE/{number:03}" for number in range(30)]
    await room.enrol(*rolls)
    addresses = [f"{name}@students.demo.university.example" for name in ("c", "a", "b")]
    await enter(room, {roll: addresses[n % 3] for n, roll in enumerate(rolls[:6])})
    await enter(room, dict.fromkeys(rolls[6:], "z@students.demo.university.example"))
    everything = await shared(stage)
    assert [one["address"][0] for one in everything] == ["a", "b", "c", "z"]
    assert [one["records"] for one in everything] == [2, 2, 2, 24]
    assert [s["rollNo"] for s in everything[-1]["students"]] == rolls[6:26]
    paged, page = [], f"{PATH}?limit=3"
    while page:
        answered = await stage.meera.get(page)
        paged += answered.json()
        page = next_of(answered)  # type: ignore[assignment]
    assert paged == everything
    assert (await stage.meera.get(f"{PATH}?cursor=%00")).status_code == 422


async def test_the_page_leads_to_correcting_and_merging_the_records(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    for path in ("/app/students", "/app/students/refused-sign-ins"):
        assert f'href="{PAGE}"' in await meera.shown(path)
    assert "No address is on more than one record." in await meera.shown(PAGE)
    await enter(room, dict.fromkeys(ROLLS[:2], KIRAN))
    page = await meera.shown(PAGE)
    assert "<b>nobody</b>, since it is not confirmed" in page
    await give_address(stage, ROLLS[0], KIRAN)
    assert "the one on whose record it is confirmed" in await meera.shown(PAGE)
    await give_address(stage, ROLLS[1], KIRAN)
    page = await meera.shown(PAGE)
    assert "<b>nobody</b>, since it is confirmed on 2 records" in page
    this, other = [await id_of_roll(stage, roll) for roll in ROLLS[:2]]
    for place in (f"/app/students/{this}", f"/app/students/{this}/correct"):
        assert f'href="{place}"' in page
        await meera.shown(place)
    merge = page.partition(f'href="/app/students/{this}/merge')[2].partition('"')[0]
    choice = await meera.shown(f"/app/students/{this}/merge{merge}")
    assert other in choice
    assert await id_of_roll(stage, ROLLS[2]) not in choice


async def test_a_long_list_of_addresses_is_shown_by_pages(
    stage: Stage, room: Classroom, meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolls = [f"24/EE/{number:03}" for number in range(25)]
    await room.enrol(*rolls)
    await enter(room, dict.fromkeys(rolls[:23], "a@students.demo.university.example"))
    await enter(room, dict.fromkeys(rolls[23:], "b@students.demo.university.example"))
    monkeypatch.setattr("app.web.frame.lists.MAX_PAGE", 1)
    page = await meera.shown(PAGE)
    assert "1 address on this page" in page
    assert "<li>and 3 more</li>" in page
    following = page.partition('class="button" href="')[2].partition('"')[0]
    assert following.startswith(f"{PAGE}?cursor=a%40")
    assert "b@students.demo.university.example" in await meera.shown(following)
    assert "There are no more of them." in await meera.shown(f"{PAGE}?cursor=z")
    assert (await meera.get(f"{PAGE}?cursor=%00")).status_code == 422
