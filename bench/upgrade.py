"""`python -m bench.upgrade`: no request fails while AIMS is upgraded.

Two instances of `aims serve` behind Caddy, with the Caddyfile of `deploy/`, are replaced one after
the other as docs/deployment.md says, after the migration, while teachers read and mark.
`--old REVISION` begins with the server of another revision of this repository and its schema;
otherwise it is this server, on the schema before the last migration. The exit code is 1 if any
request fails, or if what was answered is not in the database.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from urllib.request import urlopen

from alembic import command
from alembic.script import ScriptDirectory

from app.cli.database import configuration
from app.cli.processes import child, end, stoppable
from app.localpg import LocalPostgres, home
from bench.faults.actors import Marking, Write
from bench.faults.check import check
from bench.faults.world import TEACHERS, World, let_in
from tests.processes import ROOT, Checkout, Server, free_port

RATE = 200  # requests a second, of all teachers
DRAIN_SECONDS = 3
CALM_SECONDS = 3  # before and after each step
WORKERS = 2


class Balanced(World):
    """Two instances behind Caddy, each at a port of its own."""

    def __init__(self, postgres: LocalPostgres) -> None:
        super().__init__(postgres, None)
        self.entrance = free_port()
        self.ports = [free_port(), free_port()]
        self.instances: list[Server] = []

    @property
    def port(self) -> int:
        return self.entrance

    def start(self, checkout: Checkout, port: int) -> Server:
        """An instance of the server in that checkout, which answers."""
        output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        line = f"aims serve --port {port} --workers {WORKERS}"
        settings = self.settings | {"DRAIN_SECONDS": str(DRAIN_SECONDS)}
        server = Server(checkout.having(**settings).start(line, output), port, output)
        server.await_health()
        return server

    def replace(self, place: int) -> None:
        """Stop the instance as systemd does, and start this server instead."""
        code, said = self.instances[place].stop()
        assert code == 0, said
        self.instances[place] = self.start(Checkout(ROOT, {}), self.ports[place])


class Teacher(Marking):
    """Reads the session and marks it in turn, at a steady pace."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self.seconds: list[float] = []

    def steps(self) -> Iterator[Write]:
        due = time.monotonic()
        while True:
            due += len(TEACHERS) / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            begun = time.monotonic()
            yield self._read() if len(self.writes) % 2 else self.mark()
            self.seconds.append(time.monotonic() - begun)

    def _read(self) -> Write:
        read = Write("read", self.session)
        self._write(read, "GET", f"/attendance/sessions/{self.session}", None)
        return read


def main() -> None:
    given = _arguments()
    with stoppable() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_home())))
        place.chmod(0o755)
        here = Balanced(stack.enter_context(LocalPostgres(place / "data")))
        here.postgres.create_database("faults")
        old = checkout_of(given.old, place / "old") if given.old else Checkout(ROOT, {})
        command.upgrade(configuration(here.url), _schema_of(old) if given.old else "head-1")
        here.sql(let_in)
        stack.callback(lambda: [end(server.process) for server in here.instances])
        here.instances = [here.start(old, port) for port in here.ports]
        stack.enter_context(_caddy(here, place))
        teachers = [Teacher(here, number) for number in TEACHERS]
        _upgrade(here, teachers)
        findings = check(here, [write for teacher in teachers for write in teacher.writes], [])
    sys.exit(0 if _told(teachers, findings.lost + findings.mixed) else 1)


def _upgrade(here: Balanced, teachers: list[Teacher]) -> None:
    """Migrate and replace both instances, while the teachers read and mark."""
    for teacher in teachers:
        teacher.begin(0)
    for teacher in teachers:
        teacher.start()
    steps = {
        "Migrating": lambda: command.upgrade(configuration(here.url), "head"),
        "Replacing the first instance": lambda: here.replace(0),
        "Replacing the second": lambda: here.replace(1),
    }
    for name, step in steps.items():
        time.sleep(CALM_SECONDS)
        failed = _failed(teachers)
        began = time.monotonic()
        step()
        took = time.monotonic() - began
        time.sleep(CALM_SECONDS)
        new = len(_failed(teachers)) - len(failed)
        print(f"{name}: {took:.1f} s, {new} requests failed.", flush=True)
    for teacher in teachers:
        teacher.stop()
        teacher.join()


def _failed(teachers: list[Teacher]) -> list[Write]:
    return [write for teacher in teachers for write in teacher.writes if write.failed]


def _told(teachers: list[Teacher], wrong: list[str]) -> bool:
    """Print the figures; whether all is well."""
    seconds = sorted(second for teacher in teachers for second in teacher.seconds)
    asked = sum(len(teacher.writes) for teacher in teachers)
    first = min(teacher.writes[0].at for teacher in teachers)
    lasted = max(teacher.writes[-1].at for teacher in teachers) - first
    failed = _failed(teachers)
    print(
        f"{asked} requests, {asked / lasted:.0f} a second: {len(failed)} failed; half took less "
        f"than {seconds[len(seconds) // 2] * 1000:.0f} ms, 99 % less than "
        f"{quantiles(seconds, n=100)[98] * 1000:.0f} ms, the slowest {seconds[-1]:.1f} s.\n"
        f"lost or mixed: {len(wrong)}"
    )
    for write in failed[:20]:
        print(f"  - {write.kind}: {write.status or 'broken off'} at {write.at - first:.2f} s")
    return not failed and not wrong


@contextmanager
def _caddy(here: Balanced, place: Path) -> Iterator[None]:
    """Caddy with the configuration that we document for two instances, here without HTTPS."""
    program = shutil.which("caddy") or sys.exit("bench: install caddy (a package of Debian).")
    file = place / "Caddyfile"
    file.write_text(_caddyfile(here))
    command = [program, "run", "--adapter", "caddyfile", "--config", str(file)]
    process = child(
        ["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", *command],
        {**os.environ, "XDG_DATA_HOME": str(place), "HOME": str(place)},
    )
    try:
        _await(here.entrance)
        yield
    finally:
        end(process)


def _caddyfile(here: Balanced) -> str:
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    instances = " ".join(f"127.0.0.1:{port}" for port in here.ports)
    for documented, changed in (
        ("aims.demo.university.example {", f"http://127.0.0.1:{here.entrance} {{"),
        ("reverse_proxy 127.0.0.1:8000", f"reverse_proxy {instances}"),
        ("# health_", "health_"),
    ):
        assert documented in text
        text = text.replace(documented, changed)
    return "{\n\tadmin off\n\tauto_https off\n}\n" + text


def _await(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            urlopen(f"http://127.0.0.1:{port}/health/live", timeout=2).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("bench: caddy does not answer.")


def checkout_of(revision: str, place: Path) -> Checkout:
    """The files of another revision of this repository."""
    archive = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(place, filter="data")
    return Checkout(place, {})


def _schema_of(checkout: Checkout) -> str:
    """The newest migration that the checkout has."""
    head = ScriptDirectory(str(checkout.path / "alembic")).get_current_head()
    assert head
    return head


def _home() -> Path:
    home().mkdir(parents=True, exist_ok=True)
    return home()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.upgrade",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--old", metavar="REVISION", help="replace the server of that revision")
    return parser.parse_args()


if __name__ == "__main__":
    main()
