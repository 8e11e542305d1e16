"""Photos on the sheet in a real browser, which knows what a policy allows and how a page looks."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser, Route

from tests.chromium import (
    DESK,
    PHONE,
    Visitor,
    chromium,
    demo_console,
    needs_chromium,
    visitor,
)
from tests.conftest import copy_of
from tests.processes import Checkout
from tests.test_browser import take

pytestmark = [needs_chromium, pytest.mark.anyio]

HOST = "https://photos.demo.university.example"
PICTURE = Path("docs/pictures/class.webp")
# One has a photo, one has a link that leads nowhere, one a link to another host, one has none.
LINKS = """
UPDATE students SET photo_url = CASE right(roll_no, 1)
    WHEN '1' THEN $1 || '/there' WHEN '2' THEN $1 || '/missing'
    WHEN '3' THEN 'https://elsewhere.example/photo' END
"""


@pytest.fixture(scope="module")
def base(checkout: Checkout, server_url: str, template: str, worker_id: str) -> Iterator[str]:
    url = asyncio.run(copy_of(server_url, template, f"aims_photos_{worker_id}"))
    with demo_console(checkout, url, PHOTO_ORIGINS=HOST) as address:
        asyncio.run(_link_photos(url))
        yield address


async def _link_photos(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(LINKS.replace("$1", f"'{HOST}'"))
    await connection.close()


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


async def photo_host(route: Route) -> None:
    """The host of the photos, which has one of the two, and is told nothing of the page."""
    assert "referer" not in route.request.headers
    if route.request.url.endswith("/there"):
        await route.fulfill(path=PICTURE, content_type="image/webp")
    else:
        await route.fulfill(status=404)


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")])
async def test_photos_stand_beside_names_and_one_that_is_missing_leaves_an_empty_place(
    browser: Browser, base: str, size: tuple[int, int], scheme: str
) -> None:
    async with visitor(browser, base, size, scheme) as asha:
        await asha.page.route(f"{HOST}/*", photo_host)
        await asha.sign_in("asha")
        await take(asha)
        await asha.page.wait_for_function("document.querySelector('.photo img').complete")
        assert await asha.violations() == []
        assert not await asha.is_wider_than_its_window()
        places = await boxes(asha, ".photo:has(img)")
        assert {(round(box["width"]), round(box["height"])) for box in places} == {(32, 40)}
        assert await shows_something(asha, f"img[src='{HOST}/there']")
        assert not await shows_something(asha, f"img[src='{HOST}/missing']")
        names = await boxes(asha, ".photo:has(img) + .person")
        for place, name in zip(places, names, strict=True):
            assert place["x"] + place["width"] <= name["x"]
            assert name["width"] >= 110
        assert any(said.startswith("Failed to load resource") for said in asha.said)
        assert not any("Content Security Policy" in said for said in asha.said)


async def shows_something(somebody: Visitor, picture: str) -> bool:
    """Whether there is more to be seen of the picture than of the place for it."""
    found = somebody.page.locator(picture).first
    place = found.locator("..")
    shown = await place.screenshot()
    await found.evaluate("picture => { picture.style.visibility = 'hidden' }")
    return shown != await place.screenshot()


async def boxes(somebody: Visitor, selector: str) -> list[dict[str, float]]:
    """Where the elements are: x, y, width and height."""
    found = await somebody.page.eval_on_selector_all(
        selector, "all => all.map(e => e.getBoundingClientRect().toJSON())"
    )
    return list(found)
