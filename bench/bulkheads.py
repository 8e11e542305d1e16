"""`python -m bench.bulkheads`: how long marking takes while others do heavy work.

Classes are marked at a steady rate, first alone, then while twenty teachers ask for the PDF of
their register again and again and five administrators import a list of 20,000 students. It prints
p50 and p99 of marking, what became of the heavy requests, and the ratio of the p99s.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from random import Random
from time import monotonic

import asyncpg
import httpx2

from app.cli.processes import stoppable
from app.demo.bench_data import CLASSES
from bench.data import database, fill, id_of, token_of
from bench.machine import description
from bench.operations import D, Request
from bench.servers import AIMS, running

RATE = 25  # classes marked a second: two thousand teachers within a minute and a half
READERS, IMPORTERS, ROWS = 20, 5, 20_000
GOAL = 2.0
# The users of these numbers are administrators; the first fifty teach the classes.
_ADMINS = range(CLASSES - IMPORTERS + 1, CLASSES + 1)
# These classes are marked; the import is for the others, since it locks rosters that it changes.
_MARKED = CLASSES // 2
_LET_IN = "UPDATE allowed_emails SET role = 'admin' WHERE email = 't' || $1 || $2"
_CSV = {"Content-Type": "text/csv"}
_numbers = count()


class Marking:
    """The latencies of markings in seconds, and the answers that were none."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.failed: Counter[str] = Counter()

    def percentile(self, part: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1000

    def __str__(self) -> str:
        failed = f", failed: {dict(self.failed)}" if self.failed else ""
        number, p50, p99 = len(self.seconds), self.percentile(0.5), self.percentile(0.99)
        return f"{number} markings, p50 {p50:.1f} ms, p99 {p99:.1f} ms{failed}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.bulkheads", description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="for which each part lasts")
    seconds = parser.parse_args().seconds
    with stoppable() as stack:
        postgres, url = stack.enter_context(database())
        asyncio.run(fill(url))
        server = stack.enter_context(running((AIMS,), url))[AIMS]
        quiet, busy, heavy = asyncio.run(_measured(url, server.port, seconds))
    ratio = busy.percentile(0.99) / quiet.percentile(0.99)
    print(f"quiet:  {quiet}", f"beside: {busy}", f"heavy:  {heavy}", sep="\n")
    print(f"p99 beside heavy work: {ratio:.1f} times the quiet one (goal: {GOAL})")
    print(*description(postgres.program("postgres")), sep="\n")
    sys.exit(1 if busy.failed else 0)


async def _measured(url: str, port: int, seconds: int) -> tuple[Marking, Marking, str]:
    await _let_in(url)
    # Each request has its own connection, as those of many phones have.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    address = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(base_url=address, timeout=150, limits=limits) as client:
        requests = (each for each in D.requests(Random(1)) if each.number <= _MARKED)
        await _marked(client, requests, 5)
        quiet = await _marked(client, requests, seconds)
        answers: Counter[str] = Counter()
        async with _heavy_work(client, answers):
            busy = await _marked(client, requests, seconds)
    return quiet, busy, ", ".join(f"{what} {number}" for what, number in sorted(answers.items()))


async def _let_in(url: str) -> None:
    connection = await asyncpg.connect(url)
    for number in _ADMINS:
        await connection.execute(_LET_IN, str(number), "@demo.university.example")
    await connection.close()


async def _marked(client: httpx2.AsyncClient, requests: Iterator[Request], seconds: int) -> Marking:
    """Mark at the rate, whether or not earlier answers have come."""
    marking, began = Marking(), monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(seconds * RATE):
            await asyncio.sleep(max(0.0, began + number / RATE - monotonic()))
            group.create_task(_mark(client, next(requests), marking))
    return marking


async def _mark(client: httpx2.AsyncClient, request: Request, marking: Marking) -> None:
    headers = _token(request.teacher) | {"Content-Type": "application/json"}
    began = monotonic()
    try:
        answer = await client.put(request.path, content=request.body, headers=headers)
        failed = "" if answer.status_code == 200 else str(answer.status_code)
    except httpx2.TransportError as fault:
        failed = type(fault).__name__
    marking.seconds.append(monotonic() - began)
    if failed:
        marking.failed[failed] += 1


@asynccontextmanager
async def _heavy_work(client: httpx2.AsyncClient, answers: Counter[str]) -> AsyncIterator[None]:
    """Readers and importers who ask again as soon as they are answered, while the block runs."""
    people = [_read(client, number, answers) for number in range(1, READERS + 1)]
    people += [_import(client, number, answers) for number in _ADMINS]
    tasks = [asyncio.create_task(person) for person in people]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _read(client: httpx2.AsyncClient, teacher: int, answers: Counter[str]) -> None:
    path = f"/classes/{id_of(f'class{4 * teacher}')}/register?format=pdf"
    while True:
        answer = await client.get(path, headers=_token(teacher))
        await _told("PDF", answer, answers)


async def _import(client: httpx2.AsyncClient, admin: int, answers: Counter[str]) -> None:
    while True:
        content = _students(next(_numbers))
        headers = _token(admin) | _CSV
        path = "/admin/import?kind=students"
        answer = await client.post(path, content=content, headers=headers)
        await _told("import", answer, answers)


def _students(run: int) -> str:
    """A list that nobody has imported yet, for the classes that are not marked."""
    rows = (
        f"N{run}/{row},Student {row},CS{101 + _MARKED + row % _MARKED},A\n" for row in range(ROWS)
    )
    return f"Roll No,Student Name,Course Code,Section\n{''.join(rows)}"


async def _told(what: str, answer: httpx2.Response, answers: Counter[str]) -> None:
    """Count the answer; after a refusal, wait for as long as it says."""
    code = "" if answer.is_success else f" {json.loads(answer.content)['code']}"
    answers[f"{what}: {answer.status_code}{code}"] += 1
    await asyncio.sleep(int(answer.headers.get("Retry-After", 0)))


def _token(number: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(number)}"}


if __name__ == "__main__":
    main()
