"""`python -m bench`: the operations A to F over HTTP, compared with pgbench and the same SQL.

It starts its own PostgreSQL and a server with two processes, creates 480,000 marks, and
alternates between both for some rounds: on a shared machine, only figures of one run compare.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import sleep

import asyncpg
from alembic import command

from app.auth.jwt import Tokens
from app.cli.database import configuration
from app.cli.processes import child, end
from app.config import load_settings
from app.db import open_database, server_settings
from app.demo import bench_data
from app.localpg import LocalPostgres, home
from bench.load import load
from bench.operations import DAY_ZERO, OPERATIONS, SESSIONS, Operation, id_of

PORT = 8300
CLIENTS = 8  # of pgbench
TICKS = os.sysconf("SC_CLK_TCK")
HEADING = (
    "\n                                                                    CPU ms per request"
    "\n   operation                          req/s  pgbench  ratio  p50 ms  p99 ms"
    "  server  postgres  errors"
)
SECRET = "a secret of the benchmark that is long enough"


@dataclass
class Figures:
    """One operation in one round: requests per second, latencies in ms, CPU ms per request."""

    rate: float
    p50: float
    p99: float
    failed: int
    server_cpu: float
    database_cpu: float
    limit: float


@contextmanager
def database() -> Iterator[tuple[LocalPostgres, str]]:
    with tempfile.TemporaryDirectory(dir=_place()) as directory:
        Path(directory).chmod(0o755)
        with LocalPostgres(Path(directory) / "data", options=("shared_buffers=512MB",)) as server:
            server.create_database("bench")
            yield server, server.url("bench")


def _place() -> Path:
    home().mkdir(parents=True, exist_ok=True)
    return home()


async def fill(url: str) -> None:
    """Fill the database like `aims demo --scale bench`, always with the same dates."""
    now = datetime.combine(DAY_ZERO + timedelta(days=SESSIONS + 1), time(), UTC)
    async with open_database(url) as db:
        await bench_data.fill(db, now)
    connection = await asyncpg.connect(url)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


@contextmanager
def server(url: str) -> Iterator[int]:
    """Run the production server; yields its process id."""
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "JWT_SECRET": SECRET,
        "GOOGLE_CLIENT_ID": "bench.apps.demo.university.example",
    }
    arguments = [sys.executable, "-m", "app.cli", "serve", "--workers", "2", "--port", str(PORT)]
    process = child(arguments, environment)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health/ready", timeout=2).close()
                break
            except OSError:
                sleep(0.1)
        yield process.pid
    finally:
        end(process)


def cpu_seconds(root: int) -> float:
    """The CPU time of a process and all its children, including ended ones."""
    parents, used = {}, {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(fields[1])
        used[int(entry.parent.name)] = sum(map(int, fields[11:15])) / TICKS
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used.get(pid, 0.0) for pid in family)


@dataclass
class Bench:
    """What is measured: the database, the server, and the tokens that requests are sent with."""

    postgres: LocalPostgres
    url: str
    server_pid: int
    tokens: list[str]
    seconds: int


def measure(bench: Bench, operation: Operation) -> Figures:
    """One round of an operation: over HTTP, then the same SQL in pgbench."""
    pids = (bench.server_pid, bench.postgres.pid)
    before = [cpu_seconds(pid) for pid in pids]
    answers = load(operation, PORT, bench.tokens, bench.seconds)
    spent = [cpu_seconds(pid) - start for pid, start in zip(pids, before, strict=True)]
    return Figures(
        answers.count / answers.seconds,
        answers.p50,
        answers.p99,
        answers.failed,
        1000 * spent[0] / answers.count,
        1000 * spent[1] / answers.count,
        limit_of(bench, operation),
    )


def limit_of(bench: Bench, operation: Operation) -> float:
    """Transactions per second of pgbench with the statements of the operation."""
    settings = " ".join(
        f"-c {name}={value}" for name, value in server_settings("Asia/Kolkata").items()
    )
    with tempfile.TemporaryDirectory() as directory:
        files = []
        for number, script in enumerate(operation.scripts()):
            path = Path(directory) / f"{number}.sql"
            path.write_text(script)
            files += ["-f", str(path)]
        options = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(bench.seconds)]
        pgbench = subprocess.run(
            [bench.postgres.program("pgbench"), *options, *files, bench.url],
            env={**os.environ, "PGOPTIONS": settings},
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"tps = ([0-9.]+)", pgbench.stdout)
    if not found:
        sys.exit(f"pgbench failed on {operation.name}: {pgbench.stderr[-2000:]}")
    return float(found[1])


def report(operation: Operation, rounds: list[Figures]) -> None:
    def middle(name: str) -> float:
        return statistics.median(getattr(figures, name) for figures in rounds)

    print(
        f"{operation.name:3}{operation.title:32}{middle('rate'):8.0f}{middle('limit'):9.0f}"
        f"{statistics.median(f.rate / f.limit for f in rounds):7.2f}{middle('p50'):8.1f}"
        f"{middle('p99'):8.1f}{middle('server_cpu'):9.2f}{middle('database_cpu'):9.2f}"
        f"{sum(f.failed for f in rounds):8}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("operations", nargs="*", help="some of A B C1 C2 D E F; all without")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="per operation and round")
    given = parser.parse_args()
    chosen = [o for o in OPERATIONS if not given.operations or o.name in given.operations]
    with database() as (postgres, url):
        print("Making 480,000 marks ...", flush=True)
        command.upgrade(configuration(url), "head")
        asyncio.run(fill(url))
        with server(url) as pid:
            bench = Bench(postgres, url, pid, tokens(url), given.seconds)
            print(HEADING)
            rounds: dict[str, list[Figures]] = {operation.name: [] for operation in chosen}
            # Operations that add rows would slow the others down, so they are measured last.
            for once in (False, True):
                for _ in range(given.rounds):
                    for operation in (o for o in chosen if o.once is once):
                        rounds[operation.name].append(measure(bench, operation))
            for operation in chosen:
                report(operation, rounds[operation.name])


def tokens(url: str) -> list[str]:
    """A token for each teacher who has classes."""
    settings = load_settings(
        _env_file=None, database_url=url, jwt_secret=SECRET, google_client_id="bench"
    )
    issuer = Tokens(settings)
    return [issuer.issue(id_of(f"user{number}"))[0] for number in range(1, 51)]


if __name__ == "__main__":
    main()
