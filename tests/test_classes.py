"""Classes: what the app reads, and what happens to them."""

import pytest

from tests.classroom import ROLLS, Classroom, classroom_of
from tests.conftest import Stage

pytestmark = pytest.mark.anyio

CLIENT_FIELDS = {
    *("id", "code", "name", "section", "ltpPattern", "teacherType", "practicalGroup", "teacherId"),
    *("createdAt", "updatedAt", "schedule", "reschedules", "students"),
}
STUDENT_FIELDS = {
    *("studentId", "rollNo", "name", "photoUrl", "program", "spCode", "semester", "status"),
    *("duration", "email", "dtuEmail", "phone", "enrolledFrom", "enrolledUntil"),
}


async def test_a_list_of_classes_has_every_field_the_app_reads(
    stage: Stage, room: Classroom
) -> None:
    (class_,) = (await stage.asha.get("/classes")).json()
    assert class_.keys() >= CLIENT_FIELDS
    assert [student["rollNo"] for student in class_["students"]] == ROLLS
    assert class_["students"][0].keys() == STUDENT_FIELDS


async def test_classes_are_ordered_by_code_and_section(stage: Stage) -> None:
    for code, section in (("MA1", "B"), ("CS1", "A"), ("MA1", "A")):
        body = {"code": code, "name": "A course", "section": section}
        await stage.asha.post("/classes", body)
    listed = (await stage.asha.get("/classes")).json()
    assert [(c["code"], c["section"]) for c in listed] == [("CS1", "A"), ("MA1", "A"), ("MA1", "B")]


async def test_an_admin_sees_all_and_a_teacher_their_own(stage: Stage, room: Classroom) -> None:
    await classroom_of(stage.bilal, "CS999", [])
    assert len((await stage.meera.get("/classes")).json()) == 2
    assert len((await stage.bilal.get("/classes")).json()) == 1
    assert (await stage.divya.get("/classes")).json() == []


async def test_without_the_roster_there_is_a_count(stage: Stage, room: Classroom) -> None:
    (class_,) = (await stage.asha.get("/classes?roster=false")).json()
    assert class_["studentCount"] == 3
    assert "students" not in class_


async def test_snake_case_is_understood_and_camel_case_answered(stage: Stage) -> None:
    body = {"code": "CS1", "name": "X", "section": "A", "ltp_pattern": "3-1-0"}
    made = await stage.asha.post("/classes", body)
    assert made.status_code == 201
    assert made.json()["ltpPattern"] == "3-1-0"


async def test_a_second_live_class_of_that_code_and_section_is_a_conflict(
    stage: Stage, room: Classroom
) -> None:
    body = {"code": "CS301", "name": "Again", "section": "A"}
    again = await stage.asha.post("/classes", body)
    assert (again.status_code, again.json()["code"]) == (409, "class_exists")
    assert (await stage.bilal.post("/classes", body)).status_code == 201
    assert (await stage.asha.post("/classes", {**body, "section": "B"})).status_code == 201


async def test_an_admin_creates_a_class_for_a_teacher(stage: Stage) -> None:
    body = {"code": "CS1", "name": "X", "section": "A", "teacherId": str(stage.bilal.user_id)}
    assert (await stage.meera.post("/classes", body)).json()["teacherId"] == body["teacherId"]
    body |= {"teacherId": "00000000-0000-4000-8000-000000000000"}
    unknown = await stage.meera.post("/classes", body)
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_teacher")


async def test_a_change_keeps_the_fields_it_does_not_name(stage: Stage, room: Classroom) -> None:
    before = await room.document()
    after = (await stage.asha.patch(room.path, {"name": "Systems", "ltpPattern": "3-0-2"})).json()
    assert (after["name"], after["ltpPattern"], after["code"]) == ("Systems", "3-0-2", "CS301")
    assert after["updatedAt"] > before["updatedAt"] or after["updatedAt"] == before["updatedAt"]
    cleared = (await stage.asha.patch(room.path, {"ltpPattern": None})).json()
    assert (cleared["name"], cleared["ltpPattern"]) == ("Systems", None)
    assert (await stage.asha.patch(room.path, {"name": None})).status_code == 422


async def test_renaming_into_another_class_is_a_conflict(stage: Stage, room: Classroom) -> None:
    other = await classroom_of(stage.asha, "CS302", [])
    assert (await stage.asha.patch(other.path, {"code": "CS301"})).status_code == 409


async def test_a_class_without_sessions_is_removed(stage: Stage, room: Classroom) -> None:
    assert (await stage.asha.delete(room.path)).status_code == 204
    assert (await stage.asha.get(room.path)).status_code == 404
    assert await stage.count("students") == 3


async def test_a_class_with_a_session_is_archived_with_its_marks(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open()
    await room.mark(session, {ROLLS[0]: "present"})
    assert (await stage.asha.delete(room.path)).status_code == 204
    assert (await stage.asha.get("/classes")).json() == []
    (archived,) = (await stage.asha.get("/classes?archived=true")).json()
    assert archived["archivedAt"]
    assert (await room.document())["id"] == room.id
    assert (await stage.bilal.get(room.path)).status_code == 403
    for refused in (
        await stage.asha.patch(room.path, {"name": "X"}),
        await stage.asha.put(f"{room.path}/students", {"students": []}),
        await stage.asha.post(
            "/attendance/sessions", {"classId": room.id, "sessionDate": "2025-10-27"}
        ),
        await room.mark(session, {ROLLS[0]: "absent"}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "class_archived")
    assert (await stage.asha.delete(room.path)).status_code == 204
    restored = await stage.asha.post(f"{room.path}/restore")
    assert restored.json()["archivedAt"] is None
    assert (await room.mark(session, {ROLLS[0]: "absent"})).status_code == 200


async def test_restoring_beside_a_newer_class_of_that_name_is_a_conflict(
    stage: Stage, room: Classroom
) -> None:
    await room.open()
    await stage.asha.delete(room.path)
    await classroom_of(stage.asha)
    assert (await stage.asha.post(f"{room.path}/restore")).json()["code"] == "class_exists"
