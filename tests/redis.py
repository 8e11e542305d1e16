"""A Redis of a test's own, if the machine has one."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")
needs_redis = pytest.mark.skipif(PROGRAM is None, reason="Redis is not installed")


@contextmanager
def redis(directory: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Its URL and its process; it keeps nothing and listens on a socket in the directory only."""
    assert PROGRAM is not None
    socket = directory / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)]
    process = subprocess.Popen([PROGRAM, *options], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not socket.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"unix://{socket}", process
    finally:
        process.kill()
        process.wait()
