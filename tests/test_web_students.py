"""The pages of students' records: found, corrected and merged by administrators."""

from urllib.parse import quote

import pytest

from app.demo.google import DemoGoogle
from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, classroom_of
from tests.conftest import Stage
from tests.students import KIRAN, give_address, id_of_roll, kiran_of, let_in, try_to_sign_in
from tests.support import checksum

pytestmark = pytest.mark.anyio

STUDENTS = "/app/students"
EVIL = "<script>alert(1)</script>"
NOWHERE = "00000000-0000-4000-8000-000000000000"
RIGHT, WRONG = ROLLS[0], ROLLS[1]
LABELS = ("name", "dtuEmail", "email", "phone", "program", "semester", "spCode", "status")


async def page_of(stage: Stage, roll: str = RIGHT) -> str:
    """The address of the student's page."""
    return f"{STUDENTS}/{await id_of_roll(stage, roll)}"


async def record(stage: Stage, there: str) -> dict[str, str | None]:
    return (await stage.meera.get(there.replace("/app", "/admin"))).json()


def change(name: str, was: str, text: str) -> dict[str, str]:
    return {f"was:{name}": was, name: text}


async def clash(room: Classroom) -> None:
    """A session in which the two records have different marks."""
    session = await room.open()
    await room.mark(session, {RIGHT: "present", WRONG: "absent"})


async def test_without_students_the_page_says_where_they_come_from(meera: Browser) -> None:
    page = await meera.shown(STUDENTS)
    assert "There are no students yet." in page
    assert '<a href="/app/students" aria-current="page">Students</a>' in page


@pytest.mark.parametrize("query", [RIGHT, "cs/101", "student 101", " 101 "])
async def test_a_student_is_found_by_a_part_of_the_number_or_the_name(
    stage: Stage, room: Classroom, meera: Browser, query: str
) -> None:
    page = await meera.shown(f"{STUDENTS}?query={quote(query)}")
    assert "1 student, by roll number" in page
    assert f'href="{await page_of(stage)}"' in page
    assert WRONG not in page
    assert "No student matches." in await meera.shown(f"{STUDENTS}?query=nobody")


async def test_a_long_list_is_shown_by_pages(stage: Stage, meera: Browser) -> None:
    rolls = [f"24/EE/{number:03}" for number in range(201)]
    await classroom_of(stage.asha, "EE101", rolls)
    page = await meera.shown(f"{STUDENTS}?query=24/EE")
    assert rolls[199] in page
    assert rolls[200] not in page
    after = page.partition('<p class="more"><a class="button" href="')[2].partition('"')[0]
    page = await meera.shown(after.replace("&amp;", "&"))
    assert rolls[200] in page
    assert rolls[199] not in page
    assert "Next page" not in page


