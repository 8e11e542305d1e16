"""Merging two records of one student: rosters, marks and history of both are kept."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, day, decide
from tests.conftest import Stage
from tests.soundness import assert_sound
from tests.support import checksum
from tests.test_imports import imported

pytestmark = pytest.mark.anyio

RIGHT, WRONG = ROLLS[0], "23/SC/101"


@pytest.fixture
async def hall(stage: Stage) -> AsyncIterator[Classroom]:
    """Asha's class, in which one student is enrolled twice. All has to agree in the end."""
    yield await classroom_of(stage.asha, "CS888", [RIGHT, WRONG, ROLLS[1]])
    await assert_sound(stage)


async def id_of(stage: Stage, roll: str) -> str:
    (found,) = (await stage.meera.get("/admin/students", params={"query": roll})).json()
    return str(found["studentId"])


async def merge(stage: Stage, decision: str | None = None, **query: str) -> httpx2.Response:
    body = {"otherId": await id_of(stage, WRONG), "onClash": decision}
    path = f"/admin/students/{await id_of(stage, RIGHT)}/merge"
    return await stage.meera.post(path, body, params=query)


async def marks_of(stage: Stage, session: str) -> dict[str, str]:
    marks = (await stage.asha.get(f"/attendance/sessions/{session}")).json()["statuses"]
    return {mark["rollNo"]: mark["status"] for mark in marks}


async def history_of(stage: Stage, session: str, roll: str) -> list[tuple[Any, str, str]]:
    changes = (await stage.asha.get(f"/attendance/sessions/{session}/history")).json()
    return [
        (c["version"], *((c[side] or {}).get("status", "-") for side in ("from", "to")))
        for c in changes
        if c["rollNo"] == roll
    ]


async def test_marks_and_rosters_of_the_other_record_move_to_this_one(
    stage: Stage, hall: Classroom
) -> None:
    other_class = await classroom_of(stage.bilal, "CS999", [WRONG])
    session = await hall.open()
    await hall.mark(session, {WRONG: "absent"})
    await hall.mark(session, {WRONG: "present"})
    merged = (await merge(stage)).json()
    assert (merged["classes"], merged["marks"], merged["clashes"]) == (2, 1, [])
    assert merged["student"]["rollNo"] == RIGHT
    assert merged["student"]["classes"] == 2
    assert await marks_of(stage, session) == {RIGHT: "present"}
    assert await history_of(stage, session, RIGHT) == [(2, "absent", "present"), (1, "-", "absent")]
    roster = (await stage.bilal.get(other_class.path)).json()["students"]
    assert [student["rollNo"] for student in roster] == [RIGHT]
    stats = (await stage.asha.get(f"/stats/classes/{hall.id}/students")).json()
    assert {s["rollNo"]: s["total"] for s in stats} == {RIGHT: 1, ROLLS[1]: 0}


async def test_a_merge_makes_earlier_versions_of_its_sessions_stale(
    stage: Stage, hall: Classroom
) -> None:
    session = await hall.open()
    seen = (await hall.mark(session, {WRONG: "absent"})).headers["etag"]
    await merge(stage)
    answer = await hall.mark(session, {RIGHT: "late"}, headers={"If-Match": seen})
    assert answer.status_code == 412


async def test_two_different_marks_in_one_session_need_a_decision(
    stage: Stage, hall: Classroom
) -> None:
    session = await hall.open()
    await hall.mark(session, {RIGHT: "present", WRONG: "absent"})
    before = await checksum(stage.connection)
    refused = await merge(stage)
    assert (refused.status_code, refused.json()["code"]) == (409, "marks_clash")
    (clash,) = (await merge(stage, dryRun="true")).json()["clashes"]
    assert clash["sessionId"] == session
    assert (clash["this"]["status"], clash["other"]["status"]) == ("present", "absent")
    assert clash["kept"] is None
    assert await checksum(stage.connection) == before


