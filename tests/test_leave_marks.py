"""Leave in marks: absences are excused, and restored when leave is withdrawn."""

from typing import Any

import httpx2
import pytest

from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, day, decide
from tests.conftest import Stage
from tests.support import Person, checksum

pytestmark = pytest.mark.anyio

ONE = ROLLS[0]
EXCUSED = ("excused", "leave")


async def do(room: Classroom, session: str, act: str, body: Any = None) -> dict[str, Any]:
    """Do something with the whole session; return its new state."""
    why = {"reason": "The power was out."} if act in ("reopen", "cancel") else None
    answer = await room.teacher.post(f"/attendance/sessions/{session}/{act}", body or why)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read(room: Classroom, session: str) -> dict[str, Any]:
    document: dict[str, Any] = (await room.teacher.get(f"/attendance/sessions/{session}")).json()
    return document


async def mark_of(room: Classroom, session: str, roll: str = ONE) -> tuple[str, str] | None:
    """Status and source."""
    marks = (await read(room, session))["statuses"]
    return next(((m["status"], m["source"]) for m in marks if m["rollNo"] == roll), None)


async def whole_mark(room: Classroom, session: str) -> dict[str, Any] | None:
    """The first student's mark without its time."""
    marks = (await read(room, session))["statuses"]
    whole = next((m for m in marks if m["rollNo"] == ONE), None)
    return whole and {name: value for name, value in whole.items() if name != "markedAt"}


WHY = "The certificate came late."


async def approved(room: Classroom, roll: str = ONE, by: Person | None = None, **body: Any) -> str:
    """Leave approved by the teacher, or by an administrator who gives a reason."""
    leave = await asked_leave(room.teacher, roll, **{"classId": room.id, **body})
    await decide(by or room.teacher, leave, "approve", by and WHY)
    return leave


async def withdraw(room: Classroom, leave: str, by: Person | None = None) -> int:
    answer = await decide(by or room.teacher, leave, "withdraw", by and WHY)
    changed: int = answer["changed"]
    return changed


async def put(room: Classroom, session: str, status: str, **more: Any) -> Any:
    updates = [{"rollNo": ONE, "status": status, **more}]
    path = f"/attendance/sessions/{session}/statuses"
    return await room.teacher.put(path, {"updates": updates})


async def history_of(room: Classroom, session: str) -> list[tuple[Any, Any]]:
    """The sources before and after each change of the first student's mark, newest first."""
    changes = (await room.teacher.get(f"/attendance/sessions/{session}/history")).json()
    return [
        tuple(c[side] and c[side]["source"] for side in ("from", "to"))
        for c in changes
        if c["rollNo"] == ONE
    ]


@pytest.fixture
async def session(room: Classroom) -> str:
    return await room.open(day(0), startTime="09:00")


SEEN = {"recognizedByAi": True, "similarityScore": 41.25, "remark": "Blurred."}
# How an absence came about: the status or act, the other fields, and the resulting source.
ABSENCES = {
    "by hand": ("absent", {"remark": "Not seen."}, "manual"),
    "by a photo": ("absent", SEEN, "ai"),
    "auto": ("finalise", {}, "auto"),
}


async def make_absent(room: Classroom, session: str, how: str) -> None:
    act, more, _ = ABSENCES[how]
    if act == "finalise":
        await do(room, session, "finalise")
    else:
        await put(room, session, act, **more)


@pytest.mark.parametrize("how", ABSENCES)
async def test_an_absence_is_excused_and_restored_exactly(
    stage: Stage, room: Classroom, session: str, how: str
) -> None:
    await make_absent(room, session, how)
    was = await whole_mark(room, session)
    assert was is not None
    source = ABSENCES[how][2]
    assert (was["status"], was["source"]) == ("absent", source)
    leave = await approved(room, by=stage.meera)
    assert await whole_mark(room, session) == was | {
        "status": "excused",
        "source": "leave",
        "recognizedByAi": False,
        "similarityScore": None,
    }
    assert await withdraw(room, leave, by=stage.meera) == 1
    assert await whole_mark(room, session) == was
    assert await history_of(room, session) == [
        ("leave", source),
        (source, "leave"),
        (None, source),
    ]
    assert (await read(room, session))["version"] == 3


@pytest.mark.parametrize("how", ABSENCES)
async def test_an_absence_during_leave_is_excused_at_once_and_shows_when_leave_is_withdrawn(
    stage: Stage, room: Classroom, session: str, how: str
) -> None:
    leave = await approved(room)
    assert await mark_of(room, session) == EXCUSED
    await make_absent(room, session, how)
    assert await mark_of(room, session) == EXCUSED
    await withdraw(room, leave, by=stage.meera)
    assert await mark_of(room, session) == ("absent", ABSENCES[how][2])


