"""What every request has to be, whatever its route: one path, one value where one is meant."""

import re

import pytest
from fastapi import FastAPI
from starlette.routing import Route

from app.config import Settings
from app.main import create_app
from tests.conftest import Stage
from tests.support import client_of

pytestmark = pytest.mark.anyio

MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def everything(settings: Settings) -> FastAPI:
    """An app with all there can be: its documentation and metrics, too."""
    return create_app(settings.model_copy(update={"metrics": True}))


async def test_a_line_feed_at_the_end_of_a_path_leads_nowhere(everything: FastAPI) -> None:
    paths = {route.path for route in everything.routes if isinstance(route, Route)}
    assert {"/metrics", "/docs", "/openapi.json", "/users/me"} < paths
    async with client_of(everything) as client:
        for path in sorted(path for path in paths if not path.endswith("}")):
            address = re.sub(r"\{\w+\}", MISSING, path) + "%0a"
            answer = await client.get(address)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        static = "/docs/static/redoc.standalone.js"
        answers = [await client.get(static + end) for end in ("", "%0a", "%0a%0a")]
    assert [answer.status_code for answer in answers] == [200, 404, 404]


async def test_a_line_feed_at_the_end_of_a_parameter_is_part_of_it(stage: Stage) -> None:
    queries = ("classes?term=current", "admin/audit?action=policy_changed", "classes?roster=true")
    for query in queries:
        answers = [await stage.meera.get(f"/{query}{end}") for end in ("", "%0a")]
        assert [answer.status_code for answer in answers] == [200, 422], query
