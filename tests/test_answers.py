"""What every answer has, whatever its route: headers that keep browsers from doing harm."""

import base64
import re
from hashlib import sha256

import pytest
from fastapi import FastAPI

from app.config import Settings
from app.main import create_app
from tests.classroom import Classroom
from tests.conftest import Stage
from tests.support import client_of
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
async def test_an_answer_is_kept_by_nobody_and_is_no_page(
    stage: Stage, room: Classroom, path: str
) -> None:
    answer = await stage.asha.get(path.replace("{class}", room.path))
    assert answer.status_code == 200
    assert OF_PEOPLE.items() <= answer.headers.items()
    assert len(answer.headers.multi_items()) == len(answer.headers)


@pytest.mark.parametrize("status", REFUSALS)
async def test_so_is_every_refusal(stage: Stage, room: Classroom, status: int) -> None:
    answer = await REFUSALS[status](stage, room)
    assert OF_PEOPLE.items() <= answer.headers.items()
    assert len(answer.headers.multi_items()) == len(answer.headers)


async def test_metrics_and_files_are_taken_for_what_they_say_they_are(everything: FastAPI) -> None:
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
async def test_a_page_of_the_documentation_lets_in_its_own_scripts_alone(
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
