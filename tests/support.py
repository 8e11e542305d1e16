"""What tests use instead of the production pool and a bare HTTP client.

`Person` calls the API as somebody and checks every answer against its response model, so the
contract is proved wherever a test touches it.
"""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
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


class OneConnection:
    """Stands where the pool stands, over one connection whose transaction a test undoes.

    Each statement gets a savepoint, as each has a transaction of its own in production.
    `statements` holds every SQL text that was run.
    """

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.statements: list[str] = []

    async def acquire(self, **_: float) -> "OneConnection":
        return self

    async def release(self, connection: object) -> None:
        pass

    async def close(self) -> None:
        pass

    def transaction(self) -> Any:
        return self._connection.transaction()

    async def fetchrow(self, sql: str, *arguments: Any, **limit: float) -> asyncpg.Record | None:
        self.statements.append(sql)
        async with self._connection.transaction():
            return await self._connection.fetchrow(sql, *arguments, **limit)


def one_connection_database(connection: asyncpg.Connection) -> tuple[Database, OneConnection]:
    pool = OneConnection(connection)
    return Database(pool), pool  # type: ignore[arg-type]


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
    found = re.fullmatch(r'<http://aims.example(.+)>; rel="next"', response.headers.get("link", ""))
    return found[1] if found else None


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
