"""Leave, rosters and merges respect finalised sessions, the edit window and substitutes' days."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.config import Settings
from tests.classroom import (
    ROLLS,
    Classroom,
    asked_leave,
    classroom_of,
    day,
    decide,
    share,
    substitute,
)
from tests.conftest import Stage
from tests.files import csv
from tests.support import Person, checksum
from tests.test_imports import send

pytestmark = pytest.mark.anyio

ONE, WINDOW = ROLLS[0], 3
WHY = {"reason": "The certificate came late."}
FINALISED, OLD = "session_finalised", "session_locked"


@pytest.fixture(autouse=True)
def window(app: FastAPI, settings: Settings) -> Iterator[None]:
    app.state.settings = settings.model_copy(update={"edit_window_days": WINDOW})
    yield
    app.state.settings = settings


@pytest.fixture
async def room(stage: Stage) -> Classroom:
    """Asha's class, in which everybody has been enrolled for a month."""
    room = await classroom_of(stage.asha, "CS777", [])
    await enrol(room, *ROLLS)
    return room


async def enrol(
    room: Classroom, *rolls: str, since: int = -30, by: Person | None = None, **more: Any
) -> httpx2.Response:
    students = [{"rollNo": roll, "from": str(day(since))} for roll in rolls]
    path = f"{room.path}/students?mode=merge"
    return await (by or room.teacher).put(path, {"students": students, **more})


async def closed_session(room: Classroom, code: str) -> tuple[str, int]:
    """A session closed for marking for that reason, and its age in days."""
    age = 0 if code == FINALISED else WINDOW + 1
    session = await room.open(day(-age))
    if code == FINALISED:
        await room.teacher.post(f"/attendance/sessions/{session}/finalise")
    return session, age


