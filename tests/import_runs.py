"""Imports that the server does: an app whose importer works, and how a test follows them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.importer import Importer
from tests.conftest import Stage
from tests.files import csv
from tests.support import Person, next_of
from tests.test_imports import XLSX, Rows

PEOPLE: Rows = [["Email", "Name"], ["gita@demo.university.example", "Gita Demo"]]
OVER = ("previewed", "done", "refused", "failed")


@pytest.fixture
async def busy(crowd: Stage) -> AsyncIterator[Stage]:
    """The app with its importer at work."""
    crowd.app.state.importer = Importer(crowd.app.state.settings)
    async with crowd.app.state.importer.at_work(crowd.app.state.database):
        yield crowd


async def start(person: Person, kind: str, content: bytes | Rows, **query: Any) -> str:
    """Where the import is."""
    body = content if isinstance(content, bytes) else csv(content)
    media = XLSX if body.startswith(b"PK") else "text/csv"
    answer = await person.request(
        "POST",
        "/admin/imports",
        content=body,
        params={"kind": kind, **query},
        headers={"Content-Type": media},
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"imports/{answer.json()['id']}"
    return f"/admin/{answer.headers['location']}"


async def preview(person: Person, kind: str, content: bytes | Rows, **query: Any) -> str:
    path = await start(person, kind, content, dryRun="true", **query)
    await ended(person, path)
    return path


async def ended(person: Person, path: str, seen: list[int] | None = None) -> dict[str, Any]:
    """The import once it is over; `seen` gets how far it was on the way."""
    for _ in range(1200):
        run = (await person.get(path)).json()
        if seen is not None and run["state"] == "working":
            seen.append(run["done"])
        if run["state"] in OVER:
            return run
        await asyncio.sleep(0.05)
    raise AssertionError(run)


async def rows_of(person: Person, path: str, **query: Any) -> list[dict[str, Any]]:
    """All rows, page by page."""
    rows: list[dict[str, Any]] = []
    answer = await person.get(f"{path}/rows", params=query)
    while True:
        assert answer.status_code == 200, answer.text
        rows += answer.json()
        following = next_of(answer)
        if not following:
            return rows
        answer = await person.get(following)


def counts(run: dict[str, Any]) -> tuple[int, ...]:
    return tuple(run["result"][name] for name in ("created", "changed", "unchanged", "refused"))


async def stored(stage: Stage, email: str = "gita@demo.university.example") -> int:
    count = "SELECT count(*) FROM allowed_emails WHERE email = $1"
    return int(await stage.connection.fetchval(count, email))


async def content_of(stage: Stage, path: str) -> bytes | None:
    kept = "SELECT content FROM import_runs WHERE id = $1::uuid"
    content: bytes | None = await stage.connection.fetchval(kept, path.rpartition("/")[2])
    return content
