"""The console in a real browser: accessible, small, quick to use, and never losing a mark."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, Dialog, expect

from app.demo.department import STUDENTS
from tests.chromium import (
    DESK,
    PHONE,
    Visitor,
    chromium,
    demo_console,
    needs_chromium,
    visitor,
)
from tests.classroom import today
from tests.conftest import copy_of
from tests.processes import Checkout

pytestmark = [needs_chromium, pytest.mark.anyio]

WINDOWS = [(size, scheme) for size in (PHONE, DESK) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def base(checkout: Checkout, server_url: str, template: str, worker_id: str) -> Iterator[str]:
    url = asyncio.run(copy_of(server_url, template, f"aims_console_{worker_id}"))
    with demo_console(checkout, url) as address:
        yield address


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest.fixture
async def asha(browser: Browser, base: str) -> AsyncIterator[Visitor]:
    async with visitor(browser, base) as somebody:
        await somebody.sign_in("asha")
        yield somebody


# Each test has a session of its own, at a minute of the night when nobody teaches.
MINUTES = iter(range(60))


async def take(somebody: Visitor) -> str:
    """Open the sheet of a new session of the first class; gives its address."""
    await somebody.open("/app/classes")
    link = await somebody.page.locator("main tbody a").first.get_attribute("href")
    answer = await somebody.page.request.post(
        f"{somebody.base}/app/take",
        form={
            "classId": (link or "").rpartition("/")[2],
            "sessionDate": str(today()),
            "startTime": f"03:{next(MINUTES):02}",
        },
        headers={"Origin": somebody.base},
    )
    await somebody.open(answer.url.removeprefix(somebody.base))
    return somebody.path()


async def rows(somebody: Visitor) -> list[str]:
    return await somebody.page.eval_on_selector_all(
        "#sheet > li", "all => all.map(r => r.dataset.roll)"
    )


def row(roll: str) -> str:
    return f'#sheet > li[data-roll="{roll}"]'


async def picked(somebody: Visitor, roll: str) -> str:
    found = somebody.page.locator(f"{row(roll)} input:checked")
    return await found.get_attribute("value") or "" if await found.count() else ""


async def await_saved(somebody: Visitor) -> None:
    await expect(somebody.page.locator("#saved")).to_have_text("All saved")


@pytest.mark.parametrize(("size", "scheme"), WINDOWS)
async def test_taking_attendance_has_no_violation_and_no_message(
    browser: Browser, base: str, size: tuple[int, int], scheme: str
) -> None:
    async with visitor(browser, base, size, scheme) as somebody:
        await somebody.open("/app/sign-in")
        assert await somebody.violations() == []
        await somebody.sign_in("asha")
        sheet = await take(somebody)
        session = sheet.replace("take", "sessions")
        for path in (sheet, f"{sheet}/finalise", session, "/app/nothing"):
            await somebody.open(path)
            await somebody.check_page()
        missing = "Failed to load resource: the server responded with a status of 404 (Not Found)"
        assert somebody.said == [missing]  # of the page that is not there


async def find_fault(somebody: Visitor) -> None:
    assert await somebody.violations() == [], somebody.path()
    assert not await somebody.is_wider_than_its_window(), somebody.path()


@pytest.mark.parametrize(("size", "scheme"), WINDOWS)
async def test_what_students_ask_for_has_no_violation_on_either_side(
    browser: Browser, base: str, size: tuple[int, int], scheme: str
) -> None:
    async with visitor(browser, base, size, scheme) as student:
        page = student.page
        await student.sign_in(STUDENTS[0][0].partition("@")[0])
        await student.click("main h2 a")
        await student.click("main summary")
        await page.fill("main details[open] input[name=text]", "I was there, in the last row.")
        await student.click("main details[open] button")
        await page.wait_for_url(re.compile("done=asked"))
        await find_fault(student)
        await student.click("nav >> text=Leave")
        for name in ("firstDay", "lastDay"):
            await page.fill(f"[name={name}]", "2031-03-03")
        await page.fill("[name=note]", f"A wedding, seen at {size} in {scheme}")
        await student.click("main button.main")
        await page.wait_for_url(re.compile("done=leave_requested"))
        await find_fault(student)
        assert student.said == []
    async with visitor(browser, base, size, scheme) as teacher:
        await teacher.sign_in("asha")
        await find_fault(teacher)
        await teacher.click("text=All questions from students")
        await find_fault(teacher)
        await teacher.click("main .cards a.button")
        await find_fault(teacher)
        await teacher.click("text=The mark stays as it is")
        await teacher.click("text=Send the answer")
        await find_fault(teacher)
        await teacher.page.fill("[name=answer]", "I called you twice.")
        await teacher.click("text=Send the answer")
        await teacher.page.wait_for_url(re.compile("done=answered"))
        await find_fault(teacher)
        refused = "Failed to load resource: the server responded with a status of 422"
        assert [text[: len(refused)] for text in teacher.said] == [refused]


@pytest.mark.parametrize(("size", "scheme"), WINDOWS)
async def test_a_class_is_archived_and_restored_by_clicking(
    browser: Browser, base: str, size: tuple[int, int], scheme: str
) -> None:
    async with visitor(browser, base, size, scheme) as somebody:
        await somebody.sign_in("asha")
        await somebody.open("/app/classes")
        await somebody.click("main tbody a")
        await somebody.click("text=Settings")
        await somebody.click("text=Archive this class …")
        await somebody.click("main button.danger")
        await somebody.page.wait_for_url(re.compile("done=class_archived"))
        await find_fault(somebody)
        await somebody.click("text=Restore this class …")
        await find_fault(somebody)
        await somebody.click("main button.main")
        await somebody.page.wait_for_url(re.compile("done=class_restored"))
        assert somebody.said == []


async def test_sixty_students_take_fifteen_inputs(asha: Visitor) -> None:
    await take(asha)
    everybody = await rows(asha)
    assert len(everybody) >= 60
    asha.inputs = 0
    await asha.click("#others")
    for roll in everybody[:6]:
        await asha.click(f"{row(roll)} .who-is")
    for roll in everybody[6:8]:
        await asha.click(f"{row(roll)} .pick.late")
    await await_saved(asha)
    await asha.click("#finalise")
    await asha.page.wait_for_url(re.compile("/finalise"))
    assert asha.inputs <= 15
    counts = await asha.page.inner_text("main")
    assert "All" in counts
    assert "have a mark" in counts
    await asha.page.go_back()
    assert [await picked(asha, roll) for roll in everybody[:9]] == [
        *(["absent"] * 6),
        *(["late"] * 2),
        "present",
    ]


async def test_somebody_who_has_never_seen_it_saves_a_class_in_twenty_five_inputs(
    browser: Browser, base: str
) -> None:
    async with visitor(browser, base) as somebody:
        await somebody.sign_in("asha")
        await somebody.click("text=Take attendance")
        await somebody.click("#others")
        await await_saved(somebody)
        assert somebody.inputs <= 25


async def test_taps_go_round_and_undo_takes_them_back(asha: Visitor) -> None:
    await take(asha)
    roll = (await rows(asha))[10]
    await asha.click("#others")
    for expected in ("absent", "late", "present"):
        await asha.click(f"{row(roll)} .who-is")
        assert await picked(asha, roll) == expected
    await asha.click("#undo")
    assert await picked(asha, roll) == "late"
    name = asha.page.locator(f"{row(roll)} .who-is")
    await name.click(delay=700)
    assert await picked(asha, roll) == "excused"
    await await_saved(asha)


async def test_no_button_for_many_students_decides_what_a_photo_was_not_sure_of(
    asha: Visitor,
) -> None:
    sheet = await take(asha)
    roll = (await rows(asha))[5]
    update = {"rollNo": roll, "status": "absent", "recognizedByAi": True, "similarityScore": 55}
    await asha.page.evaluate(
        """([address, update]) => fetch(`${address}/marks`, {
            method: "POST",
            headers: {"Content-Type": "application/json", "If-Match": "0"},
            body: JSON.stringify({updates: [update]}),
        })""",
        [sheet, update],
    )
    await asha.open(sheet)
    assert (await rows(asha))[0] == roll
    await asha.click("#others")
    await await_saved(asha)
    assert await picked(asha, roll) == ""
    await asha.open(f"{sheet}/finalise")
    assert roll in await asha.page.inner_text("main")


async def test_the_keyboard_alone_takes_attendance(asha: Visitor) -> None:
    await take(asha)
    first, second, third = (await rows(asha))[:3]
    for key in ("ArrowDown", "a", "ArrowDown", "l", "ArrowDown", "e", "ArrowUp", "p"):
        await asha.press(key)
    assert [await picked(asha, roll) for roll in (first, second, third)] == [
        "absent",
        "present",
        "excused",
    ]
    await asha.press("u")
    assert await picked(asha, second) == "late"
    await asha.press("/")
    await asha.page.keyboard.type(third[-3:])
    await asha.press("Enter")
    await asha.press("p")
    assert await picked(asha, third) == "present"
    await asha.press("?")
    await expect(asha.page.locator("#keys")).to_be_visible()
    await asha.press("Escape")
    await asha.press("Control+Enter")
    await asha.page.wait_for_url(re.compile("/finalise"))


async def test_a_student_is_found_by_digits_or_a_part_of_the_name(asha: Visitor) -> None:
    await take(asha)
    wanted = (await rows(asha))[20]
    name = await asha.page.locator(f"{row(wanted)} .name").inner_text()
    for text in (wanted[-3:], name[:5].lower()):
        await asha.page.fill("#find", text)
        shown = await asha.page.eval_on_selector_all(
            "#sheet > li:not([hidden])", "all => all.map(r => r.dataset.roll)"
        )
        assert wanted in shown
        assert len(shown) < 15
        await asha.page.fill("#find", "")


async def test_without_javascript_one_button_saves_it_all(browser: Browser, base: str) -> None:
    async with visitor(browser, base, javascript=False) as somebody:
        await somebody.sign_in("asha")
        await take(somebody)
        page = somebody.page
        await page.locator("#sheet > li .pick.absent input").first.check(force=True)
        await page.click("#others")
        await page.wait_for_url(re.compile("done=saved"))
        assert await page.locator("#sheet > li .pick.absent input:checked").count() == 1
        await page.click("#finalise")
        await page.wait_for_url(re.compile("/finalise"))
        await page.click("text=Finalise >> nth=-1")


async def test_two_people_who_mark_the_same_student_are_shown_both_marks(
    browser: Browser, base: str, asha: Visitor
) -> None:
    sheet = await take(asha)
    await asha.click("#others")
    await await_saved(asha)
    here, there, untouched = (await rows(asha))[30:33]
    async with visitor(browser, base) as other:
        await other.sign_in("asha")
        await other.open(sheet)
        await asha.click(f"{row(here)} .pick.absent")
        await asha.click(f"{row(untouched)} .pick.excused")
        await await_saved(asha)
        await other.click(f"{row(here)} .pick.late")
        await other.click(f"{row(there)} .pick.absent")
        await expect(other.page.locator(".decide")).to_contain_text(
            "Somebody else has changed this mark"
        )
        assert await picked(other, untouched) == "excused"
        await expect(other.page.locator("#saved")).to_have_text("1 to decide")
        await other.click("text=Keep mine: late")
        await await_saved(other)
    await asha.open(sheet)
    assert [await picked(asha, roll) for roll in (here, there)] == ["late", "absent"]


async def test_marks_wait_for_a_network_that_is_gone_and_leaving_warns(asha: Visitor) -> None:
    sheet = await take(asha)
    roll = (await rows(asha))[40]
    await asha.page.context.set_offline(True)
    await asha.click(f"{row(roll)} .pick.absent")
    await expect(asha.page.locator("#saved")).to_contain_text("Trying again")
    warned: list[str] = []

    async def stay(dialog: Dialog) -> None:
        warned.append(dialog.type)
        await dialog.dismiss()

    asha.page.on("dialog", stay)
    await asha.page.close(run_before_unload=True)
    await expect(asha.page.locator("#saved")).to_contain_text("Trying again")
    assert warned == ["beforeunload"]
    await asha.page.context.set_offline(False)
    await await_saved(asha)
    await asha.open(sheet)
    assert await picked(asha, roll) == "absent"


async def test_a_sign_in_that_ends_in_the_middle_keeps_the_marks(asha: Visitor) -> None:
    sheet = await take(asha)
    roll = (await rows(asha))[41]
    await asha.page.context.clear_cookies()
    await asha.click(f"{row(roll)} .pick.late")
    await expect(asha.page.locator("#saved")).to_contain_text(
        "Your sign-in has ended; nothing is lost."
    )
    async with asha.page.context.expect_page() as opened:
        await asha.click("#saved a")
    tab = await opened.value
    await tab.click("a.button.main")
    await tab.click("text=asha@")
    await expect(tab.locator("h1")).to_have_text("You are signed in")
    await tab.close()
    await await_saved(asha)
    await asha.open(sheet)
    assert await picked(asha, roll) == "late"
