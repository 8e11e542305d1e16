"""Commands in this process, where they take a tenth of the time of one of their own.

A line is what comes after `aims`, or begins with `python` and a script of the checkout.
"""

import asyncio
import runpy
import shlex
import sys
from dataclasses import dataclass
from typing import NoReturn

import asyncpg
import pytest

from app.cli import main
from tests.processes import ROOT


@dataclass(frozen=True)
class Aims:
    """An installation: its database, and what is typed into its terminal."""

    database_url: str
    patch: pytest.MonkeyPatch
    captured: pytest.CaptureFixture[str]

    def set(self, **variables: str) -> None:
        """Set variables for the commands that follow."""
        for name, value in variables.items():
            self.patch.setenv(name, value)

    def must(self, line: str) -> str:
        """What the command line gave on standard output; it has to succeed."""
        code, given, said = self.run(line)
        assert code == 0, given + said
        return given

    def refuse(self, line: str) -> str:
        """All that the command line said; it has to fail."""
        code, given, said = self.run(line)
        assert code != 0, given + said
        return given + said

    def run(self, line: str) -> tuple[int, str, str]:
        """The exit code of the command line and what was on standard output and error."""
        words = shlex.split(line)
        is_script = words[:1] == ["python"]
        self.patch.setattr(sys, "argv", words[1:] if is_script else ["aims", *words])
        self.patch.setattr(sys, "path", [*sys.path])
        with pytest.raises(SystemExit) as end:
            (_run_script if is_script else main)()
        given, said = self.captured.readouterr()
        code = end.value.code or 0
        # A text is for Python itself to say when it ends, with 1 as the code.
        return (code, given, said) if isinstance(code, int) else (1, given, f"{said}{code}\n")

    def rows(self, sql: str) -> list[tuple[str, ...]]:
        """What a statement gives on the database."""

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return await connection.fetch(sql)
            finally:
                await connection.close()

        return [tuple(row) for row in asyncio.run(ask())]


def _run_script() -> NoReturn:
    runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")
    sys.exit()