async def test_leave_replaces_only_absences(room: Classroom, session: str) -> None:
    for status in ("present", "late", "excused"):
        await put(room, session, status)
        leave = await approved(room)
        assert await mark_of(room, session) == (status, "manual")
        assert await withdraw(room, leave) == 0


async def test_withdrawing_leave_removes_the_mark_it_made_and_the_history_says_so(
    room: Classroom, session: str
) -> None:
    leave = await approved(room)
    assert await mark_of(room, session) == EXCUSED
    await withdraw(room, leave)
    assert await mark_of(room, session) is None
    assert [s["rollNo"] for s in (await read(room, session))["unmarked"]] == ROLLS
    assert await history_of(room, session) == [("leave", None), (None, "leave")]
    await put(room, session, "late")
    assert (await history_of(room, session))[0] == (None, "manual")
    assert (await read(room, session))["version"] == 3


@pytest.mark.parametrize("acts", [["finalise"], ["finalise", "reopen"]])
async def test_an_absence_replaces_withdrawn_leave_if_the_session_was_finalised_meanwhile(
    stage: Stage, room: Classroom, session: str, acts: list[str]
) -> None:
    leave = await approved(room)
    for act in acts:
        await do(room, session, act)
    assert await mark_of(room, session) == EXCUSED
    assert (await read(room, session))["version"] == 2
    await withdraw(room, leave, by=stage.meera)
    assert await mark_of(room, session) == ("absent", "auto")


async def enrol(room: Classroom, roll: str, distance: int, **more: Any) -> httpx2.Response:
    students = [{"rollNo": roll, "from": str(day(distance))}]
    path = f"{room.path}/students?mode=merge"
    return await room.teacher.put(path, {"students": students, **more})


async def test_leave_shows_only_on_days_of_enrolment(room: Classroom) -> None:
    session = await room.open(day(-5))
    await approved(room, firstDay=str(day(-5)))
    assert await mark_of(room, session) is None
    await enrol(room, ONE, -9)
    assert await mark_of(room, session) == EXCUSED
    await enrol(room, ONE, -2)
    assert await mark_of(room, session) is None
    await do(room, session, "finalise")
    assert await mark_of(room, session) is None


async def test_a_future_session_shows_leave_when_it_is_opened(room: Classroom) -> None:
    leave = await approved(room, lastDay=str(day(1)))
    body = {"classId": room.id, "sessionDate": str(day(1))}
    opened = (await room.teacher.post("/attendance/sessions", body)).json()
    assert (opened["version"], opened["created"]) == (1, True)
    assert await mark_of(room, opened["sessionId"]) == EXCUSED
    again = (await room.teacher.post("/attendance/sessions", body)).json()
    assert again == opened | {"created": False}
    await withdraw(room, leave)
    assert await mark_of(room, opened["sessionId"]) is None


@pytest.mark.parametrize("status", ["present", "absent", "late"])
async def test_marking_everybody_unmarked_skips_students_on_leave(
    room: Classroom, session: str, status: str
) -> None:
    leave = await approved(room)
    marked = await do(room, session, "mark-unmarked", {"status": status})
    assert [m["status"] for m in marked["statuses"]] == ["excused", status, status]
    await withdraw(room, leave)
    assert await mark_of(room, session) is None


async def test_a_student_who_joins_while_on_leave_is_excused_at_once(
    stage: Stage, room: Classroom
) -> None:
    new = "23/CS/200"
    await classroom_of(stage.bilal, "CS999", [new])
    leave = await asked_leave(stage.meera, new, firstDay=str(day(-3)))
    await decide(stage.meera, leave, "approve")
    first, second = await room.open(day(-1)), await room.open(day(0))
    await enrol(room, new, -1)
    assert [await mark_of(room, each, new) for each in (first, second)] == [EXCUSED] * 2
    await do(room, first, "finalise")
    await do(room, second, "mark-unmarked", {"status": "absent"})
    assert [await mark_of(room, each, new) for each in (first, second)] == [EXCUSED] * 2
    await decide(stage.meera, leave, "withdraw", WHY)
    assert await mark_of(room, first, new) == ("absent", "auto")
    assert await mark_of(room, second, new) is None


async def test_leave_decided_while_a_session_is_cancelled_shows_when_it_is_restored(
    room: Classroom, session: str
) -> None:
    await put(room, session, "absent")
    early = await approved(room)
    await do(room, session, "cancel")
    assert await withdraw(room, early) == 0, "a cancelled session does not count"
    assert await mark_of(room, session) == ("absent", "manual")
    late = await approved(room)
    await do(room, session, "restore")
    assert await mark_of(room, session) == EXCUSED
    assert await withdraw(room, late) == 1
    assert await mark_of(room, session) == ("absent", "manual")