async def test_a_record_shows_the_standing_in_each_class(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    await classroom_of(stage.bilal, "CS999", [RIGHT])
    await clash(room)
    path = await page_of(stage)
    page = await meera.shown(path)
    assert f'href="/app/classes/{room.id}{path.removeprefix("/app")}"' in page
    assert "CS999" in page
    assert "1 of 1" in page
    assert "In all of them together: <b>100 %</b>, 1 of 1 sessions." in page


async def test_a_student_in_no_class_has_a_page(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    await stage.asha.delete(room.path)
    assert "They are in no class that is in use." in await meera.shown(await page_of(stage))


@pytest.mark.parametrize("name", LABELS)
async def test_a_field_is_corrected_and_cleared(
    stage: Stage, room: Classroom, meera: Browser, name: str
) -> None:
    there = await page_of(stage)
    stored = (await record(stage, there))[name] or ""
    assert f'name="was:{name}" value="{stored}"' in await meera.shown(f"{there}/correct")
    assert (
        await meera.done(f"{there}/correct", change(name, stored, "New")) == f"{there}?done=saved"
    )
    assert (await record(stage, there))[name] == "New"
    await meera.done(f"{there}/correct", change(name, "New", ""))
    assert not (await record(stage, there))[name]


async def test_marks_follow_a_corrected_roll_number(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    await clash(room)
    there = await page_of(stage)
    await meera.done(f"{there}/correct", change("rollNo", RIGHT, "23/CS/190"))
    page = await meera.shown(there)
    assert "23/CS/190" in page
    assert "1 of 1" in page


async def test_what_others_changed_meanwhile_stays(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    there = await page_of(stage)
    path = there.replace("/app", "/admin")
    await stage.meera.patch(path, {"phone": "+91 00000 00000"})
    fields = change("phone", "", "") | change("semester", "", "5")
    await meera.done(f"{there}/correct", fields)
    stored = await record(stage, there)
    assert (stored["phone"], stored["semester"]) == ("+91 00000 00000", "5")
    before = await checksum(stage.connection)
    await meera.done(f"{there}/correct", change("semester", "5", "5"))
    assert await checksum(stage.connection) == before


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("rollNo", "", "This must not be blank."),
        ("rollNo", "x" * 10_000, "This is too long."),
        ("name", "a\0b", "Control characters are not allowed."),
        ("name", "x" * 201, "This is too long."),
        ("phone", "1" * 10_000, "This is too long."),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field(
    stage: Stage, room: Classroom, meera: Browser, name: str, text: str, sentence: str
) -> None:
    there = await page_of(stage)
    before = await checksum(stage.connection)
    stored = (await record(stage, there))[name] or ""
    fields = change(name, stored, text) | change("semester", "", "kept here")
    answer = await meera.post(f"{there}/correct", fields)
    assert answer.status_code == 422
    assert f'id="e-{name}">{sentence}' in answer.text
    assert 'value="kept here"' in answer.text
    assert await checksum(stage.connection) == before


async def test_a_roll_number_of_somebody_else_leads_to_merging(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    there = await page_of(stage)
    answer = await meera.post(f"{there}/correct", change("rollNo", RIGHT, WRONG))
    assert answer.status_code == 409
    assert 'id="e-rollNo">Another student has this roll number.' in answer.text
    way = f"{there}/merge?query={quote(WRONG, safe='')}"
    assert f'href="{way}"' in answer.text
    other = await id_of_roll(stage, WRONG)
    assert f'href="{there}/merge?otherId={other}"' in await meera.shown(way)


async def test_the_other_record_is_chosen_and_never_the_same(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    there = await page_of(stage)
    page = await meera.shown(f"{there}/merge")
    assert "Which is the other record?" in page
    assert "otherId=" not in page
    page = await meera.shown(f"{there}/merge?query=23/CS")
    assert page.count("otherId=") == len(ROLLS) - 1
    assert "No other student matches." in await meera.shown(f"{there}/merge?query={RIGHT}")


async def test_what_would_happen_is_shown_and_nothing_happens(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    await clash(room)
    there = await page_of(stage)
    before = await checksum(stage.connection)
    page = await meera.shown(f"{there}/merge?otherId={await id_of_roll(stage, WRONG)}")
    assert "Nothing has changed yet." in page
    assert "<dt>Classes of the other record</dt><dd>1</dd>" in page
    assert "<dt>Marks of the other record</dt><dd>1</dd>" in page
    assert "<dt>Sessions with two different marks</dt><dd>1</dd>" in page
    assert "Mon 27 Oct 2025" in page
    assert await checksum(stage.connection) == before


async def test_marks_that_differ_only_in_their_score_or_remark_show_what_differs(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    session = await room.open()
    photo = {"status": "present", "recognizedByAi": True, "similarityScore": 92.5}
    by_hand = {"status": "present", "remark": f"Came {EVIL}"}
    updates = [{"rollNo": RIGHT} | photo, {"rollNo": WRONG} | by_hand]
    answer = await stage.asha.put(f"/attendance/sessions/{session}/statuses", {"updates": updates})
    assert answer.status_code == 200, answer.text
    there = await page_of(stage)
    page = await meera.shown(f"{there}/merge?otherId={await id_of_roll(stage, WRONG)}")
    assert "From a photo, score 92.5" in page
    assert "Came &lt;script&gt;" in page


@pytest.mark.parametrize(("kept", "status"), [("this", "present"), ("other", "absent")])
async def test_two_records_become_one_and_the_choice_says_which_mark_stays(
    stage: Stage, room: Classroom, meera: Browser, kept: str, status: str
) -> None:
    await clash(room)
    there = await page_of(stage)
    other = await id_of_roll(stage, WRONG)
    fields = {"otherId": other, "onClash": kept, "reason": "One person"}
    assert await meera.done(f"{there}/merge", fields) == f"{there}?done=merged"
    assert "The two records are one now." in await meera.shown(f"{there}?done=merged")
    assert (await meera.get(f"{STUDENTS}/{other}")).status_code == 404
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    assert {each["rollNo"]: each[status] for each in stats} == {RIGHT: 1, ROLLS[2]: 0}


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"reason": "One person"}, 409, 'id="e-onClash">Sessions in which the two have'),
        ({"onClash": "both", "reason": "x"}, 422, 'id="e-onClash">'),
        ({"onClash": "this", "reason": "x" * 1001}, 422, 'id="e-reason">This is too long.'),
        ({"onClash": "this", "reason": "a\0b"}, 422, 'id="e-reason">'),
        ({"onClash": "this"}, 422, 'id="e-reason">This moves marks in attendance that is closed'),
    ],
)
async def test_a_refused_merge_is_shown_again_with_why(
    stage: Stage,
    room: Classroom,
    meera: Browser,
    fields: dict[str, str],
    status: int,
    sentence: str,
) -> None:
    session = await room.open()
    await room.mark(session, {RIGHT: "present", WRONG: "absent"})
    await stage.asha.post(f"/attendance/sessions/{session}/finalise", {})
    there = await page_of(stage)
    before = await checksum(stage.connection)
    other = await id_of_roll(stage, WRONG)
    answer = await meera.post(f"{there}/merge", {"otherId": other} | fields)
    assert answer.status_code == status
    assert sentence in answer.text
    assert "Merge these two records?" in answer.text
    assert await checksum(stage.connection) == before


async def test_a_record_is_not_merged_with_itself_or_with_nothing(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    there = await page_of(stage)
    same = there.rpartition("/")[2]
    for other, status in ((same, 422), ("x", 422), ("", 422), (NOWHERE, 404)):
        answer = await meera.post(f"{there}/merge", {"otherId": other})
        assert answer.status_code == status, other
        if other:
            assert (await meera.get(f"{there}/merge?otherId={other}")).status_code == status


async def test_an_address_on_two_records_is_shown_once_somebody_was_refused(
    stage: Stage,
    room: Classroom,
    meera: Browser,
    google: DemoGoogle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = f"{STUDENTS}/refused-sign-ins"
    assert "Nobody has been refused for these reasons." in await meera.shown(refused)
    let_in(stage, monkeypatch)
    for roll in (RIGHT, WRONG):
        await give_address(stage, roll, KIRAN)
    assert (await try_to_sign_in(stage, google)).status_code == 403
    page = await meera.shown(refused)
    for roll in (RIGHT, WRONG):
        assert f'href="{await page_of(stage, roll)}"' in page


async def test_an_address_that_a_teacher_entered_is_confirmed_by_a_click(
    stage: Stage,
    room: Classroom,
    meera: Browser,
    google: DemoGoogle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_in(stage, monkeypatch)
    there = await page_of(stage)
    await stage.connection.execute(
        "UPDATE students SET dtu_email = $1 WHERE roll_no = $2", KIRAN, RIGHT
    )
    assert (await try_to_sign_in(stage, google)).json()["code"] == "address_unconfirmed"
    assert "Not confirmed" in await meera.shown(f"{STUDENTS}/refused-sign-ins")
    assert "before you confirm" in await meera.shown(there)
    assert await meera.done(f"{there}/confirm", {"dtuEmail": KIRAN}) == (
        f"{there}?done=address_confirmed"
    )
    assert "Confirm the address" not in await meera.shown(there)
    assert (await try_to_sign_in(stage, google)).status_code == 200
    assert (await meera.post(f"{there}/confirm")).status_code == 422


async def test_records_are_for_administrators(
    stage: Stage,
    room: Classroom,
    asha: Browser,
    google: DemoGoogle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_in(stage, monkeypatch)
    kiran = await kiran_of(stage, google)
    there = await page_of(stage)
    other = await id_of_roll(stage, WRONG)
    before = await checksum(stage.connection)
    gets = (STUDENTS, f"{STUDENTS}/refused-sign-ins", there, f"{there}/correct", f"{there}/merge")
    async with browser_of(stage.app, kiran) as student:
        for browser in (asha, student):
            for path in gets:
                answer = await browser.get(path)
                assert answer.status_code == 403
                assert WRONG not in answer.text
            for path, fields in (("correct", {}), ("merge", {"otherId": other})):
                assert (await browser.post(f"{there}/{path}", fields)).status_code == 403
    assert await checksum(stage.connection) == before
    assert 'href="/app/students"' not in await asha.shown("/app/today")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/x", 404),
        ("/%00", 404),
        (f"/{'1' * 10_000}", 404),
        (f"/{NOWHERE}", 404),
        (f"/{NOWHERE}/correct", 404),
        (f"/{NOWHERE}/merge", 404),
        ("?query=%00", 422),
        ("?cursor=%00", 422),
        (f"?query={'x' * 10_000}", 422),
        (f"?cursor={'x' * 10_000}", 422),
        ("/refused-sign-ins?cursor=x", 422),
    ],
)
async def test_bad_addresses_are_pages_that_say_so(meera: Browser, path: str, status: int) -> None:
    assert (await meera.get(STUDENTS + path)).status_code == status


async def test_markup_in_a_name_is_text(stage: Stage, room: Classroom, meera: Browser) -> None:
    there = await page_of(stage)
    await meera.done(f"{there}/correct", change("name", "Student 101", EVIL))
    other = await id_of_roll(stage, WRONG)
    for path in (STUDENTS, there, f"{there}/correct", f"{there}/merge?otherId={other}"):
        assert "&lt;script&gt;alert(1)" in await meera.shown(path)
    answer = await meera.post(f"{there}/correct", change("name", "", EVIL * 20))
    assert "&lt;script&gt;alert(1)" in answer.text
