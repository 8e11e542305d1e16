"""The pages of a roster: adding, withdrawing, and importing a file after a preview."""

import re
from typing import Any

import httpx2
import pytest

from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, classroom_of, co_teacher, day, share, today
from tests.conftest import Stage
from tests.files import xlsx

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ROLLS
NEW = "23/CS/190"


def page_of(room: Classroom, page: str = "") -> str:
    return f"/app/classes/{room.id}/roster{page}"


async def students_of(room: Classroom) -> dict[str, dict[str, Any]]:
    return {student["rollNo"]: student for student in (await room.document())["students"]}


async def send(
    browser: Browser, room: Classroom, content: bytes, name: str = "roster.csv", **fields: str
) -> httpx2.Response:
    """Choose a file, and send the form."""
    file = {"file": (name, content, "text/csv")}
    return await browser.post(page_of(room, "/import"), fields, files=file)


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the form that confirms."""
    form = page.partition('name="action"')[2].partition("</form>")[0]
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    return {**dict(found), "action": "import"}


async def test_a_student_is_added_from_a_day_on(room: Classroom, asha: Browser) -> None:
    fields = {"rollNo": NEW, "name": "Kabir Demo", "email": "k@demo.university.example"}
    there = await asha.done(page_of(room), {**fields, "from": str(day(-3))})
    assert there == f"{page_of(room)}?done=student_added"
    student = (await students_of(room))[NEW]
    assert {**student, **fields, "enrolledFrom": str(day(-3))} == student
    page = await asha.shown(there)
    assert NEW in page
    assert "The student is on the roster." in page


async def test_what_is_wrong_with_a_student_is_said_beside_the_field(
    room: Classroom, asha: Browser
) -> None:
    answer = await asha.post(page_of(room), {"rollNo": " ", "name": "Kabir Demo"})
    assert answer.status_code == 422
    assert 'id="e-rollNo">This is required.' in answer.text
    assert 'value="Kabir Demo"' in answer.text
    answer = await asha.post(page_of(room), {"rollNo": NEW, "from": str(day(900))})
    assert answer.status_code == 422
    assert 'id="e-from">This day is more than 400 days ahead.' in answer.text


async def test_what_is_stored_of_a_student_of_others_is_kept_and_that_is_said(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    other = await classroom_of(stage.bilal, "CS302", rolls=[])
    await other.enrol(NEW)
    there = await asha.done(page_of(room), {"rollNo": NEW, "name": "Somebody Else"})
    assert there.endswith("?done=student_kept")
    assert (await students_of(room))[NEW]["name"] == "Student 190"


async def test_a_student_is_withdrawn_on_a_day(room: Classroom, asha: Browser) -> None:
    page = await asha.shown(page_of(room))
    address = page_of(room, "/withdraw?roll=23%2FCS%2F102")
    assert f'href="{address}"' in page
    assert "Student 102" in await asha.shown(address)
    fields = {"rollNo": SECOND, "lastDay": str(day(3))}
    assert await asha.done(page_of(room, "/withdraw"), fields) == page_of(room, "?done=withdrawn")
    assert (await students_of(room))[SECOND]["enrolledUntil"] == str(day(3))
    answer = await asha.post(page_of(room, "/withdraw"), fields | {"lastDay": "2001-01-01"})
    assert answer.status_code == 422
    assert 'id="e-lastDay">This day is before the first day' in answer.text


async def test_only_who_is_in_the_class_can_be_withdrawn(room: Classroom, asha: Browser) -> None:
    assert (await asha.get(page_of(room, "/withdraw?roll=nobody"))).status_code == 404
    answer = await asha.post(page_of(room, "/withdraw"), {"rollNo": "nobody"})
    assert answer.status_code == 404


async def test_a_file_is_imported_after_a_preview_of_each_row(
    room: Classroom, asha: Browser
) -> None:
    content = f"Roll No,Name\n{NEW},Kabir Demo\n{FIRST},Student 101\n".encode()
    preview = await send(asha, room, content)
    assert preview.status_code == 200
    assert "1 would be added, 0 changed; 1 would stay as it is" in preview.text
    row = preview.text.partition(f">{NEW}</td>")[2].partition("</tr>")[0]
    assert "Kabir Demo" in row
    assert "Added" in row
    assert NEW not in await students_of(room)
    there = await asha.done(page_of(room, "/import"), hidden(preview.text))
    assert there == page_of(room, "?done=imported")
    assert (await students_of(room))[NEW]["name"] == "Kabir Demo"
    again = await send(asha, room, content)
    assert "All of it is on the roster already" in again.text


async def test_a_workbook_is_imported_from_the_sheet_that_is_named(
    room: Classroom, asha: Browser
) -> None:
    content = xlsx([["Roll No", "Name"], [NEW, "Kabir Demo"]])
    preview = await send(asha, room, content, "roster.xlsx")
    await asha.done(page_of(room, "/import"), hidden(preview.text))
    assert NEW in await students_of(room)
    refused = await send(asha, room, content, "roster.xlsx", sheet="Nowhere")
    assert refused.status_code == 422
    assert 'value="Nowhere"' in refused.text
    assert 'name="content"' in refused.text


async def test_a_file_with_bad_rows_can_be_corrected_but_not_imported(
    room: Classroom, asha: Browser
) -> None:
    content = f"Roll No,Name\n,Nobody\n{NEW},Kabir Demo\n".encode()
    preview = await send(asha, room, content)
    assert "<b>1 cannot be imported</b>" in preview.text
    assert 'value="import"' not in preview.text
    answer = await send(asha, room, content, action="import")
    assert answer.status_code == 422
    assert "Nothing was imported." in answer.text
    assert NEW not in await students_of(room)


async def test_numbers_can_be_trusted_where_names_differ(room: Classroom, asha: Browser) -> None:
    content = f"Roll No,Name\n{FIRST},Somebody Else\n".encode()
    preview = await send(asha, room, content)
    assert "trust the numbers" in preview.text
    carried = re.search(r'name="content" value="([^"]+)"', preview.text)
    assert carried
    preview = await asha.post(
        page_of(room, "/import"), {"content": carried[1], "trustNumbers": "yes"}
    )
    assert "1 changed" in preview.text
    await asha.done(page_of(room, "/import"), hidden(preview.text))
    assert (await students_of(room))[FIRST]["name"] == "Somebody Else"


async def test_a_large_file_is_asked_for_again(room: Classroom, asha: Browser) -> None:
    filler = "x" * 1000
    rows = "".join(f"23/EE/{n},Student {n},{filler}\n" for n in range(800))
    content = f"Roll No,Name,Notes\n{rows}".encode()
    preview = await send(asha, room, content)
    assert "800 would be added" in preview.text
    assert "too large to be kept here" in preview.text
    assert "content" not in hidden(preview.text)
    answer = await send(asha, room, content, action="import")
    assert answer.status_code == 303
    assert len(await students_of(room)) == 803


@pytest.mark.parametrize("fields", [{}, {"content": "é"}, {"content": "abc"}])
async def test_without_a_file_one_is_asked_for(
    room: Classroom, asha: Browser, fields: dict[str, str]
) -> None:
    answer = await asha.post(page_of(room, "/import"), fields)
    assert answer.status_code == 422
    assert 'id="e-file">Choose a file.' in answer.text


async def test_an_archived_roster_is_shown_without_forms(room: Classroom, asha: Browser) -> None:
    await room.open(today())
    await room.teacher.delete(room.path)
    page = await asha.shown(page_of(room))
    assert FIRST in page
    assert "Withdraw" not in page
    assert f'action="{page_of(room)}"' not in page
    assert (await asha.post(page_of(room), {"rollNo": NEW})).status_code == 409
    assert (await send(asha, room, b"Roll No\n1\n")).status_code == 409


async def test_a_roster_is_closed_to_strangers_and_open_to_who_teaches(
    stage: Stage, room: Classroom
) -> None:
    pages = ("", "/withdraw?roll=23/CS/101", "/import")
    async with browser_of(stage.app, stage.bilal) as bilal:
        for page in pages:
            assert (await bilal.get(page_of(room, page))).status_code == 403
        assert (await bilal.post(page_of(room), {"rollNo": NEW})).status_code == 403
        fields = {"rollNo": FIRST}
        assert (await bilal.post(page_of(room, "/withdraw"), fields)).status_code == 403
        assert (await send(bilal, room, b"Roll No\n1\n")).status_code == 403
    await share(room, co_teacher(stage.chitra))
    async with browser_of(stage.app, stage.chitra) as chitra:
        for page in pages:
            assert (await chitra.get(page_of(room, page))).status_code == 200
        await chitra.done(page_of(room), {"rollNo": NEW})
    assert {*await students_of(room)} == {*ROLLS, NEW}


async def test_names_are_text_whatever_is_in_them(stage: Stage, asha: Browser) -> None:
    name, roll = "<script>alert(1)</script>", "<i>/1?#"
    room = await classroom_of(stage.asha, "X<b>1", rolls=[])
    file = f'Roll No,Name\n{roll},"{name}"\n'.encode()
    preview = await send(asha, room, file, "<u>.csv")
    assert "&lt;u&gt;.csv" in preview.text
    await asha.done(page_of(room, "/import"), hidden(preview.text))
    shown = [await asha.shown(page_of(room, page)) for page in ("", "/import")]
    shown.append(await asha.shown(page_of(room, "/withdraw?roll=%3Ci%3E%2F1%3F%23")))
    for page in (preview.text, *shown):
        assert name not in page
        assert "<i>" not in page
        assert "<u>" not in page
        assert "X<b>" not in page
