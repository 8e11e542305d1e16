"""The timetable of a class on its pages: weekly meetings, and single ones that are moved."""

from typing import Any

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import Classroom, co_teacher, day, share, today
from tests.conftest import Stage

pytestmark = pytest.mark.anyio


def page_of(room: Classroom, page: str = "") -> str:
    return f"/app/classes/{room.id}/timetable{page}"


async def weekly(room: Classroom, distance: int = 2) -> dict[str, Any]:
    """A meeting in every week, on the weekday of that many days from now."""
    slot = {"dayOfWeek": day(distance).isoweekday(), "startTime": "09:00", "endTime": "10:00"}
    made: dict[str, Any] = (await room.teacher.post(f"{room.path}/schedules", slot)).json()
    return made


async def schedule_of(room: Classroom) -> list[tuple[int, str, str]]:
    slots = (await room.document())["schedule"]
    return [(slot["dayOfWeek"], slot["start"], slot["end"]) for slot in slots]


async def test_a_weekly_meeting_is_added_changed_and_removed(
    room: Classroom, asha: Browser
) -> None:
    assert "The class has no meetings yet" in await asha.shown(page_of(room))
    fields = {"dayOfWeek": "3", "startTime": "09:00", "endTime": "10:00"}
    assert await asha.done(page_of(room), fields) == page_of(room, "?done=slot_added")
    assert await schedule_of(room) == [(3, "09:00", "10:00")]
    slot = (await room.document())["schedule"][0]["id"]
    address = page_of(room, f"/slots/{slot}")
    assert f'href="{address}"' in await asha.shown(page_of(room))
    assert '<option value="3" selected>Wednesday' in await asha.shown(address)
    await asha.done(address, {"dayOfWeek": "5", "startTime": "11:00", "endTime": "12:30"})
    assert await schedule_of(room) == [(5, "11:00", "12:30")]
    assert await asha.done(f"{address}/remove") == page_of(room, "?done=slot_removed")
    assert await schedule_of(room) == []
    assert (await asha.get(address)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"dayOfWeek": "3", "startTime": "10:00", "endTime": "09:00"}, 422, 'id="e-endTime">'),
        ({"dayOfWeek": "3", "startTime": "", "endTime": "09:00"}, 422, 'id="e-startTime">'),
        ({"dayOfWeek": "9", "startTime": "08:00", "endTime": "09:00"}, 422, 'id="e-dayOfWeek">'),
        ({"dayOfWeek": "3", "startTime": "09:30", "endTime": "11:00"}, 409, "overlaps another"),
    ],
)
async def test_a_meeting_that_cannot_be_is_refused_and_what_was_entered_stays(
    room: Classroom, asha: Browser, fields: dict[str, str], status: int, said: str
) -> None:
    slot = {"dayOfWeek": 3, "startTime": "09:00", "endTime": "10:00"}
    await room.teacher.post(f"{room.path}/schedules", slot)
    answer = await asha.post(page_of(room), fields)
    assert answer.status_code == status
    assert said in answer.text
    assert f'value="{fields["endTime"]}"' in answer.text
    assert len(await schedule_of(room)) == 1


async def test_a_change_that_overlaps_is_refused(room: Classroom, asha: Browser) -> None:
    first = await weekly(room)
    await room.teacher.post(
        f"{room.path}/schedules",
        {"dayOfWeek": first["dayOfWeek"], "startTime": "10:00", "endTime": "11:00"},
    )
    answer = await asha.post(page_of(room, f"/slots/{first['id']}"), {"endTime": "10:30"})
    assert answer.status_code == 409
    assert 'value="10:30"' in answer.text


async def test_one_meeting_is_moved_and_the_move_is_undone(room: Classroom, asha: Browser) -> None:
    await weekly(room)
    page = await asha.shown(page_of(room))
    address = page_of(room, f"/move?on={day(2)}&amp;start=09%3A00")
    assert f'href="{address}"' in page
    assert f'value="{day(2)}"' in await asha.shown(address.replace("&amp;", "&"))
    fields = {
        "originalDate": str(day(2)),
        "originalStartTime": "09:00",
        "rescheduledDate": str(day(3)),
        "rescheduledStartTime": "15:00",
        "rescheduledEndTime": "16:00",
        "reason": "The room <b>is taken.",
    }
    assert await asha.done(page_of(room, "/move"), fields) == page_of(room, "?done=moved")
    page = await asha.shown(page_of(room))
    assert "Moved away" in page
    assert "The room &lt;b&gt;is taken." in page
    (move,) = (await room.document())["reschedules"]
    undo = page_of(room, f"/moves/{move['id']}/undo")
    assert f'action="{undo}"' in page
    assert await asha.done(undo) == page_of(room, "?done=move_undone")
    assert (await room.document())["reschedules"] == []


async def test_a_move_that_cannot_be_is_refused_beside_its_field(
    room: Classroom, asha: Browser
) -> None:
    await weekly(room)
    fields = {
        "originalDate": str(day(3)),
        "rescheduledDate": str(day(4)),
        "rescheduledStartTime": "15:00",
        "rescheduledEndTime": "16:00",
    }
    answer = await asha.post(page_of(room, "/move"), fields)
    assert answer.status_code == 422
    assert 'id="e-originalDate">The class does not meet then' in answer.text
    assert f'value="{day(4)}"' in answer.text
    assert (await asha.get(page_of(room, "/move?on=never&start=09:00"))).status_code == 404


async def test_coming_meetings_can_be_taken_on_their_day_and_looked_at_when_taken(
    room: Classroom, asha: Browser
) -> None:
    slot = {"dayOfWeek": today().isoweekday(), "startTime": "00:00", "endTime": "23:59"}
    await room.teacher.post(f"{room.path}/schedules", slot)
    page = await asha.shown(page_of(room))
    assert page.count('action="/app/take"') == 1
    session = await room.open(today(), startTime="00:00")
    await room.mark(session, {"23/CS/101": "present"})
    page = await asha.shown(page_of(room))
    assert f'href="/app/sessions/{session}"' in page
    assert 'action="/app/take"' not in page


async def test_the_timetable_of_an_archived_class_cannot_be_changed(
    room: Classroom, asha: Browser
) -> None:
    slot = await weekly(room)
    await room.open(today())
    await room.teacher.delete(room.path)
    page = await asha.shown(page_of(room))
    assert "/slots/" not in page
    assert "/move" not in page
    remove = page_of(room, f"/slots/{slot['id']}/remove")
    assert (await asha.post(remove)).status_code == 409


async def test_a_timetable_is_closed_to_strangers_and_open_to_who_teaches(
    stage: Stage, room: Classroom
) -> None:
    slot = await weekly(room)
    pages = ("", f"/slots/{slot['id']}", f"/move?on={day(2)}&start=09:00")
    fields = {"dayOfWeek": "3", "startTime": "11:00", "endTime": "12:00"}
    async with browser_of(stage.app, stage.bilal) as bilal:
        for page in pages:
            assert (await bilal.get(page_of(room, page))).status_code == 403
        for page in ("", pages[1], f"{pages[1]}/remove"):
            assert (await bilal.post(page_of(room, page), fields)).status_code == 403
        undo = f"/moves/{slot['id']}/undo"
        assert (await bilal.post(page_of(room, undo))).status_code == 403
    await share(room, co_teacher(stage.chitra))
    async with browser_of(stage.app, stage.chitra) as chitra:
        for page in pages:
            assert (await chitra.get(page_of(room, page))).status_code == 200
        await chitra.done(page_of(room), fields)
