"""What students see of their attendance, and of nobody else's."""

from decimal import Decimal
from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from app.demo.google import DemoGoogle
from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, decide
from tests.conftest import Stage
from tests.students import kiran_of, let_in
from tests.support import Person, next_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def kiran(
    stage: Stage, room: Classroom, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> Person:
    """The first student of Asha's class, which began in August."""
    let_in(stage, monkeypatch)
    await stage.connection.execute("UPDATE class_students SET periods = '{[2025-08-01,)}'")
    return await kiran_of(stage, google)


async def held(room: Classroom, marks: dict[str, str]) -> None:
    """A session on each of the days, with the mark of the first student."""
    for when, status in marks.items():
        await room.mark(await room.open(when), {ROLLS[0]: status, ROLLS[1]: "absent"})


MARKS = {
    "2025-09-29": "present",
    "2025-09-30": "absent",
    "2025-10-01": "late",
    "2025-10-02": "excused",
    "2025-10-03": "present",
    "2025-11-03": "present",
}


async def test_a_student_sees_where_they_stand_and_each_month(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    await held(room, MARKS)
    (mine,) = (await kiran.get("/my/attendance")).json()
    assert mine == {
        "classId": room.id,
        "code": "CS301",
        "name": "Operating Systems",
        "section": "A",
        "term": None,
        "held": 6,
        "attended": 4,
        "percentage": 66.67,
        "standing": "below",
        "sessionsNeeded": 2,
        "canMiss": 0,
        "bestPossible": None,
        "threshold": 7500,
        "months": [
            {"month": "2025-09", "held": 2, "attended": 1, "percentage": 50},
            {"month": "2025-10", "held": 3, "attended": 2, "percentage": 66.67},
            {"month": "2025-11", "held": 1, "attended": 1, "percentage": 100},
        ],
        "whatIf": None,
    }


async def test_the_figures_are_those_that_teachers_see(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    await held(room, MARKS)
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    (mine,) = (await kiran.get("/my/attendance")).json()
    names = ("percentage", "standing", "attended", "sessionsNeeded", "canMiss", "bestPossible")
    assert {name: mine[name] for name in names} == {name: stats[0][name] for name in names}
    assert mine["held"] == stats[0]["counted"]


@pytest.mark.parametrize(
    ("late", "excused", "on_duty"),
    [*product((0, 50, 100), ("absent", "excluded", "present"), ("absent", "excluded", "present"))],
)
async def test_the_months_add_up_to_the_class_whatever_the_policy(
    stage: Stage, room: Classroom, kiran: Person, late: int, excused: str, on_duty: str
) -> None:
    await held(room, MARKS)
    days = {"firstDay": "2025-09-30", "lastDay": "2025-09-30", "kind": "on_duty"}
    leave = await asked_leave(stage.asha, ROLLS[0], classId=room.id, **days)
    await decide(stage.asha, leave, "approve")
    gone = await room.open("2025-11-04")
    await room.mark(gone, {ROLLS[0]: "present"})
    await stage.asha.post(f"/attendance/sessions/{gone}/cancel", {"reason": "The power was out"})
    rules = {"lateWeight": late, "excused": excused, "onDuty": on_duty}
    await stage.meera.put("/admin/policy", {"threshold": 7500, "minimumSessions": 5} | rules)
    (mine,) = (await kiran.get("/my/attendance")).json()
    (stats, *_) = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    for name, same in (("held", "counted"), ("attended", "attended")):
        total = sum(Decimal(str(month[name])) for month in mine["months"])
        assert total == Decimal(str(mine[name])) == Decimal(str(stats[same]))
    sessions = (await kiran.get("/my/sessions")).json()
    assert sum(session["counted"] for session in sessions) == mine["held"]
    assert sum(Decimal(str(session["attended"])) for session in sessions) == total


@pytest.mark.parametrize(("attend", "miss"), [(2, 0), (0, 3), (5, 2), (1000, 1000), (0, 0)])
async def test_what_if_is_what_comes_of_it(
    stage: Stage, room: Classroom, kiran: Person, attend: int, miss: int
) -> None:
    await held(room, MARKS)
    await stage.meera.put(
        "/admin/policy",
        {"threshold": 7500, "lateWeight": 50, "minimumSessions": 5, "excused": "excluded"}
        | {"onDuty": "present"},
    )
    (mine,) = (await kiran.get(f"/my/attendance?attend={attend}&miss={miss}")).json()
    supposed = mine["whatIf"]
    if attend + miss < 10:
        more = {f"2025-12-{n + 1:02}": "present" for n in range(attend)}
        more |= {f"2025-12-{n + 11:02}": "absent" for n in range(miss)}
        await held(room, more)
        (then,) = (await kiran.get("/my/attendance")).json()
        names = ("percentage", "standing", "sessionsNeeded", "canMiss")
        assert supposed == {"attend": attend, "miss": miss} | {name: then[name] for name in names}
    else:
        assert supposed["percentage"] == round(100 * (mine["attended"] + 1000) / 2005, 2)


async def test_one_of_the_two_will_do(room: Classroom, kiran: Person) -> None:
    (mine,) = (await kiran.get("/my/attendance?miss=1")).json()
    assert (mine["whatIf"]["attend"], mine["whatIf"]["miss"]) == (0, 1)
    for query in ("attend=-1", "miss=1001", "attend=x"):
        assert (await kiran.get(f"/my/attendance?{query}")).status_code == 422


async def test_classes_archived_or_left_are_not_shown(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    await held(room, MARKS)
    await room.enrol(*ROLLS[1:])
    assert (await kiran.get("/my/attendance")).json() == []
    assert (await kiran.get("/my/sessions")).json() == []
    await room.enrol(*ROLLS)
    assert len((await kiran.get("/my/attendance")).json()) == 1
    await stage.asha.delete(room.path)
    assert (await kiran.get("/my/attendance")).json() == []
    assert (await kiran.get("/my/sessions")).json() == []


async def test_a_student_sees_their_mark_in_each_session(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    await stage.asha.post(
        f"{room.path}/schedules", {"dayOfWeek": 1, "startTime": "09:00", "endTime": "10:00"}
    )
    first, last = await room.open("2025-10-20"), await room.open("2025-10-22")
    updates = [{"rollNo": ROLLS[0], "status": "late", "remark": "Sat in the last row"}]
    await stage.asha.put(f"/attendance/sessions/{first}/statuses", {"updates": updates})
    sessions = (await kiran.get("/my/sessions")).json()
    marked_at = sessions[1].pop("markedAt")
    assert marked_at.endswith("Z")
    of_class = {"classId": room.id, "code": "CS301", "status": "open", "question": None}
    assert sessions == [
        of_class
        | {"sessionId": last, "date": "2025-10-22", "start": None, "end": None, "mark": None}
        | {"leaveKind": None, "counted": False, "attended": 0, "markedAt": None},
        of_class
        | {"sessionId": first, "date": "2025-10-20", "start": "09:00", "end": "10:00"}
        | {"mark": "late", "leaveKind": None, "counted": True, "attended": 1},
    ]


async def test_sessions_of_several_classes_come_page_by_page(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    other = await classroom_of(stage.bilal, "CS999", [ROLLS[0]])
    await stage.connection.execute("UPDATE class_students SET periods = '{[2025-08-01,)}'")
    for when in ("2025-10-20", "2025-10-21"):
        for room_ in (room, other):
            await room_.open(when)
            await room_.open(when, startTime="09:00", endTime="10:00")
    everything = (await kiran.get("/my/sessions")).json()
    order = [(session["date"], session["start"] or "") for session in everything]
    assert order == sorted(order, reverse=True)
    assert len({session["sessionId"] for session in everything}) == 8
    paged, path = [], "/my/sessions?limit=3"
    while path:
        page = await kiran.get(path)
        paged += page.json()
        path = next_of(page)  # type: ignore[assignment]
    assert paged == everything
    query = f"classId={room.id}&from=2025-10-21&to=2025-10-21"
    few = (await kiran.get(f"/my/sessions?{query}")).json()
    assert [(session["classId"], session["date"]) for session in few] == [
        (room.id, "2025-10-21")
    ] * 2


async def test_sessions_from_before_the_student_came_are_not_theirs(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    await room.open("2025-07-01")
    with_mark = await room.open("2025-07-02")
    await room.mark(with_mark, {ROLLS[0]: "present"})
    sessions = (await kiran.get("/my/sessions")).json()
    assert [session["sessionId"] for session in sessions] == [with_mark]


async def everything(kiran: Person) -> str:
    """All that a student may read, as text."""
    paths = ("/my/attendance?attend=1&miss=1", "/my/sessions")
    return "".join([(await kiran.get(path)).text for path in paths])


async def test_nothing_tells_of_anybody_else(stage: Stage, room: Classroom, kiran: Person) -> None:
    await held(room, MARKS)
    said = await everything(kiran)
    people: list[Any] = [*ROLLS, "Student 102", "Student 103", "@", "Asha", "Demo"]
    people += await stage.connection.fetch("SELECT id FROM students UNION SELECT id FROM users")
    for person in people:
        assert str(person if isinstance(person, str) else person["id"]) not in said


async def test_what_others_do_changes_nothing_that_a_student_sees(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    await held(room, MARKS)
    before = await everything(kiran)
    session = await room.open("2025-10-03")
    await room.mark(session, {ROLLS[1]: "present", ROLLS[2]: "late"})
    await room.enrol(ROLLS[0], ROLLS[2], "23/CS/199")
    other = await classroom_of(stage.bilal, "CS999", ROLLS[1:])
    await other.mark(await other.open("2025-10-03"), {ROLLS[1]: "present"})
    assert await everything(kiran) == before


async def test_a_class_of_others_is_missing_like_one_that_is_nowhere(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    other = await classroom_of(stage.bilal, "CS999", ROLLS[1:])
    answers = []
    for class_id in (other.id, uuid4()):
        assert stage.pool is not None
        stage.pool.statements.clear()
        path = f"/my/sessions?classId={class_id}"
        answer = await kiran.get(path, headers={"X-Request-ID": "the-same"})
        answers.append((answer.status_code, answer.text, [*stage.pool.statements]))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
