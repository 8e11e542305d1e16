"""Every refusal is an RFC 9457 problem document: small, of one shape, and without anything that
was sent; the most important refusal comes first."""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import pytest

from app.auth.dependencies import SignedInRoute
from app.auth.rates import Rates
from app.db import Database, open_database
from tests.classroom import ROLLS, Classroom
from tests.conftest import Stage
from tests.fuzz import MARK
from tests.support import ROUTES
from tests.test_authorization import MARKS, TABLE

pytestmark = pytest.mark.anyio

MISSING = "00000000-0000-4000-8000-000000000000"
JSON = {"Content-Type": "application/json"}
TWO_MIB = 2 * 1024 * 1024
CLASS = {"code": "CS301", "name": "Operating Systems", "section": "A"}
# Nothing listens on port 1.
AWAY = "postgresql://aims@127.0.0.1:1/aims"


@pytest.fixture
async def no_database(stage: Stage) -> AsyncIterator[Database]:
    """The app with a database that does not answer."""
    async with open_database(AWAY) as database:
        stage.app.state.database = database
        yield database


async def break_phone_numbers(stage: Stage) -> None:
    """Make the database refuse a roster with an unexpected error that quotes a phone number."""
    # The owner may create an index; the app may not.
    await stage.connection.execute("SET ROLE NONE")
    await stage.connection.execute("CREATE UNIQUE INDEX ON students (phone)")
    await stage.connection.execute("SET ROLE aims_app")


async def crash(stage: Stage, room: Classroom, **more: Any) -> httpx2.Response:
    await break_phone_numbers(stage)
    students = [{"rollNo": roll, "phone": f"+91 {MARK}"} for roll in ROLLS]
    return await stage.asha.put(f"{room.path}/students", {"students": students}, **more)


async def stale(stage: Stage, room: Classroom) -> httpx2.Response:
    path = f"/attendance/sessions/{await room.open()}/statuses"
    return await stage.asha.put(path, MARKS, headers={"If-Match": '"7"'})


async def too_many(stage: Stage, room: Classroom) -> httpx2.Response:
    stage.app.state.rates = Rates(1)
    await stage.nobody.post("/auth/google", {"idToken": "nonsense"})
    return await stage.nobody.post("/auth/google", {"idToken": "nonsense"})


async def without_database(stage: Stage, room: Classroom) -> httpx2.Response:
    async with open_database(AWAY) as stage.app.state.database:
        return await stage.asha.get("/classes")


