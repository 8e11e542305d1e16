"""The results as a table: printed, and kept in `RESULTS.md`."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import QUIET
from bench.measure import PGBENCH, REFERENCE, Figures
from bench.operations import Operation
from bench.servers import AIMS, CAREFUL, FLOOR, PER_ROW, Server

PLACE = Path(__file__).with_name("RESULTS.md")
Target = Server | str
# The rounds of each target, for each operation.
Results = Mapping[Operation, Mapping[Target, Sequence[Figures]]]

_COLUMNS = (
    "",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "server CPU ms",
    "PostgreSQL CPU ms",
    "errors",
    "AIMS : this",
    "noise",
)


def name_of(target: Target) -> str:
    return target.name if isinstance(target, Server) else target


def middle(rounds: Sequence[Figures], name: str) -> float:
    """The median of that figure over the rounds."""
    return statistics.median(getattr(figures, name) for figures in rounds)


def ratio(ours: Sequence[Figures], theirs: Sequence[Figures], name: str = "rate") -> float:
    """The median of the ratios within each round."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(getattr(a, name) / getattr(b, name) for a, b in pairs)


def summary(results: Results) -> list[list[str]]:
    """A row for each comparison, a column for each operation."""
    lines = (
        ("of the floor", AIMS, FLOOR, "rate"),
        ("of pgbench with our SQL", AIMS, PGBENCH, "rate"),
        ("of pgbench with the reference", AIMS, REFERENCE, "rate"),
        ("times the careful ORM", AIMS, CAREFUL, "rate"),
        ("times the per-row ORM", AIMS, PER_ROW, "rate"),
        ("CPU per request, AIMS : floor", AIMS, FLOOR, "cpu"),
        ("CPU per request, careful ORM : AIMS", CAREFUL, AIMS, "cpu"),
        ("CPU per request, per-row ORM : AIMS", PER_ROW, AIMS, "cpu"),
        ("PostgreSQL CPU, our SQL : reference", PGBENCH, REFERENCE, "database_cpu"),
    )
    rows = [["requests/s of AIMS", *(operation.name for operation in results)]]
    for title, ours, theirs, name in lines:
        ratios = (ratio(found[ours], found[theirs], name) for found in results.values())
        rows.append([title, *(f"{found:.2f}" for found in ratios)])
    return rows


def details(found: Mapping[Target, Sequence[Figures]]) -> list[list[str]]:
    """A row of medians for each target of an operation."""
    return [
        list(_COLUMNS),
        *(_row(target, rounds, found[AIMS]) for target, rounds in found.items()),
    ]


def _row(target: Target, rounds: Sequence[Figures], ours: Sequence[Figures]) -> list[str]:
    def shown(name: str, digits: int) -> str:
        return f"{middle(rounds, name):,.{digits}f}"

    over_http = isinstance(target, Server)
    noisy = sum(figures.noisy for figures in rounds)
    return [
        name_of(target),
        shown("rate", 0 if middle(rounds, "rate") >= 100 else 1),
        *(
            (shown("p50", 1), shown("p99", 1), shown("server_cpu", 2))
            if over_http
            else ("", "", "")
        ),
        shown("database_cpu", 2),
        str(sum(figures.failed for figures in rounds)) if over_http else "",
        f"{ratio(ours, rounds):.2f}",
        f"{noisy} of {len(rounds)}" if noisy else "",
    ]


def text(rows: Sequence[Sequence[str]]) -> str:
    """The rows as columns of a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        lines.append("  ".join((first.ljust(widths[0]), *cells)).rstrip())
    return "\n".join(lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    heading, *rest = ("| " + " | ".join(row) + " |" for row in rows)
    rule = "|---|" + "---:|" * (len(rows[0]) - 1)
    return "\n".join((heading, rule, *rest))


def noise(results: Results) -> str:
    """One sentence on how quiet the machine was."""
    every = [
        figures for found in results.values() for rounds in found.values() for figures in rounds
    ]
    noisy = sum(figures.noisy for figures in every)
    if not noisy:
        return f"The machine was quiet: others never used more than {QUIET} cores."
    most = max(figures.others for figures in every)
    return (
        f"The machine was too noisy in {noisy} of {len(every)} measurements: others used more than "
        f"{QUIET} cores, {most:.2f} at most. Ratios are of neighbours within a round; the figures "
        "themselves would be better on a quiet machine."
    )


def write(results: Results, command: str, machine: Sequence[str]) -> None:
    """Write `RESULTS.md`."""
    PLACE.write_text("\n".join(_page(results, command, machine)) + "\n")


def _page(results: Results, command: str, machine: Sequence[str]) -> Iterator[str]:
    yield "# Results of the benchmark\n"
    yield f"`{command}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    yield "What it measures, and how: [performance](../docs/performance.md).\n"
    yield "\n".join(f"- {line}" for line in machine)
    yield f"\n{noise(results)}\n"
    yield markdown(summary(results))
    for operation, found in results.items():
        yield f"\n## {operation.name}: {operation.title}\n"
        yield markdown(details(found))
