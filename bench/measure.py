"""Measures an operation at one of the things that are compared: a server, or PostgreSQL alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from random import Random
from time import monotonic, sleep

from app.localpg import LocalPostgres
from bench.contents import WrongAnswer
from bench.data import tidy, tokens, value
from bench.limit import limit, prove
from bench.load import CONNECTIONS, SAME_SIZE, Answers, load, sample
from bench.machine import QUIET, Watch
from bench.operations import Operation
from bench.scripts import OWN, REFERENCES
from bench.servers import WORKERS, Running, Server

PGBENCH, REFERENCE = "pgbench, our SQL", "pgbench, reference"
_STATEMENTS = {PGBENCH: OWN, REFERENCE: REFERENCES}
SAMPLES = 10
ANSWERS = 2  # at least, to each connection
REPEATS = 20  # of noisy measurements, before it takes the machine as it is
FEW = 0.01  # of the requests may fail; the table says how many
SETTLE_SECONDS = 60
_ACTIVE = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()
"""


@dataclass
class Figures:
    """One operation at one target in one round: right answers a second, the cores that others used
    meanwhile, CPU ms of PostgreSQL and server per request, latencies in ms, and errors."""

    rate: float
    others: float
    database_cpu: float
    server_cpu: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    failed: int = 0

    @property
    def cpu(self) -> float:
        return self.database_cpu + self.server_cpu

    @property
    def noisy(self) -> bool:
        return self.others > QUIET


@dataclass
class Bench:
    """What is measured: PostgreSQL with the data, the servers on it, for how many seconds each."""

    postgres: LocalPostgres
    url: str
    servers: dict[Server, Running]
    seconds: int
    repeats: int = REPEATS
    random: Random = field(default_factory=lambda: Random(os.urandom(8)))
    tokens: list[str] = field(default_factory=tokens)

    def measure(self, target: Server | str, operation: Operation) -> Figures:
        """The figures; of the quieter attempt, if others were busy and it is worth another."""
        found = self._once(target, operation)
        if not found.noisy or self.repeats == 0:
            return found
        self.repeats -= 1
        return min(found, self._once(target, operation), key=lambda figures: figures.others)

    def _once(self, target: Server | str, operation: Operation) -> Figures:
        tidy(self.url)
        if isinstance(target, Server):
            return self._server(target, operation)
        return self._sql(target, operation)

    def _server(self, server: Server, operation: Operation) -> Figures:
        """Over HTTP. When the time is over, each connection has a request under way, which the
        server finishes: its work is measured, and so it is counted."""
        at = self.servers[server]
        size, alone = sample(operation, at.port, self.tokens, self.random, SAMPLES)
        # Each connection gets some answers, however slow they are.
        seconds = max(self.seconds, ceil(ANSWERS * CONNECTIONS * alone / WORKERS))
        with self._counted(operation, server.history) as counts:
            watch = Watch(self.postgres.pid, at.process.pid)
            answers = load(operation, at.port, self.tokens, self.random, seconds)
            counts += [answers.count - answers.failed, answers.count + CONNECTIONS]
            self._settle(watch)
        _check_all(f"{operation.name} at {server.name}", answers, size)
        cpu = (1000 * seconds / counts[1] for seconds in watch.used)
        rate = (answers.count - answers.failed) / answers.seconds
        return Figures(rate, watch.others, *cpu, answers.p50, answers.p99, answers.failed)

    def _sql(self, name: str, operation: Operation) -> Figures:
        statements = _STATEMENTS[name][operation.name]
        prove(self.url, operation, statements, self.random)
        with self._counted(operation, history=True) as counts:
            watch = Watch(self.postgres.pid)
            count, rate = limit(self.postgres, self.url, operation, statements, self.seconds)
            counts += [count, count]
            self._settle(watch)
        return Figures(rate, watch.others, 1000 * watch.used[0] / count)

    @contextmanager
    def _counted(self, operation: Operation, history: bool) -> Iterator[list[int]]:
        """Compare what was written with the least and the most answers that there were, which the
        block puts into the list."""
        written = operation.written if history else operation.written[:1]
        before = [value(self.url, question) for question, _ in written]
        counts: list[int] = []
        yield counts
        for (question, each), start in zip(written, before, strict=True):
            grown = (value(self.url, question) - start) / each
            # Two random batches of pgbench may be equal, or two new sessions the same.
            if not counts[0] * 0.99 - 1 <= grown <= counts[1]:
                raise WrongAnswer(
                    f"{operation.name}: {counts[0]} answers, but {grown:.1f} times as much as one "
                    f"of them writes ({question})."
                )

    def _settle(self, watch: Watch) -> None:
        """Wait until nothing works any more on requests whose answers nobody waits for."""
        deadline = monotonic() + SETTLE_SECONDS
        while watch.still_growing() or value(self.url, _ACTIVE):
            if monotonic() > deadline:
                raise WrongAnswer("A server does not come to rest.")
            sleep(0.1)


def _check_all(what: str, answers: Answers, size: float) -> None:
    """Judge all answers by what the samples showed."""
    if answers.failed > FEW * answers.count:
        raise WrongAnswer(f"{what}: {answers.failed} of {answers.count} requests failed.")
    if abs(answers.size - size) > SAME_SIZE * size:
        raise WrongAnswer(f"{what}: {answers.size:.0f} bytes under load, {size:.0f} before.")