Refuse = Callable[[Stage, Classroom], Awaitable[httpx2.Response]]
REFUSALS: dict[int, Refuse] = {
    400: lambda stage, room: stage.asha.post("/classes", content=b"{", headers=JSON),
    401: lambda stage, room: stage.nobody.get("/classes"),
    403: lambda stage, room: stage.bilal.get(room.path),
    404: lambda stage, room: stage.asha.get("/nothing/here"),
    405: lambda stage, room: stage.asha.put("/classes", CLASS),
    409: lambda stage, room: stage.asha.post("/classes", CLASS),
    412: stale,
    413: lambda stage, room: stage.asha.post("/classes", content=b" " * (TWO_MIB + 1)),
    415: lambda stage, room: stage.asha.post("/classes", content=b"code=CS301"),
    422: lambda stage, room: stage.asha.post("/classes", {}),
    429: too_many,
    500: crash,
    503: without_database,
}
HEADERS = {
    401: ("WWW-Authenticate", "Bearer"),
    405: ("Allow", "GET, HEAD, POST"),
    429: ("Retry-After", "[1-9][0-9]*"),
    503: ("Retry-After", "[1-9][0-9]*"),
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_every_refusal_has_the_same_shape(stage: Stage, room: Classroom, status: int) -> None:
    answer = await REFUSALS[status](stage, room)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    errors = document.pop("errors", [])
    assert document == {
        "type": "about:blank",
        "title": document["title"],
        "status": status,
        "detail": document["detail"],
        "code": document["code"],
        "instance": answer.headers["x-request-id"],
    }
    assert document["title"]
    assert re.fullmatch("[A-Z].+[a-z.?]", document["detail"])
    assert re.fullmatch("[a-z_]+", document["code"])
    assert bool(errors) == (status == 422)
    for error in errors:
        assert error.keys() == {"pointer", "code", "detail"}
    name, pattern = HEADERS.get(status, ("X-Request-ID", ".+"))
    assert re.fullmatch(pattern, answer.headers[name])


@pytest.mark.parametrize("status", REFUSALS)
async def test_every_refusal_carries_the_request_id_of_the_caller(
    stage: Stage, room: Classroom, status: int
) -> None:
    stage.asha.headers["X-Request-ID"] = stage.bilal.headers["X-Request-ID"] = "app:1.2+3_4-5"
    stage.nobody.headers["X-Request-ID"] = "app:1.2+3_4-5"
    answer = await REFUSALS[status](stage, room)
    assert answer.headers["x-request-id"] == answer.json()["instance"] == "app:1.2+3_4-5"


@pytest.mark.parametrize(
    "given", ["", " ", "a b", "a/b", "x" * 129, "ü", "a\tb", "<script>", "1,2"]
)
async def test_a_malformed_request_id_is_replaced(stage: Stage, given: str) -> None:
    headers = {b"X-Request-ID": given.encode("latin-1")}
    for path in ("/users/me", "/nothing", "/health/live"):
        answer = await stage.nobody.client.get(path, headers=headers)
        assert UUID(answer.headers["x-request-id"]).version == 4


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
async def test_a_405_names_every_method_of_the_address(stage: Stage, path: str) -> None:
    filled = re.sub(r"\{\w+\}", MISSING, path)
    methods = {method for route in ROUTES if route.path == path for method in route.methods}
    methods |= {"HEAD"} if "GET" in methods else set()
    answer = await stage.nobody.request("TRACE", filled)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == methods


BAD_LISTS = {
    "students": [{"rollNo": n, MARK: n, "name": [MARK] * 9} for n in range(2000)],
    "updates": [{"rollNo": MARK, "status": MARK, MARK * 20: MARK} for n in range(2000)],
}


@pytest.mark.parametrize("name", BAD_LISTS)
async def test_two_thousand_mistakes_get_a_small_answer(
    stage: Stage, room: Classroom, name: str
) -> None:
    session = await room.open()
    path = {
        "students": f"{room.path}/students",
        "updates": f"/attendance/sessions/{session}/statuses",
    }
    answer = await stage.asha.put(path[name], {name: BAD_LISTS[name]})
    assert answer.status_code == 422
    assert len(answer.content) < 8 * 1024
    errors = answer.json()["errors"]
    assert len(errors) == 20
    assert all(error["pointer"].startswith(f"/{name}/") for error in errors)
    assert MARK not in answer.text


async def test_two_thousand_repeated_or_unknown_rolls_get_a_small_answer(
    stage: Stage, room: Classroom
) -> None:
    path = f"/attendance/sessions/{await room.open()}/statuses"
    repeated = [{"rollNo": MARK, "status": "late"}] * 2000
    unknown = [{"rollNo": f"{MARK}/{n}", "status": "late"} for n in range(2000)]
    for updates in (repeated, unknown):
        answer = await stage.asha.put(path, {"updates": updates})
        assert (answer.status_code, len(answer.json()["errors"])) == (422, 20)
        assert len(answer.content) < 8 * 1024
        assert MARK not in answer.text


async def test_more_than_two_thousand_entries_are_refused(stage: Stage, room: Classroom) -> None:
    students = [{"rollNo": f"{MARK}/{n}"} for n in range(2001)]
    answer = await stage.asha.put(f"{room.path}/students", {"students": students})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_many")
    assert MARK not in answer.text


ECHOES = {
    "field": ("POST", "/classes", {"json": {**CLASS, MARK: 1}}),
    "nested field": ("POST", "/classes", {"json": {**CLASS, "name": {MARK: MARK}}}),
    "wrong type": ("POST", "/classes", {"json": {**CLASS, "code": [MARK]}}),
    "long text": ("POST", "/classes", {"json": {**CLASS, "code": MARK * 100}}),
    "control character": ("POST", "/classes", {"json": {**CLASS, "code": MARK + "\0"}}),
    "id": ("POST", "/classes", {"json": {**CLASS, "teacherId": MARK}}),
    "date": ("POST", "/attendance/sessions", {"json": {"sessionDate": MARK}}),
    "bare text": ("POST", "/classes", {"json": MARK}),
    "bad JSON": ("POST", "/classes", {"content": b"{" + MARK.encode(), "headers": JSON}),
    "content type": ("POST", "/classes", {"content": b"x", "headers": {"Content-Type": MARK}}),
    "address": ("GET", f"/{MARK}", {}),
    "path": ("GET", f"/classes/{MARK}", {}),
    "method": (MARK, "/classes", {}),
    "query": ("GET", f"/classes?roster={MARK}", {}),
    "query field": ("GET", f"/attendance/sessions?{MARK}=1", {}),
    "cursor": ("GET", f"/attendance/sessions?classId={MISSING}&cursor={MARK}", {}),
    "version": ("PUT", "/attendance/sessions/{}/statuses", {"headers": {"If-Match": MARK}}),
    "token": ("GET", "/classes", {"headers": {"Authorization": f"Bearer {MARK}"}}),
}


@pytest.mark.parametrize("place", ECHOES)
async def test_a_refusal_never_repeats_what_was_sent(stage: Stage, place: str) -> None:
    method, path, more = ECHOES[place]
    if place == "version":
        more = {**more, "json": MARKS}
    answer = await stage.asha.request(method, path.replace("{}", MISSING), **more)
    assert answer.is_error
    assert MARK not in answer.text + str(answer.headers)


async def test_a_body_of_unknown_size_is_bounded_before_anything_else(stage: Stage) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(TWO_MIB // 65_536 + 1):
            yield b" " * 65_536

    answer = await stage.nobody.request("POST", "/classes", content=endless(), headers=JSON)
    assert "content-length" not in answer.request.headers
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_body_of_exactly_two_mib_is_read(stage: Stage) -> None:
    text = b'{"code":"CS1","name":"Networks","section":"A"}'
    answer = await stage.asha.post("/classes", content=text.ljust(TWO_MIB), headers=JSON)
    assert answer.status_code == 201


@pytest.mark.parametrize("size", ["abc", "1e3", "-", "0x10", "9" * 5000])
async def test_a_content_length_that_is_not_a_number_is_a_400(stage: Stage, size: str) -> None:
    answer = await stage.nobody.get("/classes", headers={"Content-Length": size})
    assert answer.status_code == 400


NOT_JSON = {
    "NaN": b'{"students":[],"x":NaN}',
    "infinity": b'{"students":[],"x":-Infinity}',
    "lone surrogate": b'{"students":[{"rollNo":"1","name":"\\ud800"}]}',
    "lone surrogate in a name": b'{"students":[],"\\udfff":1}',
    "invalid UTF-8": b'{"students":[{"rollNo":"1","name":"\xff"}]}',
    "UTF-8 of a surrogate": b'{"students":[{"rollNo":"1","name":"\xed\xa0\x80"}]}',
    "UTF-16": '{"students":[]}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"students":[]}',
    "deep lists": b'{"students":[{"rollNo":"1","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
    "deep objects": b'{"x":' * 100_000 + b"1" + b"}" * 100_000,
    "cut short": b'{"students":[',
    "trailing data": b'{"students":[]} {}',
    "raw control character": b'{"students":[{"rollNo":"1","name":"\0"}]}',
    "number of 5,000 digits": b'{"students":[],"x":' + b"9" * 5000 + b"}",
    "single quotes": b"{'students':[]}",
    "white space only": b"  ",
}


@pytest.mark.parametrize("kind", NOT_JSON)
async def test_a_body_that_is_not_json_is_a_400(stage: Stage, room: Classroom, kind: str) -> None:
    answer = await stage.asha.put(f"{room.path}/students", content=NOT_JSON[kind], headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


async def test_a_crash_reveals_no_data(
    stage: Stage, room: Classroom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await crash(stage, room)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    for told in (answer.text, caplog.text):
        assert MARK not in told
        assert "duplicate key" not in told
    assert f"UniqueViolationError in request {answer.json()['instance']}" in caplog.text
    assert "rosters.py" in caplog.text


async def test_a_time_zone_that_postgresql_does_not_know_is_reported(
    stage: Stage, database_url: str
) -> None:
    async with open_database(database_url, "Mars/Olympus") as stage.app.state.database:
        answer = await stage.asha.get("/health")
    assert (answer.status_code, answer.json()["code"]) == (503, "timezone_unknown")
    assert "TIMEZONE" in answer.json()["detail"]


SIGNED_IN = [route for route in ROUTES if isinstance(route, SignedInRoute)]


@pytest.mark.parametrize("operation", [route.operation_id for route in SIGNED_IN])
@pytest.mark.usefixtures("no_database")
async def test_without_a_database_every_signed_in_route_is_a_503(
    stage: Stage, operation: str
) -> None:
    case = TABLE[operation]
    path = re.sub(r"\{\w+\}", MISSING, case.path)
    body = case.body and {**case.body, **({"classId": MISSING} if "classId" in case.body else {})}
    answer = await stage.asha.request(case.method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await stage.nobody.request(case.method, path, json=body)).status_code == 401


@pytest.mark.usefixtures("no_database")
async def test_without_a_database_the_process_is_alive_but_not_healthy(stage: Stage) -> None:
    paths = ("/health", "/health/ready", "/health/live")
    assert [(await stage.nobody.get(path)).status_code for path in paths] == [503, 503, 200]


@pytest.mark.parametrize(
    "older",
    ["DROP TABLE audit_log", "ALTER TABLE superseded_statuses DROP COLUMN recorded_for CASCADE"],
)
async def test_with_the_tables_of_an_older_version_the_answer_is_a_503(
    stage: Stage, room: Classroom, older: str
) -> None:
    session = await room.open()
    await stage.connection.execute(f"SET ROLE NONE; {older}; SET ROLE aims_app")
    answers = [
        await stage.meera.get("/admin/audit"),
        await stage.asha.get(f"/attendance/sessions/{session}/history"),
    ]
    assert sorted(answer.status_code for answer in answers) == [200, 503]


BAD_JSON = {"content": b"{", "headers": JSON}
WRONG_TYPE = {"content": b"{}", "headers": {"Content-Type": "text/plain"}}
WRONG = {"json": {"unknown": 1}}
RIGHT = {"json": {"students": []}}
TOO_LARGE = {"content": b"{" * (TWO_MIB + 1), "headers": JSON}


@pytest.mark.parametrize(
    ("person", "path", "request_", "status"),
    [
        ("nobody", "/classes/none/students", TOO_LARGE, 413),
        ("ravi", "{class}/students", TOO_LARGE, 413),
        ("nobody", "/classes/none/students", BAD_JSON, 401),
        ("nobody", "{class}/students", WRONG_TYPE, 401),
        ("ravi", "{class}/students", BAD_JSON, 401),
        ("omar", "{class}/students", WRONG_TYPE, 401),
        ("ravi", "{class}/students?mode=none", WRONG, 401),
        ("bilal", "/classes/none/students", BAD_JSON, 400),
        ("bilal", "{class}/students", BAD_JSON, 400),
        ("bilal", "{class}/students", WRONG_TYPE, 415),
        ("bilal", "/classes/none/students", RIGHT, 422),
        ("bilal", "{class}/students", WRONG, 422),
        ("bilal", f"/classes/{MISSING}/students", WRONG, 422),
        ("bilal", f"/classes/{MISSING}/students", RIGHT, 404),
        ("bilal", "{class}/students", RIGHT, 403),
        ("asha", "{class}/students", RIGHT, 409),
    ],
)
async def test_the_most_important_refusal_comes_first(
    stage: Stage, room: Classroom, person: str, path: str, request_: Any, status: int
) -> None:
    who = getattr(stage, person)
    answer = await who.request("PUT", path.replace("{class}", room.path), **request_)
    assert answer.status_code == status


@pytest.mark.parametrize("query", ["cursor=x", "from=2025-10-02&to=2025-10-01", "limit=x"])
async def test_sign_in_is_checked_before_a_bad_query(
    stage: Stage, room: Classroom, query: str
) -> None:
    path = f"/attendance/sessions?classId={room.id}&{query}"
    people = (stage.nobody, stage.ravi, stage.asha)
    assert [(await who.get(path)).status_code for who in people] == [401, 401, 422]
