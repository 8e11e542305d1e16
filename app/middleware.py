"""Middleware for every request, as plain ASGI: its id, limits, crash handling and log line.

Starlette's `BaseHTTPMiddleware` would cost a third of the throughput and leak connections
when clients disconnect.
"""

import asyncio
import re
from collections.abc import Sequence
from http import HTTPMethod
from time import perf_counter
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs, problems
from app.errors import AppError, Malformed, TooLarge, Unavailable
from app.logs import Exchange
from app.metrics import Metrics
from app.request_limits import USUAL, Limits, limits_of

# The status logged if the client disconnected before the response began, as in nginx.
CALLER_LEFT = 499
# Clients can invent methods, whose names must not end up in logs and metrics.
_METHODS = frozenset(HTTPMethod)

# A request may have each of these only once: of two, a proxy might read one and we the other.
_SINGLE = frozenset(
    {b"authorization", b"content-length", b"content-type", b"host", b"if-match", b"origin"}
)

# Answers contain personal data: they are not cached, and browsers must not run scripts in them.
_OF_EVERY_ANSWER = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)

_WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9._:+-]{1,128}")


class EveryRequest:
    """Sets the id of a request and the common response headers; logs and counts the request.

    HEAD is answered like GET, without the body.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics | None) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        began, status, method = perf_counter(), 0, scope["method"]
        if method == "HEAD":
            # A copy: the server reads its own scope to know that no body follows.
            scope = {**scope, "method": "GET"}

        async def send_completed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message["headers"], request_id)
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, send_completed)
        except ClientDisconnect:
            status = status or CALLER_LEFT
        finally:
            self._tell(method, scope, status, perf_counter() - began)

    def _tell(self, method: str, scope: Scope, status: int, seconds: float) -> None:
        state = scope["state"]
        actor = state.get("actor")
        exchange = Exchange(
            method if method in _METHODS else "other",
            getattr(scope.get("route"), "path", "-"),
            status,
            seconds,
            state["request_id"],
            actor.user_id if actor else None,
            state.get("problem_code"),
        )
        logs.record(exchange)
        if self._metrics is not None:
            self._metrics.count(exchange)


class Guard:
    """Refuses malformed and oversized requests, enforces the time limit, and handles crashes.

    It runs inside the CORS middleware, so that web apps can read these answers like any other.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._declared = [(route, limits) for route in routes if (limits := limits_of(route))]
        # How their addresses end. Hardly any request has such an end, and is spared the matching.
        self._ends = tuple(
            getattr(route, "path", "").rpartition("}")[2] for route, _ in self._declared
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limits, has_begun = self._limits(scope), False

        async def send_noticed(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            _refuse_repeated_headers(scope)
            _refuse_declared_size(scope, limits)
            async with asyncio.timeout(limits.seconds):
                await self._app(scope, _bounded(receive, limits), send_noticed)
        except AppError as error:
            await problems.problem(scope, error)(scope, receive, send)
        except ClientDisconnect:
            raise
        except TimeoutError:
            if not has_begun:
                await problems.problem(scope, _too_slow())(scope, receive, send)
        except Exception as error:
            response = problems.crashed(error, scope)
            if has_begun:
                raise
            await response(scope, receive, send)

    def _limits(self, scope: Scope) -> Limits:
        """The limits of the matching route, looked up early since they apply to the whole body."""
        if not scope["path"].endswith(self._ends):
            return USUAL
        for route, limits in self._declared:
            if route.matches(scope)[0] is Match.FULL:
                # A file that is too large is refused before its route is reached.
                if prepare := getattr(route, "prepare", None):
                    prepare(Request(scope))
                return limits
        return USUAL


def _request_id(scope: Scope) -> str:
    """The client's `X-Request-ID` if it is well formed, else a new one."""
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(given) == 1 and _WELL_FORMED_ID.fullmatch(given[0]):
        return str(given[0], "ascii")
    return str(uuid4())


def _complete(headers: list[tuple[bytes, bytes]], request_id: str) -> None:
    """Add the common headers, except those that the route has set."""
    said = {name for name, _ in headers}
    headers += [header for header in _OF_EVERY_ANSWER if header[0] not in said]
    headers.append((b"x-request-id", request_id.encode()))


def _refuse_repeated_headers(scope: Scope) -> None:
    found = [name for name, _ in scope["headers"] if name in _SINGLE]
    repeated = {name for name in found if found.count(name) > 1}
    if repeated:
        names = " and ".join(sorted(name.decode().title() for name in repeated))
        raise Malformed(f"Send {names} once, in one header line.", code="repeated_header")


def _refuse_declared_size(scope: Scope, limits: Limits) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and _size(value) > limits.size:
            raise _too_large(limits)


def _size(content_length: bytes) -> int:
    try:
        return int(content_length)
    except ValueError:
        raise Malformed("Content-Length must be a number of bytes.") from None


def _bounded(receive: Receive, limits: Limits) -> Receive:
    """Wrap `receive` to refuse a body that turns out to be too large."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limits.size:
            raise _too_large(limits)
        return message

    return bounded


def _too_large(limits: Limits) -> TooLarge:
    return TooLarge(f"The request is larger than {limits.in_words}.")


def _too_slow() -> Unavailable:
    return Unavailable("This took too long. Please try again.", code="timed_out", retry_after=1)
