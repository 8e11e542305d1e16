"""The OpenAPI document is complete, true of every answer, and can be read offline."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode
from schemathesis.python import asgi
from starlette.types import Receive, Scope, Send

from app.auth.rates import Rates
from app.config import Settings, load_settings
from app.main import create_app, openapi_document
from tests.conftest import SECRET, admit, copy_of
from tests.support import ROUTES, client_of
from tests.test_authorization import MOVE, PEOPLE, SLOT, TABLE

METHODS = {"get", "post", "put", "patch", "delete"}
NOWHERE = load_settings(
    _env_file=None,
    database_url="postgresql://aims@127.0.0.1:1/aims",
    jwt_secret=SECRET,
    google_client_id="tests",
    google_jwks_url="http://127.0.0.1:1/certs",
    debug=True,
)
DOCUMENT: dict[str, Any] = openapi_document()
OPERATIONS = {
    f"{method} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}


def every_part(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from every_part(inner)


def answers_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The answers by status, with references resolved."""
    known = DOCUMENT["components"]["responses"]
    return {
        status: known[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for status, answer in operation["responses"].items()
    }


def test_every_answer_of_the_table_of_authorization_is_documented() -> None:
    documented = {
        operation["operationId"]: answers_of(operation) for operation in OPERATIONS.values()
    }
    undocumented = [
        f"{operation} {status}"
        for operation, case in TABLE.items()
        for status in {str(case.expected(person)) for person in PEOPLE}
        if status not in documented[operation]
    ]
    assert undocumented == []


def test_the_document_has_every_route_under_a_unique_name() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    assert set(names) == {route.operation_id for route in ROUTES}


def test_an_operation_is_named_after_its_function() -> None:
    names = {
        route.endpoint.__name__: re.sub("[A-Z]", r"_\g<0>", route.operation_id or "").lower()
        for route in ROUTES
    }
    assert [*names] == [*names.values()]


def test_an_answer_without_content_is_described_as_deleted() -> None:
    said = {
        answers_of(operation)[status]["description"]
        for operation in OPERATIONS.values()
        for status in operation["responses"]
        if status == "204"
    }
    assert said == {"Deleted: no content"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described(name: str) -> None:
    operation = OPERATIONS[name]
    assert re.fullmatch("[a-z]+([A-Z][a-z]+)*", operation["operationId"])
    assert operation["summary"]
    assert operation["description"]
    assert len(operation["tags"]) == 1
    assert all(answer["description"] for answer in answers_of(operation).values())


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_refusal_of_an_operation_is_a_problem_document(name: str) -> None:
    operation = OPERATIONS[name]
    refusals = {int(s) for s in operation["responses"] if int(s) >= 400}
    for status in refusals:
        ((kind, body),) = answers_of(operation)[str(status)]["content"].items()
        assert kind == "application/problem+json"
        assert body["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert body["example"]["status"] == status
    expected = {500, 503} if name != "get /health/live" else set()
    expected |= {401} if operation["security"] else set()
    expected |= {400, 413, 415, 422} if "requestBody" in operation else set()
    expected |= {422} if "parameters" in operation else set()
    expected |= {403, 404} if "{id}" in name else set()
    assert refusals >= expected


def test_only_signing_in_and_health_need_no_token() -> None:
    free = {name for name, operation in OPERATIONS.items() if not operation["security"]}
    health = {"get /health", "get /health/live", "get /health/ready"}
    assert free == {"post /auth/google", *health}


def test_none_of_the_frameworks_own_errors_is_left() -> None:
    assert "ValidationError" not in json.dumps(DOCUMENT)
    assert "detail" in DOCUMENT["components"]["schemas"]["Problem"]["required"]


def test_every_reference_resolves_and_every_component_is_used() -> None:
    kinds = ("schemas", "responses", "headers")
    references = {part["$ref"] for part in every_part(DOCUMENT) if "$ref" in part}
    assert references == {
        f"#/components/{kind}/{name}" for kind in kinds for name in DOCUMENT["components"][kind]
    }


@pytest.mark.anyio
async def test_docs_false_hides_the_document_and_its_pages(settings: Settings) -> None:
    hidden = create_app(settings.model_copy(update={"docs": False}))
    async with client_of(hidden) as client:
        for path in ("/docs", "/redoc", "/openapi.json", "/docs/static/redoc.standalone.js"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.anyio
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_documentation_pages_need_no_internet(app: FastAPI, page: str) -> None:
    async with client_of(app) as client:
        html = (await client.get(page)).text
        assert not re.findall(r"(?:src|href|url)\s*[=(:]\s*[\"']?(?:https?:)?//", html)
        loaded = re.findall(r"(?:src|href)=\"(/[^\"]+)\"", html)
        assert any(path.endswith(".js") for path in loaded)
        for path in loaded:
            assert (await client.get(path)).status_code == 200
        assert "/openapi.json" in html
        assert (await client.get("/openapi.json")).json() == DOCUMENT


class Late:
    """The app, created when Schemathesis starts it, long after its tests are collected."""

    settings = NOWHERE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self.app = create_app(self.settings)
            self.app.state.rates = Rates(1000, person=10**6)
        await self.app(scope, receive, send)


LATE = Late()
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
schemathesis.serializer.alias(WORKBOOK, "application/octet-stream")
SCHEMA = schemathesis.openapi.from_dict(json.loads(json.dumps(DOCUMENT)))
SCHEMA.app = LATE
# Every request carries the token, so a case generated without one would not be sent as such.
SCHEMA.config.generation.update(with_security_parameters=False)
# Malformed values are enumerated here and random in test_bad_input.py and test_bad_requests.py.
SCHEMA.config.phases.fuzzing.generation.update(modes=[GenerationMode.POSITIVE])
# Well-formed values may be refused in combination, or because of what is stored (an end before a
# start, a future date): JSON Schema cannot express this.
# test_authorization.py proves that everything but signing in and health needs a token.
EXCLUDED = [CHECKS.get_one(name) for name in ("positive_data_acceptance", "ignored_auth")]
NO_IDS = {"deleteClass"}


@dataclass
class Served:
    """The app in Schemathesis's event loop, with a class that has one of everything.

    An administrator sends the requests, so that only the content of a request can be refused.
    Only the ids of the class and of its contents exist; all others are answered with 404.
    """

    client: asgi.ASGIClient
    headers: dict[str, str]
    ids: dict[str, str]

    def place(self, case: schemathesis.Case) -> None:
        """Replace the case's well-formed ids with ids that exist."""
        if case.operation.definition.raw["operationId"] in NO_IDS:
            return
        of_session = case.path.startswith("/attendance/sessions/")
        names = {"id": "session" if of_session else "class", "classId": "class"}
        for values in (case.path_parameters, case.query, case.body):
            if not isinstance(values, dict):
                continue
            for name, value in values.items():
                name_of_id = names.get(name, name)
                if name_of_id in self.ids and is_id(value):
                    values[name] = self.ids[name_of_id]


def is_id(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


@pytest.fixture(scope="module")
def served(server_url: str, template: str, settings: Settings, worker_id: str) -> Iterator[Served]:
    url = asyncio.run(copy_of(server_url, template, f"aims_openapi_{worker_id}"))
    LATE.settings = settings.model_copy(update={"database_url": url})
    token = asyncio.run(admit(url, "meera", "admin"))
    headers = {"Authorization": f"Bearer {token}"}
    with asgi.get_client(LATE) as client:
        client.trust_env = False  # looking for a proxy at each request is slow
        yield Served(client, headers, furnish(client, headers))
    asgi.shutdown_lifespans()


def furnish(client: requests.Session, headers: dict[str, str]) -> dict[str, str]:
    """Create a class, a slot, a move and a session through the API; return their ids."""

    def made(path: str, body: dict[str, Any]) -> dict[str, str]:
        answer = client.post(path, json=body, headers=headers)
        assert answer.ok, answer.text
        return answer.json()

    class_ = made("/classes", {"code": "CS301", "name": "Operating Systems", "section": "A"})["id"]
    monday = {**SLOT, "dayOfWeek": 1}
    session = {"classId": class_, "sessionDate": "2025-10-20"}
    return {
        "class": class_,
        "scheduleId": made(f"/classes/{class_}/schedules", monday)["id"],
        "rescheduleId": made(f"/classes/{class_}/reschedules", MOVE)["id"],
        "session": made("/attendance/sessions", session)["sessionId"],
    }


@SCHEMA.parametrize()
@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
def test_every_answer_is_as_documented(case: schemathesis.Case, served: Served) -> None:
    served.place(case)
    # One session for all: without it, each operation would start and stop the app.
    case.call_and_validate(session=served.client, headers=served.headers, excluded_checks=EXCLUDED)
