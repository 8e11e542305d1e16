"""Prometheus metrics: off by default, summed over all processes, safe to leave on."""

import asyncio
import re
import socket
import time
import urllib.request

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from app.config import Settings
from app.main import create_app
from tests.conftest import admit
from tests.processes import Checkout, free_port
from tests.support import client_of


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Each sample by its name and label values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def measured(settings: Settings) -> FastAPI:
    return create_app(settings.model_copy(update={"metrics": True}))


@pytest.mark.anyio
async def test_metrics_are_off_by_default(app: FastAPI) -> None:
    async with client_of(app) as client:
        assert (await client.get("/metrics")).status_code == 404


@pytest.mark.anyio
async def test_requests_are_counted_and_timed_by_route_and_refusals_by_code(
    measured: FastAPI,
) -> None:
    async with client_of(measured) as client:
        for _ in range(3):
            await client.get("/health/live")
        await client.get("/users/me")
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = samples(answer.text)
    assert found["aims_requests_total", "GET", "/health/live", "200"] == 3
    assert found["aims_requests_total", "GET", "/users/me", "401"] == 1
    assert found["aims_refusals_total", "not_signed_in"] == 1
    assert found["aims_request_duration_seconds_count", "GET", "/health/live"] == 3


@pytest.mark.anyio
async def test_callers_cannot_add_metrics_of_their_own(measured: FastAPI) -> None:
    async with client_of(measured) as client:
        for number in range(20):
            await ask_oddly(client, number)
        text = (await client.get("/metrics")).text
    found = [key for key in samples(text) if key[0] == "aims_requests_total"]
    assert sorted(found) == [
        ("aims_requests_total", "GET", "-", "404"),
        ("aims_requests_total", "other", "-", "404"),
    ]


async def ask_oddly(client: httpx2.AsyncClient, number: int) -> None:
    await client.get(f"/nothing/{number}")
    await client.request(f"ODD{number}", "/nothing")


def test_all_processes_add_up_on_a_separate_address(installed: Checkout) -> None:
    port = free_port()
    token = asyncio.run(admit(installed.variables["DATABASE_URL"]))
    measuring = installed.having(METRICS="true", METRICS_ADDRESS=f"127.0.0.1:{port}")
    with measuring.serving("aims serve --port {port} --workers 2") as server:
        for _ in range(40):
            assert server.get("/users/me", token)[0] == 200
        assert server.get("/metrics")[0] == 404
        # Both processes answer here; each has to know what the other did.
        for _ in range(4):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                found = samples(answer.read().decode())
            assert found["aims_requests_total", "GET", "/users/me", "200"] == 40


def test_an_unusable_address_is_logged_and_does_not_stop_the_server(installed: Checkout) -> None:
    taken = installed.having(METRICS="true", METRICS_ADDRESS="192.0.2.1:9464", DEBUG="true")
    with taken.serving("aims serve --port {port} --workers 1") as server:
        assert server.get("/health")[0] == 200
        _, said = server.stop()
    assert re.search(r"ERROR No metrics: METRICS_ADDRESS cannot be used \(.+\)", said)


def test_an_aborted_upload_is_not_a_server_error(installed: Checkout) -> None:
    measuring = installed.having(METRICS="true", DEBUG="true")
    with measuring.serving("aims serve --port {port} --workers 1") as server:
        for path in ("/auth/google", "/admin/import"):
            break_off(server.port, path)
        found = samples(server.get("/metrics")[1])
        _, said = server.stop()
    told = {key[1:]: count for key, count in found.items() if key[0] == "aims_requests_total"}
    for path in ("/auth/google", "/admin/import"):
        assert told["POST", path, "499"] == 1
        assert f"INFO  POST {path} 499" in said
    assert not [key for key in told if key[-1] == "500"]
    assert not {"ERROR", "Traceback", "ClientDisconnect"} & set(said.split())


def break_off(port: int, path: str) -> None:
    """Start sending a body, then disconnect."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: aims.example\r\nContent-Length: 1000\r\n\r\n"
        client.sendall(head.encode() + b"half")
        time.sleep(0.2)
