"""The statistics of one student over all classes that the caller may see."""

from typing import Any

import pytest

from tests.classroom import ROLLS, Classroom, classroom_of, co_teacher, day, share, substitute
from tests.conftest import Stage
from tests.support import Person
from tests.test_policy import attend, put

pytestmark = pytest.mark.anyio

FIRST, SECOND, _ = ROLLS


async def asked(person: Person, roll: str = FIRST, **query: str) -> Any:
    return await person.get("/stats/students", params={"rollNo": roll, **query})


async def classes_of(person: Person, **query: str) -> list[str]:
    answer = await asked(person, **query)
    return [c["code"] for c in answer.json()["classes"]] if answer.is_success else []


async def test_each_class_agrees_with_its_own_statistics_and_the_totals_add_up(
    stage: Stage, room: Classroom
) -> None:
    await put(stage, lateWeight=50, minimumSessions=2)
    other = await classroom_of(stage.bilal, "CS200", [FIRST])
    await attend(room, "pla")
    await attend(other, "aaaa")
    await stage.bilal.post(
        "/attendance/sessions", {"classId": other.id, "sessionDate": "2025-10-01"}
    )
    answer = (await asked(stage.meera, f" {FIRST.lower()} ")).json()
    each = []
    for of in (other, room):
        stats = (await stage.meera.get(f"/stats/classes/{of.id}/students")).json()[0]
        document = await of.document()
        each.append(
            {name: stats[name] for name in stats if name not in ("studentId", "rollNo", "name")}
            | {"classId": of.id, "termId": None, "term": None}
            | {name: document[name] for name in ("code", "name", "section")}
        )
    assert answer["classes"] == each
    assert (answer["rollNo"], answer["name"]) == (FIRST, "Student 101")
    assert answer["total"] == {
        "present": 1,
        "absent": 5,
        "late": 1,
        "excused": 0,
        "total": 7,
        "counted": 7,
        "attended": 1.5,
        "percentage": 21.43,
        "unmarked": 0,
    }


async def test_teachers_see_the_classes_they_have_access_to_and_admins_see_all(
    stage: Stage, room: Classroom
) -> None:
    await classroom_of(stage.bilal, "CS200", [FIRST])
    await share(room, co_teacher(stage.chitra), substitute(stage.esha, until=-1))
    assert await classes_of(stage.meera) == ["CS200", "CS301"]
    assert await classes_of(stage.asha) == await classes_of(stage.chitra) == ["CS301"]
    assert await classes_of(stage.bilal) == ["CS200"]
    assert (await asked(stage.esha)).status_code == 404


async def test_another_teachers_student_is_indistinguishable_from_an_unknown_one(
    stage: Stage, room: Classroom
) -> None:
    await attend(room, "p")
    for person, roll in ((stage.bilal, FIRST), (stage.divya, FIRST), (stage.asha, "23/CS/999")):
        answer = await asked(person, roll)
        assert answer.status_code == 404
        assert (answer.json()["code"], answer.json()["detail"]) == (
            "not_found",
            "There is no such student.",
        )


async def test_former_classes_show_on_request_and_archived_ones_never(
    stage: Stage, room: Classroom
) -> None:
    closed = await classroom_of(stage.asha, "CS100", [FIRST])
    await attend(closed, "p")
    await stage.asha.delete(closed.path)
    assert await classes_of(stage.asha) == ["CS301"]
    await room.enrol(SECOND)
    assert (await asked(stage.asha)).status_code == 404
    assert await classes_of(stage.asha, include="withdrawn") == ["CS301"]


async def test_each_class_names_its_term(stage: Stage) -> None:
    for name, distance in (("Spring", -200), ("Monsoon", -10)):
        days = {"firstDay": str(day(distance)), "lastDay": str(day(distance + 60))}
        await stage.meera.post("/admin/terms", {"name": name, **days})
        await classroom_of(stage.asha, "CS301", [FIRST])
    answer = (await asked(stage.asha)).json()
    assert sorted(c["term"] for c in answer["classes"]) == ["Monsoon", "Spring"]


@pytest.mark.parametrize("roll", [None, "", " ", "\0", "x" * 256])
async def test_an_invalid_roll_number_is_refused(stage: Stage, roll: str | None) -> None:
    query = {} if roll is None else {"rollNo": roll}
    answer = await stage.asha.get("/stats/students", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/rollNo"
