"""The sheet of a session: all that one needs to take attendance of it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from fastapi import FastAPI

from app.config import Settings
from tests.classroom import (
    ROLLS,
    Classroom,
    asked_leave,
    classroom_of,
    co_teacher,
    day,
    decide,
    share,
)
from tests.conftest import Stage
from tests.support import Person
from tests.test_enrolments import joins, leaves, put
from tests.test_policy import attend

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ROLLS
WINDOW = 3


@pytest.fixture
def window(app: FastAPI, settings: Settings) -> Iterator[None]:
    app.state.settings = settings.model_copy(update={"edit_window_days": WINDOW})
    yield
    app.state.settings = settings


async def sheet_of(person: Person, session: str) -> dict[str, Any]:
    answer = await person.get(f"/attendance/sessions/{session}/sheet")
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
    return answer.json()


async def students_of(person: Person, session: str) -> dict[str, dict[str, Any]]:
    listed = (await sheet_of(person, session))["students"]
    assert [s["rollNo"] for s in listed] == sorted(s["rollNo"] for s in listed)
    return {s["rollNo"]: s for s in listed}


async def test_the_sheet_has_the_session_and_all_who_can_be_marked(
    stage: Stage, room: Classroom
) -> None:
    photo = "https://photos.demo.university.example/101.jpg"
    await put(stage.asha, room, [{"rollNo": FIRST, "photoUrl": photo}])
    session = await room.open(day(0), startTime="09:00", endTime="10:00")
    by_photo = {"rollNo": FIRST, "status": "present", "recognizedByAi": True}
    marked = await stage.asha.put(
        f"/attendance/sessions/{session}/statuses",
        {"updates": [by_photo | {"similarityScore": 92.5, "remark": "Front row."}]},
    )
    sheet = await sheet_of(stage.asha, session)
    first, second, _ = sheet.pop("students")
    assert sheet == {
        "sessionId": session,
        "classId": room.id,
        "code": "CS301",
        "name": "Operating Systems",
        "section": "A",
        "sessionDate": str(day(0)),
        "startTime": "09:00",
        "endTime": "10:00",
        "status": "open",
        "version": 1,
        "editable": True,
        "needsReason": False,
        "previousSession": None,
    }
    (mark,) = marked.json()["statuses"]
    del mark["rollNo"], mark["name"]
    ids = {s["rollNo"]: s["studentId"] for s in (await room.document())["students"]}
    assert first == {
        "studentId": ids[FIRST],
        "rollNo": FIRST,
        "name": "Student 101",
        "photoUrl": photo,
        "mark": mark,
        "leave": None,
        "percentage": 100,
        "standing": "no_data",
        "absentInARow": 0,
        "previous": None,
    }
    assert (second["mark"], second["photoUrl"]) == (None, None)
    assert datetime.fromisoformat(mark["markedAt"])


async def test_on_the_sheet_is_who_was_enrolled_that_day_or_has_a_mark(
    stage: Stage, room: Classroom
) -> None:
    late, gone, guest = "23/CS/201", "23/CS/202", "23/CS/203"
    await put(stage.asha, room, [joins(late, -1), joins(gone, -9), joins(guest, -9)])
    session = await room.open(day(-2))
    await room.mark(session, {guest: "late"})
    await put(stage.asha, room, withdrawals=[leaves(gone, -3), leaves(guest, -3)])
    assert list(await students_of(stage.asha, session)) == [guest]
    await put(stage.asha, room, [joins(FIRST, -2)])
    assert list(await students_of(stage.asha, session)) == [FIRST, guest]
    detail = (await stage.asha.get(f"/attendance/sessions/{session}")).json()
    assert [s["rollNo"] for s in detail["unmarked"]] == [FIRST]


async def test_each_student_stands_as_in_the_statistics(stage: Stage, room: Classroom) -> None:
    await put(stage.asha, room, [joins(roll, -30) for roll in ROLLS])
    await attend(room, "paaaa")
    session = await room.open(day(0))
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    fields = ("percentage", "standing", "absentInARow")
    sheet = await students_of(stage.asha, session)
    assert {roll: [s[f] for f in fields] for roll, s in sheet.items()} == {
        s["rollNo"]: [s[f] for f in fields] for s in stats
    }
    assert [sheet[FIRST][f] for f in fields] == [20, "below", 4]


async def test_the_marks_of_the_session_before_on_the_same_day_are_shown(
    stage: Stage, room: Classroom
) -> None:
    nine, ten, eleven, noon = [
        await room.open(day(0), startTime=f"{hour:02}:00") for hour in (9, 10, 11, 12)
    ]
    await room.open(day(-1), startTime="08:00")
    await room.mark(nine, {FIRST: "late"})
    await room.mark(ten, {FIRST: "absent", SECOND: "present"})
    await room.mark(noon, {FIRST: "present", THIRD: "present"})
    for session, before, start, marks in (
        (nine, None, None, [None, None, None]),
        (ten, nine, "09:00", ["late", None, None]),
        (eleven, ten, "10:00", ["absent", "present", None]),
        (noon, eleven, "11:00", [None, None, None]),
    ):
        sheet = await sheet_of(stage.asha, session)
        previous = {"sessionId": before, "startTime": start} if before else None
        assert sheet["previousSession"] == previous
        assert [s["previous"] for s in sheet["students"]] == marks
    await stage.asha.post(f"/attendance/sessions/{ten}/cancel", {"reason": "Fire drill"})
    sheet = await sheet_of(stage.asha, eleven)
    assert sheet["previousSession"] == {"sessionId": nine, "startTime": "09:00"}


async def test_an_untimed_session_comes_before_those_with_a_start(
    stage: Stage, room: Classroom
) -> None:
    untimed = await room.open(day(0))
    await room.mark(untimed, {FIRST: "late"})
    nine = await room.open(day(0), startTime="09:00")
    sheet = await sheet_of(stage.asha, nine)
    assert sheet["previousSession"] == {"sessionId": untimed, "startTime": None}
    assert sheet["students"][0]["previous"] == "late"
    assert (await sheet_of(stage.asha, untimed))["previousSession"] is None


async def test_approved_leave_is_shown_whatever_the_mark(stage: Stage, room: Classroom) -> None:
    session = await room.open(day(0))
    for roll, kind, decision in (
        (FIRST, "medical", "approve"),
        (SECOND, "on_duty", "approve"),
        (THIRD, "other", "reject"),
    ):
        leave = await asked_leave(stage.asha, roll, kind=kind, classId=room.id)
        await decide(stage.asha, leave, decision)
    await room.mark(session, {SECOND: "present"})
    sheet = await students_of(stage.asha, session)
    assert {roll: s["leave"] for roll, s in sheet.items()} == {
        FIRST: {"kind": "medical"},
        SECOND: {"kind": "on_duty"},
        THIRD: None,
    }
    assert [sheet[FIRST]["mark"][f] for f in ("status", "source")] == ["excused", "leave"]
    assert sheet[SECOND]["mark"]["status"] == "present"


async def test_leave_of_a_guest_is_not_told_unless_the_mark_shows_it(
    stage: Stage, room: Classroom
) -> None:
    await put(stage.asha, room, [joins(FIRST, -9), joins(SECOND, -9)])
    session = await room.open(day(-2))
    await room.mark(session, {FIRST: "present", SECOND: "absent"})
    await put(stage.asha, room, withdrawals=[leaves(FIRST, -3), leaves(SECOND, -3)])
    for roll in (FIRST, SECOND):
        days = {"firstDay": str(day(-2)), "lastDay": str(day(-2))}
        leave = await asked_leave(stage.meera, roll, **days)
        await decide(stage.meera, leave, "approve")
    sheet = await students_of(stage.asha, session)
    assert sheet[FIRST]["leave"] is None
    assert sheet[SECOND]["mark"]["source"] == "leave"
    assert sheet[SECOND]["leave"] == {"kind": "medical"}


@pytest.mark.parametrize(
    ("age", "teacher", "admin"),
    [(WINDOW, (True, False), (True, False)), (WINDOW + 1, (False, True), (True, True))],
)
async def test_after_the_window_only_an_administrator_can_edit_and_needs_a_reason(
    stage: Stage,
    room: Classroom,
    window: None,
    age: int,
    teacher: tuple[bool, bool],
    admin: tuple[bool, bool],
) -> None:
    session = await room.open(day(-age))
    for person, expected in ((stage.asha, teacher), (stage.meera, admin)):
        sheet = await sheet_of(person, session)
        assert (sheet["editable"], sheet["needsReason"]) == expected


async def test_what_is_closed_is_not_editable(stage: Stage, room: Classroom) -> None:
    session = await room.open("2001-01-01")
    assert (await sheet_of(stage.asha, session))["editable"] is True
    for act, status in (("finalise", "finalised"), ("reopen", "open"), ("cancel", "cancelled")):
        await stage.asha.post(f"/attendance/sessions/{session}/{act}", {"reason": "A reason"})
        sheet = await sheet_of(stage.meera, session)
        assert (sheet["status"], sheet["editable"]) == (status, status == "open")
    other = await room.open(day(0))
    await stage.asha.delete(room.path)
    assert (await sheet_of(stage.asha, other))["editable"] is False


async def test_a_class_without_students_has_an_empty_sheet(stage: Stage) -> None:
    empty = await classroom_of(stage.asha, "CS100", [])
    assert (await sheet_of(stage.asha, await empty.open(day(0))))["students"] == []


async def test_who_teaches_the_class_reads_its_sheets(stage: Stage, room: Classroom) -> None:
    session = await room.open(day(0))
    await share(room, co_teacher(stage.chitra))
    assert await sheet_of(stage.chitra, session) == await sheet_of(stage.asha, session)
