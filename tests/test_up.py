"""`./aims up`, as run in a freshly cloned repository."""

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
from tests.command_line import Aims
from tests.processes import clean_environment, free_port, silent

READY_SECONDS = 60


def start(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up", *arguments],
        env=clean_environment() | {"PYTHONUNBUFFERED": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until_shown(process: "subprocess.Popen[str]", words: str = "Ctrl-C") -> str:
    """The output of the process up to these words, or to its end."""
    assert process.stdout is not None
    shown, deadline = "", time.monotonic() + READY_SECONDS
    while words not in shown and time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line:
            break
        shown += line
    return shown


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    # Its child processes may still hold the other end of the pipe.
    assert process.stdout is not None
    process.stdout.close()


def stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def jwt_of(shown: str, base: str, address: str = "asha@demo.university.example") -> str:
    """Sign in as the demo teacher, or somebody else, the way `up` shows."""
    stand_in = re.search(r"Sign-in +(http://127.0.0.1:\d+)", shown)
    assert stand_in, shown
    token = get(f"{stand_in[1]}/token?email={address}")
    return str(json.loads(post(f"{base}/auth/google", {"idToken": token}))["token"])


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


def knocked(port: int) -> list[str]:
    """The address, if something is listening on it."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return []
    return [f"127.0.0.1:{port}"]


@contextmanager
def request_in_flight(port: int) -> Iterator[None]:
    """A request whose body has not arrived yet."""
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"POST /auth/google HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        time.sleep(0.1)
        yield


@contextmanager
def data_directory(name: str) -> Iterator[Path]:
    """A data directory that the server's user may use, removed afterwards."""
    place = home() / f"{name}-{os.getpid()}"
    yield place
    subprocess.run(["rm", "-rf", *map(str, place.parent.glob(place.name + "*"))], check=True)


@pytest.fixture
def place() -> Iterator[Path]:
    with data_directory("test-up") as place:
        yield place


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """The data directory that these tests use in turn: the first one creates it."""
    with data_directory("test-up-kept") as place:
        yield place


def test_up_shows_how_to_sign_in_and_leaves_nothing_running(kept: Path) -> None:
    port = free_port()
    # Environment variables for another installation must not affect this one.
    others = {"DATABASE_URL": "", "PGSSLMODE": "verify-full", "PGHOST": "db.demo.example"}
    others["GOOGLE_HOSTED_DOMAINS"] = "other.example"
    process = start("--port", str(port), "--data", str(kept), **others)
    try:
        base = f"http://127.0.0.1:{port}"
        shown = read_until_shown(process)
        jwt = jwt_of(shown, base)
        student = jwt_of(shown, base, "23cs115@demo.university.example")
        mine = json.loads(get(f"{base}/my/attendance", student))
        assert {c["code"] for c in mine} == {"CS301", "CS303", "CS351"}
        assert all(c["months"] for c in mine)
        classes = json.loads(get(f"{base}/classes?roster=false", jwt))
        assert [c["code"] for c in classes] == ["CS301", "CS301"]
        stats = json.loads(get(f"{base}/stats/classes/{classes[0]['id']}/students", jwt))
        assert len(stats) == 61
        # Three a week, less a holiday, a cancelled session and one without attendance.
        assert max(student["total"] for student in stats) == 8 * 3 - 3
    finally:
        stop(process)
    assert running(str(kept)) + knocked(port) == []


def test_of_two_started_at_once_one_runs_and_the_others_name_it(place: Path) -> None:
    port = free_port()
    both = [start("--port", str(port), "--data", str(place)) for _ in range(2)]
    try:
        (shown, first), (said, second) = sorted(
            ((read_until_shown(process), process) for process in both),
            key=lambda one: "AIMS is running" not in one[0],
        )
        assert "AIMS is running" in shown
        # Another path to the same directory, and another port.
        link = place.with_name(f"{place.name}-link")
        link.symlink_to(place)
        third = start("--port", str(free_port()), "--data", str(link))
        (again, _), _ = third.communicate(timeout=30), second.communicate(timeout=30)
        refusal = (
            f"aims: The data in {place} is in use: another ./aims up is running on it "
            f"(process {first.pid}, http://127.0.0.1:{port}).\n"
        )
        assert (said, again) == (refusal, refusal)
        assert 0 not in (second.returncode, third.returncode)
        psql = re.search(r"Database +(.+)", shown)
        assert psql
        subprocess.run([*psql[1].split(), "-c", "SELECT FROM classes"], check=True)
        assert json.loads(get(f"http://127.0.0.1:{port}/health")) == {"status": "healthy"}
    finally:
        for process in both:
            stop(process)


def test_after_a_kill_at_any_stage_it_starts_again(place: Path) -> None:
    port = free_port()
    for stage in ("Starting PostgreSQL", "Creating the tables", "Making demo data"):
        process = start("--port", str(port), "--data", str(place))
        assert stage in read_until_shown(process, stage)
        time.sleep(0.05)
        kill(process)
    process = start("--port", str(port), "--data", str(place))
    try:
        base = f"http://127.0.0.1:{port}"
        jwt = jwt_of(read_until_shown(process), base)
        assert len(json.loads(get(f"{base}/classes?roster=false", jwt))) == 2
    finally:
        stop(process)


def test_after_a_kill_it_starts_while_its_old_processes_are_still_ending(kept: Path) -> None:
    port = free_port()
    killed = start("--port", str(port), "--data", str(kept))
    assert "AIMS is running" in read_until_shown(killed)
    postmaster = int((kept / "postmaster.pid").read_text().split()[0])
    with request_in_flight(port):
        with silent(postmaster):
            kill(killed)
            process = start("--port", str(port), "--data", str(kept))
            assert "Starting PostgreSQL" in read_until_shown(process, "Starting PostgreSQL")
            time.sleep(0.5)
        try:
            assert "AIMS is running" in read_until_shown(process)
        finally:
            stop(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_however_up_ends_the_processes_it_started_end_too(
    kept: Path, number: signal.Signals
) -> None:
    port = free_port()
    process = start("--port", str(port), "--data", str(kept), "--demo")
    shown = read_until_shown(process)
    assert "AIMS is running" in shown
    process.send_signal(number)
    process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while running(str(kept)) + knocked(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(str(kept)) + knocked(port) == []


def test_a_port_in_use_is_reported_in_one_sentence(place: Path, taken_port: int) -> None:
    process = start("--port", str(taken_port), "--data", str(place))
    said, _ = process.communicate()
    assert process.returncode != 0
    assert said == f"aims: port {taken_port} is in use; choose another with --port.\n"
    assert not place.exists()


def test_data_of_another_major_version_is_reported_in_one_sentence(place: Path) -> None:
    place.mkdir(parents=True)
    (place / "PG_VERSION").write_text("12\n")
    process = start("--port", str(free_port()), "--data", str(place))
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "was made by PostgreSQL 12 and cannot be opened by 18" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_path_that_is_not_a_data_directory_is_left_alone(place: Path, kind: str) -> None:
    kept = place if kind == "file" else place / "notes"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("mine")
    process = start("--port", str(free_port()), "--data", str(place))
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "is not a data directory of PostgreSQL" in said
    assert "Traceback" not in said
    assert kept.read_text() == "mine"


def test_a_database_url_of_another_scheme_is_reported_in_one_sentence() -> None:
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


@pytest.mark.parametrize("line", ["up", "up --demo"])
@pytest.mark.parametrize("name", ["DEBUG", "DEBUG_FILE"])
def test_the_demo_is_refused_where_debug_is_false(
    aims: Aims, line: str, name: str, taken_port: int
) -> None:
    Path("debug").write_text("no")
    aims.set(DATABASE_URL="", **{name: "false" if name == "DEBUG" else "debug"})
    assert aims.refuse(f"{line} --port {taken_port} --data data") == (
        "aims: the demo lets anybody sign in, so it does not start with DEBUG=false: "
        "remove that setting, or add --no-demo.\n"
    )
    assert not Path("data.lock").exists()


def test_the_demo_is_refused_on_a_given_database_whose_env_file_says_debug_is_false(
    aims: Aims, taken_port: int
) -> None:
    Path(".env").write_text("DEBUG=false\n")
    assert "the demo lets anybody sign in" in aims.refuse(f"up --demo --port {taken_port}")


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
