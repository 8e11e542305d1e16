"""`aims up`: everything, on a machine that has nothing."""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from app.cli.database import configuration
from app.cli.processes import child, end, stoppable
from app.config import ConfigError, load_database_url, load_settings
from app.db import open_database
from app.demo.department import ADMIN, DOMAIN, PEOPLE, TEACHERS
from app.demo.google import DemoGoogle, sub_of
from app.demo.load import load_department
from app.localpg import LocalPostgres, home
from app.services import health

HOST = "127.0.0.1"
DATABASE = "attendance"
READY_SECONDS = 30


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to serve on")] = 8000,
    data: Annotated[Path | None, typer.Option(help="Where to keep the database")] = None,
    demo: Annotated[
        bool | None, typer.Option("--demo/--no-demo", help="With people and classes to try")
    ] = None,
    migrate: Annotated[bool, typer.Option("--migrate", help="Migrate a database in use")] = False,
) -> None:
    """Start everything: PostgreSQL, migrations, demo data, a stand-in for Google, the server.

    With DATABASE_URL in the environment it uses that database instead, without demo data and
    without migrating a database that has tables, unless told to.
    """
    if not _is_free(port):
        sys.exit(f"aims: port {port} is in use; choose another with --port.")
    given = load_database_url() if os.environ.get("DATABASE_URL") else None
    wants_demo = demo if demo is not None else given is None
    with stoppable() as stack:
        url, psql = (given, None) if given else _embedded(stack, data or home() / "data")
        _migrate(url, allowed=migrate or given is None)
        environment = {**os.environ, "DATABASE_URL": url}
        google = None
        if wants_demo:
            google = _demo(stack, url, environment, (data or home() / "data").parent, port + 1)
        else:
            load_settings(database_url=url)
        server = _serve(stack, environment, port)
        _show(port, psql, google)
        sys.exit(server.wait())


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _embedded(stack: ExitStack, data: Path) -> tuple[str, str]:
    _say("Starting PostgreSQL")
    server = stack.enter_context(LocalPostgres(data))
    server.create_database(DATABASE)
    return server.url(DATABASE), server.psql(DATABASE)


def _migrate(url: str, *, allowed: bool) -> None:
    if asyncio.run(_is_current(url)):
        return
    if not allowed and not asyncio.run(_is_empty(url)):
        raise ConfigError(
            "the database has tables of another version; make a backup, then add --migrate."
        )
    from alembic import command

    _say("Creating the tables")
    command.upgrade(configuration(url), "head")


async def _is_current(url: str) -> bool:
    async with open_database(url) as db:
        return await health.is_current(db)


async def _is_empty(url: str) -> bool:
    async with open_database(url) as db:
        return await health.is_empty(db)


def _demo(
    stack: ExitStack, url: str, environment: dict[str, str], keep: Path, port: int
) -> DemoGoogle:
    """Demo people and classes, and a stand-in for Google to sign in with."""
    google = DemoGoogle(PEOPLE, port if _is_free(port) else 0)
    google.start()
    stack.callback(google.stop)
    environment |= {
        "DEBUG": "true",
        "GOOGLE_CLIENT_ID": google.client_id,
        "GOOGLE_JWKS_URL": google.jwks_url,
        "GOOGLE_HOSTED_DOMAINS": DOMAIN,
        "JWT_SECRET": environment.get("JWT_SECRET") or _kept_secret(keep / "jwt_secret"),
    }
    asyncio.run(_load_demo(url, load_settings(database_url=url, **_given(environment)).zone))
    return google


def _given(environment: dict[str, str]) -> dict[str, str]:
    names = ("DEBUG", "GOOGLE_CLIENT_ID", "GOOGLE_JWKS_URL", "JWT_SECRET")
    return {name.lower(): environment[name] for name in names}


async def _load_demo(url: str, zone: ZoneInfo) -> None:
    async with open_database(url, zone.key) as db:
        if not await health.has_classes(db):
            _say("Making demo data")
            await load_department(db, datetime.now(zone), sub_of)


def _kept_secret(file: Path) -> str:
    """A secret made once, so that tokens outlive a restart."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(48))
    return file.read_text()


def _serve(stack: ExitStack, environment: dict[str, str], port: int) -> "subprocess.Popen[bytes]":
    _say("Starting the server")
    arguments = [sys.executable, "-m", "uvicorn", "app.main:app", "--no-access-log"]
    arguments += ["--host", HOST, "--port", str(port), "--log-level", "warning"]
    server = child(arguments, environment)
    stack.callback(end, server)
    _await_ready(server, f"http://{HOST}:{port}/health/ready")
    return server


def _await_ready(server: "subprocess.Popen[bytes]", address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit("aims: the server did not start; its reason stands above.")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    sys.exit(f"aims: the server was not ready in {READY_SECONDS} s.")


def _say(step: str) -> None:
    print(f"{step} ...", flush=True)


def _show(port: int, psql: str | None, google: DemoGoogle | None) -> None:
    base = f"http://{HOST}:{port}"
    lines = ["", f"AIMS is running on {base}", "", f"  API docs   {base}/docs"]
    lines += [f"  Health     {base}/health"]
    if psql:
        lines += [f"  Database   {psql}"]
    if google:
        lines += _demo_lines(base, google)
    print("\n".join([*lines, "", "Ctrl-C stops all of it; ./aims up finds the data again.", ""]))
    sys.stdout.flush()


def _demo_lines(base: str, google: DemoGoogle) -> list[str]:
    teacher, admin = TEACHERS[0], ADMIN
    return [
        f"  Sign-in    {google.url}  (stands in for Google; every demo person)",
        "",
        f"Sign in as {teacher[1]}, a teacher (or {admin[1]}, the admin: {admin[0]}):",
        "",
        f"  ID_TOKEN=$(curl -s '{google.url}/token?email={teacher[0]}')",
        f"  TOKEN=$(curl -s {base}/auth/google -H 'Content-Type: application/json' \\",
        '    -d "{\\"idToken\\": \\"$ID_TOKEN\\"}" | sed \'s/.*"token":"\\([^"]*\\)".*/\\1/\')',
        "",
        "Then, for example:",
        "",
        f'  curl -s {base}/users/me -H "Authorization: Bearer $TOKEN"',
        f"  curl -s '{base}/classes?roster=false' -H \"Authorization: Bearer $TOKEN\"",
    ]
