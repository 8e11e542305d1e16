"""Routes are found and called as FastAPI would, without its resolver."""

import re
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.routing import BaseRoute, Match

from app.declared import DeclaredRoute, is_plain
from app.dispatch import Dispatch
from app.main import ROUTERS
from app.web import routers as web

pytestmark = pytest.mark.anyio

ID = "7f1a4f0e-6f0e-4b5e-9d3b-2a1f0c9d8e7b"
# Their body may be left out, or they answer with a model.
RESOLVED = {
    "/auth/google",
    "/attendance/sessions/{id}/finalise",
    "/attendance/sessions/{id}/restore",
    "/leaves/{id}/approve",
    "/leaves/{id}/withdraw",
    "/admin/uploads/allowed-emails",
    "/classes/{id}/students/import",
    "/admin/import",
}
# Neither people nor apps ask for these often.
FRAMEWORKS_OWN = {
    "/health",
    "/health/live",
    "/health/ready",
    "/app/assets/{digest}/{name:path}",
}


class Colour(StrEnum):
    RED = "red"


class Draft(BaseModel):
    name: Annotated[str, Field(max_length=5)]
    number: int = 3


async def who(request: Request) -> str:
    return request.headers.get("x-who", "nobody")


async def read(
    id: UUID,
    needed: Annotated[int, Query(ge=1)],
    who: Annotated[str, Depends(who)],
    request: Request,
    colour: Annotated[Colour | None, Query(alias="paint")] = None,
    flag: bool = True,
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
) -> Response:
    return JSONResponse([str(id), needed, who, request.method, colour, flag, if_match])


async def write(id: UUID, draft: Draft, who: Annotated[str, Depends(who)]) -> Response:
    return JSONResponse([str(id), draft.model_dump(), who])


def app_of(route_class: type[APIRoute]) -> FastAPI:
    app = FastAPI()
    router = APIRouter(route_class=route_class)
    router.get("/things/{id}")(read)
    router.put("/things/{id}")(write)
    app.router.routes.extend(router.routes)
    app.router.middleware_stack = Dispatch(app.router.middleware_stack, app.routes)
    return app


async def answer_of(route_class: type[APIRoute], *request: Any, **more: Any) -> tuple[int, Any]:
    transport = httpx2.ASGITransport(app=app_of(route_class))
    async with httpx2.AsyncClient(transport=transport, base_url="http://aims.test") as client:
        answer = await client.request(*request, **more)
        return answer.status_code, answer.json()


READS = {
    f"/things/{ID}?needed=2": {},
    f"/things/{ID}?needed=2&paint=red&flag=no": {"If-Match": '"3"', "X-Who": "asha"},
    f"/things/{ID}?needed=2&flag=0&flag=1": {},
    f"/things/{ID}?needed=": {},
    f"/things/{ID}": {},
    f"/things/{ID}?needed=0&paint=blue": {},
    f"/things/{ID}?needed=2&flag=": {},
    "/things/17?needed=2": {},
    f"/things/{ID}%00?needed=2": {},
    f"/things/{ID}?needed=2&paint=": {},
}
BODIES = [
    {"name": "Asha"},
    {"name": "Asha", "number": "4"},
    {"name": "Asha Demo"},
    {"number": 4},
    {},
    [],
    None,
    "Asha",
]


@pytest.mark.parametrize("path", READS)
async def test_parameters_are_read_as_by_the_framework(path: str) -> None:
    ours = await answer_of(DeclaredRoute, "GET", path, headers=READS[path])
    assert ours == await answer_of(APIRoute, "GET", path, headers=READS[path])


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_is_read_as_by_the_framework(body: Any) -> None:
    ours = await answer_of(DeclaredRoute, "PUT", f"/things/{ID}", json=body)
    assert ours == await answer_of(APIRoute, "PUT", f"/things/{ID}", json=body)


async def test_the_framework_resolves_only_a_few_routes() -> None:
    routes = [route for router in (*ROUTERS, *web.ROUTERS) for route in router.routes]
    declared = [route for route in routes if isinstance(route, DeclaredRoute)]
    assert len(declared) > 200
    others = {route.path for route in routes if not isinstance(route, DeclaredRoute)}
    assert others == FRAMEWORKS_OWN
    assert {route.path for route in declared if not is_plain(route)} == RESOLVED


async def test_an_address_leads_to_the_same_route_as_by_the_framework(app: FastAPI) -> None:
    dispatch = app.router.middleware_stack
    assert isinstance(dispatch, Dispatch)
    samples = (ID, "export", "17", "a b", "..", "")
    for route in app.routes:
        for sample in samples:
            path = re.sub(r"\{[^}]*\}", sample, getattr(route, "path", ""))
            for place in (path, path + "/", path + "\n", path.upper(), "/x" + path):
                for method in ("GET", "POST", "PATCH"):
                    scope = {"type": "http", "method": method, "path": place, "root_path": ""}
                    found = dispatch.route_of(dict(scope))
                    first = next((r for r in app.routes if r.matches(scope)[0] is Match.FULL), None)
                    if not _is_open_ended(first):
                        assert found is (first if isinstance(first, DeclaredRoute) else None)


def _is_open_ended(route: BaseRoute | None) -> bool:
    """Whether the last part of its address may have parts of its own, as for missing pages."""
    return ":path" in getattr(route, "path", "")


async def test_behind_a_path_prefix_the_framework_finds_the_route(app: FastAPI) -> None:
    transport = httpx2.ASGITransport(app=app, root_path="/aims")
    async with httpx2.AsyncClient(transport=transport, base_url="http://aims.test") as client:
        answer = await client.get("/aims/users/me")
    assert answer.status_code == 401
