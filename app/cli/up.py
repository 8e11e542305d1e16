"""`aims up`: start everything on a machine where nothing is installed."""

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
from app.config import ConfigError, is_debug, load_database_url, load_settings
from app.db import open_database
from app.demo.department import ADMIN, DOMAIN, PEOPLE, STUDENTS, TEACHERS
from app.demo.google import DemoGoogle, sub_of
from app.demo.load import load_department
from app.demo.meeting_now import hold_a_class_now
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
    given = load_database_url() if os.environ.get("DATABASE_URL") else ""
    wants_demo = demo if demo is not None else not given
    # `.env` describes the installation of the database it names, not the embedded one.
    if wants_demo and is_debug(read_env_file=bool(given)) is False:
        sys.exit(
            "aims: the demo lets anybody sign in, so it does not start with DEBUG=false: "
            "remove that setting, or add --no-demo."
        )
    place = data or home() / "data"
    with stoppable() as stack:
        # First take what only one process can have, so that a second one stops before it changes
        # anything.
        postgres = None if given else _held(stack, place, f"http://{HOST}:{port}")
        listener = _listening(stack, port)
        url = _started(postgres) if postgres else given
        _migrate(url, allowed=migrate or not given)
        environment = {**os.environ, "DATABASE_URL": url}
        google = None
        if wants_demo:
            google = _demo(stack, url, environment, place.parent, port + 1)
        else:
            load_settings(database_url=url)
        server = _serve(stack, environment, listener)
        _show(port, postgres, google)
        sys.exit(server.wait())


def _held(stack: ExitStack, data: Path, address: str) -> LocalPostgres:
    """The embedded PostgreSQL, not started yet, with its data directory locked."""
    postgres = LocalPostgres(data)
    stack.callback(postgres.stop)
    postgres.hold(address)
    return postgres


def _listening(stack: ExitStack, port: int) -> socket.socket:
    """The socket that the server will answer on; clients can already connect."""
    try:
        return stack.enter_context(socket.create_server((HOST, port)))
    except OSError:
        sys.exit(f"aims: port {port} is in use; choose another with --port.")


def _started(postgres: LocalPostgres) -> str:
    _say("Starting PostgreSQL")
    postgres.start()
    postgres.create_database(DATABASE)
    return postgres.url(DATABASE)


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
    """Load demo people and classes, and start a stand-in for Google to sign in with."""
    people = [*PEOPLE, *STUDENTS]
    try:
        google = DemoGoogle(people, port)
    except (OSError, OverflowError):
        google = DemoGoogle(people)
    google.start()
    stack.callback(google.stop)
    environment |= {
        "DEBUG": "true",
        "GOOGLE_CLIENT_ID": google.client_id,
        "GOOGLE_JWKS_URL": google.jwks_url,
        "GOOGLE_HOSTED_DOMAINS": DOMAIN,
        "OIDC_GOOGLE_CLIENT_ID": google.client_id,
        "OIDC_GOOGLE_CLIENT_SECRET": google.client_secret,
        "OIDC_GOOGLE_DISCOVERY_URL": google.discovery_url,
        "STUDENT_SIGN_IN": "true",
        "JWT_SECRET": environment.get("JWT_SECRET") or _kept_secret(keep / "jwt_secret"),
    }
    asyncio.run(_load_demo(url, load_settings(database_url=url, **_given(environment)).zone))
    return google


def _given(environment: dict[str, str]) -> dict[str, str]:
    names = (
        *("DEBUG", "GOOGLE_CLIENT_ID", "GOOGLE_JWKS_URL", "GOOGLE_HOSTED_DOMAINS"),
        *("STUDENT_SIGN_IN", "JWT_SECRET"),
    )
    return {name.lower(): environment[name] for name in names}


async def _load_demo(url: str, zone: ZoneInfo) -> None:
    async with open_database(url, zone.key) as db:
        if not await health.has_classes(db):
            _say("Making demo data")
            await load_department(db, datetime.now(zone), sub_of)
        await hold_a_class_now(db, datetime.now(zone))


def _kept_secret(file: Path) -> str:
    """A secret that is generated once, so that tokens survive a restart."""
    if not file.exists():
        unfinished = file.with_name(file.name + ".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(48))
        unfinished.rename(file)
    return file.read_text()


def _serve(
    stack: ExitStack, environment: dict[str, str], listener: socket.socket
) -> "subprocess.Popen[bytes]":
    _say("Starting the server")
    arguments = [sys.executable, "-m", "uvicorn", "app.main:app", "--no-access-log"]
    arguments += ["--fd", str(listener.fileno()), "--log-level", "warning"]
    server = child(arguments, environment, listener.fileno())
    stack.callback(end, server)
    _await_ready(server, f"http://{HOST}:{listener.getsockname()[1]}/health/ready")
    return server


def _await_ready(server: "subprocess.Popen[bytes]", address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit("aims: the server did not start; the reason is above.")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    sys.exit(f"aims: the server was not ready in {READY_SECONDS} s.")


def _say(step: str) -> None:
    print(f"{step} ...", flush=True)


def _show(port: int, postgres: LocalPostgres | None, google: DemoGoogle | None) -> None:
    base = f"http://{HOST}:{port}"
    lines = ["", f"AIMS is running. Open  {base}", ""]
    if google:
        lines += [
            f"Sign in as {TEACHERS[0][1]}, a teacher, or as {ADMIN[1]}, the administrator:",
            "a click on the name is all the demo asks for. A class of Asha's meets now.",
            "",
        ]
    lines += [f"  API docs   {base}/docs", f"  Health     {base}/health"]
    if postgres:
        lines += [f"  Database   {postgres.psql(DATABASE)}"]
    if google:
        lines += _demo_lines(base, google)
    print("\n".join([*lines, "", "Ctrl-C stops all of it; ./aims up finds the data again.", ""]))
    sys.stdout.flush()


def _demo_lines(base: str, google: DemoGoogle) -> list[str]:
    teacher = TEACHERS[0]
    return [
        f"  Sign-in    {google.url}  (stands in for Google; every demo person)",
        "",
        "For the API take a token:",
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
