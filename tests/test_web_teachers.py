"""The pages of who teaches a class: adding co-teachers and substitutes, their days, removing."""

import asyncio
from typing import Any

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import Classroom, classroom_of, co_teacher, day, share, substitute
from tests.conftest import Stage
from tests.support import Person, checksum

pytestmark = pytest.mark.anyio

NOWHERE = "00000000-0000-4000-8000-000000000000"
SCRIPT = "<script>alert(1)</script>"


def page_of(room: Classroom, person: Person | str = "", rest: str = "") -> str:
    one = f"/{person.user_id if isinstance(person, Person) else person}" if person else ""
    return f"/app/classes/{room.id}/teachers{one}{rest}"


def row_of(page: str, name: str) -> str:
    return page.partition(f">{name}<")[2].partition("</tr>")[0]


async def others_of(room: Classroom) -> list[dict[str, Any]]:
    """The entries of the list without the owner."""
    return (await room.teacher.get(f"{room.path}/teachers")).json()[1:]


async def test_a_class_of_one_teacher_says_what_others_are_for(
    room: Classroom, asha: Browser
) -> None:
    page = await asha.shown(page_of(room))
    assert "Asha Demo" in page
    assert "Nobody else teaches this class." in page
    assert f'href="{page_of(room)}" aria-current="page"' in page


