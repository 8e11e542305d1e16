"""Co-teachers and substitutes: what they may do, on which days, and who decides that."""

import asyncio
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.classroom import ROLLS, Classroom, classroom_of, co_teacher, day, share, substitute
from tests.conftest import Stage
from tests.fuzz import Sent, accepted, drafts, examples, lists_of, send, sent
from tests.support import Person, checksum

pytestmark = pytest.mark.anyio


async def put(person: Person, room: Classroom, *teachers: dict[str, Any]) -> Any:
    return await person.put(f"{room.path}/teachers", {"teachers": list(teachers)})


async def teachers_of(room: Classroom) -> list[dict[str, Any]]:
    return (await room.teacher.get(f"{room.path}/teachers")).json()


async def codes(person: Person) -> dict[str, str]:
    """The person's role in each class of their list."""
    listed = (await person.get("/classes?roster=false")).json()
    return {class_["code"]: class_["myRole"] for class_ in listed}


async def test_the_owner_comes_first_and_the_others_by_name(stage: Stage, room: Classroom) -> None:
    answer = await share(room, substitute(stage.esha, 1, 3), co_teacher(stage.chitra))
    assert [(t["name"], t["role"], t["active"]) for t in answer] == [
        ("Asha Demo", "owner", True),
        ("Chitra Demo", "co_teacher", True),
        ("Esha Demo", "substitute", False),
    ]
    assert answer[2]["firstDay"] == str(day(1))
    assert answer[2]["lastDay"] == str(day(3))
    assert answer[2]["email"] == stage.esha.email
    assert (await stage.chitra.get(f"{room.path}/teachers")).json() == answer
    assert (await stage.meera.get(f"{room.path}/teachers")).json() == answer


@pytest.mark.parametrize(
    ("since", "until", "status"),
    [
        (None, None, 200),
        (0, 0, 200),
        (-1, 1, 200),
        (None, 0, 200),
        (0, None, 200),
        (None, -1, 403),
        (-1, -1, 403),
        (1, 1, 403),
        (1, None, 403),
    ],
)
async def test_a_substitute_can_read_and_mark_only_on_their_days(
    stage: Stage, room: Classroom, since: int | None, until: int | None, status: int
) -> None:
    session = await room.open()
    await share(room, substitute(stage.esha, since, until))
    before = await checksum(stage.connection)
    updates = {"updates": [{"rollNo": ROLLS[0], "status": "late"}]}
    marked = await stage.esha.put(f"/attendance/sessions/{session}/statuses", updates)
    assert marked.status_code == status
    assert (await stage.esha.get(room.path)).status_code == status
    assert (await stage.esha.get(f"{room.path}/teachers")).status_code == status
    assert await codes(stage.esha) == ({"CS301": "substitute"} if status == 200 else {})
    assert (before == await checksum(stage.connection)) == (status == 403)


async def test_each_teacher_sees_their_role_in_a_class(stage: Stage, room: Classroom) -> None:
    await classroom_of(stage.chitra, "CS999", [])
    await share(room, co_teacher(stage.chitra), co_teacher(stage.meera))
    assert await codes(stage.chitra) == {"CS301": "co_teacher", "CS999": "owner"}
    assert await codes(stage.meera) == {"CS301": "admin", "CS999": "admin"}
    assert (await room.document())["myRole"] == "owner"


async def test_adding_and_removing_a_teacher_counts_from_the_next_request_on(
    stage: Stage, room: Classroom
) -> None:
    assert (await stage.chitra.get(room.path)).status_code == 403
    await share(room, co_teacher(stage.chitra))
    assert (await stage.chitra.get(room.path)).status_code == 200
    await share(room)
    assert (await stage.chitra.get(room.path)).status_code == 403


async def test_a_co_teacher_does_not_own_the_class(stage: Stage, room: Classroom) -> None:
    await share(room, co_teacher(stage.chitra))
    before = await checksum(stage.connection)
    chitra = str(stage.chitra.user_id)
    answers = [
        await stage.chitra.patch(room.path, {"name": "Renamed"}),
        await stage.chitra.patch(room.path, {"teacherId": chitra}),
        await stage.chitra.delete(room.path),
        await stage.chitra.post(f"{room.path}/restore"),
        await put(stage.chitra, room, co_teacher(stage.chitra), co_teacher(stage.esha)),
    ]
    assert [(a.status_code, a.json()["detail"]) for a in answers] == [(403, "Access denied")] * 5
    assert await checksum(stage.connection) == before


