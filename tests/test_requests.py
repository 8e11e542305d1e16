"""Rules for every request, whatever its route: an exact path, and no repeated single values."""

import json
import re
import socket
from urllib.parse import urljoin
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from app.config import Settings
from app.main import create_app
from tests.classroom import ROLLS, Classroom
from tests.conftest import Stage
from tests.processes import Checkout
from tests.support import ROUTES, checksum, client_of
from tests.test_authorization import MARKS, TABLE

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def everything(settings: Settings) -> FastAPI:
    """An app with every optional route, including documentation and metrics."""
    return create_app(settings.model_copy(update={"metrics": True}))


async def test_a_path_with_a_line_feed_at_its_end_is_not_found(everything: FastAPI) -> None:
    paths = {route.path for route in everything.routes if isinstance(route, Route)}
    assert {"/metrics", "/docs", "/openapi.json", "/users/me"} < paths
    async with client_of(everything) as client:
        for path in sorted(path for path in paths if not path.endswith("}")):
            address = re.sub(r"\{\w+\}", MISSING, path) + "%0a"
            answer = await client.get(address)
            if path.startswith("/app"):  # a page, or a parameter of one that asks to sign in
                assert answer.status_code in (303, 404), path
                continue
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        static = "/docs/static/redoc.standalone.js"
        answers = [await client.get(static + end) for end in ("", "%0a", "%0a%0a")]
    assert [answer.status_code for answer in answers] == [200, 404, 404]


async def test_a_line_feed_at_the_end_of_a_parameter_is_part_of_it(stage: Stage) -> None:
    queries = ("classes?term=current", "admin/audit?action=policy_changed", "classes?roster=true")
    for query in queries:
        answers = [await stage.meera.get(f"/{query}{end}") for end in ("", "%0a")]
        assert [answer.status_code for answer in answers] == [200, 422], query


MARK = "whatwassent"
REPEATED = {
    "Authorization": ("Bearer {token}", f"Bearer {MARK}"),
    "Content-Length": ("2", "2"),
    "Content-Type": ("application/json", f"text/{MARK}"),
    "Host": ("aims.example", f"{MARK}.example"),
    "If-Match": ('"0"', f'"{MARK}"'),
    "Origin": ("https://a.example", f"https://{MARK}.example"),
}


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("turned", [False, True])
async def test_a_single_valued_header_may_not_be_repeated(
    stage: Stage, room: Classroom, name: str, turned: bool
) -> None:
    session = await room.open()
    own = {"Authorization": f"Bearer {stage.asha.token}", "Content-Type": "application/json"}
    own.pop(name, None)
    values = [value.format(token=stage.asha.token) for value in REPEATED[name]]
    lines = [*own.items(), *((name, value) for value in sorted(values, reverse=turned))]
    before = await checksum(stage.connection)
    for method, path in (
        ("PUT", f"/attendance/sessions/{session}/statuses"),
        ("GET", "/users/me"),
        ("GET", "/health/live"),
        ("GET", "/nothing"),
    ):
        body = {"content": b'{"updates": []}'} if method == "PUT" else {}
        answer = await stage.nobody.client.request(method, path, headers=lines, **body)
        assert (answer.status_code, answer.json()["code"]) == (400, "repeated_header")
        assert name in answer.json()["detail"]
        assert MARK not in answer.text
    assert await checksum(stage.connection) == before


async def test_one_if_match_header_may_name_several_versions(stage: Stage, room: Classroom) -> None:
    path = f"/attendance/sessions/{await room.open()}/statuses"
    headers = {"If-Match": '"7", "0"'}
    assert (await stage.asha.put(path, MARKS, headers=headers)).status_code == 200


async def test_list_valued_headers_may_be_repeated(stage: Stage) -> None:
    lines = [("Authorization", f"Bearer {stage.asha.token}"), *[("Accept", "text/html")] * 2]
    answer = await stage.nobody.client.get("/users/me", headers=lines)
    assert answer.status_code == 200


async def test_of_two_request_ids_neither_is_kept(stage: Stage) -> None:
    lines = [("X-Request-ID", "one"), ("X-Request-ID", "another")]
    answer = await stage.nobody.client.get("/health/live", headers=lines)
    assert UUID(answer.headers["x-request-id"]).version == 4


TWICE = {
    "the body": ('{{"updates": {}, "updates": []}}', ""),
    "an update": (
        '{{"updates": [{}, {{"rollNo": "9", "status": "late", "status": "late"}}]}}',
        "/updates/1",
    ),
    "another spelling of the same name": (
        '{{"updates": [{{"rollNo": "9", "status": "late", "\\u0073tatus": "absent"}}]}}',
        "/updates/0",
    ),
    "after text with colons": (
        '{{"updates": [{{"rollNo": "a:b", "remark": "::", "status": "late", "status": "x"}}]}}',
        "/updates/0",
    ),
    "in place of text": (
        '{{"updates": [{{"rollNo": {{"a": 1, "a": 2}}, "status": "late"}}]}}',
        "/updates/0/rollNo",
    ),
    "in place of a list": ('{{"updates": {{"a": 1, "a": 2}}}}', "/updates"),
    "in an unknown field": ('{{"updates": [], "whatwassent": {{"a": 1, "a": 2}}}}', ""),
}


