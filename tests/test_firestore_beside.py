"""Exports of Firestore beside what people do in AIMS, which stays."""

import pytest

from tests.classroom import asked_leave, decide
from tests.conftest import Stage
from tests.firestore_exports import student
from tests.firestore_runs import codes, export, run, sessions, statuses, the_class
from tests.support import checksum

pytestmark = pytest.mark.anyio


async def test_what_people_have_done_in_aims_stays_and_is_reported(stage: Stage) -> None:
    await run(stage, export())
    made = await the_class(stage)
    first, second = await sessions(stage, made["id"])
    by_hand = [
        {"rollNo": "23/CS/101", "status": "absent"},
        {"rollNo": "23/CS/102", "status": "late"},
    ]
    path = f"/attendance/sessions/{first['sessionId']}"
    assert (await stage.asha.put(f"{path}/statuses", {"updates": by_hand})).status_code == 200
    await stage.asha.post(f"/attendance/sessions/{second['sessionId']}/finalise")
    leaving = [student(101, name="Corrected Demo"), student(102)]
    students = [{"rollNo": entry["rno"], "name": entry["name"]} for entry in leaving]
    await stage.asha.put(f"/classes/{made['id']}/students", {"students": students})
    slot = f"/classes/{made['id']}/schedules/{made['schedule'][0]['id']}"
    await stage.asha.patch(slot, {"startTime": "08:00", "endTime": "09:00"})
    await stage.asha.patch(f"/classes/{made['id']}", {"name": "Systems"})
    before = await checksum(stage.connection)

    newer = export()
    newer["attendance"]["d1_2025-08-06"]["studentStatuses"] |= {"23/CS/101": "present"}
    outcome = await run(stage, newer)
    assert await checksum(stage.connection) == before
    assert codes(outcome) == {
        "changed_in_aims": 2,
        "session_closed": 1,
        "value_differs": 1,
        "withdrawn_in_aims": 1,
        "timetable_differs": 1,
        "class_differs": 1,
        "move_of_nothing": 1,
    }
    (totals,) = outcome.classes
    # The third student was filled in as absent when the session was finalised.
    assert totals.stored == {"present": 1, "absent": 3, "late": 2, "excused": 1}
    assert {difference.code for difference in totals.differences} == {
        *("changed_in_aims", "session_closed", "only_in_aims")
    }


async def test_a_class_created_in_aims_is_continued(stage: Stage) -> None:
    body = {"code": "CS301", "name": "Operating Systems", "section": "A", "teacherType": "Lecture"}
    made = (await stage.asha.post("/classes", {**body, "ltpPattern": "310"})).json()
    opened = {"classId": made["id"], "sessionDate": "2025-08-04", "startTime": "09:00"}
    session = (await stage.asha.post("/attendance/sessions", opened)).json()
    outcome = await run(stage, export())
    assert not outcome.left_out
    assert outcome.made["classes"] == 0
    assert outcome.changed["attendance_sessions"] == 1  # its photo
    (first, _) = await sessions(stage, made["id"])
    assert (first["sessionId"], len(first["statuses"])) == (session["sessionId"], 4)


async def test_an_archived_class_and_one_of_another_project_are_left_out(stage: Stage) -> None:
    await run(stage, export())
    other = export(id="CS999", name="Another")
    assert codes(await run(stage, other)) == {"class_of_another": 1}
    assert (await run(stage, other, project="two")).made["classes"] == 1
    classes = (await stage.asha.get("/classes")).json()
    (first,) = [found for found in classes if found["code"] == "CS301"]
    await stage.asha.delete(f"/classes/{first['id']}")
    outcome = await run(stage, export())
    assert codes(outcome) == {"class_archived": 1}
    assert outcome.classes[0].class_id is None


async def test_approved_leave_excuses_who_is_absent_in_the_export(stage: Stage) -> None:
    body = {"code": "CS301", "name": "Operating Systems", "section": "A"}
    made = (await stage.asha.post("/classes", body)).json()
    entry = {"rollNo": "23/CS/101", "name": "Student 101 Demo", "from": "2025-08-01"}
    await stage.asha.put(f"/classes/{made['id']}/students", {"students": [entry]})
    days = {"firstDay": "2025-08-01", "lastDay": "2025-08-31", "classId": made["id"]}
    leave = await asked_leave(stage.asha, "23/CS/101", **days)
    await decide(stage.asha, leave, "approve")
    content = export()
    content["attendance"]["d1_2025-08-04"]["studentStatuses"] |= {"23/CS/101": "absent"}
    del content["attendance"]["d1_2025-08-06"]["studentStatuses"]["23/CS/101"]
    for _ in range(2):
        (totals,) = (await run(stage, content)).classes
        assert totals.stored == {"present": 2, "absent": 1, "excused": 3}
        assert {difference.code for difference in totals.differences} == {"excused_by_leave"}
    await decide(stage.asha, leave, "withdraw")
    first, second = await sessions(stage, made["id"])
    assert statuses(first)["23/CS/101"] == "absent"
    assert "23/CS/101" not in statuses(second)


async def test_leave_excuses_who_an_export_enrols_in_a_session_of_aims(stage: Stage) -> None:
    classes = {}
    for code in ("CS301", "CS999"):
        body = {"code": code, "name": "Operating Systems", "section": "A"}
        classes[code] = (await stage.asha.post("/classes", body)).json()["id"]
    entry = {"rollNo": "23/CS/101", "name": "Student 101 Demo", "from": "2025-08-01"}
    await stage.asha.put(f"/classes/{classes['CS999']}/students", {"students": [entry]})
    days = {"firstDay": "2025-08-01", "lastDay": "2025-08-31"}
    await decide(stage.meera, await asked_leave(stage.meera, "23/CS/101", **days), "approve")
    opened = {"classId": classes["CS301"], "sessionDate": "2025-08-04", "startTime": "09:00"}
    await stage.asha.post("/attendance/sessions", opened)
    content = export()
    del content["attendance"]["d1_2025-08-04"]["studentStatuses"]["23/CS/101"]
    (totals,) = (await run(stage, content)).classes
    assert {difference.code for difference in totals.differences} == {"excused_by_leave"}
    first, _ = await sessions(stage, classes["CS301"])
    assert statuses(first)["23/CS/101"] == "excused"
