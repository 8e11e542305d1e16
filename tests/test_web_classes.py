"""The pages of classes: the list, one class, its register as files and a blank sheet."""

from datetime import timedelta

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, classroom_of, co_teacher, day, share, today
from tests.conftest import Stage

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ROLLS


async def test_a_teacher_sees_their_classes_and_an_administrator_all(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await classroom_of(stage.bilal, "CS302")
    page = await asha.shown("/app/classes")
    assert f'href="/app/classes/{room.id}"' in page
    assert "CS302" not in page
    async with browser_of(stage.app, stage.meera) as meera:
        page = await meera.shown("/app/classes")
        assert "CS301" in page
        assert "CS302" in page


async def test_classes_are_filtered_by_term_and_by_whether_they_are_archived(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    other = await classroom_of(stage.asha, "CS305")
    term = {"name": "Monsoon", "firstDay": "2020-07-01", "lastDay": "2020-12-01"}
    made = (await stage.meera.post("/admin/terms", term)).json()
    await stage.asha.patch(room.path, {"termId": made["id"]})
    page = await asha.shown(f"/app/classes?term={made['id']}&archived=false")
    assert ("CS301" in page, "CS305" in page) == (True, False)
    assert f'value="{made["id"]}" selected' in page
    assert "There are no archived classes here" in await asha.shown("/app/classes?archived=true")
    await other.open(today())
    await stage.asha.delete(other.path)
    page = await asha.shown("/app/classes?archived=true")
    assert ("CS301" in page, "CS305" in page) == (False, True)


@pytest.mark.parametrize("term", ["x", "%00", "b7a1d2c3-6e4f-4a5b-8c9d-0e1f2a3b4c5d"])
async def test_a_term_that_nobody_knows_is_refused(asha: Browser, term: str) -> None:
    assert (await asha.get(f"/app/classes?term={term}")).status_code in (404, 422)


async def test_without_classes_the_page_says_what_to_do(asha: Browser) -> None:
    assert "Make a class" in await asha.shown("/app/classes")


async def test_a_class_is_made_by_a_form(stage: Stage, asha: Browser) -> None:
    assert 'name="code"' in await asha.shown("/app/classes/new")
    fields = {"code": "CS401", "name": "Compilers", "section": "B", "ltpPattern": "3-0-0"}
    there = await asha.done("/app/classes/new", fields)
    made = await stage.asha.get(there.removeprefix("/app").removesuffix("/roster?done=class_made"))
    assert {**made.json(), **fields} == made.json()


async def test_a_class_that_cannot_be_made_keeps_what_was_entered(asha: Browser) -> None:
    answer = await asha.post("/app/classes/new", {"code": "CS401", "section": "B"})
    assert answer.status_code == 422
    assert 'value="CS401"' in answer.text
    assert 'aria-describedby="e-name"' in answer.text


async def test_an_administrator_makes_a_class_for_a_teacher_named_by_address(
    stage: Stage,
) -> None:
    fields = {"code": "CS402", "name": "Networks", "section": "A"}
    async with browser_of(stage.app, stage.meera) as meera:
        wrong = fields | {"teacherEmail": "nobody@demo.university.example"}
        answer = await meera.post("/app/classes/new", wrong)
        assert answer.status_code == 422
        assert "Nobody with this address has signed in yet." in answer.text
        answer = await meera.post("/app/classes/new", fields | {"teacherEmail": "a\0b"})
        assert answer.status_code == 422
        await meera.done("/app/classes/new", fields | {"teacherEmail": stage.bilal.email.upper()})
    classes = (await stage.bilal.get("/classes")).json()
    assert [each["code"] for each in classes] == ["CS402"]


async def test_the_class_shows_where_each_student_stands(room: Classroom, asha: Browser) -> None:
    for distance in range(-6, 0):
        status = "present" if distance < -4 else "absent"
        session = await room.open(day(distance), startTime="09:00", endTime="10:00")
        await room.mark(session, {FIRST: "present", SECOND: status, THIRD: "excused"})
    page = await asha.shown(f"/app/classes/{room.id}")
    row = page.partition(f">{SECOND}</a>")[2].partition("</tr>")[0]
    assert "Below the line" in row
    assert "33.33 %" in row
    assert "Needs" in row
    assert "Can miss" not in row
    assert page.count('role="img"') == 3
    assert f"/app/sessions/{session}" in page


async def test_meetings_lead_to_their_sheet_or_session(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    slot = {"dayOfWeek": today().isoweekday(), "startTime": "00:00", "endTime": "23:59"}
    await stage.asha.post(f"{room.path}/schedules", slot)
    page = await asha.shown(f"/app/classes/{room.id}")
    assert f'name="sessionDate" value="{today()}"' in page
    assert f'name="sessionDate" value="{today() + timedelta(days=7)}"' not in page
    session = await room.open(today(), startTime="00:00")
    await room.mark(session, {FIRST: "present"})
    page = await asha.shown(f"/app/classes/{room.id}")
    assert f'href="/app/sessions/{session}"' in page
    assert f'name="sessionDate" value="{today()}"' not in page


async def test_an_empty_class_says_what_to_do_next(stage: Stage, asha: Browser) -> None:
    room = await classroom_of(stage.asha, rolls=[])
    page = await asha.shown(f"/app/classes/{room.id}")
    assert "Nobody is on the roster yet" in page
    assert "This class does not meet in these days" in page
    assert "<svg" not in page


@pytest.mark.parametrize(
    ("format", "begins"), [("csv", b"\xef\xbb\xbfClass"), ("xlsx", b"PK"), ("pdf", b"%PDF")]
)
async def test_the_register_comes_as_a_file(
    room: Classroom, asha: Browser, format: str, begins: bytes
) -> None:
    await room.mark(await room.open("2025-10-27"), {FIRST: "present"})
    answer = await asha.get(f"/app/classes/{room.id}/register?format={format}")
    assert answer.status_code == 200
    assert answer.content.startswith(begins)
    assert f'.{format}"' in answer.headers["content-disposition"]
    assert (await asha.get(f"/app/classes/{room.id}/register?format=doc")).status_code == 404


async def test_a_blank_sheet_has_a_column_for_each_of_the_next_meetings(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    slot = {"dayOfWeek": day(1).isoweekday(), "startTime": "09:00", "endTime": "10:00"}
    await stage.asha.post(f"{room.path}/schedules", slot)
    page = await asha.shown(f"/app/classes/{room.id}/sheet")
    assert page.count("<br>09:00</th>") == 4
    assert page.count("<td></td>") == 8 * len(ROLLS)


async def test_a_class_is_closed_to_strangers_and_shown_to_who_teaches_it(
    stage: Stage, room: Classroom
) -> None:
    paths = [f"/app/classes/{room.id}{page}" for page in ("", "/sheet", "/register?format=csv")]
    async with browser_of(stage.app, stage.bilal) as bilal:
        assert [(await bilal.get(path)).status_code for path in paths] == [403, 403, 403]
    await share(room, co_teacher(stage.chitra))
    async with browser_of(stage.app, stage.chitra) as chitra:
        assert [(await chitra.get(path)).status_code for path in paths] == [200, 200, 200]
        assert "/settings" not in await chitra.shown(paths[0])
    async with browser_of(stage.app) as nobody:
        for path in (*paths, "/app/classes", "/app/classes/new"):
            assert (await nobody.get(path)).status_code == 303


async def test_names_are_text_whatever_is_in_them(stage: Stage, asha: Browser) -> None:
    name = "<script>alert(1)</script>"
    room = await classroom_of(stage.asha, "X<b>1", rolls=[])
    students = [{"rollNo": "<i>/1?#", "name": name}]
    await stage.asha.put(f"{room.path}/students", {"students": students})
    await room.mark(await room.open(today()), {"<i>/1?#": "present"})
    for path in ("/app/classes", f"/app/classes/{room.id}", f"/app/classes/{room.id}/sheet"):
        page = await asha.shown(path)
        assert name not in page
        assert "<i>" not in page
        assert "X<b>" not in page
