"""The servers that are compared: ours, the floor and the peers, all started by one command."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

from app.cli.processes import child, end
from app.cli.serve import gunicorn
from bench.data import SECRET, token_of

WORKERS = 2
START_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """An ASGI application to compare. `history`: it keeps what its marks replace."""

    name: str
    application: str
    history: bool = True


@dataclass(frozen=True)
class Running:
    """Where a server listens on 127.0.0.1, and its process."""

    port: int
    process: "subprocess.Popen[bytes]"


AIMS = Server("AIMS", "bench.unlimited:app")
FLOOR = Server("floor", "bench.floor:app")
CAREFUL = Server("careful ORM", "bench.peers.careful:app", history=False)
PER_ROW = Server("per-row ORM", "bench.peers.per_row:app", history=False)
SERVERS = (AIMS, FLOOR, CAREFUL, PER_ROW)


@contextmanager
def running(servers: Sequence[Server], url: str) -> Iterator[dict[Server, Running]]:
    """Run the servers on the database, each on a free port."""
    with ExitStack() as stack:
        found = {server: stack.enter_context(_running(server, url)) for server in servers}
        for server, at in found.items():
            _await(server, at)
        yield found


@contextmanager
def _running(server: Server, url: str) -> Iterator[Running]:
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "JWT_SECRET": SECRET,
        "GOOGLE_CLIENT_ID": "bench.apps.demo.university.example",
    }
    port = _free_port()
    command = gunicorn(server.application, WORKERS, f"127.0.0.1:{port}")
    # What it logs is part of the work, but nobody reads it.
    process = child(["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", *command], environment)
    try:
        yield Running(port, process)
    finally:
        end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(server: Server, at: Running) -> None:
    deadline = monotonic() + START_SECONDS
    token = {"Authorization": f"Bearer {token_of(1)}"}
    request = urllib.request.Request(f"http://127.0.0.1:{at.port}/users/me", headers=token)
    while monotonic() < deadline and at.process.poll() is None:
        try:
            urllib.request.urlopen(request, timeout=2).close()
            return
        except OSError:
            sleep(0.1)
    sys.exit(f"bench: {server.name} ({server.application}) does not answer.")
