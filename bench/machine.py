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


def cpu_seconds(*roots: int) -> float:
    """The CPU time of these processes and all their children, including ended ones."""
    parents, used = {}, {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(fields[1])
        used[int(entry.parent.name)] = sum(map(int, fields[11:15])) / TICKS
    family = set(roots)
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
    """Measures from its creation how many cores are used by others than this process's family."""

    def __init__(self) -> None:
        self._start = self._read()

    def others(self) -> float:
        """Cores used by others so far, on average."""
        began, busy, own = self._start
        now, busy_now, own_now = self._read()
        return max(0.0, (busy_now - busy - own_now + own) / (now - began))

    def _read(self) -> tuple[float, float, float]:
        return monotonic(), busy_seconds(), cpu_seconds(os.getpid())


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
