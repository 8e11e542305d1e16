"""One student in one class: their standing there, and each session with what it made of it."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, day, decide
from tests.conftest import Stage
from tests.support import Person, next_of

pytestmark = pytest.mark.anyio

FIRST, SECOND, _ = ROLLS


async def path_of(room: Classroom, roll: str = FIRST) -> str:
    students = (await room.document())["students"]
    (student,) = [each["studentId"] for each in students if each["rollNo"] == roll]
    return f"/stats/classes/{room.id}/students/{student}"


async def since_a_month(room: Classroom, roll: str = FIRST) -> None:
    """Have the student in the class from before its sessions."""
    student = {"rollNo": roll, "from": str(day(-30))}
    await room.teacher.put(f"{room.path}/students?mode=merge", {"students": [student]})


async def held(room: Classroom, marks: str, roll: str = FIRST) -> list[str]:
    """Sessions of the past days, oldest first, with these marks by their first letters; `-` is
    none."""
    words = {"p": "present", "a": "absent", "l": "late", "e": "excused"}
    made = []
    for place, letter in enumerate(marks):
        made.append(await room.open(day(place - len(marks)), startTime="09:00", endTime="10:00"))
        if letter in words:
            await room.mark(made[-1], {roll: words[letter]})
    return made


async def sessions_of(person: Person, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = await person.get(f"{path}/sessions", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_session_has_its_mark_who_made_it_and_the_percentage_so_far(
    stage: Stage, room: Classroom
) -> None:
    await since_a_month(room)
    made = await held(room, "pa-l")
    path = await path_of(room)
    listed = await sessions_of(stage.asha, path)
    assert [each["sessionId"] for each in listed] == made[::-1]
    assert [each["mark"] for each in listed] == ["late", None, "absent", "present"]
    assert [each["percentage"] for each in listed] == [66.67, 50, 50, 100]
    last, unmarked = listed[:2]
    assert last["markedAt"]
    assert (
        last.items()
        >= {
            "date": str(day(-1)),
            "start": "09:00",
            "end": "10:00",
            "status": "open",
            "leaveKind": None,
            "source": "manual",
            "markedBy": str(stage.asha.user_id),
            "markedByName": "Asha Demo",
            "counted": True,
            "attended": 1,
        }.items()
    )
    assert unmarked.items() >= {"source": None, "markedByName": None, "counted": False}.items()


async def test_sessions_of_one_day_add_up_in_the_order_of_their_starts(
    stage: Stage, room: Classroom
) -> None:
    for start, mark in (("", "present"), ("09:00", "absent"), ("11:00", "present")):
        session = await room.open(day(-1), **({"startTime": start} if start else {}))
        await room.mark(session, {FIRST: mark})
    listed = await sessions_of(stage.asha, await path_of(room))
    assert [each["percentage"] for each in listed] == [66.67, 50, 100]


async def test_the_standing_is_that_of_the_class_with_the_line(
    stage: Stage, room: Classroom
) -> None:
    await held(room, "pal")
    (figures, *_) = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    answer = (await stage.asha.get(await path_of(room))).json()
    assert answer == figures | {"enrolled": True, "threshold": 7500}


@pytest.mark.parametrize(
    ("late", "excused", "on_duty"),
    [(0, "absent", "present"), (50, "excluded", "excluded"), (100, "present", "absent")],
)
async def test_the_last_percentage_is_the_standing_whatever_the_policy(
    stage: Stage, room: Classroom, late: int, excused: str, on_duty: str
) -> None:
    made = await held(room, "paleapl")
    days = {"firstDay": str(day(-3)), "lastDay": str(day(-3)), "kind": "on_duty"}
    leave = await asked_leave(stage.asha, FIRST, classId=room.id, **days)
    await decide(stage.asha, leave, "approve")
    await stage.asha.post(f"/attendance/sessions/{made[0]}/cancel", {"reason": "No power"})
    rules = {"lateWeight": late, "excused": excused, "onDuty": on_duty}
    await stage.meera.put("/admin/policy", {"threshold": 8000, "minimumSessions": 1} | rules)
    path = await path_of(room)
    figures = (await stage.asha.get(path)).json()
    listed = await sessions_of(stage.asha, path)
    assert figures["threshold"] == 8000
    assert listed[0]["percentage"] == figures["percentage"]
    assert sum(each["counted"] for each in listed) == figures["counted"]
    attended = sum(Decimal(str(each["attended"])) for each in listed)
    assert attended == Decimal(str(figures["attended"]))
    assert (
        listed[-1].items() >= {"status": "cancelled", "counted": False, "percentage": None}.items()
    )


async def test_leave_that_counts_is_named_by_its_kind(stage: Stage, room: Classroom) -> None:
    await held(room, "pa")
    leave = await asked_leave(
        stage.asha, FIRST, classId=room.id, firstDay=str(day(-1)), lastDay=str(day(-1))
    )
    await decide(stage.asha, leave, "approve")
    last = (await sessions_of(stage.asha, await path_of(room)))[0]
    assert (last["mark"], last["leaveKind"], last["source"]) == ("excused", "medical", "leave")


async def test_sessions_from_before_the_student_came_are_not_theirs(
    stage: Stage, room: Classroom
) -> None:
    await held(room, "pp")
    late = {"rollNo": "23/CS/190", "name": "Zoya Demo", "from": str(day(-1))}
    await stage.asha.put(f"{room.path}/students?mode=merge", {"students": [late]})
    listed = await sessions_of(stage.asha, await path_of(room, "23/CS/190"))
    assert [each["date"] for each in listed] == [str(day(-1))]


async def test_who_has_left_is_still_shown(stage: Stage, room: Classroom) -> None:
    await held(room, "pa")
    path = await path_of(room)
    await room.enrol(SECOND)
    answer = (await stage.asha.get(path)).json()
    assert (answer["enrolled"], answer["counted"]) == (False, 2)
    assert len(await sessions_of(stage.asha, path)) == 2


async def test_pages_follow_each_other_without_a_gap_also_at_sessions_without_a_time(
    stage: Stage, room: Classroom
) -> None:
    await since_a_month(room)
    untimed = await room.open(day(-2))
    await held(room, "palpa")
    early = await room.open(day(-2), startTime="08:00")
    path = await path_of(room)
    whole = await sessions_of(stage.asha, path)
    starts = [each["start"] for each in whole if each["date"] == str(day(-2))]
    assert starts == ["09:00", "08:00", None]
    assert {untimed, early} < {each["sessionId"] for each in whole}
    for limit in (1, 2, 3):
        found, address = [], f"{path}/sessions?limit={limit}"
        while address:
            answer = await stage.asha.get(address)
            found += answer.json()
            address = next_of(answer) or ""
        assert found == whole


@pytest.mark.parametrize(
    "cursor", ["x", "2025-02-30T09:00", "2025-10-20T99:00", "\0", "2025-10-20"]
)
async def test_a_cursor_of_somebody_elses_making_is_refused(
    stage: Stage, room: Classroom, cursor: str
) -> None:
    answer = await stage.asha.get(f"{await path_of(room)}/sessions", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_a_student_of_another_class_is_not_found_in_this_one(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.bilal, "CS302", ["23/CS/900"])
    theirs = (await path_of(other, "23/CS/900")).rpartition("/")[2]
    for student in (theirs, uuid4()):
        for rest in ("", "/sessions"):
            answer = await stage.asha.get(f"/stats/classes/{room.id}/students/{student}{rest}")
            assert answer.status_code == 404
            assert answer.json()["detail"] == "There is no such student in this class."
