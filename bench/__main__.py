"""`python -m bench`: the operations A to F at AIMS, compared with its limits and with two peers.

It starts its own PostgreSQL with 480,000 marks, and the servers, each with two processes. Round by
round, each operation is measured at each of them, one after another: on a shared machine, only
figures of one round compare. It writes `bench/RESULTS.md`, unless only a part is measured.
"""

import argparse
import asyncio
import sys

from app.cli.processes import stoppable
from bench import report
from bench.contents import WrongAnswer
from bench.data import database, fill
from bench.machine import description
from bench.measure import PGBENCH, REFERENCE, REPEATS, Bench
from bench.operations import OPERATIONS, Operation
from bench.servers import AIMS, CAREFUL, FLOOR, PER_ROW, SERVERS, running

TARGETS = (AIMS, FLOOR, PGBENCH, REFERENCE, CAREFUL, PER_ROW)


def main() -> None:
    given = _arguments()
    chosen = [o for o in OPERATIONS if not given.operations or o.name in given.operations]
    with stoppable() as stack:
        postgres, url = stack.enter_context(database())
        _say("Making 480,000 marks ...")
        asyncio.run(fill(url))
        servers = stack.enter_context(running(SERVERS, url))
        repeats = 0 if given.quick else REPEATS
        bench = Bench(postgres, url, servers, given.seconds, repeats)
        results = measured(bench, chosen, given.rounds)
        machine = description(postgres.program("postgres"))
    _print(results, machine)
    if len(chosen) == len(OPERATIONS) and not given.quick:
        report.write(results, " ".join(["python -m bench", *sys.argv[1:]]), machine)


def measured(bench: Bench, chosen: list[Operation], rounds: int) -> report.Results:
    """Measure each operation at each target in each round, in the opposite order every other time.

    Operations that add rows would slow the others down, so they are measured last.
    """
    results = {operation: {target: [] for target in TARGETS} for operation in chosen}
    adding = [operation for operation in chosen if operation.name == "C2"]
    for part in ([o for o in chosen if o not in adding], adding):
        for number in range(rounds if part else 0):
            for operation in part:
                _say(f"Round {number + 1} of {rounds}: {operation.name}, {operation.title} ...")
                for target in TARGETS if number % 2 == 0 else reversed(TARGETS):
                    results[operation][target].append(bench.measure(target, operation))
    return results


def _print(results: report.Results, machine: list[str]) -> None:
    for operation, found in results.items():
        print(f"\n{operation.name}: {operation.title}\n{report.text(report.details(found))}")
    print("", report.text(report.summary(results)), "", *machine, report.noise(results), sep="\n")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("operations", nargs="*", help="some of A B C1 C2 D E F; all without")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="per operation, target and round")
    parser.add_argument("--quick", action="store_true", help="one round of two seconds each")
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.seconds = 1, 2
    return given


if __name__ == "__main__":
    try:
        main()
    except WrongAnswer as wrong:
        sys.exit(f"bench: {wrong}")
