"""`python -m bench.old_tests REVISION [tests]`: the tests of an older server on this schema.

A server that still runs while the database is upgraded is the old code on the new schema. What
fails here is what its users would see until it is restarted. Arguments after the revision go to
pytest; without any, it is the tests of marking, leave, rosters, statistics and imports.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from app.cli.suite import without_settings
from app.localpg import LocalPostgres
from bench.upgrade import checkout_of
from tests.processes import ROOT

TESTS = ("marking", "sessions", "leave", "roster", "stats", "imports", "sign_in", "lifecycle")
# Fixtures look these up when they are used.
_ON_THIS_SCHEMA = f"""


def migrate(url: str, revision: str = "head") -> None:
    import subprocess, sys

    command = [sys.executable, "-m", "app.cli", "db", "upgrade", revision]
    environment = {{**os.environ, "DATABASE_URL": url}}
    subprocess.run(command, check=True, cwd={str(ROOT)!r}, env=environment)


APP_ROLE = Path({str(ROOT / "deploy" / "app_role.sql")!r})
"""


def main() -> None:
    revision, *arguments = sys.argv[1:] or [""]
    if not revision or revision.startswith("-"):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as place, LocalPostgres.throwaway() as server:
        old = checkout_of(revision, Path(place) / "old")
        with (old.path / "tests" / "conftest.py").open("a") as conftest:
            conftest.write(_ON_THIS_SCHEMA)
        tests = [f"tests/test_{name}.py" for name in TESTS]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *(arguments or tests)],
            cwd=old.path,
            env=without_settings() | {"AIMS_TEST_SERVER_URL": server.url("postgres")},
            check=False,
        )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
