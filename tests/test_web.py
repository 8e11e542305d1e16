"""What every page of the console has: who may open it, where its forms come from, its refusals."""

import re
from collections.abc import AsyncIterator

import pytest

from app.config import load_settings
from app.main import create_app
from app.web.frame.assets import address_of
from tests.browser import ORIGIN, Browser, browser_of
from tests.conftest import NEEDED, Stage
from tests.support import checksum

pytestmark = pytest.mark.anyio


@pytest.fixture
async def nobody(stage: Stage) -> AsyncIterator[Browser]:
    async with browser_of(stage.app) as browser:
        yield browser


async def test_everybody_is_led_to_where_their_day_begins(stage: Stage, asha: Browser) -> None:
    assert (await asha.get("/")).headers["location"] == "/app"
    assert (await asha.get("/app")).headers["location"] == "/app/today"
    async with browser_of(stage.app, stage.meera) as meera:
        assert (await meera.get("/app")).headers["location"] == "/app/today"


async def test_a_page_leads_to_the_sign_in_and_back(nobody: Browser) -> None:
    answer = await nobody.get("/app/signed-in?a=b&c=d")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/app/sign-in?next=/app/signed-in%3Fa%3Db%26c%3Dd"


@pytest.mark.parametrize("name", ["ravi", "omar"])
async def test_a_cookie_of_somebody_removed_signs_nobody_in(stage: Stage, name: str) -> None:
    async with browser_of(stage.app, getattr(stage, name)) as browser:
        answer = await browser.get("/app/signed-in")
        assert answer.headers["location"].startswith("/app/sign-in")


async def test_the_cookie_counts_for_pages_and_not_for_the_api(asha: Browser) -> None:
    assert (await asha.get("/app/signed-in")).status_code == 200
    assert (await asha.client.get("/users/me")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
        {"Origin": f"{ORIGIN}:8080", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_a_form_of_another_site_is_refused(asha: Browser, headers: dict[str, str]) -> None:
    answer = await asha.post("/app/sign-out", headers=headers)
    assert answer.status_code == 403
    assert "not sent from a page of AIMS" in answer.text


async def test_a_form_that_does_not_say_where_it_comes_from_is_refused(asha: Browser) -> None:
    assert (await asha.client.post("/app/sign-out")).status_code == 403


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("utf-7", b"+2AA-"),
        ("unicode_escape", b"\\ud800"),
        ("undefined", b"x"),
    ],
)
@pytest.mark.parametrize("place", ["name", "value", "file"])
async def test_a_form_in_a_charset_that_spells_no_text_is_refused(
    stage: Stage, charset: str, text: bytes, place: str
) -> None:
    head = b'--B\r\nContent-Disposition: form-data; name="'
    parts = {
        "name": head + text + b'"\r\n\r\nx',
        "value": head + b'name"\r\n\r\n' + text,
        "file": head + b'file"; filename="' + text + b'"\r\n\r\nx',
    }
    kind = {"Content-Type": f"multipart/form-data; boundary=B; charset={charset}"}
    before = await checksum(stage.connection)
    async with browser_of(stage.app, stage.meera) as browser:
        for path in ("/app/people", "/app/imports", "/app/classes/new"):
            content = parts[place] + b"\r\n--B--\r\n"
            answer = await browser.post(path, content=content, headers=kind)
            assert answer.status_code == 400, path
            assert "The form could not be read." in answer.text
    assert await checksum(stage.connection) == before


async def test_signing_out_ends_the_session_in_the_browser(asha: Browser) -> None:
    assert await asha.done("/app/sign-out") == "/app/sign-in?done=signed_out"
    assert (await asha.get("/app/signed-in")).status_code == 303
    assert "You are signed out." in await asha.shown("/app/sign-in?done=signed_out")


async def test_a_message_is_one_of_ours(asha: Browser) -> None:
    page = await asha.shown("/app/signed-in?done=<script>alert(1)</script>")
    assert "alert(1)" not in page


@pytest.mark.parametrize("path", ["/app/nothing", "/app/assets/0/frame/console.css"])
async def test_an_address_that_leads_nowhere_is_a_page(asha: Browser, path: str) -> None:
    answer = await asha.get(path)
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text or "css" in path


async def test_styles_and_modules_are_kept_by_browsers_for_ever(asha: Browser) -> None:
    page = await asha.shown("/app/signed-in")
    address = address_of("frame/console.css")
    assert f'href="{address}"' in page
    answer = await asha.client.get(address)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")
    assert answer.headers["content-encoding"] == "gzip"


async def test_pages_are_compressed_for_browsers_that_can_read_it(asha: Browser) -> None:
    answer = await asha.get("/app/today", headers={"Accept-Encoding": "gzip"})
    plain = await asha.get("/app/today", headers={"Accept-Encoding": ""})
    assert (answer.headers.get("content-encoding"), answer.text) == ("gzip", plain.text)


async def test_over_https_the_cookie_is_bound_to_the_host(stage: Stage) -> None:
    async with browser_of(stage.app, stage.asha) as browser:
        browser.client.base_url = "https://aims.example"
        answer = await browser.client.post(
            "/app/sign-out", headers={"Origin": "https://aims.example"}
        )
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-aims_session=")
        assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= {*re.split("; ", cookie)}


def test_the_console_can_be_left_out() -> None:
    settings = load_settings(
        _env_file=None,
        database_url="postgresql://a@127.0.0.1/b",
        console=False,
        **{name.lower(): value for name, value in NEEDED.items()},
    )
    paths = {getattr(route, "path", "") for route in create_app(settings).routes}
    assert not [path for path in paths if path.startswith("/app")]
