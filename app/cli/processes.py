"""Start and stop the processes of a command, however the command ends."""

import asyncio
import ctypes
import signal
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NoReturn, TypeVar

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_SECONDS = 25

T = TypeVar("T")


class Stopped(BaseException):
    """A signal told the command to stop: Ctrl-C, SIGTERM or a closed terminal."""


@contextmanager
def stoppable() -> Iterator[ExitStack]:
    """A stack of cleanups that also run on Ctrl-C, SIGTERM and a closed terminal."""
    for number in _SIGNALS:
        signal.signal(number, _stop)
    try:
        with ExitStack() as stack:
            yield stack
            _ignore_further_signals()
    except Stopped:
        sys.exit(130)


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine; Ctrl-C, SIGTERM and a closed terminal cancel it and end the command."""

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        sys.exit(130)


def _stop(number: int, _: object) -> NoReturn:
    _ignore_further_signals()
    raise Stopped(number)


def _ignore_further_signals() -> None:
    """Ignore a second Ctrl-C, which must not interrupt the cleanup."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def child(
    command: list[str], environment: dict[str, str], *files: int
) -> "subprocess.Popen[bytes]":
    """Start a child with these open files; it ends with this process, even if that is killed."""
    return subprocess.Popen(
        command,
        env=environment,
        pass_fds=files,
        start_new_session=True,
        preexec_fn=_killed_with_parent,
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Stop the process with SIGTERM, or with SIGKILL if that takes too long."""
    for stop in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def _killed_with_parent() -> None:
    # SIGTERM would leave it holding the port for a while, and an immediate restart would fail.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
