"""A phone: sends a request over a connection of its own, and tries again as an honest app does."""

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 20  # seconds; the server takes 15 at most
TRIES = 4
# What happened instead of an answer.
RESET, SILENCE, BROKEN = "reset", "no answer", "not HTTP"


@dataclass(frozen=True)
class Answer:
    """The status, or what happened instead of one, the seconds it took, and what was said."""

    status: int | str
    seconds: float
    wait: int | None = None
    body: bytes = b""

    @property
    def word(self) -> str:
        """How the answer is counted: 503 without `Retry-After` is something else than 503."""
        lacks = self.status in (429, 503) and not self.wait
        return f"{self.status} without Retry-After" if lacks else str(self.status)

    @property
    def value(self) -> Any:
        return json.loads(self.body)


@dataclass
class Log:
    """All answers so far: how many of each kind, and the seconds that each took."""

    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lost: int = 0

    def add(self, answer: Answer) -> None:
        self.seconds[answer.word].append(answer.seconds)

    @property
    def lines(self) -> list[str]:
        """A line for each kind of answer."""
        return [
            f"  {len(times)} x {word}: p50 {_percentile(times, 0.5)} ms, "
            f"p99 {_percentile(times, 0.99)} ms, longest {_percentile(times, 1)} ms"
            for word, times in sorted(self.seconds.items())
        ]


def _percentile(seconds: list[float], share: float) -> int:
    """In milliseconds."""
    return round(sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))] * 1000)


@dataclass(frozen=True)
class Phone:
    """Talks to the server at the port with this token, and writes down what it hears."""

    port: int
    token: str
    log: Log

    async def ask(self, raw: bytes) -> Answer:
        """Send the request until it is served, as documented: three more times at most."""
        for attempt in range(TRIES):
            answer = await self.send(raw)
            if answer.status in (200, 201):
                break
            await asyncio.sleep(answer.wait or 2**attempt)
        return answer

    async def send(self, raw: bytes) -> Answer:
        """Send it once."""
        began = time.monotonic()
        status, wait, body = await self._answer(raw)
        answer = Answer(status, time.monotonic() - began, wait, body)
        self.log.add(answer)
        return answer

    async def lose(self, raw: bytes) -> None:
        """Send it and hang up without listening."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(raw)
        await writer.drain()
        writer.close()
        self.log.lost += 1

    async def _answer(self, raw: bytes) -> tuple[int | str, int | None, bytes]:
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(raw)
                    return _read(await reader.read(-1))
                finally:
                    writer.close()
        except TimeoutError:
            return SILENCE, None, b""
        except OSError:
            return RESET, None, b""

    def request(self, method: str, path: str, content: str = "", **headers: str) -> bytes:
        """What to send, with these headers more (`if_match` is `If-Match`)."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Authorization: Bearer {self.token}",
            "Connection: close",
            *(["Content-Type: application/json"] if content else []),
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
            f"Content-Length: {len(content)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + content).encode()


def _read(raw: bytes) -> tuple[int | str, int | None, bytes]:
    """The status, `Retry-After` and body of an answer, which has to be a whole one."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    if not raw:
        return RESET, None, b""
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
    chunked = "transfer-encoding" in headers
    if not chunked and len(body) != int(headers.get("content-length", -1)):
        return BROKEN, None, b""
    wait = headers.get("retry-after")
    return int(line.split()[1]), int(wait) if wait else None, body
