"""Puts load on a server with wrk, which takes only 50 microseconds of CPU per request."""

import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from random import Random
from time import monotonic

from bench.contents import WrongAnswer, check
from bench.operations import Operation, Request

CONNECTIONS = 32
PREPARED = 400  # requests that are sent in turn, if one can be sent again
PATIENCE = 60  # seconds until an answer that does not come is an error
# Answers to one operation differ by a few bytes; an error or half an answer by more.
SAME_SIZE = 0.05


@dataclass
class Answers:
    """How many answers in how many seconds, how many failures, latencies in ms, and the bytes of
    an answer on average."""

    count: int
    seconds: float
    failed: int
    p50: float
    p99: float
    size: float


def load(
    operation: Operation, port: int, tokens: list[str], random: Random, seconds: int
) -> Answers:
    """Send requests of the operation for that long, over 32 connections."""
    wrk = shutil.which("wrk") or sys.exit("bench: install wrk (a package of Debian and others).")
    once = bool(operation.written)
    count = seconds * operation.a_second if once else PREPARED
    requests = islice(operation.requests(random), count)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\0".join(_raw(request, tokens, port) for request in requests))
        file.flush()
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"--timeout={PATIENCE}s"]
        said = subprocess.run(
            [wrk, *options, "-s", "bench/replay.lua", f"http://127.0.0.1:{port}"],
            env={**os.environ, "REQUESTS": file.name},
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + PATIENCE,
        ).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", said)
    assert found, said
    answered, duration, failed, p50, p99, size = map(int, found.groups())
    if once and answered + CONNECTIONS > count:
        raise WrongAnswer(f"{operation.name}: requests were sent again; prepare more a second.")
    each = size / max(answered, 1)
    return Answers(answered, duration / 1e6, failed, p50 / 1000, p99 / 1000, each)


def _raw(request: Request, tokens: list[str], port: int) -> bytes:
    body = request.body.encode()
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        *(f"{name}: {value}" for name, value in _headers(request, tokens).items()),
    ]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _headers(request: Request, tokens: list[str]) -> dict[str, str]:
    token = {"Authorization": f"Bearer {tokens[request.teacher - 1]}"}
    return token | ({"Content-Type": "application/json"} if request.body else {})


def sample(
    operation: Operation, port: int, tokens: list[str], random: Random, times: int
) -> tuple[float, float]:
    """Check so many answers, one after another; return the bytes of one on average, head included,
    and the seconds it took."""
    started = monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    sizes = []
    for request in islice(operation.requests(random), times):
        body = request.body or None
        connection.request(request.method, request.path, body, _headers(request, tokens))
        answer = connection.getresponse()
        content = answer.read()
        check(operation, request, answer.status, content)
        head = sum(len(f"{name}: {value}\r\n") for name, value in answer.getheaders())
        sizes.append(len("HTTP/1.1 200 OK\r\n\r\n") + head + len(content))
    connection.close()
    return sum(sizes) / times, (monotonic() - started) / times