@pytest.mark.parametrize(("decision", "stays"), [("this", "late"), ("other", "absent")])
async def test_the_decision_says_which_mark_is_kept_and_the_history_keeps_both(
    stage: Stage, hall: Classroom, decision: str, stays: str
) -> None:
    session = await hall.open()
    await hall.mark(session, {RIGHT: "present", WRONG: "absent"})
    await hall.mark(session, {RIGHT: "late"})
    answer = await merge(stage, decision)
    assert [clash["kept"] for clash in answer.json()["clashes"]] == [decision]
    assert await marks_of(stage, session) == {RIGHT: stays}
    kept = {(1, "-", "present"), (1, "-", "absent"), (2, "present", "late")}
    if decision == "other":
        kept.add((3, "late", "absent"))
    assert set(await history_of(stage, session, RIGHT)) == kept
    await hall.mark(session, {RIGHT: "excused"})
    assert (4, stays, "excused") in await history_of(stage, session, RIGHT)


async def test_a_merged_record_can_be_merged_into_another(stage: Stage, hall: Classroom) -> None:
    session = await hall.open()
    await hall.mark(session, {RIGHT: "present", WRONG: "absent"})
    await hall.mark(session, {RIGHT: "late"})
    await merge(stage, "this")
    body = {"otherId": await id_of(stage, RIGHT)}
    last = await stage.meera.post(f"/admin/students/{await id_of(stage, ROLLS[1])}/merge", body)
    assert last.status_code == 200
    assert await marks_of(stage, session) == {ROLLS[1]: "late"}
    kept = {(1, "-", "present"), (1, "-", "absent"), (2, "present", "late")}
    assert set(await history_of(stage, session, ROLLS[1])) == kept


async def test_equal_marks_need_no_decision(stage: Stage, hall: Classroom) -> None:
    session = await hall.open()
    await hall.mark(session, {RIGHT: "present", WRONG: "present"})
    assert (await merge(stage)).json()["clashes"] == []
    assert await marks_of(stage, session) == {RIGHT: "present"}


async def test_fields_that_this_record_lacks_come_from_the_other(
    stage: Stage, hall: Classroom
) -> None:
    entries = [
        {"rollNo": RIGHT, "name": "Right"},
        {"rollNo": WRONG, "name": "Wrong", "phone": "1"},
    ]
    await stage.asha.put(f"{hall.path}/students?mode=merge", {"students": entries})
    student = (await merge(stage)).json()["student"]
    assert (student["name"], student["phone"]) == ("Right", "1")


async def test_a_record_cannot_be_merged_with_itself(stage: Stage, hall: Classroom) -> None:
    own = await id_of(stage, RIGHT)
    answer = await stage.meera.post(f"/admin/students/{own}/merge", {"otherId": own})
    assert (answer.status_code, answer.json()["code"]) == (422, "same_student")


async def test_the_merge_is_in_the_audit_log(stage: Stage, hall: Classroom) -> None:
    gone, kept = await id_of(stage, WRONG), await id_of(stage, RIGHT)
    await merge(stage)
    (entry,) = (await stage.meera.get("/admin/audit?action=students_merged")).json()
    assert (entry["subjectId"], entry["details"]) == (kept, {"other": gone})


async def test_leave_of_both_records_is_kept_and_restores_what_it_hid(
    stage: Stage, hall: Classroom
) -> None:
    session, second = await hall.open(day(0)), await hall.open(day(1))
    await hall.mark(session, {WRONG: "absent"})
    of_right = await asked_leave(stage.asha, RIGHT, firstDay=str(day(1)), lastDay=str(day(1)))
    of_wrong = await asked_leave(stage.asha, WRONG, lastDay=str(day(1)))
    for leave in (of_right, of_wrong):
        await decide(stage.meera, leave, "approve")
    assert (await merge(stage)).json()["clashes"] == []
    listed = (await stage.meera.get("/leaves", params={"rollNo": RIGHT})).json()
    assert {leave["id"] for leave in listed} == {of_right, of_wrong}
    assert await marks_of(stage, second) == {RIGHT: "excused"}
    await decide(stage.meera, of_right, "withdraw")
    assert await marks_of(stage, second) == {RIGHT: "excused"}, "the other leave covers it"
    await decide(stage.meera, of_wrong, "withdraw")
    assert (await marks_of(stage, session), await marks_of(stage, second)) == (
        {RIGHT: "absent"},
        {},
    )


