#!/usr/bin/env python
"""Take the pictures of the README and the docs: `python scripts/take_pictures.py`.

It starts a demo of its own, opens the pages in Chromium as the demo's people, and writes
`docs/pictures`. The dates on the pictures are those of the demo, which ends today.
"""

import asyncio
import base64
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
MOST_BYTES = 200 * 1024
PATH = shutil.which("chromium") or shutil.which("chromium-browser")
PORT = 8400
BASE = f"http://127.0.0.1:{PORT}"
PHONE, DESK = (390, 760), (1100, 720)


@dataclass(frozen=True)
class Picture:
    """A page as somebody sees it. `steps` are clicked, then it is scrolled to the heading `top`."""

    name: str
    person: str
    size: tuple[int, int]
    steps: tuple[str, ...]
    scheme: str = "light"
    top: str = ""


A_CLASS = 'main tbody th a, main tbody td a[href^="/app/classes/"]'
# The last click waits until the marks are saved.
TAKEN = (
    "text=Take attendance",
    "#others",
    "#sheet > li:nth-child(3) .who-is",
    "#sheet > li:nth-child(5) .pick.late",
    "#saved:text-is('All saved')",
)
PICTURES = (
    Picture("today", "asha", PHONE, ()),
    Picture("take", "asha", PHONE, TAKEN),
    Picture("take-dark", "asha", PHONE, TAKEN, "dark"),
    Picture("class", "asha", DESK, ("nav >> text=Classes", A_CLASS), top="Students"),
    Picture("overview", "meera", DESK, ("nav >> text=Office", "nav >> text=Overview")),
    Picture("my-attendance", "23cs115", PHONE, ()),
)


@contextmanager
def demo() -> Iterator[None]:
    """A demo on a database of its own, ended afterwards."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        command = ["./aims", "up", "--port", str(PORT), "--data", f"{place}/data"]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert process.stdout is not None
            if not any("Ctrl-C" in line for line in process.stdout):
                sys.exit("The demo did not start.")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


@asynccontextmanager
async def page_of(browser: Browser, picture: Picture) -> AsyncIterator[Page]:
    """A browser window in which the person has signed in."""
    width, height = picture.size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if picture.scheme == "dark" else "light",
        device_scale_factor=1.5,
    )
    page = await context.new_page()
    await page.goto(BASE)
    await page.click("a.button.main")
    await page.click(f"text={picture.person}@")
    await page.wait_for_url(re.compile("/app/(today|my)"))
    yield page
    await context.close()


async def take(browser: Browser, picture: Picture) -> None:
    async with page_of(browser, picture) as page:
        for step in picture.steps:
            await page.locator(step).first.click()
            await page.wait_for_load_state()
        heading = page.get_by_role("heading", name=picture.top, exact=True) if picture.top else None
        await (heading or page.locator("body")).evaluate("it => it.scrollIntoView()")
        session = await page.context.new_cdp_session(page)
        options = {"format": "webp", "quality": 70}
        taken = await session.send("Page.captureScreenshot", options)
        (FOLDER / f"{picture.name}.webp").write_bytes(base64.b64decode(taken["data"]))


async def take_all() -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PATH, args=["--no-sandbox"])
        for picture in PICTURES:
            await take(browser, picture)
            print(f"{picture.name} ({(FOLDER / f'{picture.name}.webp').stat().st_size:,} bytes)")
        await browser.close()


def main() -> None:
    if PATH is None:
        sys.exit("Install Chromium first: the pictures are taken in it.")
    FOLDER.mkdir(exist_ok=True)
    with demo():
        asyncio.run(take_all())
    total = sum(file.stat().st_size for file in FOLDER.iterdir())
    print(f"{total:,} bytes in all")
    if total > MOST_BYTES:
        sys.exit(f"The pictures may have {MOST_BYTES:,} bytes in all.")


if __name__ == "__main__":
    main()
