"""What an answer is worth: the server and PostgreSQL are killed in the middle of writes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.auth.jwt import Tokens
from app.config import load_settings
from app.localpg import LocalPostgres, home
from tests.conftest import DOMAIN, SECRET, migrate
from tests.processes import ROOT, Checkout, Server, clean_environment, silent

ROLLS = [f"23/CS/{number}" for number in range(100, 160)]
STATUSES = ("present", "absent", "late", "excused")
ROUNDS = 3


@dataclass
class Write:
    """A batch that gives every student the same status and a remark of its own."""

    remark: str
    status: int = 0  # of the answer; 0 if there was none


class Teacher:
    """Marks a class again and again, and remembers what was answered."""

    def __init__(self, server: Server, token: str, session: str) -> None:
        self._server, self._token, self._session = server, token, session
        self.writes: list[Write] = []
        self._stop = Event()
        self._thread = Thread(target=self._mark)

    def __enter__(self) -> "Teacher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _mark(self) -> None:
        while not self._stop.is_set():
            number = len(self.writes)
            write = Write(f"batch {number} of {time.time_ns()}")
            self.writes.append(write)
            updates = [
                {"rollNo": roll, "status": STATUSES[number % 4], "remark": write.remark}
                for roll in ROLLS
            ]
            path = f"/attendance/sessions/{self._session}/statuses"
            write.status, _ = call(self._server, self._token, "PUT", path, {"updates": updates})
            if write.status != 200:
                time.sleep(0.02)


def call(server: Server, token: str, method: str, path: str, body: object) -> tuple[int, bytes]:
    """Status and body of an answer; 0 if the connection broke."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()
    except (OSError, HTTPException):
        return 0, b""


@pytest.fixture(scope="module")
def postgres() -> Iterator[LocalPostgres]:
    """A server whose data lasts, unlike that of the other tests."""
    place = home() / f"test-faults-{os.getpid()}"
    with LocalPostgres(place) as server:
        yield server
    subprocess.run(["rm", "-rf", *map(str, place.parent.glob(place.name + "*"))], check=True)


def kill_and_start(postgres: LocalPostgres) -> None:
    os.kill(postgres.pid, signal.SIGKILL)
    postgres.stop()
    postgres.start()


@pytest.fixture
def installed(postgres: LocalPostgres, checkout: Checkout) -> Checkout:
    name = f"faults_{uuid4().hex}"
    postgres.create_database(name)
    url = postgres.url(name)
    migrate(url)
    return checkout.having(DATABASE_URL=url, JWT_SECRET=SECRET, GOOGLE_CLIENT_ID="faults")


def token_of(installed: Checkout) -> str:
    """A token of Asha Demo, whom this puts into the database."""

    async def enter() -> str:
        connection = await asyncpg.connect(installed.variables["DATABASE_URL"])
        address = f"asha@{DOMAIN}"
        await connection.execute(
            "INSERT INTO allowed_emails (email, role) VALUES ($1, 'teacher')"
            " ON CONFLICT DO NOTHING",
            address,
        )
        user_id = await connection.fetchval(
            "INSERT INTO users (email, name) VALUES ($1, 'Asha Demo') RETURNING id", address
        )
        await connection.close()
        names = ("database_url", "jwt_secret", "google_client_id")
        settings = {name: installed.variables[name.upper()] for name in names}
        return Tokens(load_settings(_env_file=None, **settings)).issue(user_id)[0]

    return asyncio.run(enter())


def open_session(server: Server, token: str) -> str:
    """A session of a new class with the students of `ROLLS`."""
    draft = {"code": "CS301", "name": "Operating Systems", "section": "A"}
    class_id = json.loads(call(server, token, "POST", "/classes", draft)[1])["id"]
    students = {"students": [{"rollNo": roll, "name": "Student"} for roll in ROLLS]}
    assert call(server, token, "PUT", f"/classes/{class_id}/students", students)[0] == 200
    wanted = {"classId": class_id, "sessionDate": "2025-10-27"}
    opened = call(server, token, "POST", "/attendance/sessions", wanted)[1]
    return str(json.loads(opened)["sessionId"])


