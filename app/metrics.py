"""Metrics for Prometheus: number and duration of requests, and refusals by code.

With several processes, the library adds them up in files below `PROMETHEUS_MULTIPROC_DIR`,
which `aims serve` sets; without it, each process reports only its own.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector

from app.logs import Exchange, logger

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)


def share_between_processes() -> None:
    """Make the processes started from here share their metrics, unless they already do."""
    if not os.environ.get(DIRECTORY):
        os.environ[DIRECTORY] = mkdtemp(prefix="aims-metrics-")
    Path(os.environ[DIRECTORY]).mkdir(parents=True, exist_ok=True)


class Metrics:
    """Counts this process's requests and reports the metrics of all processes."""

    def __init__(self) -> None:
        own = CollectorRegistry()
        self._requests = Counter(
            "aims_requests", "Requests answered", ("method", "route", "status"), registry=own
        )
        self._seconds = Histogram(
            "aims_request_duration_seconds",
            "From the first byte of a request to the last of its answer",
            ("method", "route"),
            buckets=BUCKETS,
            registry=own,
        )
        self._refusals = Counter(
            "aims_refusals", "Refused requests by the code of the problem", ("code",), registry=own
        )
        self._registry = own
        if os.environ.get(DIRECTORY):
            self._registry = CollectorRegistry()
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
        # Looking up a labelled counter takes as long as counting, so they are cached.
        self._counter = lru_cache(4096)(self._requests.labels)
        self._timer = lru_cache(1024)(self._seconds.labels)

    def count(self, exchange: Exchange) -> None:
        """Count one request."""
        self._counter(exchange.method, exchange.route, str(exchange.status)).inc()
        self._timer(exchange.method, exchange.route).observe(exchange.seconds)
        if exchange.code:
            self._refusals.labels(exchange.code).inc()

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    @contextmanager
    def served(self, address: str) -> Iterator[None]:
        """Serve them on a separate address (`127.0.0.1:9464`), shared by all processes.

        If the address cannot be used, that is logged, and the API runs without metrics.
        """
        host, _, port = address.rpartition(":")
        try:
            server = make_server(host, int(port), make_wsgi_app(self._registry), _Shared, _Quiet)
        except OSError as error:
            logger.error("No metrics: METRICS_ADDRESS cannot be used (%s).", error.strerror)
            yield
            return
        with server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield
            server.shutdown()


class _Shared(ThreadingWSGIServer):
    """Any of the processes may answer, since each reports the metrics of all."""

    allow_reuse_port = True


class _Quiet(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:
        """Do not log scrapes, which come every few seconds."""