def outcome(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def reasons(room: Classroom, session: str) -> list[str | None]:
    """The reasons for the changes of the student's mark, newest first."""
    changes = (await room.teacher.get(f"/attendance/sessions/{session}/history")).json()
    return [change["reason"] for change in changes if change["rollNo"] == ONE]


@pytest.mark.parametrize("code", [FINALISED, OLD])
@pytest.mark.parametrize("decision", ["approve", "withdraw"])
async def test_a_decision_that_changes_closed_marks_needs_an_administrator_and_a_reason(
    stage: Stage, room: Classroom, code: str, decision: str
) -> None:
    session, age = await closed_session(room, code)
    days = {"firstDay": str(day(-age)), "lastDay": str(day(-age))}
    leave = await asked_leave(stage.asha, ONE, classId=room.id, **days)
    if decision == "withdraw":
        assert (await stage.meera.post(f"/leaves/{leave}/approve", WHY)).is_success
    before = await checksum(stage.connection)
    path = f"/leaves/{leave}/{decision}"
    assert outcome(await stage.asha.post(path, WHY)) == (409, code)
    assert outcome(await stage.meera.post(path)) == (422, "reason_required")
    assert await checksum(stage.connection) == before
    assert (await stage.meera.post(path, WHY)).json()["changed"] == 1
    assert (await reasons(room, session))[0] == WHY["reason"]


async def test_a_decision_that_changes_no_closed_mark_needs_neither(
    stage: Stage, room: Classroom
) -> None:
    session, _ = await closed_session(room, OLD)
    await stage.meera.put(
        f"/attendance/sessions/{session}/statuses",
        {"updates": [{"rollNo": ONE, "status": "present"}], **WHY},
    )
    days = {"firstDay": str(day(-30)), "lastDay": str(day(0))}
    leave = await asked_leave(stage.asha, ONE, classId=room.id, **days)
    assert (await stage.asha.post(f"/leaves/{leave}/approve")).json()["changed"] == 0


async def on_leave_elsewhere(stage: Stage, age: int) -> str:
    """A student of Bilal's alone, whose leave so many days ago is approved."""
    new = "23/CS/300"
    await classroom_of(stage.bilal, "CS888", [new])
    days = {"firstDay": str(day(-age)), "lastDay": str(day(-age))}
    leave = await asked_leave(stage.meera, new, **days)
    await stage.meera.post(f"/leaves/{leave}/approve", WHY)
    return new


@pytest.mark.parametrize("code", [FINALISED, OLD])
async def test_backdating_an_enrolment_over_closed_leave_needs_an_administrator_and_a_reason(
    stage: Stage, room: Classroom, code: str
) -> None:
    _, age = await closed_session(room, code)
    new = await on_leave_elsewhere(stage, age)
    before = await checksum(stage.connection)
    assert outcome(await enrol(room, new)) == (409, code)
    assert outcome(await enrol(room, new, by=stage.meera)) == (422, "reason_required")
    assert await checksum(stage.connection) == before
    assert (await enrol(room, new, by=stage.meera, **WHY)).is_success
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    assert [s["excused"] for s in stats if s["rollNo"] == new] == [1]


@pytest.mark.parametrize("code", [FINALISED, OLD])
async def test_a_file_of_students_cannot_bypass_closed_sessions(
    stage: Stage, room: Classroom, code: str
) -> None:
    _, age = await closed_session(room, code)
    new = await on_leave_elsewhere(stage, age)
    content = csv([["Roll No", "From"], [new, day(-30)]])
    ways: list[tuple[str, dict[str, str]]] = [
        (f"{room.path}/students/import", {}),
        ("/admin/import", {"kind": "students", "classId": room.id}),
    ]
    before = await checksum(stage.connection)
    assert outcome(await send(stage.asha, ways[0][0], content)) == (409, code)
    for path, query in ways:
        refused = await send(stage.meera, path, content, **query)
        assert outcome(refused) == (422, "reason_required")
    assert await checksum(stage.connection) == before
    for path, query in ways:
        done = await send(stage.meera, path, content, **query, **WHY, dryRun="true")
        assert done.is_success, done.text


@pytest.mark.parametrize("code", [FINALISED, OLD])
async def test_a_merge_that_moves_closed_marks_needs_a_reason_and_its_dry_run_says_so(
    stage: Stage, room: Classroom, code: str
) -> None:
    wrong = "23/SC/101"
    await enrol(room, wrong)
    session = await room.open(day(0 if code == FINALISED else -WINDOW - 1))
    updates = [{"rollNo": wrong, "status": "late"}, {"rollNo": ONE, "status": "present"}]
    await stage.meera.put(
        f"/attendance/sessions/{session}/statuses", {"updates": updates, "reason": "On paper."}
    )
    if code == FINALISED:
        await stage.asha.post(f"/attendance/sessions/{session}/finalise")
    found = {
        roll: (await stage.meera.get("/admin/students", params={"query": roll})).json()[0]
        for roll in (ONE, wrong)
    }
    path = f"/admin/students/{found[ONE]['studentId']}/merge"
    body = {"otherId": found[wrong]["studentId"], "onClash": "other"}
    rehearsed = await stage.meera.post(path, body, params={"dryRun": "true"})
    assert rehearsed.json()["needsReason"] is True
    before = await checksum(stage.connection)
    assert outcome(await stage.meera.post(path, body)) == (422, "reason_required")
    assert await checksum(stage.connection) == before
    assert (await stage.meera.post(path, body | WHY)).is_success
    assert (await reasons(room, session))[0] == WHY["reason"]


async def test_leave_of_the_other_record_shows_after_a_merge(stage: Stage, room: Classroom) -> None:
    wrong = "23/SC/101"
    await classroom_of(stage.bilal, "CS888", [wrong])
    session = await room.open(day(0))
    await room.mark(session, {ONE: "absent"})
    leave = await asked_leave(stage.meera, wrong)
    await stage.meera.post(f"/leaves/{leave}/approve")
    found = {
        roll: (await stage.meera.get("/admin/students", params={"query": roll})).json()[0]
        for roll in (ONE, wrong)
    }
    path = f"/admin/students/{found[ONE]['studentId']}/merge"
    assert (await stage.meera.post(path, {"otherId": found[wrong]["studentId"]})).is_success
    marks = (await stage.asha.get(f"/attendance/sessions/{session}")).json()["statuses"]
    assert [(m["status"], m["source"]) for m in marks] == [("excused", "leave")]


async def test_a_substitute_requests_leave_only_for_their_own_days(
    stage: Stage, room: Classroom
) -> None:
    await share(room, substitute(stage.esha, since=0, until=1))
    body = {"rollNo": ONE, "classId": room.id, "kind": "medical"}
    for first, last, status in ((0, 1, 201), (0, 2, 403), (-1, 0, 403)):
        days = {"firstDay": str(day(first)), "lastDay": str(day(last))}
        assert (await stage.esha.post("/leaves", body | days)).status_code == status
    session = await room.open(day(-1))
    assert (await stage.esha.post("/leaves", body | {"sessionIds": [session]})).status_code == 403


async def test_a_dry_run_of_a_roster_reveals_no_leave_of_a_student_who_left(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open(day(0))
    await stage.asha.post(f"/attendance/sessions/{session}/finalise")
    other, left = await classroom_of(stage.bilal, "CS888", []), "23/CS/555"
    await enrol(room, left, since=-30)
    gone = {"students": [], "withdrawals": [{"rollNo": left, "lastDay": str(day(-5))}]}
    path = f"{room.path}/students?mode=merge"
    assert (await stage.asha.put(path, gone)).is_success
    await enrol(other, left, since=-4, by=stage.bilal)
    back = {"students": [{"rollNo": left, "from": str(day(-1))}]}
    before = await stage.asha.put(f"{path}&dryRun=true", back)
    await decide(stage.meera, await asked_leave(stage.meera, left), "approve")
    after = await stage.asha.put(f"{path}&dryRun=true", back)
    assert (before.status_code, after.json()) == (200, before.json())


async def test_a_substitute_dates_enrolments_only_within_their_own_days(
    stage: Stage, room: Classroom
) -> None:
    await share(room, substitute(stage.esha, since=0, until=1))
    path = f"{room.path}/students?mode=merge"
    for first, status in ((-1, 403), (0, 200), (1, 200), (2, 403)):
        entry = {"rollNo": "23/CS/555", "from": str(day(first))}
        assert (await stage.esha.put(path, {"students": [entry]})).status_code == status
    for last, status in ((-2, 403), (-1, 200)):
        gone = {"rollNo": ONE, "lastDay": str(day(last))}
        answer = await stage.esha.put(path, {"students": [], "withdrawals": [gone]})
        assert answer.status_code == status
    rows = csv([["Roll No", "From"], ["23/CS/556", day(-1)]])
    assert (await send(stage.esha, f"{room.path}/students/import", rows)).status_code == 403
