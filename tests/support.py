"""What tests use instead of the production pool and a bare HTTP client.

`Person` calls the API as somebody and checks every answer against its response model, so the
contract is proved wherever a test touches it.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

import asyncpg
import httpx2
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from app.db import Database
from app.main import ROUTERS
from app.models import Base
from app.problems import Problem

ROUTES: list[APIRoute] = [
    route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
]
MODELS = {
    route.operation_id: TypeAdapter(route.response_model)
    for route in ROUTES
    if route.response_model
}
MAX_PROBLEM_BYTES = 8 * 1024


# What a statement says that leaves more behind than its answer.
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|SHARE|set_config|nextval)\b")


class OneConnection:
    """Replaces the pool by one connection, whose transaction the test rolls back.

    In production each statement has its own transaction and fails alone. Here a failure rolls back
    to a savepoint, which is renewed after every statement that is not a mere read.
    `statements` holds every SQL text that was run.
    """

    crowded = False

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._saved = False
        self.statements: list[str] = []

    async def acquire(self, seconds: float) -> "Lent":
        return Lent(self)

    def release(self, lent: "Lent") -> None:
        pass

    def transaction(self) -> Any:
        return self._connection.transaction()

    async def fetchrow(self, sql: str, *arguments: Any, **limit: float) -> asyncpg.Record | None:
        self.statements.append(sql)
        return await self._connection.fetchrow(sql, *arguments, **limit)

    async def fetchrow_alone(
        self, sql: str, *arguments: Any, **limit: float
    ) -> asyncpg.Record | None:
        if not self._saved:
            await self._connection.execute("SAVEPOINT before")
            self._saved = True
        try:
            return await self.fetchrow(sql, *arguments, **limit)
        except BaseException:
            await self._connection.execute("ROLLBACK TO before")
            raise

    async def set(self, settings: str) -> None:
        """Settings of a transaction, which are no statement of an operation."""
        await self._connection.execute(settings)

    def see(self, query: Any) -> None:
        self._saved = self._saved and _only_reads(query.query)


@cache
def _only_reads(sql: str) -> bool:
    return sql.lstrip().startswith(("SELECT", "WITH")) and not _WRITES.search(sql)


@contextmanager
def one_connection_database(
    connection: asyncpg.Connection,
) -> Iterator[tuple[Database, OneConnection]]:
    """A database on that connection, which also sees what the test itself does there."""
    pool = OneConnection(connection)
    connection.add_query_logger(pool.see)
    yield Database(pool), pool  # type: ignore[arg-type]
    connection.remove_query_logger(pool.see)


class Lent:
    """What `OneConnection` lends out, for a statement or, after `transaction()`, for several."""

    def __init__(self, pool: OneConnection) -> None:
        self._pool = pool
        self._fetchrow = pool.fetchrow_alone

    def transaction(self) -> Any:
        self._fetchrow = self._pool.fetchrow
        return self._pool.transaction()

    async def fetchrow(self, sql: str, *arguments: Any, **limit: float) -> asyncpg.Record | None:
        return await self._fetchrow(sql, *arguments, **limit)

    async def execute(self, settings: str) -> None:
        await self._pool.set(settings)


@dataclass
class Person:
    """Somebody who calls the API: with their own token, or none."""

    client: httpx2.AsyncClient
    token: str | None = None
    user_id: UUID | None = None
    email: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def request(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        response = await self.client.request(method, path, headers=headers, **more)
        check_answer(method, path, response)
        return response

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.request("GET", path, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> httpx2.Response:
        return await self.request("POST", path, json=json, **more)

    async def put(self, path: str, json: Any = None, **more: Any) -> httpx2.Response:
        return await self.request("PUT", path, json=json, **more)

    async def patch(self, path: str, json: Any = None, **more: Any) -> httpx2.Response:
        return await self.request("PATCH", path, json=json, **more)

    async def delete(self, path: str, **more: Any) -> httpx2.Response:
        return await self.request("DELETE", path, **more)


def check_answer(method: str, path: str, response: httpx2.Response) -> None:
    """Fail unless the answer is what OpenAPI promises for it."""
    assert response.headers["x-request-id"]
    assert response.headers["cache-control"] == "no-store"
    if response.status_code >= 400:
        check_problem(response)
        return
    route = route_of(method, path)
    if route is None or route.response_model is None or response.status_code == 204:
        return
    MODELS[route.operation_id].validate_json(response.content)


def check_problem(response: httpx2.Response) -> None:
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) < MAX_PROBLEM_BYTES
    problem = Problem.model_validate_json(response.content)
    assert problem.status == response.status_code
    assert problem.instance == response.headers["x-request-id"]
    if response.status_code == 401:
        assert response.headers["www-authenticate"] == "Bearer"
    if response.status_code in (429, 503):
        assert int(response.headers["retry-after"]) > 0


def route_of(method: str, path: str) -> APIRoute | None:
    bare = path.partition("?")[0]
    for route in ROUTES:
        if method in route.methods and route.path_regex.fullmatch(bare):
            return route
    return None


def next_of(response: httpx2.Response) -> str | None:
    """Where the next page is, from the `Link` header; None on the last page."""
    found = re.fullmatch(r'<(.+)>; rel="next"', response.headers.get("link", ""))
    return urljoin(response.request.url.raw_path.decode(), found[1]) if found else None


async def stalled(seconds: float, body: bytes = b"{}") -> AsyncIterator[bytes]:
    """A body whose second half arrives that much later."""
    yield body[: len(body) // 2]
    await asyncio.sleep(seconds)
    yield body[len(body) // 2 :]


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    # The transport asks for it at each request; what is not installed is looked for on disk.
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://aims.example") as client:
        yield client


async def checksum(connection: asyncpg.Connection) -> str:
    """A digest of every row of every table: equal before and after means nothing changed."""
    digests = " || ".join(
        f"(SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t)"
        for table in sorted(Base.metadata.tables)
    )
    return str(await connection.fetchval(f"SELECT {digests}"))