async def test_a_mark_that_leave_made_and_removed_keeps_its_history_next_to_the_others(
    stage: Stage, hall: Classroom
) -> None:
    leaves = [await asked_leave(stage.asha, roll, classId=hall.id) for roll in (RIGHT, WRONG)]
    for leave in leaves:
        await decide(stage.asha, leave, "approve")
    session = await hall.open(day(0))
    await decide(stage.asha, leaves[0], "withdraw")
    await hall.mark(session, {WRONG: "late"})
    assert (await merge(stage)).status_code == 200
    assert await marks_of(stage, session) == {RIGHT: "late"}
    history = await history_of(stage, session, RIGHT)
    assert sorted(history) == [
        (1, "-", "excused"),
        (1, "-", "excused"),
        (2, "excused", "-"),
        (3, "excused", "late"),
        (4, "-", "late"),
    ]


async def leave_of(stage: Stage, roll: str) -> str:
    leave = await asked_leave(stage.asha, roll)
    await decide(stage.meera, leave, "approve")
    return leave


async def test_a_mark_hidden_by_leave_of_the_other_record_survives(
    stage: Stage, hall: Classroom
) -> None:
    session = await hall.open(day(0))
    leaves = [await leave_of(stage, roll) for roll in (RIGHT, WRONG)]
    await hall.mark(session, {WRONG: "absent"})
    assert (await merge(stage)).json()["clashes"] == []
    assert await marks_of(stage, session) == {RIGHT: "excused"}
    for leave in leaves:
        await decide(stage.meera, leave, "withdraw")
    assert await marks_of(stage, session) == {RIGHT: "absent"}


async def test_a_manual_excuse_outlives_leave_of_the_record_that_is_kept(
    stage: Stage, hall: Classroom
) -> None:
    session = await hall.open(day(0))
    await hall.mark(session, {WRONG: "excused"})
    leave = await leave_of(stage, RIGHT)
    assert (await merge(stage)).is_success
    await decide(stage.meera, leave, "withdraw")
    assert await marks_of(stage, session) == {RIGHT: "excused"}


async def test_different_marks_clash_even_beneath_leave_and_the_loser_is_kept(
    stage: Stage, hall: Classroom
) -> None:
    session = await hall.open(day(0))
    leaves = [await leave_of(stage, WRONG)]
    await hall.mark(session, {RIGHT: "late", WRONG: "absent"})
    assert (await merge(stage)).json()["code"] == "marks_clash"
    (clash,) = (await merge(stage, "other", dryRun="true")).json()["clashes"]
    assert (clash["this"]["status"], clash["other"]["status"]) == ("late", "absent")
    assert (await merge(stage, "this")).is_success
    for leave in leaves:
        await decide(stage.meera, leave, "withdraw")
    assert await marks_of(stage, session) == {RIGHT: "late"}
    kept = "SELECT said_status FROM superseded_statuses WHERE said_status IS NOT NULL"
    assert await stage.connection.fetchval(kept) == "absent"


async def test_on_duty_and_a_manual_excuse_clash(stage: Stage, hall: Classroom) -> None:
    session = await hall.open(day(0))
    await hall.mark(session, {RIGHT: "excused"})
    rows = [
        ["Class", "CS888"],
        ["Section", "A"],
        [],
        ["Roll No", "Name", day(0)],
        [WRONG, "", "OD"],
    ]
    await imported(stage.meera, "attendance", rows)
    assert (await merge(stage)).json()["code"] == "marks_clash"
