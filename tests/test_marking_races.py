"""Concurrent changes of whole sessions and leave on a real pool: the result of one order or the
other, never a mixture, no deadlock."""

import asyncio
from collections.abc import Coroutine
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest

from tests.classroom import Classroom, asked_leave, classroom_of, day, decide
from tests.conftest import Stage
from tests.support import Person

pytestmark = pytest.mark.anyio

MANY = [f"23/CS/{n}" for n in range(200, 260)]
ONE = MANY[0]
ROUNDS = 8
Asking = Coroutine[Any, Any, httpx2.Response]


async def at_once(turn: int, *asking: Asking) -> list[httpx2.Response]:
    """The answers to concurrent requests; `turn` decides which one begins a moment earlier."""
    lead = turn % (len(asking) + 1)

    async def begin(place: int, request: Asking) -> httpx2.Response:
        await asyncio.sleep(0.004 * (turn % 3) if place != lead else 0)
        return await request

    return await asyncio.gather(*(begin(place, request) for place, request in enumerate(asking)))


async def after_wait(crowd: Stage, asking: Asking, lock: str, *meanwhile: str) -> httpx2.Response:
    """The answer to a request that waits for a lock while its holder runs `meanwhile`."""
    async with crowd.connection.transaction():
        await crowd.connection.execute(lock)
        request = asyncio.create_task(asking)
        await asyncio.sleep(0.3)
        assert not request.done()
        for statement in meanwhile:
            await crowd.connection.execute(statement)
    return await request


def act(person: Person, session: str, name: str) -> Asking:
    return person.post(f"/attendance/sessions/{session}/{name}", {"reason": "A race."})


async def marks_in(room: Classroom, session: str) -> dict[str, str]:
    document = (await room.teacher.get(f"/attendance/sessions/{session}")).json()
    return {m["rollNo"]: f"{m['status']} {m['source']}" for m in document["statuses"]}


def dates() -> list[date]:
    """One day per round, on which everybody in the class is enrolled."""
    return [day(0) - timedelta(days=n) for n in range(ROUNDS)]


@pytest.fixture
async def hall(crowd: Stage) -> Classroom:
    """Asha's class of sixty students, on a real pool."""
    return await classroom_of(crowd.asha, rolls=MANY)


@pytest.fixture
async def term(crowd: Stage, hall: Classroom) -> Classroom:
    """The same class, with everybody enrolled for a month."""
    students = [{"rollNo": roll, "from": str(day(-30))} for roll in MANY]
    await crowd.asha.put(f"{hall.path}/students", {"students": students})
    return hall


async def test_finalising_and_marking_are_serialised(crowd: Stage, term: Classroom) -> None:
    for turn, on in enumerate(dates()):
        session = await term.open(on)
        marked, finalised, _ = await at_once(
            turn,
            term.mark(session, dict.fromkeys(MANY[:30], "late")),
            act(crowd.meera, session, "finalise"),
            act(crowd.asha, session, "finalise"),
        )
        assert finalised.status_code == 200
        expected = dict.fromkeys(MANY, "absent auto")
        if marked.status_code == 200:
            expected |= dict.fromkeys(MANY[:30], "late manual")
        else:
            assert (marked.status_code, marked.json()["code"]) == (409, "session_finalised")
        assert await marks_in(term, session) == expected
        assert finalised.json()["version"] == len(set(expected.values()))


async def test_cancelling_and_marking_are_serialised(crowd: Stage, term: Classroom) -> None:
    for turn, on in enumerate(dates()):
        session = await term.open(on)
        answers = await at_once(
            turn,
            term.mark(session, {ONE: "present"}),
            act(crowd.meera, session, "cancel"),
            act(crowd.asha, session, "finalise"),
        )
        marked, cancelled, finalised = [answer.status_code for answer in answers]
        assert {cancelled, finalised} == {200, 409}
        marks = await marks_in(term, session)
        assert (marks.get(ONE) == "present manual") == (marked == 200)
        assert (len(marks) == len(MANY)) == (finalised == 200)


