"""The servers that are compared: ours, the floor and the peers, all started by one command."""

import os
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
    """An ASGI application and where it listens. `history`: it keeps what its marks replace."""

    name: str
    application: str
    port: int
    history: bool = True


AIMS = Server("AIMS", "app.main:app", 8300)
FLOOR = Server("floor", "bench.floor:app", 8301)
CAREFUL = Server("careful ORM", "bench.peers.careful:app", 8302, history=False)
PER_ROW = Server("per-row ORM", "bench.peers.per_row:app", 8303, history=False)
SERVERS = (AIMS, FLOOR, CAREFUL, PER_ROW)


@contextmanager
def running(servers: Sequence[Server], url: str) -> Iterator[dict[Server, int]]:
    """Run the servers on the database; yields their process ids."""
    with ExitStack() as stack:
        yield {server: stack.enter_context(_running(server, url)) for server in servers}


@contextmanager
def _running(server: Server, url: str) -> Iterator[int]:
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "JWT_SECRET": SECRET,
        "GOOGLE_CLIENT_ID": "bench.apps.demo.university.example",
    }
    command = gunicorn(server.application, WORKERS, f"127.0.0.1:{server.port}")
    # What it logs is part of the work, but nobody reads it.
    process = child(["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", *command], environment)
    try:
        _await(server)
        yield process.pid
    finally:
        end(process)


def _await(server: Server) -> None:
    deadline = monotonic() + START_SECONDS
    token = {"Authorization": f"Bearer {token_of(1)}"}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/users/me", headers=token)
    while monotonic() < deadline:
        try:
            urllib.request.urlopen(request, timeout=2).close()
            return
        except OSError:
            sleep(0.1)
    sys.exit(f"bench: {server.name} ({server.application}) does not answer.")
