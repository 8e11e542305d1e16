"""How many SQL statements each operation costs."""

from typing import Any

import pytest

from app.services.sessions import (
    attendance_service,
    leave_shown,
    marking,
    session_lock,
)
from tests.classroom import ROLLS, Classroom
from tests.conftest import Stage
from tests.scene import Scene, scene
from tests.support import ROUTES, Person
from tests.test_authorization import TABLE

pytestmark = pytest.mark.anyio

__all__ = ["scene"]  # a fixture, used by its name

# The cost of each operation when it succeeds. Every read costs one.
WRITES = {
    "createClass": 2,
    "updateClass": 2,
    "deleteClass": 3,
    "restoreClass": 3,
    "putRoster": 5,
    "importRoster": 7,
    "putTeachers": 5,
    "addSlot": 3,
    "changeSlot": 4,
    "removeSlot": 2,
    "addReschedule": 4,
    "replaceReschedule": 5,
    "removeReschedule": 2,
    "openSession": 3,
    "markStudents": 3,
    "finaliseSession": 5,
    "reopenSession": 2,
    "cancelSession": 3,
    "restoreSession": 2,
    "markUnmarked": 3,
    "setPolicy": 3,
    "previewPolicy": 1,
    "askMyQuestion": 2,
    "withdrawMyQuestion": 1,
    "answerQuestion": 6,
    "askMyLeave": 5,
    "withdrawMyLeave": 1,
    "requestLeave": 5,
    "approveLeave": 9,
    "rejectLeave": 8,
    "withdrawLeave": 8,
    "addAllowedEmail": 5,
    "uploadAllowedEmails": 6,
    "importFile": 6,
    "startImport": 2,
    "confirmImport": 1,
    "discardImport": 1,
    "changeAllowedEmail": 5,
    "removeAllowedEmail": 5,
    "changeUser": 5,
    "nameAudited": 1,
    "changeStudent": 3,
    "mergeStudents": 23,
    "addTerm": 2,
    "changeTerm": 2,
    "removeTerm": 2,
    "addHoliday": 2,
    "changeHoliday": 2,
    "removeHoliday": 2,
}
# Reads that depend on the days of a term find those first.
READS_OF_TERMS = {"getOverview": 2, "listMissingSessions": 2, "getClassCalendar": 2}
# The rule of leave is applied to the sessions that the actor may see, once they are found.
READS_OF_LEAVE = {"listLeaveSessions": 2}
READS = {name: 1 for name, case in TABLE.items() if case.method == "GET"}
READS |= READS_OF_TERMS | READS_OF_LEAVE
COST = READS | WRITES


async def statements_of(scene: Scene, person: Person, operation: str) -> list[str]:
    """The statements that an operation of the authorization table runs; it is rolled back."""
    assert scene.stage.pool is not None
    scene.stage.pool.statements.clear()
    transaction = scene.stage.connection.transaction()
    await transaction.start()
    await scene.ask(person, TABLE[operation])
    await transaction.rollback()
    return list(scene.stage.pool.statements)


def test_every_operation_has_a_cost() -> None:
    assert COST.keys() == TABLE.keys()
    reading = {route.operation_id for route in ROUTES if route.methods == {"GET"}}
    # A preview is sent rules and a look-up ids, but both only read.
    sent = {"previewPolicy", "nameAudited"}
    reading |= sent
    assert READS.keys() | sent == reading & TABLE.keys()


async def test_an_operation_costs_what_it_should(scene: Scene) -> None:
    costs = {
        name: len(await statements_of(scene, scene.granted(case), name))
        for name, case in TABLE.items()
    }
    assert costs == COST


@pytest.mark.parametrize("person", ["bilal", "omar", "kiran"])
async def test_a_refused_operation_costs_one(scene: Scene, person: str) -> None:
    who = scene.person(person)
    refused = [name for name, case in TABLE.items() if case.expected(person) >= 400]
    costs = {name: len(await statements_of(scene, who, name)) for name in refused}
    assert costs == dict.fromkeys(refused, 1)


async def test_a_request_without_sign_in_costs_nothing(scene: Scene) -> None:
    forger = Person(scene.stage.asha.client, "not.a.token")
    for operation in TABLE:
        assert await statements_of(scene, scene.stage.nobody, operation) == []
        assert await statements_of(scene, forger, operation) == []


async def test_marking_locks_marks_and_reads_in_one_transaction(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = scene.stage.pool
    assert pool is not None
    begin = pool.transaction

    def transaction() -> Any:
        pool.statements.append("BEGIN")
        return begin()

    monkeypatch.setattr(pool, "transaction", transaction)
    ran = await statements_of(scene, scene.stage.asha, "markStudents")
    assert ran == ["BEGIN", session_lock.LOCK.text, marking._MARK.text, marking._MARKS.text]


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_more_marks_do_not_cost_more(stage: Stage, room: Classroom, count: int) -> None:
    assert stage.pool is not None
    session = await room.open()
    stage.pool.statements.clear()
    await room.mark(session, dict.fromkeys(ROLLS[:count], "present"))
    assert len(stage.pool.statements) == 3


async def test_a_new_session_costs_three_and_an_existing_one_one(
    stage: Stage, room: Classroom
) -> None:
    assert stage.pool is not None
    stage.pool.statements.clear()
    await room.open()
    assert stage.pool.statements == [
        attendance_service._FIND.text,
        attendance_service._OPEN.text,
        leave_shown._ANYBODY_ON_LEAVE.text,
    ]
    stage.pool.statements.clear()
    await room.open()
    assert stage.pool.statements == [attendance_service._FIND.text]


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_listing_more_sessions_does_not_cost_more(
    stage: Stage, room: Classroom, count: int
) -> None:
    assert stage.pool is not None
    for day in range(10, 10 + count):
        await room.mark(await room.open(f"2025-10-{day}"), dict.fromkeys(ROLLS, "present"))
    stage.pool.statements.clear()
    listed = await stage.asha.get("/attendance/sessions", params={"classId": room.id})
    assert len(listed.json()) == count
    assert stage.pool.statements == [attendance_service._LIST.text]