async def test_sending_the_same_list_again_changes_nothing(stage: Stage, room: Classroom) -> None:
    first = await share(room, co_teacher(stage.chitra), substitute(stage.esha, 0, 2))
    before = await checksum(stage.connection)
    again = await share(room, substitute(stage.esha, 0, 2), co_teacher(stage.chitra))
    assert again == first
    assert await checksum(stage.connection) == before


async def test_an_allowed_address_can_be_listed_before_its_first_sign_in(
    stage: Stage, room: Classroom
) -> None:
    new = {"email": "fatima@demo.university.example", "name": "Fatima Demo"}
    await stage.meera.post("/admin/allowed-emails", new)
    entry = {"email": f" {new['email'].upper()} ", "role": "substitute"}
    (_, fatima) = await share(room, entry)
    assert (fatima["name"], fatima["email"]) == (new["name"], new["email"])
    before = await checksum(stage.connection)
    assert (await share(room, {"userId": fatima["userId"], "role": "substitute"}))[1] == fatima
    assert await checksum(stage.connection) == before


async def test_an_unknown_person_is_refused_the_same_way_by_id_and_by_address(
    stage: Stage, room: Classroom
) -> None:
    await share(room, co_teacher(stage.chitra))
    before = await checksum(stage.connection)
    answers = [
        await put(stage.asha, room, co_teacher(stage.esha), {**name, "role": "substitute"})
        for name in ({"userId": str(uuid4())}, {"email": "nobody@demo.university.example"})
    ]
    for answer, name in zip(answers, ("userId", "email"), strict=True):
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_teacher")
        assert [e["pointer"] for e in answer.json()["errors"]] == [f"/teachers/1/{name}"]
    assert await checksum(stage.connection) == before


async def test_the_owner_and_a_repeated_person_are_refused(stage: Stage, room: Classroom) -> None:
    by_address = {"email": stage.chitra.email.upper(), "role": "substitute"}
    answer = await put(
        stage.asha, room, co_teacher(stage.asha), co_teacher(stage.chitra), by_address
    )
    assert answer.status_code == 422
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        ("/teachers/0/userId", "owner_named"),
        ("/teachers/2/email", "repeated_teacher"),
    ]
    assert len(await teachers_of(room)) == 1


@pytest.mark.parametrize(
    ("entry", "pointer", "code"),
    [
        ({"role": "substitute"}, "email", "one_of_user_id_and_email"),
        (
            {"userId": str(uuid4()), "email": "a@x.example", "role": "substitute"},
            "email",
            "one_of_user_id_and_email",
        ),
        (
            {
                "email": "a@x.example",
                "role": "substitute",
                "firstDay": "2025-10-02",
                "lastDay": "2025-10-01",
            },
            "lastDay",
            "last_day_before_first",
        ),
        ({"email": "a@x.example", "role": "owner"}, "role", None),
        ({"email": "a@x.example", "role": "substitute", "firstDay": 5}, "firstDay", "invalid_date"),
        ({"email": "a", "role": "substitute"}, "email", "invalid_email"),
    ],
)
async def test_a_mistake_in_an_entry_is_named(
    stage: Stage, room: Classroom, entry: dict[str, Any], pointer: str, code: str | None
) -> None:
    answer = await put(stage.asha, room, co_teacher(stage.chitra), entry)
    assert answer.status_code == 422
    (flaw,) = answer.json()["errors"]
    assert flaw["pointer"] == f"/teachers/1/{pointer}"
    assert code in (None, flaw["code"])
    assert flaw["detail"] != "This value is not accepted here." or code is None


async def test_the_new_owner_of_a_class_is_in_the_list_once(stage: Stage, room: Classroom) -> None:
    await share(room, co_teacher(stage.chitra), co_teacher(stage.esha))
    await stage.meera.patch(room.path, {"teacherId": str(stage.chitra.user_id)})
    listed = (await stage.chitra.get(f"{room.path}/teachers")).json()
    assert [(t["name"], t["role"]) for t in listed] == [
        ("Chitra Demo", "owner"),
        ("Esha Demo", "co_teacher"),
    ]
    assert (await stage.asha.get(room.path)).status_code == 403


async def test_the_teachers_of_an_archived_class_cannot_be_changed(
    stage: Stage, room: Classroom
) -> None:
    await share(room, co_teacher(stage.chitra))
    await room.open()
    await stage.asha.delete(room.path)
    refused = await put(stage.asha, room)
    assert (refused.status_code, refused.json()["code"]) == (409, "class_archived")
    assert len((await stage.chitra.get(f"{room.path}/teachers")).json()) == 2


