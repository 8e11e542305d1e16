"""What the faults happen to: `aims serve` with two workers on a PostgreSQL of its own."""

import asyncio
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command

from app.cli.database import configuration
from app.localpg import LocalPostgres, home
from bench.data import SECRET, id_of, token_of
from tests.processes import ROOT, Checkout, Server

WORKERS = 2
ADMIN, TEACHERS = 1, range(2, 8)  # numbers of users
DISK_BYTES = 2 << 30
PATIENCE = 30  # seconds until an answer that does not come counts as none
# A full disk has no old WAL left that could be written over.
_OPTIONS = ("wal_recycle=off", "min_wal_size=32MB", "max_wal_size=128MB")


class World:
    """PostgreSQL and the server, each of which can end and begin again meanwhile."""

    def __init__(self, postgres: LocalPostgres, disk: Path | None) -> None:
        self.postgres, self.disk = postgres, disk
        self.url = postgres.url("faults")
        self.settings = {
            "DATABASE_URL": self.url,
            "JWT_SECRET": SECRET,
            "GOOGLE_CLIENT_ID": "faults",
        }
        self._running = ExitStack()
        self.server: Server | None = None
        self.complaints: list[str] = []

    def start_server(self) -> None:
        """Start the server, which then answers, if only that it has no database."""
        serving = Checkout(ROOT, self.settings).serving(
            f"aims serve --port {{port}} --workers {WORKERS}"
        )
        self.server = self._running.enter_context(serving)

    def stop_server(self) -> None:
        """Stop the server, and keep what it said about mistakes of its own."""
        if self.server is not None:
            self.complaints += errors_in(self.server.said())
        self.server = None
        self._running.close()

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        return children(self.server.process.pid) if self.server else []

    def ask(
        self, user: int, method: str, path: str, body: object = None, media: str = ""
    ) -> tuple[int, Any]:
        """Status and content of an answer; status 0 if the connection broke."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token_of(user)}"}
        if body is not None:
            headers["Content-Type"] = media or "application/json"
        try:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            connection.request(method, path, content if body is not None else None, headers)
            answer = connection.getresponse()
            said = answer.read()
            connection.close()
        except (OSError, HTTPException):
            return 0, None
        return answer.status, json.loads(said) if said else None

    def must(self, user: int, method: str, path: str, body: object = None) -> Any:
        """The content of an answer that cannot be a refusal."""
        status, content = self.ask(user, method, path, body)
        assert 200 <= status < 300, (status, method, path, content)
        return content

    @property
    def port(self) -> int:
        if self.server is None:
            raise OSError("The server does not run.")
        return self.server.port

    def sql(self, work: Callable[[asyncpg.Connection], Any]) -> Any:
        """What the work on a connection of our own gives."""

        async def run() -> Any:
            connection = await asyncpg.connect(self.url, timeout=5)
            try:
                return await work(connection)
            finally:
                await connection.close(timeout=5)

        return asyncio.run(run())

    def rows(self, question: str) -> list[asyncpg.Record]:
        """What the query gives."""
        found: list[asyncpg.Record] = self.sql(lambda connection: connection.fetch(question))
        return found

    def restart_postgres(self) -> None:
        """End what is left of a PostgreSQL that died, and start it on the same data."""
        self.postgres.stop()
        self.postgres.start()

    def await_postgres(self) -> None:
        """Wait until PostgreSQL takes connections; start it again if it has given up."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self.rows("SELECT 1")
                return
            if has_ended(self.postgres.pid):
                self.restart_postgres()
            time.sleep(0.1)
        raise AssertionError("PostgreSQL does not come back.")


@contextmanager
def world() -> Iterator[World]:
    """A world with its people, and the disk that can be filled if this user may mount one."""
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home()) as place, ExitStack() as stack:
        directory = Path(place)
        directory.chmod(0o755)
        disk = stack.enter_context(_small_disk(directory))
        options = (*_OPTIONS, "log_min_messages=fatal")
        postgres = stack.enter_context(LocalPostgres(directory / "disk" / "data", options=options))
        postgres.create_database("faults")
        made = World(postgres, disk)
        command.upgrade(configuration(made.url), "head")
        made.sql(let_in)
        stack.callback(made.stop_server)
        made.start_server()
        yield made


@contextmanager
def _small_disk(directory: Path) -> Iterator[Path | None]:
    """A file system in memory at `disk` below the directory; None if that is not allowed."""
    disk = directory / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def let_in(connection: asyncpg.Connection) -> None:
    """Put the people on the allow-list, as if they had signed in before."""
    for number in (ADMIN, *TEACHERS):
        email, role = address(number), "admin" if number == ADMIN else "teacher"
        await connection.execute(
            "INSERT INTO allowed_emails (email, role) VALUES ($1, $2)", email, role
        )
        await connection.execute(
            "INSERT INTO users (id, email, name) VALUES ($1, $2, 'Teacher Demo')",
            id_of(f"user{number}"),
            email,
        )


def address(number: int) -> str:
    return f"teacher{number}@demo.university.example"


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def kill(pid: int) -> None:
    """End a process at once, if it has not ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def errors_in(log: str) -> list[str]:
    """What a server has logged that is a mistake of its own."""
    return [
        line[:300] for line in log.splitlines() if "Traceback" in line or "internal_err" in line
    ]
