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
    command = [
        *(sys.executable, "-m", "gunicorn", "app.main:app"),
        *("--worker-class", "app.server.Worker"),
        *("--workers", str(workers), "--bind", f"{host}:{port}"),
        *("--graceful-timeout", str(FINISH_SECONDS)),
        *("--no-control-socket", "--logger-class", "app.gunicorn_log.Logger"),
    ]
    os.execv(sys.executable, command)