async def test_everybody_is_shown_with_their_days(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await share(room, co_teacher(stage.chitra), substitute(stage.esha, -9, -2))
    page = await asha.shown(page_of(room))
    chitra = row_of(page, "Chitra Demo")
    assert ["Co-teacher" in chitra, "Every day" in chitra, "Teaches" in chitra] == [True] * 3
    assert f"{day(-9):%-d %b %Y}" in row_of(page, "Esha Demo")
    assert "Over" in row_of(page, "Esha Demo")
    await share(room, substitute(stage.esha, 2, 2), substitute(stage.bilal, until=3))
    page = await asha.shown(page_of(room))
    assert "Not yet" in row_of(page, "Esha Demo")
    assert "Until" in row_of(page, "Bilal Demo")


async def test_a_substitute_is_added_with_their_days_and_nobody_else_changes(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await share(room, co_teacher(stage.chitra))
    days = {"firstDay": str(day(1)), "lastDay": str(day(4))}
    fields = {"email": f" {stage.esha.email.upper()} ", "role": "substitute"} | days
    assert await asha.done(page_of(room), fields) == page_of(room, rest="?done=teacher_added")
    chitra, esha = await others_of(room)
    assert (chitra["email"], chitra["role"]) == (stage.chitra.email, "co_teacher")
    assert esha.items() >= ({"email": stage.esha.email, "role": "substitute"} | days).items()


async def test_of_people_added_at_once_nobody_is_lost(crowd: Stage) -> None:
    hall = await classroom_of(crowd.asha)
    people = (crowd.bilal, crowd.chitra, crowd.divya, crowd.esha)
    async with browser_of(crowd.app, crowd.asha) as asha:
        sent = [{"email": each.email, "role": "substitute"} for each in people]
        await asyncio.gather(*(asha.done(page_of(hall), fields) for fields in sent))
    assert {each["email"] for each in await others_of(hall)} == {each.email for each in people}


async def test_somebody_who_has_never_signed_in_can_be_added(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    email = "zubin@demo.university.example"
    await stage.meera.post("/admin/allowed-emails", {"email": email, "name": "Zubin Demo"})
    await asha.done(page_of(room), {"email": email, "role": "co_teacher"})
    assert [each["email"] for each in await others_of(room)] == [email]


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"email": ""}, "email", "This must be an e-mail address."),
        ({"email": "no address"}, "email", "This must be an e-mail address."),
        ({"email": "x" * 10_000}, "email", "This must be an e-mail address."),
        ({"email": "a\0@x.example"}, "email", "This must be an e-mail address."),
        ({"email": "stranger@x.example"}, "email", "There is no such teacher."),
        ({"email": "asha@demo.university.example"}, "email", "The owner of the class has these"),
        ({"email": "chitra@demo.university.example"}, "email", "This person is in the list"),
        ({"role": "owner"}, "role", "This value is not accepted here."),
        ({"role": SCRIPT}, "role", "This value is not accepted here."),
        ({"firstDay": "2031-02-30"}, "firstDay", "This must be a valid date"),
        ({"firstDay": "2031-01-02", "lastDay": "2031-01-01"}, "lastDay", "The last day must not"),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field(
    stage: Stage, room: Classroom, asha: Browser, fields: dict[str, str], field: str, sentence: str
) -> None:
    await share(room, co_teacher(stage.chitra))
    before = await checksum(stage.connection)
    entered = {"email": stage.esha.email, "role": "substitute", "lastDay": "2031-01-05"} | fields
    answer = await asha.post(page_of(room), entered)
    assert answer.status_code == 422
    assert f'id="e-{field}">{sentence}' in answer.text
    assert "/teachers/" not in answer.text.partition('role="alert"')[2].partition("</p>")[0]
    if field != "lastDay" and fields.get("role") is None:
        assert 'value="2031-01-05"' in answer.text
    assert await checksum(stage.connection) == before


async def test_the_days_of_one_are_changed_and_the_others_stay(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await share(room, co_teacher(stage.chitra), substitute(stage.esha, 1, 3))
    there = page_of(room, stage.esha)
    assert f'href="{there}"' in await asha.shown(page_of(room))
    page = await asha.shown(there)
    assert f'value="{day(3)}"' in page
    assert 'value="substitute" selected' in page
    fields = {"role": "co_teacher", "firstDay": "", "lastDay": str(day(9))}
    assert await asha.done(there, fields) == page_of(room, rest="?done=saved")
    chitra, esha = await others_of(room)
    assert (chitra["role"], chitra["lastDay"]) == ("co_teacher", None)
    assert (esha["role"], esha["firstDay"], esha["lastDay"]) == ("co_teacher", None, str(day(9)))
    answer = await asha.post(there, {"role": "substitute", "firstDay": "x"})
    assert answer.status_code == 422
    assert 'id="e-firstDay">This must be a valid date' in answer.text


async def test_removing_somebody_says_what_it_means_and_asks(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await share(room, co_teacher(stage.chitra), substitute(stage.esha))
    there = page_of(room, stage.chitra, "/remove")
    assert f'href="{there}"' in await asha.shown(page_of(room, stage.chitra))
    assert "They can no longer open this class" in await asha.shown(there)
    assert len(await others_of(room)) == 2
    assert await asha.done(there) == page_of(room, rest="?done=teacher_removed")
    assert [each["email"] for each in await others_of(room)] == [stage.esha.email]
    assert (await stage.chitra.get(room.path)).status_code == 403
    assert (await asha.post(there)).status_code == 404


async def test_a_co_teacher_sees_the_list_and_no_form(stage: Stage, room: Classroom) -> None:
    await share(room, co_teacher(stage.chitra), substitute(stage.esha))
    before = await checksum(stage.connection)
    async with browser_of(stage.app, stage.chitra) as chitra:
        page = await chitra.shown(page_of(room))
        assert "Esha Demo" in page
        assert "<form" not in page.partition("<main")[2]
        assert page_of(room, stage.esha) not in page
        for path in (page_of(room, stage.esha), page_of(room, stage.esha, "/remove")):
            assert (await chitra.get(path)).status_code == 403
            assert (await chitra.post(path, {"role": "co_teacher"})).status_code == 403
        fields = {"email": stage.bilal.email, "role": "co_teacher"}
        assert (await chitra.post(page_of(room), fields)).status_code == 403
    assert await checksum(stage.connection) == before


async def test_an_archived_class_shows_its_teachers_without_forms(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await share(room, co_teacher(stage.chitra))
    await room.open()
    await stage.asha.delete(room.path)
    page = await asha.shown(page_of(room))
    assert "Chitra Demo" in page
    assert "<form" not in page.partition("<main")[2]
    answer = await asha.post(page_of(room), {"email": stage.esha.email, "role": "co_teacher"})
    assert answer.status_code == 409
    assert "This class is archived." in answer.text


@pytest.mark.parametrize("one", ["x", "%00", "1" * 10_000, NOWHERE])
async def test_addresses_of_nobody_lead_nowhere(room: Classroom, asha: Browser, one: str) -> None:
    for rest in ("", "/remove"):
        assert (await asha.get(page_of(room, one, rest))).status_code == 404
        assert (
            await asha.post(page_of(room, one, rest), {"role": "substitute"})
        ).status_code == 404


async def test_the_owner_has_no_page_to_be_removed_on(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    assert (await asha.get(page_of(room, stage.asha, "/remove"))).status_code == 404
    assert (await asha.post(page_of(room, stage.asha, "/remove"))).status_code == 404


async def test_names_are_text_whatever_is_in_them(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await share(room, co_teacher(stage.chitra))
    await stage.connection.execute(
        "UPDATE users SET name = $1 WHERE id = $2", SCRIPT, stage.chitra.user_id
    )
    one = page_of(room, stage.chitra)
    for path in (page_of(room), one, f"{one}/remove"):
        assert "&lt;script&gt;alert(1)" in await asha.shown(path)
