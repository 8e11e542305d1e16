"""What every request passes through, as plain ASGI: its id, its limits, its last resort.

Starlette's `BaseHTTPMiddleware` would cost a third of the throughput and leak connections
when clients go away.
"""

import asyncio
import re
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import problems
from app.errors import AppError, Malformed, TooLarge, Unavailable

REQUEST_SECONDS = 15
MAX_BODY_BYTES = 2 * 1024 * 1024

_WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9._:+-]{1,128}")


class EveryRequest:
    """Gives a request its id, its limits of size and time, and an answer even to a crash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            _refuse_declared_size(scope)
            async with asyncio.timeout(REQUEST_SECONDS):
                await self._app(scope, _bounded(receive), send_with_id)
        except AppError as error:
            await problems.problem(scope, error)(scope, receive, send_with_id)
        except TimeoutError:
            if not started:
                await problems.problem(scope, _too_slow())(scope, receive, send_with_id)
        except Exception as error:
            response = problems.crashed(error, scope)
            if started:
                raise
            await response(scope, receive, send_with_id)


def _request_id(scope: Scope) -> str:
    """The caller's `X-Request-ID` if it is well formed, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _WELL_FORMED_ID.fullmatch(value):
            return str(value, "ascii")
    return str(uuid4())


def _refuse_declared_size(scope: Scope) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and _size(value) > MAX_BODY_BYTES:
            raise _too_large()


def _size(content_length: bytes) -> int:
    try:
        return int(content_length)
    except ValueError:
        raise Malformed("Content-Length must be a number of bytes.") from None


def _bounded(receive: Receive) -> Receive:
    """`receive`, refusing a body that turns out larger than it may be."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise _too_large()
        return message

    return bounded


def _too_large() -> TooLarge:
    return TooLarge("The request is larger than 2 MiB.")


def _too_slow() -> Unavailable:
    return Unavailable("This took too long. Please try again.", code="timed_out", retry_after=1)
