"""Logging: a line for each request, and whatever goes wrong.

In production the lines are JSON objects; in a terminal or with `DEBUG=true` they are text.
They identify people by id and routes by template, and of the request they contain only its id:
no path, no query, no client address, and no exception text, which may quote a row.
"""

import json
import logging
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from uuid import UUID

PLACES = 12  # innermost frames of a traceback
FIELDS = ("method", "route", "status", "durationMs", "requestId", "actorId", "code")
TOO_FREQUENT = ("/health", "/metrics")  # probes run every few seconds: only failures are logged

logger = logging.getLogger("aims")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer. `route` is a template or "-", `status` 0 without an answer."""

    method: str
    route: str
    status: int
    seconds: float
    request_id: str
    actor_id: UUID | None
    code: str | None


def record(exchange: Exchange) -> None:
    """Log one request: a crash as an error, everything else as information."""
    if exchange.route.startswith(TOO_FREQUENT) and exchange.status < 400:
        return
    milliseconds = round(exchange.seconds * 1000, 1)
    logger.log(
        logging.ERROR if exchange.status == 500 else logging.INFO,
        "%s %s %d %.1f ms",
        exchange.method,
        exchange.route,
        exchange.status,
        milliseconds,
        extra={
            "method": exchange.method,
            "route": exchange.route,
            "status": exchange.status,
            "durationMs": milliseconds,
            "requestId": exchange.request_id,
            "actorId": exchange.actor_id and str(exchange.actor_id),
            "code": exchange.code,
        },
    )


def configure(*, debug: bool) -> None:
    """Send all logs of this process to standard error in one format."""
    _look_up_nothing_unused()
    handler = logging.StreamHandler()
    handler.setFormatter(_Text() if debug or sys.stderr.isatty() else _Json())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logger.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "gunicorn.error"):
        _replace_handlers(name, propagate=True)
    # Their access logs contain client addresses and full URLs; our lines replace them.
    for name in ("uvicorn.access", "gunicorn.access"):
        _replace_handlers(name, propagate=False)


def _look_up_nothing_unused() -> None:
    """Keep `logging` from collecting information for every record that our lines do not use.

    The switches are those of "Optimization" in Python's logging how-to: a line costs 23 instead
    of 55 microseconds.
    """
    logging._srcfile = None
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False


def _replace_handlers(name: str, *, propagate: bool) -> None:
    theirs = logging.getLogger(name)
    theirs.handlers = []
    theirs.propagate = propagate


def places(error: BaseException) -> str:
    """The innermost frames of the traceback, without the error's text."""
    return "".join(traceback.format_tb(error.__traceback__)[-PLACES:])


class _Silent(logging.Formatter):
    """Shows an exception's class and frames, but not its text, which may quote people's data."""

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        return f"{ei[0].__name__}\n{places(ei[1])}" if ei[0] and ei[1] else ""


class _Json(_Silent):
    """One JSON object per line, with the fields of its request."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        about = {name: getattr(record, name, None) for name in FIELDS}
        entry |= {name: value for name, value in about.items() if value is not None}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class _Text(_Silent):
    """`10:31:02 INFO  PUT /attendance/sessions/{id}/statuses 200 12.3 ms  stale_version  3f1c…`"""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        record.message = record.getMessage()
        about = [getattr(record, name, None) for name in ("code", "requestId")]
        line = f"{at:%H:%M:%S} {record.levelname:5} {record.message}"
        line += "".join(f"  {word}" for word in about if word)
        if record.exc_info:
            line += f"\n{self.formatException(record.exc_info)}"
        return line
