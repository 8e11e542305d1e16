"""Server logs: one line per request, in one format, without anything that was sent."""

import asyncio
import json
import logging
import sys

import pytest

from app import logs
from app.logs import Exchange
from tests.conftest import DOMAIN, admit
from tests.processes import Checkout, Server

ROLL = "23/CS/40771"
ASKS = (
    "/users/me",
    "/classes?roster=false",
    f"/admin/students?query={ROLL}",
    f"/nothing/{ROLL}",
    "/health",
    "/attendance/sessions?classId=1",
)


def ask_all(server: Server, url: str) -> None:
    """Request each of `ASKS` as Meera."""
    token = asyncio.run(admit(url, "meera", "admin"))
    for path in ASKS:
        server.get(path, token)


def check_production_lines(lines: list[str]) -> None:
    """Check that the lines are JSON, cover `ASKS` except the healthy probe, and hold no secret."""
    entries = [json.loads(line) for line in lines]
    assert all(entry["time"] and entry["level"] and entry["message"] for entry in entries)
    # Two workers may log requests that are close together in another order.
    told = {(entry["route"], entry["status"]): entry for entry in entries if "route" in entry}
    assert told.keys() == {
        ("/users/me", 200),
        ("/classes", 200),
        ("/admin/students", 200),
        ("-", 404),
        ("/attendance/sessions", 422),
    }
    me = told["/users/me", 200]
    assert me["method"] == "GET"
    assert me["durationMs"] > 0
    assert me["requestId"]
    assert me["actorId"]
    assert "code" not in me
    assert "actorId" not in told["-", 404]
    assert told["/attendance/sessions", 422]["code"] == "validation_failed"
    assert "127.0.0.1" not in json.dumps([*told.values()])
    for private in ("40771", DOMAIN, "Meera", "roster=false"):
        assert not [line for line in lines if private in line]


def test_with_debug_the_lines_are_human_readable(installed: Checkout) -> None:
    debugging = installed.having(DEBUG="true")
    with debugging.serving("aims serve --port {port} --workers 1") as server:
        ask_all(server, installed.variables["DATABASE_URL"])
        _, said = server.stop()
    lines = said.splitlines()
    about_me = next(line for line in lines if "/users/me" in line)
    assert about_me.split()[1:5] == ["INFO", "GET", "/users/me", "200"]
    refused = next(line for line in lines if " 404 " in line)
    assert "not_found" in refused


def exchange(**differently: object) -> Exchange:
    plain = {
        "method": "GET",
        "route": "/users/me",
        "status": 200,
        "seconds": 0.0042,
        "request_id": "r-1",
        "actor_id": None,
        "code": None,
    }
    return Exchange(**{**plain, **differently})  # type: ignore[arg-type]


def test_a_server_error_is_logged_as_an_error_and_a_refusal_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    logs.record(exchange(status=500, code="internal_error"))
    logs.record(exchange(status=403, code="access_denied"))
    assert [entry.levelname for entry in caplog.records] == ["ERROR", "INFO"]
    assert caplog.messages[0] == "GET /users/me 500 4.2 ms"


def test_probes_are_logged_only_when_they_fail(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for route in ("/health", "/health/live", "/health/ready", "/metrics"):
        logs.record(exchange(route=route))
    assert caplog.records == []
    logs.record(exchange(route="/health/ready", status=503, code="draining"))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("form", [logs._Json(), logs._Text()])
def test_an_exception_is_logged_with_only_its_type_and_place(form: logging.Formatter) -> None:
    try:
        raise ValueError(f"Key (roll_key)=({ROLL}) already exists")
    except ValueError:
        record = logging.LogRecord(
            "asyncio", logging.ERROR, __file__, 1, "It failed", None, sys.exc_info()
        )
    line = form.format(record)
    assert "It failed" in line
    assert "ValueError" in line
    assert "test_logs.py" in line
    assert ROLL not in line.replace('f"Key (roll_key)=({ROLL})', "")