async def test_teachers_added_changed_and_removed_are_in_the_audit_log(
    stage: Stage, room: Classroom
) -> None:
    await share(room, co_teacher(stage.chitra))
    await share(room, substitute(stage.chitra, 0, 2))
    await share(room)
    entries = (await stage.meera.get(f"/admin/audit?subjectId={room.id}")).json()
    of_chitra = {"userId": str(stage.chitra.user_id)}
    always = {"role": "co_teacher", "firstDay": None, "lastDay": None}
    days = {"role": "substitute", "firstDay": str(day(0)), "lastDay": str(day(2))}
    assert [(e["action"], e["details"]) for e in entries] == [
        ("teacher_removed", of_chitra | days),
        ("teacher_changed", of_chitra | days),
        ("teacher_added", of_chitra | always),
    ]
    assert {e["actorId"] for e in entries} == {str(stage.asha.user_id)}


async def test_a_student_of_a_co_taught_class_is_not_another_teachers_student(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.chitra, "CS999", [ROLLS[0]])
    entry = {"students": [{"rollNo": ROLLS[0], "phone": "+91 2"}]}
    first = await stage.chitra.put(
        f"{other.path}/students", {"students": [{"rollNo": ROLLS[0], "phone": "+91 1"}]}
    )
    assert first.json()["conflicts"] == []
    refused = await stage.chitra.put(f"{other.path}/students", entry)
    assert refused.json()["conflicts"] == [{"rollNo": ROLLS[0], "field": "phone"}]
    await share(room, co_teacher(stage.chitra))
    taken = await stage.chitra.put(f"{other.path}/students", entry)
    assert taken.json()["conflicts"] == []
    await share(room, substitute(stage.chitra, until=-1))
    again = await stage.chitra.put(
        f"{other.path}/students", {"students": [{"rollNo": ROLLS[0], "phone": "+91 3"}]}
    )
    assert again.json()["conflicts"] == [{"rollNo": ROLLS[0], "field": "phone"}]


async def test_of_lists_sent_at_once_exactly_one_remains(crowd: Stage) -> None:
    hall = await classroom_of(crowd.asha)
    email = "fatima@demo.university.example"
    await crowd.connection.execute(
        "INSERT INTO allowed_emails (email, role) VALUES ($1, 'teacher')", email
    )
    fatima = {"email": email, "role": "co_teacher"}
    lists = [[fatima, co_teacher(crowd.chitra)], [substitute(crowd.esha), fatima]]
    answers = await asyncio.gather(
        *(put(crowd.asha, hall, *teachers) for teachers in lists for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {200}
    shown = {tuple(t["name"] for t in answer.json()) for answer in answers}
    assert shown == {("Asha Demo", "Chitra Demo", email), ("Asha Demo", "Esha Demo", email)}
    assert tuple(t["name"] for t in await teachers_of(hall)) in shown


async def test_removing_a_teacher_and_their_marking_are_serialised(
    crowd: Stage,
) -> None:
    hall = await classroom_of(crowd.asha)
    session = await hall.open()
    path = f"/attendance/sessions/{session}/statuses"
    updates = {"updates": [{"rollNo": ROLLS[0], "status": "late"}]}
    await share(hall, co_teacher(crowd.chitra))
    marked, removed = await asyncio.gather(crowd.chitra.put(path, updates), put(crowd.asha, hall))
    assert removed.status_code == 200
    assert marked.status_code in (200, 403)
    assert await crowd.count("attendance_statuses") == (marked.status_code == 200)
    assert (await crowd.chitra.put(path, updates)).status_code == 403


DATES = st.dates(date(1, 1, 2), date(9999, 12, 30)).map(str)
ENTRY = {
    "email": st.sampled_from(["chitra", "esha", "CHITRA", "asha", "zoya"]).map(
        lambda name: f"{name}@demo.university.example"
    ),
    "role": st.sampled_from(["co_teacher", "substitute"]),
    "firstDay": st.none() | DATES,
    "lastDay": st.none() | DATES,
}


@examples(60)
@given(body=sent(lists_of("teachers", drafts(ENTRY, ("firstDay", "lastDay")))))
async def test_a_list_is_stored_as_sent_or_refused(
    stage: Stage, room: Classroom, body: Sent
) -> None:
    before = await teachers_of(room)
    answer = await send(stage.asha, "PUT", f"{room.path}/teachers", body)
    after = await teachers_of(room)
    if accepted(answer, body, 422):
        assert answer.json() == after
        assert len(after) == len(body.fields["teachers"]) + 1
        assert {t["email"] for t in after[1:]} == {
            entry["email"].strip().lower() for entry in body.fields["teachers"]
        }
    else:
        assert after == before
