"""The benchmark compares like with like: every server and statement gives the right answers."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import date, time
from itertools import islice
from random import Random
from typing import Any

import asyncpg
import pytest

from app.config import load_settings
from app.demo import bench_data
from app.main import create_app
from app.sql import Statement
from bench import bell, data, floor
from bench.contents import WrongAnswer, check
from bench.lesson import Lesson, faults_of
from bench.limit import answered
from bench.operations import OPERATIONS, D, E, marks_of
from bench.peers import careful, per_row
from bench.scripts import OWN, REFERENCES
from bench.servers import running
from tests.conftest import copy_of
from tests.support import client_of

READS = [operation for operation in OPERATIONS if not operation.written]


@pytest.fixture(scope="module")
def url(server_url: str, template: str, worker_id: str) -> Iterator[str]:
    """The data of the benchmark, with ten sessions to a class: all forty take ten seconds."""
    url = asyncio.run(copy_of(server_url, template, f"aims_bench_{worker_id}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_data, "SESSIONS", 10)
        patch.setenv("DATABASE_URL", url)
        patch.setenv("JWT_SECRET", data.SECRET)
        asyncio.run(data.fill(url))
        yield url


async def ask_all(app: Any, random: Random) -> None:
    """Send the application two requests of each operation, and check the answers."""
    async with client_of(app) as client:
        for operation in OPERATIONS:
            for request in islice(operation.requests(random), 2):
                headers = {"Authorization": f"Bearer {data.token_of(request.teacher)}"}
                if request.body:
                    headers["Content-Type"] = "application/json"
                answer = await client.request(
                    request.method, request.path, content=request.body or None, headers=headers
                )
                check(operation, request, answer.status_code, answer.content)


def test_all_that_are_compared_answer_each_operation_rightly(url: str) -> None:
    settings = load_settings(
        _env_file=None, database_url=url, jwt_secret=data.SECRET, google_client_id="bench"
    )
    aims = create_app(settings)

    async def compare() -> None:
        async with aims.router.lifespan_context(aims):
            await ask_all(aims, Random(1))
        async with floor.connected():
            await ask_all(floor.app, Random(2))
        await ask_all(careful.app, Random(3))
        await careful.engine.dispose()
        await ask_all(per_row.app, Random(4))
        per_row.engine.dispose()

    asyncio.run(compare())


def test_the_statements_for_pgbench_give_the_same_answers(url: str) -> None:
    for operation in READS:
        for seed in (1, 2):
            request, ours = answered(url, operation, OWN[operation.name], Random(seed))
            check(operation, request, 200, ours)
            _, reference = answered(url, operation, REFERENCES[operation.name], Random(seed))
            assert json.loads(ours) == json.loads(reference), operation.name


_KEPT = "SELECT count(*) FROM superseded_statuses"
MARKED = {"class_id": data.id_of("class7"), "session_id": data.id_of("session7-5")}
AS_OWNER = {"actor_id": data.id_of("user2"), "request_id": "bench", "reason": None}


async def ask(connection: asyncpg.Connection, statement: Statement, known: dict[str, Any]) -> Any:
    arguments = [known[name] for name in statement.parameters]
    return await connection.fetchrow(statement.text, *arguments)


async def mark(connection: asyncpg.Connection, statements: Sequence[Statement]) -> list[Any]:
    """What marking returns and writes when these statements do it, undone afterwards."""
    lock, change, *rest = statements
    updates = json.loads(marks_of(7, 5, "77.00"))["updates"]
    transaction = connection.transaction()
    await transaction.start()
    locked = await ask(connection, lock, MARKED | AS_OWNER | {"window": None})
    version = locked["version"]
    known = MARKED | AS_OWNER | floor.columns_of(updates)
    known |= {"day": locked["session_date"], "strict": False}
    known |= {"version": version, "if_match": [version]}
    row = await ask(connection, change, known)
    grown = row["version"] - version
    for statement in rest:
        row = await ask(connection, statement, known)
    kept = await connection.fetchval(_KEPT)
    await transaction.rollback()
    kept -= await connection.fetchval(_KEPT)
    marks = json.loads(row["statuses"])
    now = [mark.pop("markedAt") for mark in marks]
    return [grown, kept, marks, len(set(now))]


async def open_twice(connection: asyncpg.Connection, statements: Sequence[Statement]) -> list[Any]:
    """What opening the same new session twice returns, undone afterwards."""
    find, create, leave = statements
    known = MARKED | AS_OWNER | {"day": date(2010, 3, 1), "start_time": time(9)}
    known |= {"today": date(2026, 11, 24), "clock": time(9, 30), "image": None}
    transaction = connection.transaction()
    await transaction.start()
    found = await ask(connection, find, known)
    known["end_time"] = found["end_time"]
    opened = [await ask(connection, create, known) for _ in range(2)]
    left = await ask(connection, leave, known | {"session_id": opened[0]["id"]})
    await transaction.rollback()
    sessions = [json.loads(row["document"]) for row in opened]
    assert sessions[0].pop("sessionId") == sessions[1].pop("sessionId")
    assert sessions[0].pop("createdAt") == sessions[1].pop("createdAt")
    return [*sessions, left["anybody"], str(found["end_time"])]


def test_the_reference_statements_write_the_same(url: str) -> None:
    async def both(do: Any, name: str) -> list[Any]:
        connection = await asyncpg.connect(url)
        found = [await do(connection, statements[name]) for statements in (OWN, REFERENCES)]
        await connection.close()
        return found

    ours, reference = asyncio.run(both(mark, "D"))
    assert ours == reference
    assert [len(ours[2]), *ours[:2]] == [60, 1, 30]
    ours, reference = asyncio.run(both(open_twice, "C2"))
    assert ours == reference
    assert [session["created"] for session in ours[:2]] == [True, False]


def test_every_request_of_marking_changes_half_of_the_marks() -> None:
    """Also the second one for the same session, by whomever it is sent."""
    first, second = (next(D.requests(Random(seed))) for seed in (1, 1))
    assert (first.path, first.score) != (second.path, second.score)
    assert first.path == second.path
    sessions = [request.session_id for request in islice(D.requests(Random(1)), 2000)]
    assert len(set(sessions)) == 2000


def test_a_wrong_answer_is_noticed() -> None:
    request = next(E.requests(Random(1)))
    for status, answer in ((200, b"[]"), (200, b"[{}]"), (200, b""), (500, b"[]")):
        with pytest.raises(WrongAnswer, match="E: GET /attendance/sessions"):
            check(E, request, status, answer)


# What a server that misbehaves would leave behind, and what the bell then says.
MISDEEDS = {
    "UPDATE attendance_statuses SET status = 'late' WHERE session_id = $1": (True, False, False),
    "DELETE FROM attendance_statuses WHERE (session_id, student_id) = (SELECT session_id, "
    "student_id FROM attendance_statuses WHERE session_id = $1 LIMIT 1)": (True, True, False),
    "UPDATE attendance_batches SET version = 99 WHERE session_id = $1 AND version = 2": (
        *(True, True, True),
    ),
    "UPDATE attendance_sessions SET status = 'open' WHERE id = $1": (False, False, True),
}


async def faults_after(url: str, lesson: Lesson, misdeed: str) -> tuple[bool, bool, bool]:
    """Whether the bell finds something lost, mixed or wrong after that, which is undone."""
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(misdeed, lesson.session)
    lost, mixed, wrong = await faults_of(lesson, connection)
    await transaction.rollback()
    await connection.close()
    return lost > 0, mixed > 0, bool(wrong)


def test_the_bell_loses_nothing_and_would_see_it(url: str) -> None:
    with running((bell.LIMITED,), url) as servers:
        lessons, log = asyncio.run(bell.ring(servers[bell.LIMITED].port, 1, 1, classes=12))
    assert log.lost
    assert log.seconds.keys() == {"200"}
    assert asyncio.run(bell.whole(url, lessons))
    for misdeed, faults in MISDEEDS.items():
        assert asyncio.run(faults_after(url, lessons[3], misdeed)) == faults, misdeed
