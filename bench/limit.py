"""The limit: PostgreSQL itself, asked by pgbench with the statements of an operation."""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from random import Random

from app.db import server_settings
from app.demo import bench_data
from app.demo.bench_data import CLASSES
from app.localpg import LocalPostgres
from app.sql import Statement
from bench.contents import WrongAnswer, check
from bench.data import DAY_ZERO, value
from bench.operations import Operation, Request
from bench.scripts import ARRAYS, script_of

CLIENTS = 8
# asyncpg prepares every statement of the service, and from the sixth execution on PostgreSQL uses
# one plan for all values: measured for each of them in `pg_prepared_statements`.
_GENERIC = {"plan_cache_mode": "force_generic_plan"}


def limit(
    postgres: LocalPostgres,
    url: str,
    operation: Operation,
    statements: Sequence[Statement],
    seconds: int,
) -> tuple[int, float]:
    """How many transactions pgbench ran, and how many a second."""
    settings = server_settings("Asia/Kolkata") | _GENERIC
    options = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds)]
    for variable in ARRAYS.items():
        options += ["-D", "=".join(variable)]
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script_of(operation.name, statements))
        file.flush()
        pgbench = subprocess.run(
            [postgres.program("pgbench"), *options, "-f", file.name, url],
            env={**os.environ, "PGOPTIONS": " ".join(f"-c {k}={v}" for k, v in settings.items())},
            capture_output=True,
            text=True,
            check=False,
        )
    count = re.search(r"actually processed: (\d+)", pgbench.stdout)
    rate = re.search(r"tps = ([0-9.]+)", pgbench.stdout)
    if pgbench.returncode or not count or not rate:
        raise WrongAnswer(f"pgbench failed on {operation.name}: {pgbench.stderr[-2000:]}")
    return int(count[1]), float(rate[1])


def prove(url: str, operation: Operation, statements: Sequence[Statement], random: Random) -> None:
    """Check the answer that pgbench gets to a read; what it writes is counted instead."""
    if not operation.written:
        request, answer = answered(url, operation, statements, random)
        check(operation, request, 200, answer)


def answered(
    url: str, operation: Operation, statements: Sequence[Statement], random: Random
) -> tuple[Request, bytes]:
    """What pgbench's script of a read answers to variables as pgbench might draw them, and the
    request that this answers."""
    drawn = {"c": random.randint(1, CLASSES), "s": random.randint(1, bench_data.SESSIONS)}
    drawn["t"] = random.randint(1, bench_data.SESSIONS - 9)
    session = drawn["t" if operation.name == "E" else "s"]
    day = DAY_ZERO + timedelta(days=session)
    request = Request(drawn["c"], "pgbench", str(drawn), session=session, day=day)
    script = re.sub(r"^\\set.*\n", "", script_of(operation.name, statements), flags=re.MULTILINE)
    sql = re.sub(r"(?<!:):([cst])\b", lambda found: str(drawn[found[1]]), script).rstrip(";\n")
    return request, value(url, f"SELECT document::text FROM ({sql}) s").encode()
