"""The supported servers: they answer, finish requests in flight, and say why they cannot start."""

import asyncio
import os
import re
import signal
import time
from types import FrameType

import asyncpg
import pytest
from fastapi import FastAPI

from app.config import Settings
from app.main import create_app
from tests.conftest import DOMAIN, SECRET, admit
from tests.processes import ROOT, Checkout, Server, free_port
from tests.support import client_of
from tests.test_logs import ask_all, check_production_lines

SERVERS = {
    "uvicorn": "uvicorn app.main:app --host 127.0.0.1 --port {port}",
    "gunicorn": "gunicorn app.main:app -w 2 -k uvicorn.workers.UvicornWorker"
    " --bind 127.0.0.1:{port}",
    "aims serve": "aims serve --port {port} --workers 2",
}

# What they print themselves before or without loading the app, which sets our log format.
NOT_OURS = {
    "uvicorn": ("INFO:     Started server", "INFO:     Waiting for application"),
    "gunicorn": ("[",),
    "aims serve": (),
}


async def stop_while_answering(server: Server, url: str) -> tuple[tuple[int, str], tuple[int, str]]:
    """Stop the server while a request waits; return its answer, and how the server ended."""
    token = await admit(url)
    connection = await asyncpg.connect(url)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with connection.transaction():
        await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        answer = asyncio.create_task(asyncio.to_thread(server.get, "/users/me", token))
        while not await connection.fetchval(waiting):
            assert not answer.done()
            await asyncio.sleep(0.02)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        assert not answer.done()
    await connection.close()
    answered = await answer
    return answered, await asyncio.to_thread(server.wait)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_answers_logs_json_and_finishes_requests_in_flight(
    installed: Checkout, name: str
) -> None:
    url = installed.variables["DATABASE_URL"]
    with installed.serving(SERVERS[name]) as server:
        assert server.get("/health") == (200, '{"status":"healthy"}')
        assert server.get("/health/ready")[0] == 200
        ask_all(server, url)
        (status, body), (code, said) = asyncio.run(stop_while_answering(server, url))
    assert (status, f"asha@{DOMAIN}" in body) == (200, True), body
    # Uvicorn alone re-raises the signal after its shutdown, and so ends by it.
    assert code == (-signal.SIGTERM if name == "uvicorn" else 0), said
    assert name != "uvicorn" or "Application shutdown complete" in said
    assert "Traceback" not in said
    assert SECRET not in said
    lines = [line for line in said.splitlines() if not line.startswith(NOT_OURS[name])]
    check_production_lines(lines)


@pytest.mark.parametrize("name", SERVERS)
def test_a_start_with_missing_settings_names_them_all(checkout: Checkout, name: str) -> None:
    # Two workers that fail at the same moment trip up Gunicorn itself, so only one here.
    line = SERVERS[name].format(port=free_port()).replace("-w 2", "-w 1")
    said = checkout.having(GOOGLE_CLIENT_ID="app.demo.university.example").refuse(line)
    assert "DATABASE_URL is missing" in said
    assert "JWT_SECRET is missing" in said
    assert "GOOGLE_CLIENT_ID" not in said


def test_a_start_without_a_reachable_database_waits_and_says_so(installed: Checkout) -> None:
    away = installed.having(DATABASE_URL="postgresql://aims:opensesame@127.0.0.1:1/attendance")
    with away.serving(SERVERS["uvicorn"]) as server:
        assert server.get("/health/live")[0] == 200
        for path in ("/health", "/health/ready"):
            status, body = server.get(path)
            assert status == 503
            assert "database_unavailable" in body
        _, said = server.stop()
    assert "The database cannot answer just now" in said
    assert "opensesame" not in said


def test_a_server_that_drains_goes_on_serving_and_says_that_it_stops(installed: Checkout) -> None:
    draining = installed.having(DRAIN_SECONDS="2", DATABASE_URL="postgresql://127.0.0.1:1/a")
    with draining.serving("aims serve --port {port} --workers 1") as server:
        (own,) = re.findall(r"health_uri (\S+)", (ROOT / "deploy" / "Caddyfile").read_text())
        assert (server.get(own)[0], server.get("/health/ready")[0]) == (200, 503)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        status, body = server.get(own)
        assert (status, "draining" in body) == (503, True)
        assert server.get("/health/live")[0] == 200
        code, said = server.wait()
    assert code == 0, said


@pytest.mark.anyio
async def test_readiness_goes_down_with_the_signal_and_liveness_does_not(
    settings: Settings,
) -> None:
    heard: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        heard.append(number)

    former = signal.signal(signal.SIGTERM, hear)
    try:
        app: FastAPI = create_app(settings)
        async with app.router.lifespan_context(app), client_of(app) as client:
            assert (await client.get("/health/ready")).status_code == 200
            os.kill(os.getpid(), signal.SIGTERM)
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["code"]) == (503, "draining")
            assert int(ready.headers["retry-after"]) > 0
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/health")).status_code == 200
    finally:
        signal.signal(signal.SIGTERM, former)
    assert heard == [signal.SIGTERM]
