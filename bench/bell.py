"""`python -m bench.bell`: nine o'clock, when every teacher marks at once; and more than that.

On the data of the benchmark, each of the 200 classes is opened, marked in three to six batches and
finalised by a phone, all of them within ten minutes, told ten and a hundred times as fast. Some
phones lose the answer and send the same again. Then the database is read: no answered write may be
lost, and no batch half there. At last four times as many requests come as the machine can serve:
each has to be answered, served or refused in time, and five seconds later all is as before.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from random import Random
from time import monotonic

import asyncpg
import uvloop

from app.cli.processes import stoppable
from app.demo.bench_data import CLASSES, SESSIONS
from bench.data import DAY_ZERO, database, fill, teacher_of, tokens, value
from bench.lesson import Lesson, faults_of
from bench.operations import D
from bench.phone import Answer, Log, Phone
from bench.servers import Server, running

Lessons = list[Lesson]

LIMITED = Server("AIMS", "app.main:app")
LESSON_SHARE = 0.5  # of the time that a lesson may take; the others begin meanwhile
TRIAL_SECONDS, TRIAL_PHONES = 4, 32
OVERLOAD_SECONDS, TIMES_TOO_MUCH = 8, 4
NORMAL_AGAIN = 5  # seconds after the overload
PROMPT = 1.0  # seconds of an answer that is normal
SERVED = {"200", "201"}
ALLOWED = {"200", "201", "429", "503"}


async def ring(port: int, day: int, seconds: float, classes: int = CLASSES) -> tuple[Lessons, Log]:
    """Let so many classes mark within so many seconds."""
    log, given, random = Log(), tokens(), Random(day)
    lessons = [Lesson(n, DAY_ZERO + timedelta(SESSIONS + day)) for n in range(1, classes + 1)]

    async def hold(lesson: Lesson) -> None:
        await asyncio.sleep(random.random() * seconds * (1 - LESSON_SHARE))
        phone = Phone(port, given[teacher_of(lesson.number) - 1], log)
        await lesson.hold(phone, Random(lesson.number), seconds * LESSON_SHARE)

    began = monotonic()
    await asyncio.gather(*map(hold, lessons))
    took = monotonic() - began
    requests = sum(map(len, log.seconds.values()))
    print(
        f"{classes} classes in {took:.0f} s, {requests / took:.0f} requests/s, "
        f"{log.lost} answers lost and the same sent again",
        *log.lines,
        sep="\n",
    )
    return lessons, log


async def whole(url: str, lessons: Lessons) -> bool:
    """Whether nothing is lost, mixed or missing."""
    connection = await asyncpg.connect(url)
    faults = [await faults_of(lesson, connection) for lesson in lessons]
    await connection.close()
    lost, mixed = sum(fault[0] for fault in faults), sum(fault[1] for fault in faults)
    wrong = [what for fault in faults for what in fault[2]]
    written = sum(len(lesson.answered) for lesson in lessons)
    print(f"  {written} batches answered: lost {lost}, mixed {mixed}", *wrong[:5], sep="\n  ")
    return not (lost or mixed or wrong)


async def overload(port: int, url: str) -> bool:
    """Send four times what was served in a trial; whether that went well."""
    requests = _markings(port)
    served = await _trial(requests)
    print(f"Served when {TRIAL_PHONES} phones mark without a pause: {served:.0f} requests/s")
    marked = "SELECT sum(version) FROM attendance_sessions"
    before = await asyncio.to_thread(value, url, marked)
    log = Log()
    ready = list(islice(requests, int(served * TIMES_TOO_MUCH * OVERLOAD_SECONDS)))
    probes = await _flood(ready, log)
    print(f"{OVERLOAD_SECONDS} s of {TIMES_TOO_MUCH} times as many", *log.lines, sep="\n")
    grown = await asyncio.to_thread(value, url, marked) - before
    lost = max(0, len(log.seconds["200"]) - grown)
    late = [at for at, probe in probes if probe.status != 200 or probe.seconds > PROMPT]
    again = max(late, default=0.0)
    print(f"  lost {lost}; normal again {again:.1f} s after it stopped")
    return not lost and log.seconds.keys() <= ALLOWED and again < NORMAL_AGAIN


def _markings(port: int) -> Iterator[tuple[Phone, bytes]]:
    given = tokens()
    for asked in D.requests(Random(9)):
        phone = Phone(port, given[asked.teacher - 1], Log())
        yield phone, phone.request(asked.method, asked.path, asked.body)


async def _trial(requests: Iterator[tuple[Phone, bytes]]) -> float:
    """How many a second are served."""
    ends, count = monotonic() + TRIAL_SECONDS, 0

    async def mark() -> None:
        nonlocal count
        while monotonic() < ends:
            phone, raw = next(requests)
            answer = await phone.send(raw)
            count += answer.status == 200

    await asyncio.gather(*(mark() for _ in range(TRIAL_PHONES)))
    return count / TRIAL_SECONDS


async def _flood(requests: list[tuple[Phone, bytes]], log: Log) -> list[tuple[float, Answer]]:
    """Send them evenly, answered or not; then ask now and then, until it has to be normal."""
    sent: list[asyncio.Task[Answer]] = []
    began = monotonic()
    while len(sent) < len(requests):
        due = int((monotonic() - began) / OVERLOAD_SECONDS * len(requests)) + 1
        for phone, raw in requests[len(sent) : min(due, len(sent) + 20)]:
            sent.append(asyncio.create_task(replace(phone, log=log).send(raw)))
        await asyncio.sleep(0.001)
    stopped, probes = monotonic(), []
    asking = requests[0][0]
    while (at := monotonic() - stopped) < 2 * NORMAL_AGAIN:
        probes.append((at, await asking.send(asking.request("GET", "/users/me"))))
        await asyncio.sleep(0.1)
    await asyncio.gather(*sent)
    return probes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.bell", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="until all classes are marked")
    parser.add_argument("--times", type=float, nargs="*", default=[10, 100], help="how much faster")
    parser.add_argument("--no-overload", action="store_true", help="only the classes")
    given = parser.parse_args()
    with stoppable() as stack:
        _, url = stack.enter_context(database())
        print("Making 480,000 marks ...", file=sys.stderr, flush=True)
        asyncio.run(fill(url))
        port = stack.enter_context(running((LIMITED,), url))[LIMITED].port
        good = []
        for day, times in enumerate(given.times, 1):
            lessons, log = uvloop.run(ring(port, day, given.minutes * 60 / times))
            good.append(uvloop.run(whole(url, lessons)) and log.seconds.keys() <= SERVED)
        if not given.no_overload:
            good.append(uvloop.run(overload(port, url)))
    sys.exit(0 if all(good) else "bench.bell: it does not hold.")


if __name__ == "__main__":
    main()
