"""`aims serve`: the production server."""

import os
import sys
from typing import Annotated

import typer

from app import metrics
from app.config import load_settings

# How long requests have to finish once the server is told to stop: longer than any may take except
# the import of a file, which is rolled back if it takes longer.
FINISH_SECONDS = 20


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="How many processes")] = 2,
) -> None:
    """Serve in production, with the settings of the environment and nothing embedded.

    Uses Gunicorn, because it hands connections over on SIGTERM without losing a request.
    """
    if load_settings().metrics:
        metrics.share_between_processes()
    os.execv(sys.executable, gunicorn("app.main:app", workers, f"{host}:{port}"))


def gunicorn(application: str, workers: int, address: str) -> list[str]:
    """The command that serves the ASGI application with so many processes at the address."""
    return [
        *(sys.executable, "-m", "gunicorn", application),
        *("--worker-class", "app.server.Worker"),
        *("--workers", str(workers), "--bind", address),
        *("--graceful-timeout", str(FINISH_SECONDS)),
        *("--no-control-socket", "--logger-class", "app.gunicorn_log.Logger"),
    ]