@pytest.mark.parametrize(
    ("status", "stays", "beneath"),
    [
        ("present", "present manual", "present manual"),
        ("absent", "excused leave", "absent manual"),
    ],
)
async def test_a_decision_and_marking_are_serialised(
    crowd: Stage, term: Classroom, status: str, stays: str, beneath: str
) -> None:
    for turn, on in enumerate(dates()):
        session = await term.open(on)
        days = {"firstDay": str(on), "lastDay": str(on)}
        leave = await asked_leave(crowd.asha, ONE, **days)
        answers = await at_once(
            turn,
            crowd.meera.post(f"/leaves/{leave}/approve"),
            term.mark(session, dict.fromkeys(MANY, status)),
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        assert (await marks_in(term, session))[ONE] == stays
        await decide(crowd.meera, leave, "withdraw")
        assert (await marks_in(term, session))[ONE] == beneath


async def test_leave_decided_while_a_session_is_being_opened_shows_in_it(
    crowd: Stage, term: Classroom
) -> None:
    for turn, on in enumerate(dates()):
        days = {"firstDay": str(on), "lastDay": str(on)}
        leave = await asked_leave(crowd.asha, ONE, **days)
        body = {"classId": term.id, "sessionDate": str(on)}
        decided, opened, again = await at_once(
            turn,
            crowd.meera.post(f"/leaves/{leave}/approve"),
            crowd.asha.post("/attendance/sessions", body),
            crowd.asha.post("/attendance/sessions", body),
        )
        assert decided.status_code == 200
        assert opened.json()["sessionId"] == again.json()["sessionId"]
        assert await marks_in(term, opened.json()["sessionId"]) == {ONE: "excused leave"}


async def test_a_roster_change_and_finalising_are_serialised(crowd: Stage, term: Classroom) -> None:
    for turn in range(ROUNDS):
        await term.enrol(*MANY)
        session = await term.open(day(0), startTime=f"{8 + turn}:00".rjust(5, "0"))
        finalised, changed = await at_once(
            turn,
            act(crowd.asha, session, "finalise"),
            crowd.meera.put(
                f"{term.path}/students?mode=merge",
                {"students": [], "withdrawals": [{"rollNo": ONE}]},
            ),
        )
        assert (finalised.status_code, changed.status_code) == (200, 200)
        absent = await marks_in(term, session)
        assert set(absent.values()) == {"absent auto"}
        assert absent.keys() in ({*MANY}, {*MANY[1:]})
        assert len(finalised.json()["statuses"]) == len(absent)


async def test_only_one_of_two_opposite_decisions_counts(crowd: Stage, term: Classroom) -> None:
    for turn, on in enumerate(dates()):
        session = await term.open(on)
        days = {"firstDay": str(on), "lastDay": str(on)}
        leave = await asked_leave(crowd.asha, ONE, classId=term.id, **days)
        answers = await at_once(
            turn,
            crowd.asha.post(f"/leaves/{leave}/approve"),
            crowd.meera.post(f"/leaves/{leave}/reject"),
            crowd.meera.post(f"/leaves/{leave}/approve"),
        )
        approved, rejected, repeated = [answer.status_code for answer in answers]
        assert (approved, rejected) in ((200, 409), (409, 200))
        assert repeated == approved
        excused = {ONE: "excused leave"} if approved == 200 else {}
        assert await marks_in(term, session) == excused


async def test_a_withdrawal_and_finalising_are_serialised(crowd: Stage, term: Classroom) -> None:
    for turn, on in enumerate(dates()):
        days = {"firstDay": str(on), "lastDay": str(on)}
        leave = await asked_leave(crowd.asha, ONE, **days)
        await decide(crowd.meera, leave, "approve")
        session = await term.open(on)
        answers = await at_once(
            turn,
            crowd.meera.post(f"/leaves/{leave}/withdraw", {"reason": "It was not so."}),
            act(crowd.asha, session, "finalise"),
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        assert await marks_in(term, session) == dict.fromkeys(MANY, "absent auto")


async def test_decisions_on_many_students_of_the_same_classes_do_not_deadlock(
    crowd: Stage, term: Classroom
) -> None:
    other = await classroom_of(crowd.asha, "CS2", MANY)
    sessions = [await room.open(day(0)) for room in (term, other)]
    leaves = [await asked_leave(crowd.asha, roll) for roll in MANY[:6]]
    for decision in ("approve", "withdraw"):
        answers = await asyncio.gather(
            *(crowd.meera.post(f"/leaves/{leave}/{decision}") for leave in leaves),
            *(term.mark(sessions[0], {roll: "present"}) for roll in MANY[6:9]),
            *(other.mark(sessions[1], {roll: "absent"}) for roll in MANY[6:9]),
        )
        assert {answer.status_code for answer in answers} == {200}
        for room, session in zip((term, other), sessions, strict=True):
            marks = await marks_in(room, session)
            assert len(marks) == (9 if decision == "approve" else 3)


async def test_the_requester_cannot_withdraw_leave_that_was_approved_while_they_waited(
    crowd: Stage, hall: Classroom
) -> None:
    leave = await asked_leave(crowd.asha, ONE)
    answer = await after_wait(
        crowd,
        crowd.asha.post(f"/leaves/{leave}/withdraw"),
        "SELECT FROM classes FOR UPDATE",
        "UPDATE leaves SET status = 'approved'",
    )
    assert answer.status_code == 403


async def test_leave_of_a_class_that_was_removed_meanwhile_is_not_found(
    crowd: Stage, hall: Classroom
) -> None:
    leave = await asked_leave(crowd.asha, ONE, classId=hall.id)
    answer = await after_wait(
        crowd,
        crowd.meera.post(f"/leaves/{leave}/approve"),
        "SELECT FROM classes FOR UPDATE",
        "DELETE FROM class_students",
        "DELETE FROM classes",
    )
    assert answer.status_code == 404


async def test_a_request_for_a_student_merged_meanwhile_is_refused(
    crowd: Stage, hall: Classroom
) -> None:
    one = f"s.roll_no = '{ONE}'"
    for class_id in (None, hall.id):
        asking = {"rollNo": ONE, "kind": "other", "classId": class_id}
        answer = await after_wait(
            crowd,
            crowd.asha.post(
                "/leaves", asking | {"firstDay": "2025-10-27", "lastDay": "2025-10-27"}
            ),
            "SELECT FROM classes FOR UPDATE" if class_id else "SELECT FROM students FOR UPDATE",
            f"DELETE FROM class_students USING students s WHERE student_id = s.id AND {one}",
            f"DELETE FROM students s WHERE {one}",
        )
        assert answer.status_code in (422, 503)
        await hall.enrol(*MANY)


async def test_a_decision_notices_that_its_student_joined_another_class_meanwhile(
    crowd: Stage, hall: Classroom
) -> None:
    other = await classroom_of(crowd.asha, "CS2", [])
    leave = await asked_leave(crowd.asha, ONE)
    answer = await after_wait(
        crowd,
        crowd.meera.post(f"/leaves/{leave}/approve"),
        "SELECT FROM students FOR UPDATE",
        "INSERT INTO class_students (class_id, student_id, periods)"
        f" SELECT '{other.id}', id, '{{[2025-01-01,)}}' FROM students WHERE roll_no = '{ONE}'",
    )
    assert answer.status_code == 503
    assert (await decide(crowd.meera, leave, "approve"))["leave"]["status"] == "approved"
