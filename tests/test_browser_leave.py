"""Leave in a real browser: asked for, and decided with a tick in the list."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, expect

from tests.chromium import DESK, PHONE, chromium, demo_console, needs_chromium, visitor
from tests.conftest import copy_of
from tests.processes import Checkout

pytestmark = [needs_chromium, pytest.mark.anyio]


@pytest.fixture(scope="module")
def base(checkout: Checkout, server_url: str, template: str, worker_id: str) -> Iterator[str]:
    url = asyncio.run(copy_of(server_url, template, f"aims_leave_{worker_id}"))
    with demo_console(checkout, url) as address:
        yield address


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize(
    ("size", "scheme", "kind"), [(PHONE, "light", "medical"), (DESK, "dark", "other")]
)
async def test_leave_is_asked_for_and_approved_with_a_tick(
    browser: Browser, base: str, size: tuple[int, int], scheme: str, kind: str, javascript: bool
) -> None:
    async with visitor(browser, base, size, scheme, javascript=javascript) as meera:
        await meera.sign_in("meera")
        page = meera.page
        await meera.open("/app/leave")
        await meera.click("text=Ask for leave")
        await page.fill("#f-rollNo", "23/CS/107")
        meera.answers.clear()
        await meera.click("text=Continue")
        if javascript:
            await meera.check_page()
        for name in ("firstDay", "lastDay"):
            await page.fill(f"#f-{name}", f"2031-0{1 + javascript}-0{1 + (kind == 'other')}")
        await page.select_option("#f-kind", kind)
        await meera.click("main form button.main")
        await expect(page.locator(".note.good")).to_contain_text("The request is sent.")
        leave = meera.path().partition("?")[0].rpartition("/")[2]
        await meera.open("/app/leave")
        await page.check(f"input[value='{leave}']")
        meera.answers.clear()
        await meera.click("button[value=approve]")
        await expect(page.locator("h1")).to_have_text("Leave: 1 approved")
        if javascript:
            await meera.check_page()
        await meera.open("/app/leave?status=approved")
        await page.check(f"input[value='{leave}']")
        meera.answers.clear()
        await meera.click("button[value=reject]")
        await expect(page.locator("h1")).to_have_text("Leave: 0 rejected, 1 refused")
        await expect(page.locator("td.error")).to_have_text("This leave is approved: withdraw it.")
        if javascript:
            await meera.check_page()
            # A page that a form refused has said so to the console, and nothing else.
            assert all("409" in each for each in meera.said)
