"""What the machine did meanwhile, and which machine it was."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from time import monotonic

TICKS = os.sysconf("SC_CLK_TCK")
# More than this many cores used by others, and the figures of that moment say little.
QUIET = 0.15
_LIBRARIES = ("fastapi", "uvicorn", "gunicorn", "uvloop", "asyncpg", "sqlalchemy", "psycopg")


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


def busy_seconds() -> float:
    """The CPU time that all processes had since the start, and what a host took away (steal)."""
    user, nice, system, *_, steal = map(int, _cpu_line()[:8])
    return (user + nice + system + steal) / TICKS


def _cpu_line() -> list[str]:
    return Path("/proc/stat").read_text().partition("\n")[0].split()[1:]


class Watch:
    """Measures, from its creation to the last look, what processes use and what others use.

    `used` are the CPU seconds of each of the processes with its children, `others` the cores, on
    average, that everything but this process's family used.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._start = self._last = self._read()

    def still_growing(self) -> bool:
        """Look, and say whether the processes have used more than a moment since the last look."""
        before, self._last = self._last, self._read()
        return sum(self._last[3:]) - sum(before[3:]) > 2 / TICKS

    @property
    def used(self) -> list[float]:
        return [now - start for now, start in zip(self._last[3:], self._start[3:], strict=True)]

    @property
    def others(self) -> float:
        elapsed, busy, own = (
            now - start for now, start in zip(self._last[:3], self._start[:3], strict=True)
        )
        return max(0.0, (busy - own) / elapsed)

    def _read(self) -> tuple[float, ...]:
        times = (cpu_seconds(pid) for pid in (os.getpid(), *self._pids))
        return (monotonic(), busy_seconds(), *times)


def description(postgres: str) -> list[str]:
    """Machine and versions, a line each; `postgres` is the path of its program."""
    said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True)
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return [
        f"{os.cpu_count()} cores ({_model()}), {_memory_gib():.0f} GiB, {platform.system()}",
        f"Python {platform.python_version()}, {said.stdout.strip()}",
        libraries,
    ]


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
