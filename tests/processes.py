"""Real processes: commands run to their end, and servers answering on 127.0.0.1.

They run in a copy of the checkout, where no `.env` of a developer counts.
"""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from app.cli.suite import without_settings

ROOT = Path(__file__).resolve().parents[1]
BELONGS = ("alembic", "app", "initdb", "scripts", ".env.example", "alembic.ini", "setup_env.sh")
READY_SECONDS = 30
STOP_SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """The environment without any setting of AIMS, and with this Python's commands first."""
    kept = without_settings()
    return kept | {"PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}"}


@dataclass(frozen=True)
class Checkout:
    """A checkout, and the variables its commands are run with."""

    path: Path
    variables: dict[str, str]

    def copy_to(self, path: Path) -> "Checkout":
        path.mkdir()
        for name in BELONGS:
            if (self.path / name).is_dir():
                shutil.copytree(self.path / name, path / name)
            else:
                shutil.copy2(self.path / name, path / name)
        return replace(self, path=path)

    def having(self, **variables: str) -> "Checkout":
        return replace(self, variables=self.variables | variables)

    def start(
        self, line: str, output: "int | IO[str]" = subprocess.PIPE
    ) -> "subprocess.Popen[str]":
        """Start a command line; `aims` is the one of this checkout."""
        words = shlex.split(line)
        if words[0] == "aims":
            words[:1] = [sys.executable, "-m", "app.cli"]
        return subprocess.Popen(
            words,
            cwd=self.path,
            env=clean_environment() | self.variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, line: str) -> tuple[int, str]:
        """The exit code of the command line and what it said."""
        process = self.start(line)
        with process:
            try:
                said, _ = process.communicate(timeout=STOP_SECONDS)
            finally:
                process.kill()
        return process.returncode, said

    def must(self, line: str) -> str:
        """What the command line said; it has to succeed."""
        code, said = self.run(line)
        assert code == 0, said
        return said

    def refuse(self, line: str) -> str:
        """What the command line said; it has to fail, in words and not with a traceback."""
        code, said = self.run(line)
        assert code != 0, said
        assert "Traceback" not in said
        return said

    @contextmanager
    def serving(self, line: str) -> Iterator["Server"]:
        """The server of the command line, in which `{port}` is a free one."""
        port = free_port()
        # A file, since a pipe that nobody reads fills up with log lines and holds up the server.
        with tempfile.TemporaryFile("w+") as output:
            server = Server(self.start(line.format(port=port), output), port, output)
            try:
                server.await_health()
                yield server
            finally:
                try:
                    if server.process.poll() is None:
                        server.stop()
                finally:
                    server.process.kill()
                    server.process.wait()


@dataclass(frozen=True)
class Server:
    process: "subprocess.Popen[str]"
    port: int
    output: IO[str]

    def get(self, path: str, token: str = "") -> tuple[int, str]:
        """The status and the body of an answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def await_health(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(self.said())
            try:
                self.get("/health/live")
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"no answer within {READY_SECONDS} s")

    def stop(self) -> tuple[int, str]:
        """Ask the server to stop; its exit code and what it said."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        """The exit code of the stopping server and what it said."""
        self.process.wait(STOP_SECONDS)
        return self.process.returncode, self.said()

    def said(self) -> str:
        """All that the server has said."""
        self.output.seek(0)
        return self.output.read()


@contextmanager
def silent(postmaster: int) -> Iterator[None]:
    """All processes of PostgreSQL stopped in their tracks, as when the network swallows it."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    processes = [*map(int, children), postmaster]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
