"""A real browser on a real server with the demo's people, for the tests of the console."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, Response, async_playwright

from app.db import open_database
from app.demo.department import DOMAIN, PEOPLE, STUDENTS
from app.demo.google import DemoGoogle, sub_of
from app.demo.load import load_department
from app.demo.meeting_now import hold_a_class_now
from tests.conftest import SECRET, ZONE
from tests.processes import Checkout

PATH = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(PATH is None, reason="Chromium is not installed")

PHONE, DESK = (390, 844), (1280, 900)


@dataclass
class Visitor:
    """Somebody at a browser window of their own. `inputs` counts what they clicked and typed."""

    page: Page
    base: str
    said: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    inputs: int = 0

    async def open(self, path: str) -> None:
        self.answers.clear()
        await self.page.goto(self.base + path, wait_until="load")

    async def click(self, selector: str) -> None:
        self.inputs += 1
        await self.page.locator(selector).first.click()

    async def press(self, key: str) -> None:
        self.inputs += 1
        await self.page.keyboard.press(key)

    async def sign_in(self, name: str) -> None:
        """From the first page to where the day begins, as a newcomer would."""
        await self.open("/")
        await self.click("a.button.main")
        await self.click(f"text={name}@")
        await self.page.wait_for_url(re.compile("/app/(today|my)"))

    def path(self) -> str:
        return self.page.url.removeprefix(self.base)

    async def violations(self) -> list[str]:
        """What axe-core finds on the page: the rule, and the first place."""
        found = (await Axe().run(self.page)).response["violations"]
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]

    async def is_wider_than_its_window(self) -> bool:
        root = "document.documentElement"
        return bool(await self.page.evaluate(f"{root}.scrollWidth > {root}.clientWidth"))

    async def check_page(self) -> None:
        """Fail unless the page that was opened is accessible, fits the window and is small."""
        path = self.path()
        assert await self.violations() == [], path
        assert not await self.is_wider_than_its_window(), path
        assert len(self.answers) <= 6, path
        assert self.bytes_of_page() <= 60 * 1024, path

    def bytes_of_page(self) -> int:
        return sum(int(answer.headers.get("content-length", 0)) for answer in self.answers)

    async def links(self) -> list[str]:
        """The pages that the page leads to. What is downloaded is none."""
        found = await self.page.eval_on_selector_all(
            'a[href^="/app"]:not([download])', "all => all.map(a => a.getAttribute('href'))"
        )
        return [str(each) for each in found]


@contextmanager
def demo_console(checkout: Checkout, url: str, **more: str) -> Iterator[str]:
    """The address of a server with the demo's department in that database, and `more` settings."""
    asyncio.run(_load(url))
    google = DemoGoogle([*PEOPLE, *STUDENTS])
    google.start()
    installed = checkout.having(
        DATABASE_URL=url,
        DEBUG="true",
        JWT_SECRET=SECRET,
        GOOGLE_CLIENT_ID=google.client_id,
        GOOGLE_JWKS_URL=google.jwks_url,
        GOOGLE_HOSTED_DOMAINS=DOMAIN,
        STUDENT_SIGN_IN="true",
        OIDC_GOOGLE_CLIENT_ID=google.client_id,
        OIDC_GOOGLE_CLIENT_SECRET=google.client_secret,
        OIDC_GOOGLE_DISCOVERY_URL=google.discovery_url,
        **more,
    )
    with installed.serving("uvicorn app.main:app --host 127.0.0.1 --port {port}") as server:
        yield f"http://127.0.0.1:{server.port}"
    google.stop()


async def _load(url: str) -> None:
    now = datetime.now(ZoneInfo(ZONE))
    async with open_database(url, ZONE) as db:
        await load_department(db, now, sub_of)
        await hold_a_class_now(db, now)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # Root, as in most containers, has no sandbox.
        browser = await playwright.chromium.launch(executable_path=PATH, args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def visitor(
    browser: Browser,
    base: str,
    size: tuple[int, int] = PHONE,
    scheme: Any = "light",
    *,
    javascript: bool = True,
) -> AsyncIterator[Visitor]:
    context: BrowserContext = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=javascript,
    )
    page = await context.new_page()
    page.set_default_timeout(10_000)
    somebody = Visitor(page, base)
    page.on("console", lambda message: somebody.said.append(message.text))
    page.on("pageerror", lambda error: somebody.said.append(str(error)))
    page.on("response", lambda answer: somebody.answers.append(answer))
    yield somebody
    await context.close()