@pytest.mark.parametrize("place", TWICE)
async def test_an_object_that_names_a_field_twice_is_refused_with_its_place(
    stage: Stage, room: Classroom, place: str
) -> None:
    path = f"/attendance/sessions/{await room.open()}/statuses"
    pattern, pointer = TWICE[place]
    body = pattern.format(json.dumps(MARKS["updates"][0]))
    before = await checksum(stage.connection)
    answer = await stage.asha.put(path, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert (pointer, "repeated_name") in places_of(answer)
    assert MARK not in answer.text
    assert await checksum(stage.connection) == before


def places_of(answer: httpx2.Response) -> list[tuple[str, str]]:
    """The places that a 422 names, each with its code."""
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize("operation", [name for name, case in TABLE.items() if case.body])
async def test_no_route_accepts_a_repeated_field(stage: Stage, operation: str) -> None:
    case = TABLE[operation]
    path = re.sub(r"\{\w+\}", MISSING, case.path)
    name = next(iter(case.body))
    body = f'{{"{name}": null, {json.dumps(case.body)[1:]}'
    answer = await stage.meera.request(case.method, path, content=body, headers=JSON)
    assert answer.status_code == 422
    assert places_of(answer) == [("", "repeated_name")]


async def test_a_single_valued_parameter_may_not_be_repeated(stage: Stage, room: Classroom) -> None:
    path = f"/attendance/sessions?classId={room.id}"
    answer = await stage.asha.get(f"{path}&limit=5&limit=6&from={MARK}&from={MARK}")
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert places_of(answer) == [
        ("/query/from", "repeated_parameter"),
        ("/query/limit", "repeated_parameter"),
    ]
    assert MARK not in answer.text
    before = await checksum(stage.connection)
    for mode in ("?dryRun=true&dryRun=false", "?dryRun=false&dryRun=true"):
        answer = await stage.asha.put(
            f"{room.path}/students{mode}", {"students": [{"rollNo": "1"}]}
        )
        assert places_of(answer) == [("/query/dryRun", "repeated_parameter")]
    assert await checksum(stage.connection) == before


async def test_sign_in_is_checked_before_a_repeated_parameter(stage: Stage) -> None:
    people = (stage.nobody, stage.ravi, stage.asha)
    answers = [await who.get("/classes?roster=true&roster=false") for who in people]
    assert [answer.status_code for answer in answers] == [401, 401, 422]


async def test_an_unknown_parameter_may_be_repeated(stage: Stage) -> None:
    assert (await stage.asha.get("/classes?utm=1&utm=2")).status_code == 200


PARAMETERS = [
    (route, parameter.alias) for route in ROUTES for parameter in route.dependant.query_params
]


@pytest.mark.parametrize(("route", "name"), PARAMETERS)
async def test_no_route_accepts_a_repeated_parameter(
    stage: Stage, route: APIRoute, name: str
) -> None:
    path = re.sub(r"\{\w+\}", MISSING, route.path)
    (method,) = route.methods
    answer = await stage.meera.request(method, f"{path}?{name}=1&{name}=1")
    assert answer.status_code == 422
    assert (f"/query/{name}", "repeated_parameter") in places_of(answer)


async def test_head_is_answered_on_routes_without_sign_in(everything: FastAPI) -> None:
    async with client_of(everything) as client:
        for path in ("/health/live", "/metrics", "/docs", "/redoc", "/openapi.json"):
            get, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-type"] == get.headers["content-type"]
        assert (await client.head("/nothing")).status_code == 404
        refused = await client.head("/auth/google")
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert refused.content == b""


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_link_to_the_next_page_is_relative_to_the_requested_address(
    stage: Stage, room: Classroom, method: str
) -> None:
    path, body = "/admin/students?query=23&limit=1", {}
    if method == "POST":
        await room.mark(await room.open(), dict.fromkeys(ROLLS, "absent"))
        path = "/admin/policy/preview?limit=1"
        body = {"json": TABLE["previewPolicy"].body}
    public = "https://demo.university.example/aims" + path  # a proxy strips `/aims`
    answer = await stage.meera.request(method, path, headers={"Host": "evil.example"}, **body)
    link = answer.headers["link"]
    found = re.fullmatch(r"<([^>]+)>; rel=\"next\"", link)
    assert found, link
    address, _, query = urljoin(public, found[1]).partition("?")
    assert address == public.partition("?")[0]
    following = await stage.meera.request(method, f"{path.partition('?')[0]}?{query}", **body)
    assert following.status_code == 200
    assert following.json() != answer.json()


def test_a_real_server_sends_no_body_after_head(installed: Checkout) -> None:
    ask = "{} /health/live HTTP/1.1\r\nHost: aims.example\r\n\r\n"
    with (
        installed.serving("aims serve --port {port} --workers 1") as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as client,
    ):
        client.sendall(ask.format("HEAD").encode() + ask.format("GET").encode())
        said = b""
        while b"healthy" not in said:
            said += client.recv(4096)
    of_head, _, of_get = said.decode().partition("\r\n\r\n")
    assert of_head.startswith("HTTP/1.1 200 OK")
    assert "content-length: 20" in of_head
    assert of_get.startswith("HTTP/1.1 200 OK")
