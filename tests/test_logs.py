"""What the server logs: one line a request, of one form, with nothing in it that was sent."""

import asyncio
import json
import logging
import sys

import pytest

from app import logs
from app.logs import Exchange
from tests.conftest import DOMAIN, admit
from tests.processes import Checkout

ROLL = "23/CS/40771"
ASKS = (
    "/users/me",
    "/classes?roster=false",
    f"/admin/students?query={ROLL}",
    f"/nothing/{ROLL}",
    "/health",
    "/attendance/sessions?classId=1",
)


def lines_of(checkout: Checkout, command: str) -> list[str]:
    """What a server said while Meera asked for `ASKS`."""
    token = asyncio.run(admit(checkout.variables["DATABASE_URL"], "meera", "admin"))
    with checkout.serving(command) as server:
        for path in ASKS:
            server.get(path, token)
        _, said = server.stop()
    return said.splitlines()


@pytest.mark.parametrize(
    "command",
    [
        "aims serve --port {port} --workers 2",
        "uvicorn app.main:app --host 127.0.0.1 --port {port}",
    ],
)
def test_every_line_of_a_production_server_is_json_and_tells_no_secrets(
    installed: Checkout, command: str
) -> None:
    lines = lines_of(installed, command)
    if command.startswith("uvicorn"):
        # Uvicorn says this before it has loaded the app, which brings our form.
        lines = [line for line in lines if "Started server" not in line]
    entries = [json.loads(line) for line in lines if "Waiting for application" not in line]
    assert all(entry["time"] and entry["level"] and entry["message"] for entry in entries)
    requests = [entry for entry in entries if "route" in entry]
    assert [(entry["route"], entry["status"]) for entry in requests] == [
        ("/users/me", 200),
        ("/classes", 200),
        ("/admin/students", 200),
        ("-", 404),
        ("/attendance/sessions", 422),
    ]
    me, *_, missing, invalid = requests
    assert me["method"] == "GET"
    assert me["durationMs"] > 0
    assert me["requestId"]
    assert me["actorId"]
    assert "code" not in me
    assert "actorId" not in missing
    assert invalid["code"] == "validation_failed"
    assert "127.0.0.1" not in json.dumps(requests)
    for private in ("40771", DOMAIN, "Meera", "roster=false"):
        assert not [line for line in lines if private in line]


def test_with_debug_the_lines_are_for_people(installed: Checkout) -> None:
    lines = lines_of(installed.having(DEBUG="true"), "aims serve --port {port} --workers 1")
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


def test_a_failure_of_ours_is_an_error_and_a_refusal_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    logs.record(exchange(status=500, code="internal_error"))
    logs.record(exchange(status=403, code="access_denied"))
    assert [entry.levelname for entry in caplog.records] == ["ERROR", "INFO"]
    assert caplog.messages[0] == "GET /users/me 500 4.2 ms"


def test_probes_are_told_only_when_they_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for route in ("/health", "/health/live", "/health/ready", "/metrics"):
        logs.record(exchange(route=route))
    assert caplog.records == []
    logs.record(exchange(route="/health/ready", status=503, code="draining"))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("form", [logs._Json(), logs._Text()])
def test_an_exception_is_told_by_its_kind_and_place_alone(form: logging.Formatter) -> None:
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