@pytest.mark.parametrize("status", ["present", "absent"])
async def test_a_manual_mark_made_during_leave_outlives_it(
    room: Classroom, session: str, status: str
) -> None:
    leave = await approved(room)
    await put(room, session, status, remark="By hand.")
    assert await withdraw(room, leave) == (status == "absent")
    assert await mark_of(room, session) == (status, "manual")


@pytest.mark.parametrize("status", ["present", "absent"])
async def test_a_photo_does_not_replace_a_manual_mark_that_leave_hides(
    stage: Stage, room: Classroom, session: str, status: str
) -> None:
    await put(room, session, "absent", remark="Not seen.")
    was = await whole_mark(room, session)
    leave = await approved(room)
    before = await checksum(stage.connection)
    answer = await put(room, session, status, **SEEN)
    assert (answer.status_code, answer.json()["code"]) == (422, "marked_by_hand")
    assert await checksum(stage.connection) == before
    await withdraw(room, leave)
    assert await whole_mark(room, session) == was


async def test_a_second_leave_takes_over_and_the_original_mark_returns_after_the_last(
    room: Classroom, session: str
) -> None:
    await put(room, session, "absent", remark="Not seen.")
    was = await whole_mark(room, session)
    first = await approved(room)
    second = await approved(room, kind="on_duty", firstDay=str(day(-3)))
    assert await withdraw(room, first) == 1
    assert await mark_of(room, session) == EXCUSED
    assert await withdraw(room, second) == 1
    assert await whole_mark(room, session) == was
    sources = [("leave", "manual"), ("leave", "leave"), ("manual", "leave"), (None, "manual")]
    assert await history_of(room, session) == sources


async def test_leave_that_did_not_make_a_mark_does_not_change_it(
    room: Classroom, session: str
) -> None:
    await approved(room)
    for decision in ("reject", "withdraw"):
        pending = await asked_leave(room.teacher, ONE, classId=room.id, note=decision)
        assert (await decide(room.teacher, pending, decision))["changed"] == 0
    second = await approved(room, kind="on_duty")
    assert await withdraw(room, second) == 0
    assert await mark_of(room, session) == EXCUSED


async def test_leave_covers_only_its_student_class_days_and_sessions(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.asha, "CS2")
    for each in (room, other):
        students = [{"rollNo": roll, "from": str(day(-30))} for roll in ROLLS]
        await each.teacher.put(f"{each.path}/students", {"students": students})
    days = [day(-n) for n in (3, 2, 1)]
    mine = [await room.open(each) for each in days]
    second = await room.open(days[1], startTime="11:00")
    theirs = await other.open(days[1])

    async def excused() -> set[str]:
        places = [*((room, s) for s in (*mine, second)), (other, theirs)]
        return {s for place, s in places if await mark_of(place, s) == EXCUSED}

    span = {"firstDay": str(days[1]), "lastDay": str(days[2])}
    for body, sessions in (
        (span, {*mine[1:], second}),
        ({"sessionIds": [mine[0], mine[1]]}, set(mine[:2])),
    ):
        leave = await approved(room, **body)
        assert await excused() == sessions
        await withdraw(room, leave)
        assert await excused() == set()
    everywhere = await asked_leave(stage.asha, ONE, **span)
    assert (await decide(stage.meera, everywhere, "approve"))["changed"] == 4
    assert await excused() == {*mine[1:], second, theirs}
    assert await mark_of(room, mine[1], ROLLS[1]) is None


async def test_leave_decided_while_a_class_is_archived_shows_when_it_is_restored(
    stage: Stage, room: Classroom, session: str
) -> None:
    early = await approved(room)
    late = await asked_leave(stage.asha, ROLLS[1])
    await stage.asha.delete(room.path)
    assert (await decide(stage.meera, late, "approve"))["changed"] == 1
    assert await withdraw(room, early) == 1
    await stage.asha.post(f"{room.path}/restore")
    assert [m["rollNo"] for m in (await read(room, session))["statuses"]] == [ROLLS[1]]


async def test_the_stats_count_leave_while_it_is_approved(
    stage: Stage, room: Classroom, session: str
) -> None:
    async def excused() -> int:
        stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
        return int(stats[0]["excused"])

    leave = await approved(room)
    assert await excused() == 1
    await withdraw(room, leave)
    assert await excused() == 0


async def test_a_replaced_mark_keeps_what_leave_hid(stage: Stage, room: Classroom) -> None:
    session = await room.open(day(0))
    await approved(room)
    await room.mark(session, {ONE: "absent"})
    await room.mark(session, {ONE: "present"})
    kept = "SELECT status, said_status, said_source FROM superseded_statuses ORDER BY version"
    rows = [tuple(row) for row in await stage.connection.fetch(kept)]
    assert rows == [("excused", None, None), ("excused", "absent", "manual")]
