"""The floor: the smallest ASGI application that runs our statements and passes their JSON on.

It checks nothing, and knows nothing but the operations of the benchmark. Served like AIMS, it shows
what of a request's time is PostgreSQL, the server and the driver, and what is ours.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, time
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import jwt

from app.db import POOL_SIZE, server_settings
from app.sql import Statement
from bench.scripts import OWN

_ZONE = "Asia/Kolkata"
_idle: asyncio.LifoQueue[asyncpg.Connection] = asyncio.LifoQueue()
_users: dict[bytes, UUID] = {}


@asynccontextmanager
async def _borrowed() -> Any:
    connection = await _idle.get()
    try:
        yield connection
    finally:
        _idle.put_nowait(connection)


async def _row(connection: asyncpg.Connection, statement: Statement, **values: Any) -> Any:
    return await connection.fetchrow(statement.text, *statement.arguments(values))


async def _read(statement: Statement, **values: Any) -> str:
    async with _borrowed() as connection:
        return (await _row(connection, statement, **values))["document"]


async def _me(user: UUID, scope: Any, body: Any) -> str:
    return await _read(OWN["A"][0], actor_id=user)


async def _classes(user: UUID, scope: Any, body: Any) -> str:
    return await _read(OWN["B"][0], actor_id=user, archived=False, term="current")


async def _open(user: UUID, scope: Any, body: Any) -> str:
    find, create, leave = OWN["C2"]
    now = datetime.now(ZoneInfo(_ZONE))
    slot = {"class_id": UUID(body["classId"]), "day": date.fromisoformat(body["sessionDate"])}
    start = time.fromisoformat(body["startTime"]) if "startTime" in body else None
    clock = {"today": now.date(), "clock": now.time()}
    async with _borrowed() as connection:
        found = await _row(connection, find, actor_id=user, start_time=start, **slot, **clock)
        if found["document"]:
            return found["document"]
        begins = {"start_time": found["start_time"], "end_time": found["end_time"], "image": None}
        async with connection.transaction():
            opened = await _row(connection, create, actor_id=user, **slot, **begins)
            await _row(connection, leave, session_id=opened["id"], **slot)
    return opened["document"]


async def _mark(user: UUID, scope: Any, body: Any) -> str:
    lock, mark, marks = OWN["D"]
    session_id = UUID(scope["path"].split("/")[3])
    async with _borrowed() as connection, connection.transaction():
        locked = await _row(connection, lock, actor_id=user, session_id=session_id, window=None)
        version, key = locked["version"], {"class_id": locked["class_id"], "session_id": session_id}
        marked = await _row(
            *(connection, mark),
            **{**key, "day": locked["session_date"], "version": version, "if_match": [version]},
            actor_id=user,
            request_id="floor",
            reason=None,
            strict=False,
            **columns_of(body["updates"]),
        )
        said = (await _row(connection, marks, **key))["statuses"]
    return (
        f'{{"sessionId":"{session_id}","version":{marked["version"]},"statuses":{said},'
        '"rejected":[]}'
    )


def columns_of(updates: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The marks of a request as the arrays that the statement takes."""
    return {
        "roll_keys": [update["rollNo"].lower() for update in updates],
        "statuses": [update["status"] for update in updates],
        "recognized": [update.get("recognizedByAi", False) for update in updates],
        "scores": [update.get("similarityScore") for update in updates],
        "remarks": [update.get("remark") for update in updates],
    }


async def _sessions(user: UUID, scope: Any, body: Any) -> str:
    asked = dict(parse_qsl(scope["query_string"].decode()))
    span = {"first": date.fromisoformat(asked["from"]), "last": date.fromisoformat(asked["to"])}
    page = {"after_day": None, "after_time": None, "most": 200}
    class_id = UUID(asked["classId"])
    return await _read(OWN["E"][0], actor_id=user, class_id=class_id, **span, **page)


async def _standing(user: UUID, scope: Any, body: Any) -> str:
    class_id = UUID(scope["path"].split("/")[3])
    return await _read(OWN["F"][0], actor_id=user, class_id=class_id, withdrawn=False)


_Handler = Callable[[UUID, Any, Any], Awaitable[str]]
_HANDLERS: dict[tuple[str, str], _Handler] = {
    ("GET", "users"): _me,
    ("GET", "classes"): _classes,
    ("POST", "attendance"): _open,
    ("PUT", "attendance"): _mark,
    ("GET", "attendance"): _sessions,
    ("GET", "stats"): _standing,
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The application, after the ASGI specification."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    content = b""
    while (message := await receive()).get("more_body"):
        content += message["body"]
    content += message.get("body", b"")
    handle = _HANDLERS[scope["method"], scope["path"].split("/")[1]]
    said = await handle(_user(scope["headers"]), scope, json.loads(content) if content else None)
    answer = said.encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def _user(headers: list[tuple[bytes, bytes]]) -> UUID:
    (token,) = [value for name, value in headers if name == b"authorization"]
    if token not in _users:
        claims = jwt.decode(token.split()[1], options={"verify_signature": False})
        _users[token] = UUID(claims["sub"])
    return _users[token]


async def _live(receive: Any, send: Any) -> None:
    await receive()
    async with connected():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def connected() -> AsyncIterator[None]:
    """Have connections to DATABASE_URL ready, as many as the service has."""
    url, settings = os.environ["DATABASE_URL"], server_settings(_ZONE)
    for _ in range(POOL_SIZE):
        _idle.put_nowait(await asyncpg.connect(url, server_settings=settings))
    yield
    while not _idle.empty():
        await _idle.get_nowait().close()
