"""The worker that `aims serve` runs under Gunicorn: Uvicorn with bounds for what comes before a
request, and after its answer.

Uvicorn waits for the headers of a request for as long as they take and however long they are, and
for as long as somebody takes to read an answer. What lies between has its limits in
`app.middleware`.
"""

import asyncio
import os
import signal
import warnings
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from uvicorn.workers import UvicornWorker

HEADING_BYTES = 64 * 1024
HEADING_SECONDS = 10
UNREAD_SECONDS = 30
_PARENT_CHECK_SECONDS = 1

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is closed if a request line with its headers is larger than
    `HEADING_BYTES` or takes longer than `HEADING_SECONDS`, or if more than the buffers hold is not
    read for `UNREAD_SECONDS`."""

    _heading: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _received = 0
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_heading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._end_heading()
        self._end_unread()

    def data_received(self, data: bytes) -> None:
        if self._heading is None and not self._in_body:
            self._await_heading()
        super().data_received(data)
        if self._heading is not None:
            self._received += len(data)
            if self._received > HEADING_BYTES:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_headers_complete(self) -> None:
        self._end_heading()
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_unread()

    def _await_heading(self) -> None:
        self._received = 0
        self._heading = self.loop.call_later(HEADING_SECONDS, self.transport.close)

    def _end_heading(self) -> None:
        if self._heading is not None:
            self._heading.cancel()
            self._heading = None

    def _end_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class Worker(UvicornWorker):
    """Ends when its master is gone, so that no old server goes on beside a new one."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "loop": "auto",
        "http": BoundedProtocol,
        "timeout_notify": _PARENT_CHECK_SECONDS,
    }

    async def callback_notify(self) -> None:
        await super().callback_notify()
        if os.getppid() != self.ppid:
            os.kill(os.getpid(), signal.SIGTERM)
