"""A student asks for leave, which staff decide on as on any other."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from app.demo.google import DemoGoogle
from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, decide
from tests.conftest import Stage
from tests.students import id_of_roll, kiran_of, let_in
from tests.support import Person, next_of

pytestmark = pytest.mark.anyio

WEEK = {"firstDay": "2025-10-20", "lastDay": "2025-10-24", "kind": "medical"}


@pytest.fixture
async def kiran(
    stage: Stage, room: Classroom, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> Person:
    """The first student of Asha's class."""
    let_in(stage, monkeypatch)
    return await kiran_of(stage, google)


async def ask(kiran: Person, **more: Any) -> dict[str, Any]:
    answer = await kiran.post("/my/leaves", WEEK | more)
    assert answer.status_code == 201, answer.text
    leave: dict[str, Any] = answer.json()
    return leave


async def test_leave_that_a_student_asks_for_is_decided_on_like_any_other(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    leave = await ask(kiran, classId=room.id, note="I have the flu.")
    assert leave == {
        "id": leave["id"],
        "classId": room.id,
        **WEEK,
        "sessionIds": None,
        "own": True,
        "note": "I have the flu.",
        "status": "pending",
        "decidedAt": None,
        "createdAt": leave["createdAt"],
    }
    session = await room.open("2025-10-20")
    await room.mark(session, {ROLLS[0]: "absent"})
    (seen,) = (await stage.asha.get("/leaves?status=pending")).json()
    assert (seen["rollNo"], seen["note"], seen["requestedBy"]) == (
        *(ROLLS[0], "I have the flu."),
        None,
    )
    assert (await decide(stage.asha, leave["id"], "approve"))["changed"] == 1
    (shown,) = (await kiran.get("/my/sessions")).json()
    assert (shown["mark"], shown["leaveKind"]) == ("excused", "medical")
    (mine,) = (await kiran.get("/my/leaves")).json()
    assert mine["status"] == "approved"
    (entry,) = (await stage.meera.get("/admin/audit?action=leave_requested")).json()
    assert (entry["actorId"], entry["subjectId"]) == (None, leave["id"])
    assert entry["details"] == {"studentId": await id_of_roll(stage, ROLLS[0])}


async def test_leave_for_all_classes_is_the_offices_to_decide(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    leave = await ask(kiran)
    refused = await stage.asha.post(f"/leaves/{leave['id']}/approve")
    assert refused.status_code == 403
    await decide(stage.meera, leave["id"], "approve")


async def test_the_same_request_again_is_the_one_there_is(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    leave = await ask(kiran, classId=room.id)
    again = await kiran.post("/my/leaves", WEEK | {"classId": room.id})
    assert (again.status_code, again.json()) == (200, leave)
    # What a teacher asks for is their own request.
    assert await asked_leave(stage.asha, ROLLS[0], classId=room.id, **WEEK) != leave["id"]


async def test_a_student_withdraws_what_nobody_has_decided_on(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    leave = await ask(kiran, classId=room.id)
    for _ in range(2):
        answer = await kiran.post(f"/my/leaves/{leave['id']}/withdraw")
        assert (answer.status_code, answer.json()["status"]) == (200, "withdrawn")
    (entry,) = (await stage.meera.get("/admin/audit?action=leave_withdrawn")).json()
    assert (entry["actorId"], entry["subjectId"]) == (None, leave["id"])
    refused = await stage.asha.post(f"/leaves/{leave['id']}/approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "leave_withdrawn")


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_what_is_decided_stays(
    stage: Stage, room: Classroom, kiran: Person, decision: str
) -> None:
    leave = await ask(kiran, classId=room.id)
    before = (await decide(stage.asha, leave["id"], decision))["leave"]
    refused = await kiran.post(f"/my/leaves/{leave['id']}/withdraw")
    assert (refused.status_code, refused.json()["code"]) == (409, "leave_decided")
    assert (await stage.asha.get(f"/leaves/{leave['id']}")).json() == before


async def test_what_staff_asked_for_is_seen_without_their_words_and_stays(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    leave = await asked_leave(stage.asha, ROLLS[0], classId=room.id, note="Broke a leg", **WEEK)
    (mine,) = (await kiran.get("/my/leaves")).json()
    assert (mine["id"], mine["own"], mine["note"]) == (leave, False, None)
    refused = await kiran.post(f"/my/leaves/{leave}/withdraw")
    assert (refused.status_code, refused.json()["code"]) == (403, "access_denied")


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"lastDay": "2025-10-19"}, "/lastDay", "ends_before_start"),
        ({"lastDay": "2026-12-24"}, "/lastDay", "leave_too_long"),
        ({"firstDay": None}, "/firstDay", "required"),
        ({"rollNo": ROLLS[1]}, "", "unknown_field"),
        ({"sessionIds": []}, "", "unknown_field"),
    ],
)
async def test_a_request_names_days_and_nobody_else(
    kiran: Person, change: dict[str, Any], pointer: str, code: str
) -> None:
    refused = await kiran.post("/my/leaves", WEEK | change)
    assert refused.status_code == 422
    (flaw,) = refused.json()["errors"]
    assert (flaw["pointer"], flaw["code"]) == (pointer, code)


async def test_what_is_not_mine_is_missing_like_what_is_nowhere(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    assert stage.pool is not None
    other = await classroom_of(stage.bilal, "CS999", ROLLS[1:])
    theirs = await asked_leave(stage.bilal, ROLLS[1], classId=other.id, **WEEK)
    places: list[tuple[str, Any]] = [
        ("/my/leaves", WEEK | {"classId": other.id}),
        ("/my/leaves", WEEK | {"classId": str(uuid4())}),
        (f"/my/leaves/{theirs}/withdraw", None),
        (f"/my/leaves/{uuid4()}/withdraw", None),
    ]
    answers = []
    for path, body in places:
        stage.pool.statements.clear()
        answer = await kiran.post(path, body, headers={"X-Request-ID": "the-same"})
        answers.append((answer.status_code, answer.text, [*stage.pool.statements]))
    assert answers[0] == answers[1]
    assert answers[2] == answers[3]
    assert {status for status, *_ in answers} == {404}


async def test_requests_come_page_by_page_and_too_many_wait(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    for n in range(20):
        await ask(kiran, note=f"{n}")
    refused = await kiran.post("/my/leaves", WEEK)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_requests")
    everything = (await kiran.get("/my/leaves")).json()
    assert {leave["note"] for leave in everything} == {str(n) for n in range(20)}
    paged, page = [], "/my/leaves?limit=7"
    while page:
        answer = await kiran.get(page)
        paged += answer.json()
        page = next_of(answer)  # type: ignore[assignment]
    assert paged == everything


async def test_a_decision_and_a_withdrawal_at_the_same_moment_agree(
    crowd: Stage, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(crowd, monkeypatch)
    room = await classroom_of(crowd.asha)
    kiran = await kiran_of(crowd, google)
    for n in range(5):
        leave = (await ask(kiran, classId=room.id, note=str(n)))["id"]
        withdrawn, decided = await asyncio.gather(
            kiran.post(f"/my/leaves/{leave}/withdraw"), crowd.asha.post(f"/leaves/{leave}/approve")
        )
        assert sorted((withdrawn.status_code, decided.status_code)) == [200, 409]
        stored = (await crowd.asha.get(f"/leaves/{leave}")).json()["status"]
        assert stored == ("withdrawn" if withdrawn.status_code == 200 else "approved")


async def test_what_a_student_reads_of_leave_names_nobody(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    await decide(stage.asha, (await ask(kiran, classId=room.id))["id"], "approve")
    await asked_leave(stage.asha, ROLLS[0], classId=room.id, note="Ask Asha", **WEEK)
    said = (await kiran.get("/my/leaves")).text
    people = await stage.connection.fetch("SELECT id FROM students UNION SELECT id FROM users")
    hidden = [*ROLLS, "Student 1", "Asha", "Demo", "@", *(str(row["id"]) for row in people)]
    assert [name for name in hidden if name in said] == []
