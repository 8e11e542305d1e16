"""Gunicorn's own log lines, in the same format as all others."""

from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

from app import logs
from app.config import load_settings


class Logger(GunicornLogger):  # type: ignore[misc]
    """The logger of the master process; workers configure theirs when they load the app."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        logs.configure(debug=load_settings().debug)
