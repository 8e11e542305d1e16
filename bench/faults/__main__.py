"""`python -m bench.faults`: AIMS on bad days.

It runs `aims serve` with two workers and a PostgreSQL of its own. While classes are marked, files
imported, records merged and leave is decided, one fault a round happens. At the end it reads from
the database whether every answered write is there, every other one whole or absent, whether
histories, marks, leave and statistics agree, and whether anything was left open. The exit code is 1
if not. A hundred rounds take ten minutes or more; the full disk needs root, for a small one.
"""

import argparse
import sys
import time
from collections import Counter

from app.cli.processes import stoppable
from bench.faults.actors import Actor, Leaving, Marking, actors
from bench.faults.check import Findings, check, verify
from bench.faults.faults import FAULTS, Fault
from bench.faults.world import World, world

BEFORE_SECONDS = 0.7  # of writing, before the fault
BACK_SECONDS = 5  # after the end of a fault, everybody is answered again
START_SECONDS = 20  # the same if the server has to start first
PATIENCE_SECONDS = 30
SETTLE_SECONDS = 90  # for imports whose server was killed
REFUSED = {503}  # what a fault may answer


def main() -> None:
    given = _arguments()
    faults = [f for f in FAULTS if not given.faults or any(g in f.name for g in given.faults)]
    with stoppable() as stack:
        here = stack.enter_context(world())
        if here.disk is None:
            print("No small disk can be mounted here: the full disk is left out.")
            faults = [fault for fault in faults if not fault.needs_disk]
        people = actors(here)
        wrong = []
        rounds = given.rounds or len(faults)
        for number in range(rounds if faults else 0):
            wrong += _round(here, people, faults[number % len(faults)], number, rounds)
        unfinished = [
            run for p in people if isinstance(p, Leaving) for run in p.settle(SETTLE_SECONDS)
        ]
        time.sleep(1)
        writes = [write for person in people for write in person.writes]
        findings = check(here, writes, unfinished)
        agrees, said = verify(here)
        here.stop_server()
    print(said)
    sys.exit(0 if _sound(findings, wrong + here.complaints) and agrees else 1)


def _round(here: World, people: list[Actor], fault: Fault, number: int, rounds: int) -> list[str]:
    """Let the fault happen while all write; return what was answered wrongly or too late."""
    before = [len(person.writes) for person in people]
    for person in people:
        person.begin(number)
    workers = here.workers()
    back = _seconds_until_back(here, people, fault)
    done = [w for p, n in zip(people, before, strict=True) for w in p.writes[n:]]
    statuses = Counter(w.status for w in done if not w.key.startswith("vanished"))
    print(
        f"{number + 1:3} of {rounds}  {fault.name:34} "
        f"{sum(w.answered for w in done):5} answered, {statuses[503]:4} refused, "
        f"{statuses[0]:4} unanswered; all back after {back:4.1f} s",
        flush=True,
    )
    wrong = _judged(fault, statuses, back)
    if not fault.breaks and here.workers() != workers:
        wrong.append("the workers are others")
    return [f"round {number + 1}, {fault.name}: {what}" for what in wrong]


def _judged(fault: Fault, statuses: Counter[int], back: float) -> list[str]:
    """What the fault does not excuse."""
    allowed = REFUSED | ({0} if fault.breaks else set())
    wrong = [
        f"{count} answers {status or 'broken off'}"
        for status, count in statuses.items()
        if not 200 <= status < 300 and status not in allowed
    ]
    if back > (START_SECONDS if fault.breaks else BACK_SECONDS):
        wrong.append(f"back only after {back:.1f} s")
    return wrong


def _seconds_until_back(here: World, people: list[Actor], fault: Fault) -> float:
    """Let all write while the fault happens; how long after its end all are answered again."""
    for person in people:
        person.start()
    time.sleep(BEFORE_SECONDS)
    fault.happen(here, next(p for p in people if isinstance(p, Marking)))
    back = _seconds_until_all_are_answered(people)
    for person in people:
        person.stop()
    for person in people:
        person.join()
    return back


def _seconds_until_all_are_answered(people: list[Actor]) -> float:
    """How long after now everybody who still writes has had an answer to something asked for."""
    over = time.monotonic()
    while time.monotonic() < over + PATIENCE_SECONDS:
        waiting = [p for p in people if p.busy and not p.answered_since(over)]
        if not waiting:
            break
        time.sleep(0.02)
    return time.monotonic() - over


def _sound(findings: Findings, wrong: list[str]) -> bool:
    counts = {
        "lost": findings.lost,
        "mixed": findings.mixed,
        "leaked": findings.leaked,
        "wrong answers": wrong,
    }
    print(f"{findings.writes} writes, {findings.answered} of them answered.")
    for name, found in counts.items():
        print(f"{name}: {len(found)}")
        for line in found[:20]:
            print(f"  - {line}")
    return findings.sound and not wrong


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=0, help="otherwise one for each fault")
    parser.add_argument("faults", nargs="*", help="only those whose names contain one of these")
    return parser.parse_args()


if __name__ == "__main__":
    main()
