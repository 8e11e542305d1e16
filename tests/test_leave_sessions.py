"""The sessions that a leave covers, and what it makes of the student's marks in them."""

from typing import Any

import pytest

from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, day, decide
from tests.conftest import Stage
from tests.students import id_of_roll
from tests.support import Person, next_of

pytestmark = pytest.mark.anyio

ONE = ROLLS[0]
DAYS = {"firstDay": str(day(-5)), "lastDay": str(day(0))}
NONE = {"mark": None, "leaveKind": None, "counted": False, "attended": 0}
ABSENT = {"mark": "absent", "leaveKind": None, "counted": True, "attended": 0}
PRESENT = {"mark": "present", "leaveKind": None, "counted": True, "attended": 1}


ON_DUTY = {"mark": "excused", "leaveKind": "on_duty", "counted": True, "attended": 1}
EXCUSED = {"mark": "excused", "leaveKind": "medical", "counted": True, "attended": 0}


async def covered(person: Person, leave: str, query: str = "") -> list[dict[str, Any]]:
    answer = await person.get(f"/leaves/{leave}/sessions{query}")
    assert answer.status_code == 200, answer.text
    sessions: list[dict[str, Any]] = answer.json()
    return sessions


async def marks(person: Person, leave: str) -> list[tuple[Any, Any]]:
    """The mark without the leave and with it, in each session."""
    return [(s["withoutLeave"], s["withLeave"]) for s in await covered(person, leave)]


async def stored(stage: Stage, room: Classroom) -> list[dict[str, Any]]:
    """What the class says of the student's marks, in order of time."""
    path = f"/stats/classes/{room.id}/students/{await id_of_roll(stage, ONE)}/sessions"
    sessions = (await stage.meera.get(path)).json()
    return [{name: session[name] for name in NONE} for session in reversed(sessions)]


async def taken(room: Classroom, mark: str | None, days: int = 0, **more: Any) -> str:
    """A session of so many days from today with that mark of the student's."""
    session = await room.open(day(days), **more)
    if mark:
        await room.mark(session, {ONE: mark})
    return session


async def test_what_it_says_of_marks_is_what_they_become(stage: Stage, room: Classroom) -> None:
    await taken(room, "absent", -3)
    await taken(room, "present", -2)
    await taken(room, None)
    asked = await asked_leave(room.teacher, ONE, classId=room.id, **DAYS)
    said = await marks(stage.asha, asked)
    assert said == [(ABSENT, EXCUSED), (PRESENT, PRESENT), (NONE, EXCUSED)]
    without, with_it = (list(side) for side in zip(*said, strict=True))
    for decision, now in ((None, without), ("approve", with_it), ("withdraw", without)):
        if decision:
            await decide(stage.asha, asked, decision)
        assert await stored(stage, room) == now
        assert await marks(stage.asha, asked) == said


async def test_it_names_the_session_its_time_and_class(room: Classroom, stage: Stage) -> None:
    session = await taken(room, "absent", startTime="09:00", endTime="10:00")
    leave = await asked_leave(room.teacher, ONE, classId=room.id)
    (found,) = await covered(stage.asha, leave)
    assert (found["sessionId"], found["classId"]) == (session, room.id)
    assert (found["code"], found["section"], found["status"]) == ("CS301", "A", "open")
    assert (found["date"], found["start"], found["end"]) == (str(day(0)), "09:00", "10:00")


async def test_a_mark_counts_by_the_policy_and_in_a_cancelled_session_not_at_all(
    stage: Stage, room: Classroom
) -> None:
    await taken(room, "absent", -1)
    leave = await asked_leave(stage.meera, ONE, **DAYS)
    await stage.connection.execute("UPDATE policy SET excused = 'excluded', late_weight = 50")
    assert await marks(stage.asha, leave) == [(ABSENT, EXCUSED | {"counted": False})]
    late = await taken(room, "late")
    half = {"mark": "late", "leaveKind": None, "counted": True, "attended": 0.5}
    assert (await marks(stage.asha, leave))[1] == (half, half)
    path = f"/attendance/sessions/{late}/cancel"
    await stage.asha.post(path, {"reason": "The power was out."})
    uncounted = half | {"counted": False, "attended": 0}
    assert (await marks(stage.asha, leave))[1] == (uncounted, uncounted)
    assert (await covered(stage.asha, leave))[1]["status"] == "cancelled"


