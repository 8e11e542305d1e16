"""What every answer has, whatever its route: headers that keep browsers from doing harm."""

import base64
import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app import middleware
from app.config import Settings
from app.main import create_app
from app.request_limits import USUAL, Limits
from tests.classroom import Classroom
from tests.conftest import Stage
from tests.support import client_of, stalled
from tests.test_problems import REFUSALS

pytestmark = pytest.mark.anyio

PAGES = ("/docs", "/redoc")
OF_PEOPLE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


@pytest.fixture
async def everything(settings: Settings) -> FastAPI:
    """An app with all there can be: its documentation and metrics, too."""
    return create_app(settings.model_copy(update={"metrics": True}))


@pytest.mark.parametrize(
    "path",
    ["/users/me", "/classes", "{class}/register", "{class}/register?format=pdf",
     "{class}/calendar.ics", "/health/live", "/openapi.json"],
)  # fmt: skip
async def test_no_cache_keeps_an_answer_and_no_browser_shows_it_as_a_page(
    stage: Stage, room: Classroom, path: str
) -> None:
    answer = await stage.asha.get(path.replace("{class}", room.path))
    assert answer.status_code == 200
    assert OF_PEOPLE.items() <= answer.headers.items()
    assert len(answer.headers.multi_items()) == len(answer.headers)


@pytest.mark.parametrize("status", REFUSALS)
async def test_no_cache_keeps_a_refusal_either(stage: Stage, room: Classroom, status: int) -> None:
    answer = await REFUSALS[status](stage, room)
    assert OF_PEOPLE.items() <= answer.headers.items()
    assert len(answer.headers.multi_items()) == len(answer.headers)


async def test_metrics_and_files_are_served_with_their_own_content_types(
    everything: FastAPI,
) -> None:
    async with client_of(everything) as client:
        for path in ("/metrics", "/docs/static/swagger-ui.css", "/docs", "/redoc"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_the_files_of_the_documentation_are_loaded_once(everything: FastAPI) -> None:
    async with client_of(everything) as client:
        path = "/docs/static/redoc.standalone.js"
        first = await client.get(path)
        again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert [answer.headers["cache-control"] for answer in (first, again)] == ["no-cache"] * 2


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_of_the_documentation_allows_only_its_own_scripts(
    everything: FastAPI, page: str
) -> None:
    """Both pages were looked at in Chromium, which reports nothing of ours as refused."""
    async with client_of(everything) as client:
        answer = await client.get(page)
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    allowed = policy["script-src"].split()
    inline = re.findall("<script>(.*?)</script>", answer.text, re.DOTALL)
    hashes = [base64.b64encode(sha256(text.encode()).digest()).decode() for text in inline]
    assert allowed == ["'self'", *(f"'sha256-{digest}'" for digest in hashes)]
    sources = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', answer.text)
    assert sources
    assert all(source.startswith("/docs/static/") for source in sources)
    assert not re.search(r"\son\w+=", answer.text)
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
    assert ("unsafe-inline" in policy["style-src"]) == (page == "/redoc")


WEB_APP = "https://app.demo.university.example"


async def stall(stage: Stage, room: Classroom, headers: dict[str, str]) -> httpx2.Response:
    return await stage.asha.request("POST", "/classes", content=stalled(5), headers=headers)


async def crash(stage: Stage, room: Classroom, **more: Any) -> httpx2.Response:
    stage.app.state.database = None
    return await stage.asha.get("/users/me", **more)


def sent(**more: Any) -> Callable[..., Awaitable[httpx2.Response]]:
    """Sends that to a route that takes JSON."""
    return lambda stage, room, headers: stage.asha.request(
        "POST", "/classes", **{**more, "headers": {**more.get("headers", {}), **headers}}
    )


OF_THE_MIDDLEWARE = {
    (413, "too_large"): sent(content=b" " * (USUAL.size + 1)),
    (400, "malformed"): sent(headers={"Content-Length": "many"}),
    (400, "repeated_header"): lambda stage, room, headers: stage.nobody.client.get(
        "/users/me", headers=[*headers.items(), *[("If-Match", "1")] * 2]
    ),
    (503, "timed_out"): stall,
    (500, "internal_error"): crash,
    (401, "not_signed_in"): lambda stage, room, headers: stage.nobody.get(
        "/classes", headers=headers
    ),
    (404, "not_found"): lambda stage, room, headers: stage.nobody.get("/nothing", headers=headers),
}


@pytest.mark.parametrize(("status", "code"), OF_THE_MIDDLEWARE)
async def test_a_web_app_can_read_every_refusal(
    stage: Stage,
    room: Classroom,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr(middleware, "USUAL", Limits(USUAL.size, seconds=1))
    ask = OF_THE_MIDDLEWARE[status, code]
    open_to_web = create_app(settings.model_copy(update={"cors_origins": [WEB_APP]}))
    open_to_web.state.database = stage.app.state.database
    stage.app = open_to_web
    async with client_of(open_to_web) as client:
        for person in (stage.asha, stage.nobody):
            person.client = client
        answer = await ask(stage, room, headers={"Origin": WEB_APP})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["access-control-allow-origin"] == WEB_APP
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    assert OF_PEOPLE.items() <= answer.headers.items()
    assert answer.headers["x-request-id"]


async def test_a_web_page_of_another_origin_reads_nothing(stage: Stage, settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"cors_origins": [WEB_APP]}))
    async with client_of(app) as client:
        answer = await client.get("/nothing", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
