"""Marks sent for students who are on leave."""

import pytest

from tests.classroom import ROLLS, Classroom, today
from tests.conftest import Stage

pytestmark = pytest.mark.anyio

SESSION = "/attendance/sessions/{}"


async def leave_from(stage: Stage, room: Classroom, session: str, kind: str) -> str:
    """The first student's approved leave from the session."""
    asked = {"rollNo": ROLLS[0], "classId": room.id, "sessionIds": [session], "kind": kind}
    leave = (await stage.asha.post("/leaves", asked)).json()["id"]
    assert (await stage.asha.post(f"/leaves/{leave}/approve")).status_code == 200
    return leave


async def test_sending_back_the_marks_that_were_read_leaves_leave_unchanged(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open(today())
    await leave_from(stage, room, session, "on_duty")
    before = (await stage.asha.get(SESSION.format(session))).json()["statuses"]
    assert [(mark["status"], mark["source"]) for mark in before] == [("excused", "leave")]
    shown = {mark["rollNo"]: mark["status"] for mark in before}
    answer = await room.mark(session, shown | {ROLLS[1]: "present"})
    assert answer.json()["statuses"][0] == before[0]
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    assert (stats[0]["attended"], stats[0]["counted"]) == (1, 1), "still on duty"


async def test_a_remark_on_an_excused_mark_is_kept_and_the_leave_can_still_be_withdrawn(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open()
    await room.mark(session, {ROLLS[0]: "absent"})
    leave = await leave_from(stage, room, session, "medical")
    update = {"rollNo": ROLLS[0], "status": "excused", "remark": "Has sent a certificate."}
    path = SESSION.format(session)
    (mark,) = (await stage.asha.put(f"{path}/statuses", {"updates": [update]})).json()["statuses"]
    assert (mark["source"], mark["remark"]) == ("leave", "Has sent a certificate.")
    await stage.asha.post(f"/leaves/{leave}/withdraw")
    (mark,) = (await stage.asha.get(path)).json()["statuses"]
    assert (mark["status"], mark["source"]) == ("absent", "manual")


@pytest.mark.parametrize("status", ["present", "absent", "late", "excused"])
async def test_a_photo_does_not_replace_a_manual_mark_hidden_by_leave(
    stage: Stage, room: Classroom, status: str
) -> None:
    session = await room.open()
    await room.mark(session, {ROLLS[0]: "absent"})
    await leave_from(stage, room, session, "medical")
    seen = {"rollNo": ROLLS[0], "status": status, "recognizedByAi": True}
    other = {"rollNo": ROLLS[1], "status": "present", "recognizedByAi": True}
    answer = await stage.asha.put(f"{SESSION.format(session)}/statuses", {"updates": [seen, other]})
    assert answer.json()["rejected"] == [{"rollNo": ROLLS[0], "code": "marked_by_hand"}]
    assert answer.json()["statuses"][0]["source"] == "leave"