async def test_of_leave_that_overlaps_the_one_decided_first_counts(
    stage: Stage, room: Classroom
) -> None:
    await taken(room, "absent")
    first = await asked_leave(room.teacher, ONE, classId=room.id, kind="on_duty")
    second = await asked_leave(room.teacher, ONE, classId=room.id)
    assert await marks(stage.asha, first) == [(ABSENT, ON_DUTY)]
    await decide(stage.asha, second, "approve")
    assert await marks(stage.asha, first) == [(EXCUSED, EXCUSED)]
    await decide(stage.asha, first, "approve")
    assert await marks(stage.asha, first) == [(EXCUSED, EXCUSED)]
    assert await marks(stage.asha, second) == [(ON_DUTY, EXCUSED)]
    await decide(stage.asha, second, "withdraw")
    assert await marks(stage.asha, second) == [(ON_DUTY, ON_DUTY)]


async def test_leave_for_some_sessions_lists_these_alone(stage: Stage, room: Classroom) -> None:
    sessions = [await taken(room, "absent", days) for days in (-2, -1, 0)]
    leave = await asked_leave(room.teacher, ONE, classId=room.id, sessionIds=sessions[:2])
    assert [one["sessionId"] for one in await covered(stage.asha, leave)] == sessions[:2]


async def test_a_session_of_a_day_on_which_the_student_was_not_enrolled_is_not_theirs(
    stage: Stage, room: Classroom
) -> None:
    late = "23/CS/199"
    await taken(room, None, -2)
    joins = {"students": [{"rollNo": late, "from": str(day(-1))}]}
    added = await room.teacher.put(f"{room.path}/students?mode=merge", joins)
    assert added.status_code == 200, added.text
    session = await taken(room, None, -1)
    leave = await asked_leave(room.teacher, late, classId=room.id, **DAYS)
    assert [one["sessionId"] for one in await covered(stage.asha, leave)] == [session]


async def test_a_teacher_sees_the_sessions_of_their_own_classes(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.bilal, "CS999", [ONE])
    mine, theirs = await taken(room, "absent"), await taken(other, "absent")
    of_all = await asked_leave(stage.meera, ONE)
    of_class = await asked_leave(stage.asha, ONE, classId=room.id)
    for person, seen in (
        (stage.asha, {mine}),
        (stage.bilal, {theirs}),
        (stage.meera, {mine, theirs}),
    ):
        assert {one["sessionId"] for one in await covered(person, of_all)} == seen
    refused = await stage.bilal.get(f"/leaves/{of_class}/sessions")
    assert refused.status_code == 403
    missing = await stage.meera.get(f"/leaves/{room.id}/sessions")
    assert (missing.status_code, missing.json()["detail"]) == (404, "There is no such leave.")


async def test_sessions_come_in_order_of_time_page_by_page(stage: Stage, room: Classroom) -> None:
    other = await classroom_of(stage.asha, "CS999", [ONE])
    sessions = []
    for days in (-1, 0):
        for start in (None, "09:00", "11:00"):
            more = {"startTime": start, "endTime": f"{start[:2]}:50"} if start else {}
            sessions.append((str(day(days)), start, await taken(room, "absent", days, **more)))
        for start in (None, "09:00"):
            more = {"startTime": start, "endTime": "09:50"} if start else {}
            sessions.append((str(day(days)), start, await taken(other, "absent", days, **more)))
    expected = [id_ for *_, id_ in sorted(sessions, key=lambda s: (s[0], s[1] or "", s[2]))]
    leave = await asked_leave(stage.meera, ONE, **DAYS)
    everything = await covered(stage.meera, leave)
    assert [one["sessionId"] for one in everything] == expected
    for size in (1, 3, 5):
        paged, page = [], f"/leaves/{leave}/sessions?limit={size}"
        while page:
            answered = await stage.meera.get(page)
            paged += answered.json()
            page = next_of(answered)  # type: ignore[assignment]
        assert paged == everything
    for cursor in ("x", "%00", "2025-10-20T09:00", f"2025-13-20T~{leave}"):
        refused = await stage.meera.get(f"/leaves/{leave}/sessions?cursor={cursor}")
        assert refused.status_code == 422
