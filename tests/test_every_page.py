"""Every page that links lead to, in a real browser: accessible, small, and without a message.

A walk opens one page of each kind. A page that no link leads to fails the suite.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest
from playwright.async_api import Browser

from app.demo.department import STUDENTS
from app.web.frame.assets import router as assets
from app.web.frame.missing import router as missing
from app.web.frame.pages import PageRoute, StudentPage
from app.web.routers import ROUTERS
from tests.chromium import DESK, PHONE, Visitor, chromium, demo_console, needs_chromium, visitor
from tests.conftest import copy_of
from tests.hostile import SCRIPT, spoil
from tests.processes import Checkout

pytestmark = [needs_chromium, pytest.mark.anyio]

WINDOWS = [(size, scheme) for size in (PHONE, DESK) for scheme in ("light", "dark")]
STUDENT = STUDENTS[0][0].partition("@")[0]
ROUTES = [
    route
    for router in ROUTERS
    if router not in (assets, missing)
    for route in router.routes
    if isinstance(route, PageRoute | StudentPage) and "GET" in route.methods
]
FILES = re.compile(r"\.csv$|/register$")
# Pages that a form or a module leads to; tests/test_browser.py and
# tests/test_browser_imports.py open them.
UNLINKED = {
    "/app/signed-in",
    "/app/take/{id}",
    "/app/take/{id}/sheet",
    "/app/take/{id}/finalise",
    "/app/classes/{id}/settings/restore",
    "/app/imports/{id}",
    "/app/imports/{id}/progress",
}
# Pages that a form with its fields in the address leads to, by the page of the form.
BY_FORM = {
    "/app/policy": "/app/policy/preview?threshold=90&lateWeight=50&excused=excluded"
    "&onDuty=present&minimumSessions=3",
}
PAGES = {route.path for route in ROUTES if not FILES.search(route.path)}


def kind_of(address: str) -> str:
    """The route of an address below `/app`; the empty text if it is not that of a page."""
    path = urlsplit(address).path
    kind = next((route.path for route in ROUTES if route.path_regex.match(path)), "")
    return kind if kind in PAGES else ""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def base(checkout: Checkout, server_url: str, template: str, worker_id: str) -> Iterator[str]:
    url = asyncio.run(copy_of(server_url, template, f"aims_pages_{worker_id}"))
    with demo_console(checkout, url) as address:
        yield address


@pytest.fixture(scope="module")
def spoilt(checkout: Checkout, server_url: str, template: str, worker_id: str) -> Iterator[str]:
    """The same with hostile names."""
    url = asyncio.run(copy_of(server_url, template, f"aims_spoilt_{worker_id}"))
    with demo_console(checkout, url) as address:
        asyncio.run(_spoil(url))
        yield address


async def _spoil(url: str) -> None:
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await spoil(connection)
    await connection.close()


async def form_of(somebody: Visitor, here: str) -> str:
    """The address that the form of the page leads to; the empty text if it has none."""
    address = BY_FORM.get(here, "")
    form = f'form[action="{urlsplit(address).path}"]'
    return address if await somebody.page.locator(form).count() else ""


async def walk(somebody: Visitor) -> set[str]:
    """Open a page of each kind that links lead to, and check it; gives their routes."""
    found = {kind_of(somebody.path()): somebody.path()}
    todo = list(found)
    while todo:
        here = todo.pop()
        await somebody.open(found[here])
        await somebody.check_page()
        for address in (*await somebody.links(), await form_of(somebody, here)):
            kind = kind_of(address)
            if kind and kind not in found:
                found[kind] = address
                todo.append(kind)
    return {*found}


@pytest.mark.parametrize(("size", "scheme"), WINDOWS)
async def test_every_page_is_accessible_and_small(
    browser: Browser, base: str, size: tuple[int, int], scheme: str
) -> None:
    walked = set()
    for name in ("meera", STUDENT):
        async with visitor(browser, base, size, scheme) as somebody:
            await somebody.open("/app/sign-in")
            await somebody.check_page()
            await somebody.sign_in(name)
            walked |= await walk(somebody)
            assert somebody.said == []
    assert PAGES - walked <= UNLINKED


@pytest.mark.parametrize(("size", "scheme"), WINDOWS)
async def test_finding_the_other_record_and_the_preview_of_a_merge_are_accessible_and_small(
    browser: Browser, base: str, size: tuple[int, int], scheme: str
) -> None:
    async with visitor(browser, base, size, scheme) as meera:
        await meera.sign_in("meera")
        await meera.open("/app/students")
        student = await meera.page.locator("tbody th a").first.get_attribute("href")
        await meera.open(f"{student}/merge?query=demo")
        await meera.check_page()
        other = await meera.page.locator("tbody th a").first.get_attribute("href")
        await meera.open(str(other))
        await meera.check_page()
        assert "Nothing has changed yet." in await meera.page.inner_text("main")
        assert meera.said == []


@pytest.mark.parametrize("size", [PHONE, DESK])
@pytest.mark.parametrize("name", ["asha", "meera", STUDENT])
async def test_long_names_and_markup_break_no_page(
    browser: Browser, spoilt: str, size: tuple[int, int], name: str
) -> None:
    async with visitor(browser, spoilt, size) as somebody:
        await somebody.sign_in(name)
        assert SCRIPT in (await somebody.page.text_content("body") or "")
        await walk(somebody)
        assert somebody.said == []
