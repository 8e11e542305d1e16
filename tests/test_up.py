"""`./aims up`, as somebody who has just cloned the repository meets it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.localpg import home
from tests.processes import clean_environment, free_port

READY_SECONDS = 60


def start(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up", *arguments],
        env=clean_environment() | {"PYTHONUNBUFFERED": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until_shown(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    shown, deadline = "", time.monotonic() + READY_SECONDS
    while "Ctrl-C" not in shown and time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line:
            break
        shown += line
    return shown


def running(marker: str) -> list[str]:
    """The command lines of processes that carry the marker."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in line:
            lines.append(line)
    return lines


@contextmanager
def data_directory(name: str) -> Iterator[Path]:
    """One that the server's user may use, gone afterwards."""
    place = home() / f"{name}-{os.getpid()}"
    yield place
    subprocess.run(["rm", "-rf", *map(str, place.parent.glob(place.name + "*"))], check=True)


@pytest.fixture
def place() -> Iterator[Path]:
    with data_directory("test-up") as place:
        yield place


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """The data directory that these tests start on in turn: the first one makes it."""
    with data_directory("test-up-kept") as place:
        yield place


def test_up_shows_how_to_sign_in_and_leaves_nothing_running(kept: Path) -> None:
    port = free_port()
    # Somebody's variables for another installation are none of this one's.
    others = {"DATABASE_URL": "", "PGSSLMODE": "verify-full", "PGHOST": "db.demo.example"}
    others["GOOGLE_HOSTED_DOMAINS"] = "other.example"
    process = start("--port", str(port), "--data", str(kept), **others)
    try:
        shown = read_until_shown(process)
        stand_in = re.search(r"Sign-in +(http://127.0.0.1:\d+)", shown)
        assert stand_in, shown
        token = get(f"{stand_in[1]}/token?email=asha@demo.university.example")
        base = f"http://127.0.0.1:{port}"
        jwt = json.loads(post(f"{base}/auth/google", {"idToken": token}))["token"]
        classes = json.loads(get(f"{base}/classes?roster=false", jwt))
        assert [c["code"] for c in classes] == ["CS301", "CS301"]
        stats = json.loads(get(f"{base}/stats/classes/{classes[0]['id']}/students", jwt))
        assert len(stats) == 61
        # Three a week, without a holiday, a session that was cancelled and one nobody took.
        assert max(student["total"] for student in stats) == 8 * 3 - 3
        second = start("--port", str(free_port()), "--data", str(kept))
        said, _ = second.communicate(timeout=30)
        assert second.returncode != 0
        assert "is in use: another ./aims up" in said
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert running(str(kept)) == []
    assert running(str(port)) == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_however_up_ends_what_it_started_ends_too(kept: Path, stop: signal.Signals) -> None:
    port = free_port()
    process = start("--port", str(port), "--data", str(kept), "--demo")
    shown = read_until_shown(process)
    assert "AIMS is running" in shown
    process.send_signal(stop)
    process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while running(str(kept)) + running(f"--port {port}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(str(kept)) + running(f"--port {port}") == []


def test_a_port_in_use_is_one_sentence(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start("--port", str(port), "--data", str(place))
        said, _ = process.communicate()
    assert process.returncode != 0
    assert said == f"aims: port {port} is in use; choose another with --port.\n"
    assert not place.exists()


def test_data_of_another_major_version_is_one_sentence(place: Path) -> None:
    place.mkdir(parents=True)
    (place / "PG_VERSION").write_text("12\n")
    process = start("--port", str(free_port()), "--data", str(place))
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "was made by PostgreSQL 12 and cannot be opened by 18" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_is_no_data_directory_is_left_alone(place: Path, kind: str) -> None:
    kept = place if kind == "file" else place / "notes"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("mine")
    process = start("--port", str(free_port()), "--data", str(place))
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "is not a data directory of PostgreSQL" in said
    assert "Traceback" not in said
    assert kept.read_text() == "mine"


def test_a_database_url_of_another_kind_is_one_sentence() -> None:
    said, _ = (process := start(DATABASE_URL="mysql://127.0.0.1/x")).communicate()
    assert process.returncode != 0
    assert said.startswith("aims: DATABASE_URL must be a URL like postgresql://")


def test_a_given_database_gets_no_demo_and_needs_settings(database_url: str) -> None:
    said, _ = (
        process := start("--port", str(free_port()), DATABASE_URL=database_url)
    ).communicate()
    assert process.returncode != 0
    assert "JWT_SECRET is missing" in said
    assert "Traceback" not in said


def get(url: str, jwt: str = "") -> str:
    headers = {"Authorization": f"Bearer {jwt}"} if jwt else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return str(answer.read(), "utf-8")


def post(url: str, body: dict[str, str]) -> str:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read(), "utf-8")
