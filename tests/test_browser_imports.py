"""An import in a real browser: a file, its preview, its progress; a closed tab loses nothing."""

import re

import pytest
from anyio import Path
from playwright.async_api import Browser, Download, Route, expect

from app.demo.department import DOMAIN
from tests.chromium import Visitor, needs_chromium, visitor
from tests.files import csv
from tests.test_browser import WINDOWS, base, browser
from tests.test_imports import Rows

__all__ = ["base", "browser"]  # fixtures, used by their names

pytestmark = [needs_chromium, pytest.mark.anyio]

CODES = [f"IM{n:02}" for n in range(20)]


async def choose(somebody: Visitor, kind: str, rows: Rows, name: str = "file.csv") -> str:
    """Send a file by the form; gives the address that follows."""
    await somebody.open("/app/imports")
    await somebody.page.select_option("#f-kind", kind)
    await somebody.page.set_input_files(
        "#f-file", {"name": name, "mimeType": "text/csv", "buffer": csv(rows)}
    )
    await somebody.click("text=Show what would happen")
    await somebody.page.wait_for_url(re.compile("/app/imports/"))
    return somebody.path()


async def heading(somebody: Visitor, text: str) -> None:
    await expect(somebody.page.locator("h2").first).to_have_text(text, timeout=60_000)


async def make_classes(somebody: Visitor) -> None:
    classes: Rows = [["Code", "Name", "Section", "Teacher Email"]]
    classes += [[code, "Imported", "A", f"asha@{DOMAIN}"] for code in CODES]
    await choose(somebody, "classes", classes)
    await heading(somebody, "What it would do")
    if await somebody.page.locator("button.main").count():
        await somebody.click("button.main")
        await heading(somebody, "What became of it")


def roster(students: int, start: int = 0) -> Rows:
    rows: Rows = [["Roll No", "Name", "Code", "Section", "Fees"]]
    return rows + [
        [f"26/{code}/{n}", f"Student {n} Demo", code, "A", "paid"]
        for code in CODES
        for n in range(start, start + students)
    ]


async def lines_of(file: Download) -> int:
    text = await Path(await file.path()).read_text()
    return len(text.splitlines())


async def test_a_large_roster_is_imported_while_its_tab_is_closed(
    browser: Browser, base: str
) -> None:
    async with visitor(browser, base) as somebody:
        await somebody.sign_in("meera")
        await make_classes(somebody)
        path = await choose(somebody, "students", roster(1000), "rosters.csv")
        await expect(somebody.page.locator("#how-far")).to_contain_text(
            re.compile("of 20,000 rows"), timeout=60_000
        )
        shown = await somebody.page.locator("progress").get_attribute("max")
        assert shown == "20000"
        await heading(somebody, "What it would do")
        await expect(somebody.page.locator("main")).to_contain_text("20,000 would be added")
        await somebody.click("text=Import 20,000 rows")
        await heading(somebody, "Importing")
        context = somebody.page.context
        await somebody.page.close()
        somebody.page = await context.new_page()
        await somebody.open("/app/imports")
        await somebody.page.locator("tbody a").first.click()
        assert somebody.path() == path
        await heading(somebody, "What became of it")
        await expect(somebody.page.locator("main")).to_contain_text("20,000 added")
        async with somebody.page.expect_download() as wanted:
            await somebody.click("text=All rows as a CSV file")
        assert (await lines_of(await wanted.value)) == 20_001
        assert somebody.said == []


async def test_without_javascript_the_page_looks_again_by_itself(
    browser: Browser, base: str
) -> None:
    async with visitor(browser, base, javascript=False) as somebody:
        await somebody.sign_in("meera")
        await make_classes(somebody)
        await choose(somebody, "students", roster(60, 500))
        await heading(somebody, "What it would do")
        await somebody.click("button.main")
        await heading(somebody, "What became of it")


async def test_a_file_that_is_too_large_is_not_sent(browser: Browser, base: str) -> None:
    async with visitor(browser, base) as somebody:
        await somebody.sign_in("meera")
        await somebody.open("/app/imports")
        large = {"name": "large.csv", "mimeType": "text/csv", "buffer": b"x" * 11 * 1024**2}
        await somebody.page.set_input_files("#f-file", large)
        said = await somebody.page.eval_on_selector("#f-file", "input => input.validationMessage")
        assert "larger than 10 MiB" in said
        await somebody.click("text=Show what would happen")
        assert somebody.path() == "/app/imports"


async def works(route: Route) -> None:
    """Answer that an import is under way, for as long as a test looks at it."""
    await route.fulfill(json={"state": "working", "done": 12_400, "total": 20_000})


@pytest.mark.parametrize(("size", "scheme"), WINDOWS)
async def test_pages_of_imports_have_no_violation_and_no_message(
    browser: Browser, base: str, size: tuple[int, int], scheme: str
) -> None:
    async with visitor(browser, base, size, scheme) as somebody:
        await somebody.sign_in("meera")
        await make_classes(somebody)
        done = somebody.path()
        await somebody.page.route("**/progress", works)
        refused = await choose(
            somebody, "students", [*roster(200, 900), ["9", "A" * 200, "No such class", "A", ""]]
        )
        await expect(somebody.page.locator("#how-far")).to_have_text("12,400 of 20,000 rows.")
        assert await somebody.violations() == []
        assert not await somebody.is_wider_than_its_window()
        await somebody.page.unroute("**/progress")
        await heading(somebody, "It cannot be imported")
        for path in ("/app/imports", done, refused, f"{refused}?outcome=created"):
            await somebody.open(path)
            await somebody.check_page()
        assert somebody.said == []
