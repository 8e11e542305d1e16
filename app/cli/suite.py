"""`aims test`: the whole test suite."""

import os
import subprocess
import sys

import typer

from app.cli.database import CHECKOUT
from app.cli.processes import stoppable
from app.config import Settings
from app.localpg import LocalPostgres


def test(context: typer.Context) -> None:
    """Run the test suite on a throw-away PostgreSQL. Further arguments go to pytest."""
    environment = without_settings()
    # The tests start Python about a hundred times, and should compile our modules only once.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with stoppable() as stack:
        print("Starting a throw-away PostgreSQL for the tests ...", flush=True)
        server = stack.enter_context(LocalPostgres.throwaway())
        environment["AIMS_TEST_SERVER_URL"] = server.url("postgres")
        arguments = context.args or ["--numprocesses", str(_workers()), "--dist", "worksteal"]
        pytest = [sys.executable, "-m", "pytest", *arguments]
        sys.exit(subprocess.run(pytest, env=environment, cwd=CHECKOUT, check=False).returncode)


def _workers() -> int:
    """One more than there are processors, since some tests only wait for a limit to be reached;
    few enough for the connections of one PostgreSQL."""
    return min(os.cpu_count() or 1, 4) + 1


def without_settings() -> dict[str, str]:
    """The environment without the settings of a real installation."""
    ours = {name.upper() for name in Settings.model_fields}
    ours |= {f"{name}_FILE" for name in ours}
    return {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in ours and not name.upper().startswith("OIDC_")
    }
