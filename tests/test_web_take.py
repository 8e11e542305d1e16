"""Taking attendance by forms: what a browser without JavaScript can do, and what modules send."""

import re
from typing import Any

import pytest
from markupsafe import escape

from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, day, decide, today
from tests.conftest import Stage
from tests.support import Person

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ROLLS


async def opened(browser: Browser, room: Classroom, **more: str) -> str:
    """The address of the sheet of today's session, as the button of Today leads there."""
    fields = {"classId": room.id, "sessionDate": str(today()), **more}
    return await browser.done("/app/take", fields)


def form_of(page: str) -> dict[str, str]:
    """What the browser would send of the page: hidden fields and the radio buttons picked."""
    fields = {}
    for tag in re.findall(r"<input[^>]+>", page):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value and (" checked" in tag or 'type="hidden"' in tag):
            fields[name[1]] = value[1]
    return fields


async def marks_of(person: Person, sheet: str) -> dict[str, str]:
    detail = await person.get(f"/attendance/sessions/{sheet.rpartition('/')[2]}")
    return {mark["rollNo"]: mark["status"] for mark in detail.json()["statuses"]}


async def test_todays_meetings_lead_to_their_sheet(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    slot = {"dayOfWeek": today().isoweekday(), "startTime": "00:00", "endTime": "23:59"}
    await stage.asha.post(f"{room.path}/schedules", slot)
    page = await asha.shown("/app/today")
    assert "Operating Systems" in page
    assert "Now" in page
    first_form = page.partition('action="/app/take"')[2].partition("</form>")[0]
    sheet = await asha.done("/app/take", form_of(first_form))
    assert FIRST in await asha.shown(sheet)
    assert "Continue" not in await asha.shown("/app/today")
    await asha.done(sheet, {"action": "others"})
    page = await asha.shown("/app/today")
    assert "Continue" in page
    assert "3 present" in page


async def test_an_empty_day_says_what_to_do(asha: Browser) -> None:
    page = await asha.shown(f"/app/today?on={day(-3)}")
    assert "Nothing is on your timetable on this day" in page


async def test_marks_are_saved_by_one_button(stage: Stage, room: Classroom, asha: Browser) -> None:
    sheet = await opened(asha, room)
    fields = form_of(await asha.shown(sheet))
    picked = {f"mark:{FIRST}": "absent", f"mark:{SECOND}": "late"}
    assert await asha.done(sheet, {**fields, **picked}) == f"{sheet}?done=saved"
    assert await marks_of(stage.asha, sheet) == {FIRST: "absent", SECOND: "late"}
    assert "Saved." in await asha.shown(f"{sheet}?done=saved")
    await asha.done(sheet, {**form_of(await asha.shown(sheet)), "action": "others"})
    assert (await marks_of(stage.asha, sheet))[THIRD] == "present"


async def test_all_others_present_never_changes_a_mark_that_is_there(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    sheet = await opened(asha, room)
    await asha.done(sheet, {f"mark:{FIRST}": "absent", f"was:{FIRST}": "", "action": "others"})
    assert await marks_of(stage.asha, sheet) == {
        FIRST: "absent",
        SECOND: "present",
        THIRD: "present",
    }


async def test_marks_that_two_people_changed_are_asked_about_and_the_rest_is_saved(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    sheet = await opened(asha, room)
    fields = form_of(await asha.shown(sheet))
    session = sheet.rpartition("/")[2]
    await room.mark(session, {FIRST: "present", THIRD: "late"})
    picked = {f"mark:{FIRST}": "absent", f"mark:{SECOND}": "absent", f"mark:{THIRD}": "late"}
    answer = await asha.post(sheet, {**fields, **picked})
    assert answer.status_code == 409
    assert "You: absent. Now stored: present." in answer.text
    assert answer.text.count('class="conflict"') == 1
    assert await marks_of(stage.asha, sheet) == {FIRST: "present", SECOND: "absent", THIRD: "late"}
    await asha.done(sheet, form_of(answer.text))
    assert (await marks_of(stage.asha, sheet))[FIRST] == "absent"


async def test_the_previous_session_of_the_day_can_be_taken_over(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    before = await room.open(today(), startTime="08:00")
    await room.mark(before, {FIRST: "absent", SECOND: "present"})
    sheet = await opened(asha, room, startTime="09:00")
    page = await asha.shown(sheet)
    assert "As at 08:00" in page
    assert "08:00: absent" in page
    await asha.done(sheet, {**form_of(page), f"mark:{SECOND}": "late", "action": "previous"})
    assert await marks_of(stage.asha, sheet) == {FIRST: "absent", SECOND: "late"}


async def test_the_sheet_says_what_is_worth_knowing_of_a_student(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    for distance in range(-7, 0):
        marks = {FIRST: "absent" if distance > -4 else "present", SECOND: "present"}
        await room.mark(await room.open(day(distance)), marks)
    leave = await asked_leave(stage.asha, SECOND, firstDay=str(today()), lastDay=str(today()))
    await decide(stage.meera, leave, "approve")
    page = await asha.shown(await opened(asha, room))
    lines = dict(
        re.findall(r'<li data-roll="([^"]+)".*?<span class="facts">(.*?)</span>', page, re.S)
    )
    assert lines == {
        FIRST: "absent 3 times running 57.14 %, below the line",
        SECOND: "<b>On leave (medical)</b>",
        THIRD: "",
    }


@pytest.mark.parametrize("word", ["roll", "", "<i>"])
async def test_what_is_no_mark_is_refused_or_left_alone_also_beside_somebody_elses(
    stage: Stage, room: Classroom, asha: Browser, word: str
) -> None:
    sheet = await opened(asha, room)
    await room.mark(sheet.rpartition("/")[2], {FIRST: "present"})
    for was in ("", "present"):
        answer = await asha.post(sheet, {f"mark:{FIRST}": word, f"was:{FIRST}": was})
        assert answer.status_code < 500
        assert "<i>" not in answer.text
    page = await asha.shown(sheet)
    assert f'<li data-roll="{FIRST}" data-stored="present"' in page


async def test_a_photo_that_is_not_sure_leaves_the_mark_to_the_teacher(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    sheet = await opened(asha, room)
    session = sheet.rpartition("/")[2]
    scores = {FIRST: 93.5, THIRD: 55.0}
    updates = [
        {"rollNo": roll, "status": "present", "recognizedByAi": True, "similarityScore": score}
        for roll, score in scores.items()
    ]
    await stage.asha.put(f"/attendance/sessions/{session}/statuses", {"updates": updates})
    page = await asha.shown(sheet)
    assert page.index(f'data-roll="{THIRD}"') < page.index(f'data-roll="{FIRST}"')
    assert "photo 55 % for present: please decide" in page
    fields = form_of(page)
    assert f"mark:{THIRD}" not in fields
    asked = await asha.shown(f"{sheet}/finalise")
    assert "Nobody has decided on 1 mark that the photo was not sure of" in asked
    await asha.done(sheet, {**fields, f"mark:{THIRD}": "present"})
    assert "please decide" not in await asha.shown(sheet)
    assert "was not sure" not in await asha.shown(f"{sheet}/finalise")


async def test_finalising_names_who_becomes_absent_and_asks(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    sheet = await opened(asha, room)
    there = await asha.done(sheet, {f"mark:{FIRST}": "present", "action": "finalise"})
    page = await asha.shown(there)
    assert "2 students have no mark and will be <b>absent</b>" in page
    assert (FIRST in page, SECOND in page, THIRD in page) == (False, True, True)
    session = await asha.done(there)
    assert "finalised" in await asha.shown(session)
    assert await marks_of(stage.asha, sheet) == {
        FIRST: "present",
        SECOND: "absent",
        THIRD: "absent",
    }
    assert (await asha.get(sheet)).headers["location"] == session.partition("?")[0]


async def test_a_session_is_reopened_cancelled_and_restored_with_a_reason(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    sheet = await opened(asha, room)
    session = (await asha.done(f"{sheet}/finalise")).partition("?")[0]
    refused = await asha.post(f"{session}/reopen", {"reason": " "})
    assert refused.status_code == 422
    assert "aria-invalid" in refused.text
    for act, reason in (("reopen", "A mistake"), ("cancel", "No power"), ("restore", "")):
        await asha.done(f"{session}/{act}", {"reason": reason})
    page = await asha.shown(session)
    assert "A mistake" in page
    assert "No power" in page
    assert "Change marks" in page


async def test_modules_save_marks_against_the_version_they_saw(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    sheet = await opened(asha, room)
    body = {"updates": [{"rollNo": FIRST, "status": "late"}]}
    headers = {"Accept": "application/json", "If-Match": "0"}
    sent: dict[str, Any] = {"headers": headers, "json": body}
    assert (await asha.post(f"{sheet}/marks", None, **sent)).json()["version"] == 1
    body["updates"][0]["status"] = "absent"
    stale = await asha.post(f"{sheet}/marks", None, **sent)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    now = (await asha.get(f"{sheet}/sheet")).json()
    assert (now["version"], now["students"][0]["mark"]["status"]) == (1, "late")
    wrong = await asha.post(f"{sheet}/marks", None, headers=headers, json={"updates": "all"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "validation_failed")


async def test_a_module_whose_sign_in_has_ended_is_told_so(stage: Stage, room: Classroom) -> None:
    session = await room.open(today())
    async with browser_of(stage.app) as browser:
        headers = {"Accept": "application/json"}
        answer = await browser.post(f"/app/take/{session}/marks", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


async def test_a_form_whose_sign_in_has_ended_keeps_what_was_picked(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open(today())
    async with browser_of(stage.app) as browser:
        answer = await browser.post(f"/app/take/{session}", {f"mark:{FIRST}": "absent"})
    assert answer.status_code == 401
    assert f'name="mark:{FIRST}" value="absent"' in answer.text
    assert f'action="/app/take/{session}"' in answer.text


async def test_somebody_elses_class_is_closed_in_the_console_as_in_the_api(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open(today())
    async with browser_of(stage.app, stage.bilal) as bilal:
        for path in (f"/app/take/{session}", f"/app/sessions/{session}"):
            assert (await bilal.get(path)).status_code == 403
        fields = {f"mark:{FIRST}": "absent"}
        for path in (f"/app/take/{session}", f"/app/take/{session}/finalise"):
            assert (await bilal.post(path, fields)).status_code == 403
        draft = {"classId": room.id, "sessionDate": str(today())}
        assert (await bilal.post("/app/take", draft)).status_code == 403


async def test_names_are_text_whatever_is_in_them(stage: Stage, asha: Browser) -> None:
    name = '<script>alert("1")</script> %(roll)s %'
    room = await classroom_of(stage.asha, "X<b>1", rolls=[])
    students = [{"rollNo": '<i>"1', "name": name}]
    await stage.asha.put(f"{room.path}/students", {"students": students})
    sheet = await opened(asha, room)
    page = await asha.shown(sheet)
    assert page.count(str(escape(name))) == 2
    assert 'name="mark:&lt;i&gt;&#34;1"' in page
    for path in (sheet, f"{sheet}/finalise", sheet.replace("take", "sessions"), "/app/today"):
        page = await asha.shown(path)
        assert name not in page
        assert "<i>1" not in page
        assert "X<b>" not in page