def recorded(installed: Checkout) -> list[tuple[int, str, int, int]]:
    """Of each version: number, remark, how many marks have it, how many statuses they have."""

    async def read() -> list[tuple[int, str, int, int]]:
        connection = await asyncpg.connect(installed.variables["DATABASE_URL"])
        rows = await connection.fetch(
            "SELECT version, min(remark) AS remark, count(*) AS marks, count(DISTINCT status) FROM"
            " (SELECT version, status, remark FROM attendance_statuses"
            "  UNION ALL SELECT version, status, remark FROM superseded_statuses) marks"
            " GROUP BY version ORDER BY version"
        )
        await connection.close()
        return [tuple(row) for row in rows]

    return asyncio.run(read())


def check_nothing_lost(writes: list[Write], stored: list[tuple[int, str, int, int]]) -> None:
    """Every answered batch is there, every batch is whole, and in the order of the writing."""
    assert [version for version, *_ in stored] == list(range(1, len(stored) + 1))
    assert all(marks == len(ROLLS) and statuses == 1 for _, _, marks, statuses in stored)
    remarks = [remark for _, remark, *_ in stored]
    answered = [write.remark for write in writes if write.status == 200]
    assert set(answered) <= set(remarks)
    written = [write.remark for write in writes if write.remark in set(remarks)]
    assert remarks == written


def test_nothing_answered_is_lost_when_the_server_is_killed(installed: Checkout) -> None:
    token, session, writes = token_of(installed), "", []
    for _ in range(ROUNDS):
        with installed.serving("uvicorn app.main:app --no-access-log --port {port}") as server:
            session = session or open_session(server, token)
            with Teacher(server, token, session) as teacher:
                time.sleep(0.5)
                server.process.kill()
                server.process.wait()
            writes += teacher.writes
    assert sum(write.status == 200 for write in writes) > ROUNDS
    check_nothing_lost(writes, recorded(installed))


def test_nothing_answered_is_lost_when_postgresql_is_killed(
    installed: Checkout, postgres: LocalPostgres
) -> None:
    token = token_of(installed)
    with installed.serving("uvicorn app.main:app --no-access-log --port {port}") as server:
        with Teacher(server, token, open_session(server, token)) as teacher:
            for _ in range(ROUNDS):
                time.sleep(0.5)
                kill_and_start(postgres)
            time.sleep(1)
        assert {write.status for write in teacher.writes} == {200, 503}
        assert teacher.writes[-1].status == 200
    check_nothing_lost(teacher.writes, recorded(installed))


def test_a_postgresql_that_stops_answering_is_a_503_within_5_seconds(
    installed: Checkout, postgres: LocalPostgres
) -> None:
    token = token_of(installed)
    with installed.serving("uvicorn app.main:app --no-access-log --port {port}") as server:
        path = f"/attendance/sessions/{open_session(server, token)}/statuses"
        updates = {"updates": [{"rollNo": ROLLS[0], "status": "late"}]}
        requests = (("PUT", path, updates), ("GET", "/users/me", None))

        def answer(request: tuple[str, str, Any]) -> tuple[int, bool]:
            asked = time.monotonic()
            status = call(server, token, *request)[0]
            return status, time.monotonic() - asked < 5

        with silent(postgres.pid), ThreadPoolExecutor() as pool:
            assert [*pool.map(answer, requests)] == [(503, True), (503, True)]
        assert [call(server, token, *request)[0] for request in requests] == [200, 200]


def test_a_full_disk_and_vanished_clients_lose_mix_and_leave_open_nothing() -> None:
    """Two rounds of `bench.faults`, which also marks, imports, merges and grants leave."""
    rounds = [sys.executable, "-m", "bench.faults", "disk", "clients"]
    done = subprocess.run(
        rounds, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost: 0\nmixed: 0\nleaked: 0\nwrong answers: 0\n" in done.stdout
