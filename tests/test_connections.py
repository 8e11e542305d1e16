"""`aims serve` against clients that send no end of headers, send them slowly, or read nothing."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app import server as bounds
from tests.processes import Checkout, Server

LINE = "aims serve --port {port} --workers 1"
STARTED = b"GET /health/live HTTP/1.1\r\nHost: aims.example\r\n"


@pytest.fixture
def hurried(installed: Checkout, tmp_path: Path) -> Checkout:
    """A copy with seconds shortened to what a test can wait for."""
    copy = installed.copy_to(tmp_path / "aims")
    file = copy.path / "app" / "server.py"
    text = file.read_text()
    for name in ("HEADING_SECONDS", "UNREAD_SECONDS"):
        text = text.replace(f"{name} = {getattr(bounds, name)}", f"{name} = 1")
    file.write_text(text)
    return copy


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        yield connection


def is_alive(server: Server) -> bool:
    return server.get("/health/live")[0] == 200


def answer_to(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65_536)
    return answer


def taken_of(connection: socket.socket, pieces: list[bytes]) -> int:
    """How many bytes of the pieces can be sent until the server closes the connection."""
    taken = 0
    with suppress(OSError):
        for piece in pieces:
            connection.sendall(piece)
            taken += len(piece)
            time.sleep(0.005)
    return taken


def rest_of(connection: socket.socket) -> bytes:
    """What the server sends until it closes the connection."""
    answer = b""
    while piece := connection.recv(65_536):
        answer += piece
    return answer


def test_headers_without_end_are_refused_and_nobody_else_notices(installed: Checkout) -> None:
    with installed.serving(LINE) as server, connected(server) as endless:
        taken = taken_of(endless, [STARTED, *[b"X-More: " + b"x" * 8_000 + b"\r\n"] * 160])
        assert taken < 10 * bounds.HEADING_BYTES
        assert is_alive(server)


def test_headers_as_large_as_browsers_send_are_taken(installed: Checkout) -> None:
    with installed.serving(LINE) as server, connected(server) as large:
        cookie = b"Cookie: " + b"c" * (bounds.HEADING_BYTES // 2) + b"\r\n"
        for _ in range(3):
            assert answer_to(large, STARTED + cookie + b"\r\n").startswith(b"HTTP/1.1 200")


def test_who_never_sends_the_end_of_the_headers_is_disconnected(hurried: Checkout) -> None:
    with hurried.serving(LINE) as server:
        with connected(server) as silent, connected(server) as dripping:
            dripping.sendall(STARTED)
            began = time.monotonic()
            assert rest_of(silent) == rest_of(dripping) == b""
            assert time.monotonic() - began < 4
        with connected(server) as patient:
            for _ in range(3):
                assert answer_to(patient, STARTED + b"\r\n").startswith(b"HTTP/1.1 200")
                time.sleep(0.8)


def test_who_does_not_read_an_answer_is_disconnected(hurried: Checkout) -> None:
    with hurried.serving(LINE) as server, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.connect(("127.0.0.1", server.port))
        many = (b"GET /openapi.json HTTP/1.1\r\nHost: aims.example\r\n\r\n") * 20
        deaf.sendall(many)
        time.sleep(4)
        assert taken_of(deaf, [many] * 10) < 10 * len(many)
        assert is_alive(server)


def test_workers_end_when_their_master_was_killed(installed: Checkout) -> None:
    with installed.serving(LINE) as server:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            except ConnectionRefusedError:
                return
            time.sleep(0.1)
        pytest.fail("the worker goes on without its master")
