"""Puts load on a server with wrk, which takes only 50 microseconds of CPU per request."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from random import Random

from bench.operations import Operation, Request

CONNECTIONS = 32
PREPARED = 400  # requests, sent in turn
NEW_A_SECOND = 6000  # if each can be sent only once


@dataclass
class Answers:
    """The number of answers, the duration, the number of failures, and latencies in ms."""

    count: int
    seconds: float
    failed: int
    p50: float
    p99: float


def load(operation: Operation, port: int, tokens: list[str], seconds: int) -> Answers:
    """Send requests of the operation for that long, over 32 connections."""
    wrk = shutil.which("wrk") or sys.exit("bench: install wrk (a package of Debian and others).")
    random = Random(time.time_ns())
    count = seconds * NEW_A_SECOND if operation.once else PREPARED
    requests = [_raw(operation.request(random), tokens, port) for _ in range(count)]
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\0".join(requests))
        file.flush()
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", "bench/replay.lua"]
        said = subprocess.run(
            [wrk, *options, f"http://127.0.0.1:{port}"],
            env={**os.environ, "REQUESTS": file.name},
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 30,
        ).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", said)
    assert found, said
    answered, duration, failed, p50, p99 = map(int, found.groups())
    return Answers(answered, duration / 1e6, failed, p50 / 1000, p99 / 1000)


def _raw(request: Request, tokens: list[str], port: int) -> bytes:
    body = request.body.encode()
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {tokens[request.teacher - 1]}",
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
