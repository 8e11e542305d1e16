"""Measures an operation at one of the things that are compared: a server, or PostgreSQL alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from time import monotonic, sleep

from app.localpg import LocalPostgres
from bench.contents import WrongAnswer
from bench.data import tidy, tokens, value
from bench.limit import limit, prove
from bench.load import CONNECTIONS, SAME_SIZE, load, sample
from bench.machine import QUIET, Watch, cpu_seconds
from bench.operations import Operation
from bench.scripts import OWN, REFERENCES
from bench.servers import Server

PGBENCH, REFERENCE = "pgbench, our SQL", "pgbench, reference"
_STATEMENTS = {PGBENCH: OWN, REFERENCE: REFERENCES}
SAMPLES = 10
ATTEMPTS = 3
SETTLE_SECONDS = 60
_ACTIVE = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()
"""


@dataclass
class Figures:
    """One operation at one target in one round: answers a second, latencies in ms, CPU ms of server
    and PostgreSQL per answer, failures, and the cores that others used meanwhile."""

    rate: float
    database_cpu: float
    others: float
    server_cpu: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    failed: int = 0

    @property
    def noisy(self) -> bool:
        return self.others > QUIET


@dataclass
class Bench:
    """What is measured: PostgreSQL with the data, the servers on it, for how many seconds each."""

    postgres: LocalPostgres
    url: str
    pids: dict[Server, int]
    seconds: int
    attempts: int = ATTEMPTS
    random: Random = field(default_factory=lambda: Random(os.urandom(8)))
    tokens: list[str] = field(default_factory=tokens)

    def measure(self, target: Server | str, operation: Operation) -> Figures:
        """The figures of the quietest attempt; there is a second one only if others were busy."""
        tidy(self.url)
        found = []
        for _ in range(self.attempts):
            found.append(
                self._server(target, operation)
                if isinstance(target, Server)
                else self._sql(target, operation)
            )
            if not found[-1].noisy:
                break
        return min(found, key=lambda figures: figures.others)

    def _server(self, server: Server, operation: Operation) -> Figures:
        """Over HTTP. Each connection has a request under way when the time is over, which the server
        finishes too: its work counts, and so it is counted."""
        size = sample(operation, server.port, self.tokens, self.random, SAMPLES)
        pids = (self.pids[server], self.postgres.pid)
        with self._counted(operation, server.history) as counts:
            before = [cpu_seconds(pid) for pid in pids]
            watch = Watch()
            answers = load(operation, server.port, self.tokens, self.random, self.seconds)
            others = watch.others()
            self._settle(self.pids[server])
            spent = [cpu_seconds(pid) - start for pid, start in zip(pids, before, strict=True)]
            counts += [answers.count, answers.count + CONNECTIONS]
        if answers.failed:
            raise WrongAnswer(f"{operation.name}: {server.name} failed {answers.failed} times.")
        if abs(answers.size - size) > SAME_SIZE * size:
            raise WrongAnswer(
                f"{operation.name}: {server.name} sent {answers.size:.0f} bytes "
                f"under load, and {size:.0f} before."
            )
        server_cpu, database_cpu = (1000 * cpu / counts[1] for cpu in spent)
        return Figures(
            answers.count / answers.seconds,
            database_cpu,
            others,
            server_cpu,
            answers.p50,
            answers.p99,
            answers.failed,
        )

    def _sql(self, name: str, operation: Operation) -> Figures:
        statements = _STATEMENTS[name][operation.name]
        prove(self.url, operation, statements, self.random)
        with self._counted(operation, history=True) as counts:
            before, watch = cpu_seconds(self.postgres.pid), Watch()
            count, rate = limit(self.postgres, self.url, operation, statements, self.seconds)
            others = watch.others()
            spent = cpu_seconds(self.postgres.pid) - before
            counts += [count, count]
        return Figures(rate, 1000 * spent / count, others)

    @contextmanager
    def _counted(self, operation: Operation, history: bool) -> Iterator[list[int]]:
        """Compare what was written with the least and the most answers there were, which the block
        puts into the list."""
        written = operation.written if history else operation.written[:1]
        before = [value(self.url, question) for question, _ in written]
        counts: list[int] = []
        yield counts
        for (question, each), start in zip(written, before, strict=True):
            grown = (value(self.url, question) - start) / each
            # Two random batches of pgbench may be equal, or two new sessions the same.
            if not counts[0] * 0.99 - 1 <= grown <= counts[1]:
                raise WrongAnswer(
                    f"{operation.name}: {counts[0]} answers, but {grown:.1f} times "
                    f"as much as one writes ({question})."
                )

    def _settle(self, pid: int) -> None:
        """Wait until the server has finished the requests that nobody waits for any more."""
        deadline = monotonic() + SETTLE_SECONDS
        used = -1.0
        while monotonic() < deadline:
            now = cpu_seconds(pid)
            if now - used < 0.02 and not value(self.url, _ACTIVE):
                return
            used = now
            sleep(0.1)
        raise WrongAnswer("A server does not come to rest.")
