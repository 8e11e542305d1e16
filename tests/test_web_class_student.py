"""The page of one student in a class: figures, the percentage over time, and every session."""

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import (
    ROLLS,
    Classroom,
    asked_leave,
    classroom_of,
    co_teacher,
    day,
    decide,
    share,
)
from tests.conftest import Stage
from tests.test_student_sessions import held, path_of, since_a_month

pytestmark = pytest.mark.anyio

NOBODY = "00000000-0000-4000-8000-000000000000"

FIRST, SECOND, _ = ROLLS


async def page_of(room: Classroom, roll: str = FIRST) -> str:
    student = (await path_of(room, roll)).rpartition("/")[2]
    return f"/app/classes/{room.id}/students/{student}"


def row_of(page: str, session: str) -> str:
    """The row of the session in the table of all."""
    rows = page.partition("<h2>Sessions</h2>")[2]
    return rows.partition(f'href="/app/sessions/{session}"')[2].partition("</tr>")[0]


async def test_the_class_and_the_roster_lead_to_each_student(
    room: Classroom, asha: Browser
) -> None:
    there = await page_of(room)
    for page in ("", "/roster"):
        assert f'href="{there}">{FIRST}</a>' in await asha.shown(f"/app/classes/{room.id}{page}")


async def test_a_student_has_figures_a_chart_and_each_session(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await since_a_month(room)
    made = await held(room, "pa-l")
    page = await asha.shown(await page_of(room))
    assert "66.67 %" in page
    assert "2 of 3" in page
    assert "Too few sessions" in page
    assert "To the line of 75 %" in page
    assert 'role="img"' in page
    assert page.count('class="dot"') == 3
    assert 'class="mark-line"' in page
    table = page.partition("The same figures as a table")[2].partition("</table>")[0]
    assert [table.index(text) for text in (">100 %", ">50 %", ">66.67 %")] == sorted(
        table.index(text) for text in (">100 %", ">50 %", ">66.67 %")
    )
    assert "Late" in row_of(page, made[3])
    assert "by hand" in row_of(page, made[3])
    assert "Asha Demo" in row_of(page, made[3])
    assert "66.67 %" in row_of(page, made[3])
    assert "Not marked" in row_of(page, made[2])
    assert "Absent" in row_of(page, made[1])


async def test_leave_and_cancelled_sessions_say_whether_they_count(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    made = await held(room, "paa")
    days = {"firstDay": str(day(-1)), "lastDay": str(day(-1))}
    leave = await asked_leave(stage.asha, FIRST, classId=room.id, **days)
    await decide(stage.asha, leave, "approve")
    await stage.asha.post(f"/attendance/sessions/{made[0]}/cancel", {"reason": "No power"})
    page = await asha.shown(await page_of(room))
    assert "Medical leave" in row_of(page, made[2])
    assert "does not count" in row_of(page, made[0])


async def test_long_lists_have_pages(
    room: Classroom, asha: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.class_student.class_student.MAX_PAGE", 2)
    made = await held(room, "pap")
    there = await page_of(room)
    page = await asha.shown(there)
    assert f"{there}?cursor={day(-2)}T09%3A00" in page
    assert made[0] not in page
    page = await asha.shown(f"{there}?cursor={day(-2)}T09%3A00")
    assert made[0] in page
    assert made[1] not in page
    assert "Next page" not in page
    assert "There are no earlier sessions." in await asha.shown(f"{there}?cursor=2001-01-01T")


async def test_a_student_without_sessions_has_no_chart(room: Classroom, asha: Browser) -> None:
    page = await asha.shown(await page_of(room))
    assert "No attendance was taken yet" in page
    assert "<svg" not in page


async def test_who_has_left_is_shown_as_such(room: Classroom, asha: Browser) -> None:
    there = await page_of(room)
    await held(room, "p")
    await room.enrol(SECOND)
    assert "no longer on the roster" in await asha.shown(there)


@pytest.mark.parametrize("cursor", ["x", "%00", "2025-02-30T09:00", "1" * 10_000])
async def test_an_address_that_was_changed_by_hand_is_refused(
    room: Classroom, asha: Browser, cursor: str
) -> None:
    assert (await asha.get(f"{await page_of(room)}?cursor={cursor}")).status_code == 422


@pytest.mark.parametrize("student", ["x", "%00", "1" * 10_000, NOBODY])
async def test_nobody_is_not_found(room: Classroom, asha: Browser, student: str) -> None:
    assert (await asha.get(f"/app/classes/{room.id}/students/{student}")).status_code == 404


async def test_students_of_other_classes_are_not_shown(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    other = await classroom_of(stage.bilal, "CS302", ["23/CS/900"])
    theirs = await page_of(other, "23/CS/900")
    assert (await asha.get(theirs)).status_code == 403
    assert (await asha.get(theirs.replace(other.id, room.id))).status_code == 404
    await share(room, co_teacher(stage.chitra))
    for person, status in ((stage.chitra, 200), (stage.bilal, 403), (None, 303)):
        async with browser_of(stage.app, person) as browser:
            assert (await browser.get(await page_of(room))).status_code == status


async def test_names_are_text_whatever_is_in_them(stage: Stage, asha: Browser) -> None:
    room = await classroom_of(stage.asha, "X<b>1", rolls=[])
    students = [{"rollNo": "<i>/1?#", "name": "<script>alert(1)</script>"}]
    await stage.asha.put(f"{room.path}/students", {"students": students})
    await held(room, "p", "<i>/1?#")
    page = await asha.shown(await page_of(room, "<i>/1?#"))
    assert "&lt;script&gt;alert(1)" in page
    assert "rollNo=%3Ci%3E%2F1%3F%23" in page
    assert "<i>" not in page
