"""What can go wrong below and before AIMS: each fault begins, lasts a moment and is over."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.data import token_of
from bench.faults.actors import Marking, Write
from bench.faults.world import World, has_ended, kill
from tests.processes import silent

DRIPPING = 500
VANISHED = 100


@dataclass(frozen=True)
class Fault:
    """`breaks`: connections to the server may break, since it dies itself. `needs_disk`: only
    where a small disk can be mounted."""

    name: str
    happen: Callable[[World, Marking], None]
    breaks: bool = False
    needs_disk: bool = False


def _a_worker_is_killed(world: World, _: Marking) -> None:
    kill(world.workers()[0])


def _all_workers_are_killed(world: World, _: Marking) -> None:
    for worker in world.workers():
        kill(worker)


def _postgresql_is_killed(world: World, _: Marking) -> None:
    kill(world.postgres.pid)
    world.restart_postgres()


def _a_backend_is_killed(world: World, _: Marking) -> None:
    """PostgreSQL then ends all others and recovers, since shared memory may be damaged."""
    backends = "SELECT pid FROM pg_stat_activity WHERE application_name = 'aims'"
    kill(world.rows(backends)[0]["pid"])
    world.await_postgres()


def _connections_are_terminated(world: World, _: Marking) -> None:
    for _ in range(10):
        world.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        time.sleep(0.1)


def _postgresql_is_silent(world: World, _: Marking) -> None:
    with silent(world.postgres.pid):
        time.sleep(6)


def _a_table_is_locked(world: World, _: Marking) -> None:
    async def lock(connection: asyncpg.Connection) -> None:
        await connection.execute(
            "BEGIN; LOCK TABLE attendance_statuses IN ACCESS EXCLUSIVE MODE;"
            "SELECT pg_sleep(3); COMMIT"
        )

    world.sql(lock)


def _the_disk_is_full(world: World, _: Marking) -> None:
    """PostgreSQL can write no row, and after a moment nothing to its log of changes either."""
    assert world.disk is not None
    ballast = world.disk / "ballast"
    try:
        _fill(ballast)
        time.sleep(1)
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            world.rows("SELECT pg_switch_wal()")
        _fill(ballast)
        time.sleep(1)
    finally:
        ballast.unlink()
    if has_ended(world.postgres.pid):
        world.restart_postgres()
    world.await_postgres()


def _fill(ballast: Path) -> None:
    with ballast.open("ab") as file:
        for step in (1 << 24, 1 << 16, 1 << 12):
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), step)


def _clients_vanish_and_drip(world: World, marking: Marking) -> None:
    with ExitStack() as stack:
        dripping = [stack.enter_context(_connected(world)) for _ in range(DRIPPING)]
        for client in dripping:
            client.sendall(b"PUT /attendance/sessions HTTP/1.1\r\nHost: demo\r\nX-Slow: ")
        for _ in range(VANISHED):
            _mark_and_vanish(world, marking)
        for _ in range(20):
            for client in dripping:
                with suppress(OSError):
                    client.send(b".")
            time.sleep(0.1)


def _mark_and_vanish(world: World, marking: Marking) -> None:
    write = Write("marks", f"vanished {len(marking.writes)} {time.monotonic()}")
    body = marking.json(write.key)
    head = [
        f"PUT {marking.path} HTTP/1.1",
        f"Host: 127.0.0.1:{world.port}",
        f"Authorization: Bearer {token_of(marking.number)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    marking.writes.append(write)
    with _connected(world) as client:
        client.sendall("\r\n".join([*head, "", ""]).encode() + body)


def _connected(world: World) -> socket.socket:
    return socket.create_connection(("127.0.0.1", world.port), timeout=10)


def _the_server_starts_before_postgresql(world: World, _: Marking) -> None:
    world.stop_server()
    world.postgres.stop()
    world.start_server()
    alive, ready = (world.ask(1, "GET", f"/health/{name}")[0] for name in ("live", "ready"))
    assert (alive, ready) == (200, 503), (alive, ready)
    world.postgres.start()


FAULTS = (
    Fault("all workers are killed", _all_workers_are_killed, breaks=True),
    Fault("PostgreSQL is killed", _postgresql_is_killed),
    Fault("connections are terminated", _connections_are_terminated),
    Fault("PostgreSQL is silent for 6 s", _postgresql_is_silent),
    Fault("a table is locked for 3 s", _a_table_is_locked),
    Fault("the disk is full", _the_disk_is_full, needs_disk=True),
    Fault("clients vanish and drip", _clients_vanish_and_drip),
    Fault("a process of PostgreSQL is killed", _a_backend_is_killed),
    Fault("a worker is killed", _a_worker_is_killed, breaks=True),
    Fault("the server starts first", _the_server_starts_before_postgresql, breaks=True),
)
