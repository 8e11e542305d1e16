"""Starting and stopping what a command runs, whatever ends the command."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
STOP_SECONDS = 25


class Stopped(BaseException):
    """The person, the system or a closed terminal told the command to stop."""


@contextmanager
def stoppable() -> Iterator[ExitStack]:
    """A stack of things to undo, undone also on Ctrl-C, SIGTERM and a closed terminal."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        with ExitStack() as stack:
            yield stack
            _ignore_further_signals()
    except Stopped:
        sys.exit(130)


def _stop(number: int, _: object) -> NoReturn:
    _ignore_further_signals()
    raise Stopped(number)


def _ignore_further_signals() -> None:
    """A second Ctrl-C must not leave half of it running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def child(
    command: list[str], environment: dict[str, str], *files: int
) -> "subprocess.Popen[bytes]":
    """A process of our own with these open files, which does not outlive us, even when killed."""
    return subprocess.Popen(
        command,
        env=environment,
        pass_fds=files,
        start_new_session=True,
        preexec_fn=_killed_with_parent,
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Stop the process in an orderly way, then in any way."""
    for stop in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def _killed_with_parent() -> None:
    # Not asked to stop, or it would still have the port when somebody starts again at once.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
