"""The pages of classes: for those who work in them, with text that stays text."""

from collections.abc import AsyncIterator

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, classroom_of, today
from tests.conftest import Stage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def asha(stage: Stage) -> AsyncIterator[Browser]:
    async with browser_of(stage.app, stage.asha) as browser:
        yield browser


async def test_a_teacher_sees_their_classes_and_an_administrator_all(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await classroom_of(stage.bilal, "CS401")
    page = await asha.shown("/app/classes")
    assert ("CS301" in page, "CS401" in page) == (True, False)
    async with browser_of(stage.app, stage.meera) as meera:
        page = await meera.shown("/app/classes")
        assert ("CS301" in page, "CS401" in page) == (True, True)


async def test_somebody_without_classes_is_told_how_to_get_one(asha: Browser) -> None:
    assert "You have no classes yet" in await asha.shown("/app/classes")


async def test_a_class_shows_where_its_students_stand_and_its_sessions(
    room: Classroom, asha: Browser
) -> None:
    for hour in range(8, 16):
        session = await room.open(today(), startTime=f"{hour:02}:00")
        await room.mark(session, {ROLLS[0]: "present", ROLLS[1]: "absent"})
    page = await asha.shown(f"/app/classes/{room.id}")
    assert "Can miss 2." in page
    assert "Absent 8 times running." in page
    assert "Too few sessions" in page
    assert f"/app/sessions/{session}" in page


async def test_an_archived_class_is_listed_apart_and_takes_no_attendance(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await room.open(today())
    await stage.asha.delete(room.path)
    assert "CS301" not in await asha.shown("/app/classes")
    assert "CS301" in await asha.shown("/app/classes?archived=true")
    page = await asha.shown(f"/app/classes/{room.id}")
    assert "This class is archived." in page
    assert 'action="/app/take"' not in page


async def test_the_class_of_somebody_else_is_closed(stage: Stage, room: Classroom) -> None:
    async with browser_of(stage.app, stage.bilal) as bilal:
        assert (await bilal.get(f"/app/classes/{room.id}")).status_code == 403
        assert (await bilal.get("/app/classes/not-an-id")).status_code == 404


async def test_names_of_a_class_are_text(stage: Stage, asha: Browser) -> None:
    room = await classroom_of(stage.asha, "<b>X", rolls=[])
    students = [{"rollNo": "1", "name": "<script>alert(1)</script>"}]
    await stage.asha.put(f"{room.path}/students", {"students": students})
    for path in ("/app/classes", f"/app/classes/{room.id}"):
        page = await asha.shown(path)
        assert "<script>alert" not in page
        assert "<b>X" not in page
