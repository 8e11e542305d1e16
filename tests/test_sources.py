"""The sources of marks, and which replaces which: a photo never replaces a manual mark."""

from typing import Any

import httpx2
import pytest

from tests.classroom import ROLLS, Classroom, asked_leave, day, decide
from tests.conftest import Stage
from tests.support import Person, checksum

pytestmark = pytest.mark.anyio

SEEN = {"recognizedByAi": True, "similarityScore": 91.5}


def marks_of(session: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {m["rollNo"]: (m["status"], m["source"]) for m in session["statuses"]}


async def mark(
    person: Person, session: str, roll: str, status: str, query: str = "", **more: Any
) -> httpx2.Response:
    body = {"updates": [{"rollNo": roll, "status": status, **more}]}
    return await person.put(f"/attendance/sessions/{session}/statuses{query}", body)


async def marked_by(stage: Stage, room: Classroom, source: str) -> str:
    """A session today in which `ROLLS[1]` has a mark from that source."""
    session = await room.open(day(0), startTime="10:00")
    match source:
        case "manual":
            await mark(stage.asha, session, ROLLS[1], "absent", remark="Not seen.")
        case "ai":
            await mark(stage.asha, session, ROLLS[1], "present", **SEEN)
        case "auto":
            for act in ("finalise", "reopen"):
                body = {"reason": "One was late."}
                await stage.asha.post(f"/attendance/sessions/{session}/{act}", body)
        case "import":
            await mark(stage.asha, session, ROLLS[1], "absent")
            await stage.connection.execute("UPDATE attendance_statuses SET source = 'import'")
        case "leave":
            leave = await asked_leave(stage.asha, ROLLS[1], classId=room.id)
            await decide(stage.asha, leave, "approve")
    document = (await stage.asha.get(f"/attendance/sessions/{session}")).json()
    assert marks_of(document)[ROLLS[1]][1] == source
    return session


@pytest.mark.parametrize("source", ["ai", "auto", "import", "leave"])
async def test_a_photo_replaces_a_mark_that_was_not_made_by_hand(
    stage: Stage, room: Classroom, source: str
) -> None:
    session = await marked_by(stage, room, source)
    answer = (await mark(stage.asha, session, ROLLS[1], "late", **SEEN)).json()
    assert answer["rejected"] == []
    assert marks_of(answer)[ROLLS[1]] == ("late", "ai")


@pytest.mark.parametrize("source", ["manual", "ai", "auto", "import", "leave"])
async def test_a_teacher_replaces_every_mark(stage: Stage, room: Classroom, source: str) -> None:
    session = await marked_by(stage, room, source)
    answer = (await mark(stage.asha, session, ROLLS[1], "late")).json()
    assert marks_of(answer)[ROLLS[1]] == ("late", "manual")


async def test_a_photo_never_replaces_a_mark_made_by_hand(stage: Stage, room: Classroom) -> None:
    session = await marked_by(stage, room, "manual")
    path = f"/attendance/sessions/{session}/statuses"
    updates = [{"rollNo": roll, "status": "present", **SEEN} for roll in ("23/CS/999", *ROLLS[:2])]
    before = await checksum(stage.connection)
    strict = await stage.asha.put(f"{path}?strict=true", {"updates": updates})
    assert (strict.status_code, strict.json()["code"]) == (422, "not_enrolled")
    places = [(e["pointer"], e["code"]) for e in strict.json()["errors"]]
    assert places == [
        ("/updates/0/rollNo", "not_enrolled"),
        ("/updates/2/rollNo", "marked_by_hand"),
    ]
    alone = await mark(stage.asha, session, ROLLS[1], "present", **SEEN)
    assert (alone.status_code, alone.json()["code"]) == (422, "marked_by_hand")
    assert await checksum(stage.connection) == before
    answer = (await stage.asha.put(path, {"updates": updates})).json()
    assert answer["rejected"] == [
        {"rollNo": "23/CS/999", "code": "not_enrolled"},
        {"rollNo": ROLLS[1], "code": "marked_by_hand"},
    ]
    assert marks_of(answer) == {ROLLS[0]: ("present", "ai"), ROLLS[1]: ("absent", "manual")}
    assert [m["remark"] for m in answer["statuses"]] == [None, "Not seen."]
