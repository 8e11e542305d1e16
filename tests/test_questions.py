"""A student says that a mark is wrong, and is answered."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from app.demo.google import DemoGoogle
from tests.classroom import ROLLS, Classroom, classroom_of, co_teacher, day, share
from tests.conftest import Stage
from tests.students import give_address, id_of_roll, kiran_of, let_in, signed_in
from tests.support import Person, next_of

pytestmark = pytest.mark.anyio

DECLINED = {"outcome": "declined", "answer": "No."}
WORDS = "I was there, in the last row."


@pytest.fixture
async def kiran(
    stage: Stage, room: Classroom, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> Person:
    """The first student of Asha's class."""
    let_in(stage, monkeypatch)
    return await kiran_of(stage, google)


@pytest.fixture
async def session(room: Classroom) -> str:
    """A session in which everybody is absent."""
    return await marked(room, "2025-10-20")


async def marked(room: Classroom, when: str) -> str:
    session = await room.open(when)
    await room.mark(session, dict.fromkeys(ROLLS, "absent"))
    return session


async def ask(person: Person, room: Classroom, session: str, text: str = WORDS) -> httpx2.Response:
    body = {"classId": room.id, "sessionId": session, "text": text}
    return await person.post("/my/questions", body)


async def asked(person: Person, room: Classroom, session: str, text: str = WORDS) -> str:
    question = await ask(person, room, session, text)
    assert question.status_code == 201, question.text
    return str(question.json()["id"])


async def answer(
    person: Person, question: str, outcome: str, if_match: str | None = None, **more: Any
) -> httpx2.Response:
    headers = {"If-Match": if_match} if if_match else {}
    body = {"outcome": outcome, **more}
    return await person.post(f"/questions/{question}/answer", body, headers=headers)


async def outcome(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_question_reaches_the_teacher_and_the_answer_the_student(
    stage: Stage, room: Classroom, kiran: Person, session: str
) -> None:
    question = await asked(kiran, room, session)
    (seen,) = (await stage.asha.get("/questions?status=open")).json()
    assert (seen["id"], seen["rollNo"], seen["said"]) == (question, ROLLS[0], "absent")
    assert (seen["code"], seen["date"], seen["text"]) == ("CS301", "2025-10-20", WORDS)
    given = await answer(stage.asha, question, "declined", answer="I called you twice.")
    assert given.status_code == 200, given.text
    assert given.json()["answeredBy"] == str(stage.asha.user_id)
    (mine,) = (await kiran.get("/my/questions")).json()
    assert (mine["status"], mine["answer"], mine["mark"]) == (
        *("declined", "I called you twice."),
        "absent",
    )
    assert (await stage.asha.get("/questions?status=open")).json() == []
    (shown,) = (await kiran.get("/my/sessions?from=2025-10-20")).json()
    assert shown["question"] == {"id": question, "status": "declined"}


async def test_a_mark_that_is_changed_is_in_the_history_and_the_audit_log(
    stage: Stage, room: Classroom, kiran: Person, session: str
) -> None:
    remark = {"rollNo": ROLLS[0], "status": "absent", "remark": "Not in the photo"}
    await stage.asha.put(f"/attendance/sessions/{session}/statuses", {"updates": [remark]})
    question = await asked(kiran, room, session)
    given = await answer(stage.asha, question, "changed", status="PRESENT", answer="Sorry!")
    assert (given.json()["mark"], given.json()["said"]) == ("present", "absent")
    request = given.headers["x-request-id"]
    (change, *_) = (await stage.asha.get(f"/attendance/sessions/{session}/history")).json()
    assert (change["requestId"], change["from"]["status"]) == (request, "absent")
    assert (change["to"]["status"], change["to"]["remark"]) == ("present", "Not in the photo")
    (entry,) = (await stage.meera.get("/admin/audit?action=question_answered")).json()
    assert (entry["requestId"], entry["subjectId"]) == (request, question)
    assert entry["details"] == {
        "classId": room.id,
        "sessionId": session,
        "studentId": await id_of_roll(stage, ROLLS[0]),
        "outcome": "changed",
    }
    (mine,) = (await kiran.get("/my/questions")).json()
    assert (mine["status"], mine["mark"], mine["answer"]) == ("changed", "present", "Sorry!")


async def test_the_same_question_again_is_the_one_there_is(
    stage: Stage, room: Classroom, kiran: Person, session: str
) -> None:
    question = await asked(kiran, room, session)
    again = await ask(kiran, room, session)
    assert (again.status_code, again.json()["id"]) == (200, question)
    other = await ask(kiran, room, session, "Please look again.")
    assert await outcome(other) == (409, "question_open")
    assert (await kiran.post(f"/my/questions/{question}/withdraw")).status_code == 200
    assert (await ask(kiran, room, session, "Please look again.")).status_code == 201


async def test_the_same_answer_again_changes_nothing_and_another_one_is_refused(
    stage: Stage, room: Classroom, kiran: Person, session: str
) -> None:
    question = await asked(kiran, room, session)
    first = await answer(stage.asha, question, "declined", answer="No.")
    again = await answer(stage.asha, question, "declined", answer="No.")
    assert (again.status_code, again.json()) == (200, first.json())
    other = await answer(stage.asha, question, "changed", status="present")
    assert await outcome(other) == (409, "question_answered")
    withdrawn = await kiran.post(f"/my/questions/{question}/withdraw")
    assert await outcome(withdrawn) == (409, "question_answered")
    (mine,) = (await kiran.get("/my/questions")).json()
    assert (mine["status"], mine["mark"]) == ("declined", "absent")


async def test_a_withdrawn_question_is_not_answered(
    stage: Stage, room: Classroom, kiran: Person, session: str
) -> None:
    question = await asked(kiran, room, session)
    for _ in range(2):
        withdrawn = await kiran.post(f"/my/questions/{question}/withdraw")
        assert (withdrawn.status_code, withdrawn.json()["status"]) == (200, "withdrawn")
    given = await answer(stage.asha, question, "declined", answer="No.")
    assert await outcome(given) == (409, "question_withdrawn")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"outcome": "declined"}, "/answer", "required"),
        ({"outcome": "declined", "answer": "  "}, "/answer", "blank"),
        ({"outcome": "declined", "answer": "x" * 501}, "/answer", "too_long"),
        (DECLINED | {"status": "late"}, "/status", "status_not_changed"),
        ({"outcome": "changed"}, "/status", "required"),
        ({"outcome": "changed", "status": "here"}, "/status", "invalid_status"),
    ],
)
async def test_an_answer_says_what_it_has_to(
    stage: Stage,
    room: Classroom,
    kiran: Person,
    session: str,
    body: dict[str, Any],
    pointer: str,
    code: str,
) -> None:
    question = await asked(kiran, room, session)
    refused = await stage.asha.post(f"/questions/{question}/answer", body)
    assert refused.status_code == 422
    (flaw,) = refused.json()["errors"]
    assert (flaw["pointer"], flaw["code"]) == (pointer, code)


async def version_of(question: str, teacher: Person) -> str:
    """What a teacher who reads the question now sends as `If-Match`."""
    return (await teacher.get(f"/questions/{question}")).headers["etag"]


@pytest.mark.parametrize(
    "given", [{"outcome": "changed", "status": "late"}, {"outcome": "declined", "answer": "No."}]
)
async def test_an_answer_about_an_older_mark_is_refused(
    stage: Stage, room: Classroom, kiran: Person, session: str, given: dict[str, str]
) -> None:
    question = await asked(kiran, room, session)
    seen = await version_of(question, stage.asha)
    await room.mark(session, {ROLLS[0]: "present"})
    refused = await answer(stage.asha, question, if_match=seen, **given)
    assert await outcome(refused) == (412, "stale_version")
    (mine,) = (await kiran.get("/my/questions")).json()
    assert (mine["status"], mine["mark"]) == ("open", "present")
    now = await version_of(question, stage.asha)
    taken = await answer(stage.asha, question, if_match=now, **given)
    assert (taken.status_code, taken.json()["status"]) == (200, given["outcome"])
    assert taken.headers["etag"] == await version_of(question, stage.asha)
    again = await answer(stage.asha, question, if_match=seen, **given)
    assert (again.status_code, again.json()) == (200, taken.json())


async def test_an_answer_that_agrees_with_the_mark_or_names_no_version_is_taken(
    stage: Stage, room: Classroom, kiran: Person, session: str
) -> None:
    first = await asked(kiran, room, session)
    second = await asked(kiran, room, await marked(room, "2025-10-21"))
    seen = await version_of(first, stage.asha)
    unreadable = await answer(stage.asha, first, "changed", if_match="now", status="late")
    assert unreadable.status_code == 400
    await room.mark(session, {ROLLS[0]: "late"})
    agreed = await answer(stage.asha, first, "changed", if_match=seen, status="late")
    assert (agreed.status_code, agreed.json()["mark"]) == (200, "late")
    for anything in (None, "*"):
        given = await answer(stage.asha, second, "changed", if_match=anything, status="late")
        assert (given.status_code, given.json()["mark"]) == (200, "late")


@pytest.mark.parametrize("text", ["", " \n", "x" * 501, "a\0b"])
async def test_a_question_is_a_sentence(
    room: Classroom, kiran: Person, session: str, text: str
) -> None:
    assert (await ask(kiran, room, session, text)).status_code == 422


async def test_a_change_obeys_the_rules_of_marking(
    stage: Stage, room: Classroom, kiran: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await marked(room, str(day(-40)))
    questions = [await asked(kiran, room, old)]
    closed = await marked(room, str(day(-1)))
    questions.append(await asked(kiran, room, closed))
    await stage.asha.post(f"/attendance/sessions/{closed}/finalise", {})
    settings = stage.app.state.settings.model_copy(update={"edit_window_days": 7})
    monkeypatch.setitem(stage.app.state._state, "settings", settings)
    late, finalised = questions
    change = {"status": "present", "answer": "Yes."}
    assert await outcome(await answer(stage.asha, late, "changed", **change)) == (
        *(409, "session_locked"),
    )
    for person in (stage.asha, stage.meera):
        refused = await answer(person, finalised, "changed", **change)
        assert await outcome(refused) == (409, "session_finalised")
    assert await outcome(await answer(stage.meera, late, "changed", **change)) == (
        *(422, "reason_required"),
    )
    assert {q["status"] for q in (await kiran.get("/my/questions")).json()} == {"open"}
    given = await answer(stage.meera, late, "changed", reason="The register says so", **change)
    assert given.json()["mark"] == "present"
    declined = await answer(stage.asha, finalised, "declined", answer="It is closed.")
    assert declined.status_code == 200


async def test_a_student_has_ten_open_questions_in_a_class_at_most(
    stage: Stage, room: Classroom, kiran: Person
) -> None:
    sessions = [await marked(room, f"2025-10-{n:02}") for n in range(1, 12)]
    questions = [await asked(kiran, room, session) for session in sessions[:10]]
    assert await outcome(await ask(kiran, room, sessions[10])) == (409, "too_many_questions")
    await answer(stage.asha, questions[0], "declined", answer="No.")
    assert (await ask(kiran, room, sessions[10])).status_code == 201


async def test_who_teaches_the_class_answers_and_nobody_else(
    stage: Stage, room: Classroom, kiran: Person, session: str
) -> None:
    question = await asked(kiran, room, session)
    await share(room, co_teacher(stage.chitra))
    for person, seen in ((stage.bilal, 0), (stage.chitra, 1), (stage.meera, 1)):
        listed = (await person.get("/questions")).json()
        assert len(listed) == seen
        one = await person.get(f"/questions/{question}")
        assert one.status_code == (200 if seen else 403)
        assert not seen or one.json() == listed[0]
        assert len((await person.get(f"/questions?classId={room.id}")).json()) == seen
    assert (await stage.meera.get(f"/questions?classId={uuid4()}")).json() == []
    assert await outcome(await stage.meera.get(f"/questions/{uuid4()}")) == (404, "not_found")
    refused = await answer(stage.bilal, question, "declined", answer="No.")
    assert await outcome(refused) == (403, "access_denied")
    assert (await answer(stage.chitra, question, "declined", answer="No.")).status_code == 200


async def test_questions_come_page_by_page(stage: Stage, room: Classroom, kiran: Person) -> None:
    for when in range(1, 6):
        await asked(kiran, room, await marked(room, f"2025-10-{when:02}"))
    for person, path in ((kiran, "/my/questions"), (stage.asha, "/questions")):
        everything = (await person.get(path)).json()
        assert [q["date"][-1] for q in everything] == ["5", "4", "3", "2", "1"]
        paged, page = [], f"{path}?limit=2"
        while page:
            answered = await person.get(page)
            paged += answered.json()
            page = next_of(answered)  # type: ignore[assignment]
        assert paged == everything


async def test_what_is_not_mine_is_missing_like_what_is_nowhere(
    stage: Stage, room: Classroom, kiran: Person, session: str, google: DemoGoogle
) -> None:
    assert stage.pool is not None
    other = await classroom_of(stage.bilal, "CS999", ROLLS[1:])
    theirs = await other.open("2025-10-20")
    await other.mark(theirs, dict.fromkeys(ROLLS[1:], "absent"))
    unmarked = await room.open("2025-10-21")
    await give_address(stage, ROLLS[1], "second@students.demo.university.example")
    second = await signed_in(stage, google, "second@students.demo.university.example")
    question = await asked(second, room, session)
    nowhere = str(uuid4())
    places = [(other.id, theirs), (room.id, theirs), (other.id, session), (nowhere, nowhere)]
    places += [(room.id, nowhere), (room.id, unmarked)]
    answers = []
    for class_id, session_id in places:
        body = {"classId": class_id, "sessionId": session_id, "text": WORDS}
        answers.append(await same_request(stage, kiran, "/my/questions", body))
    for id_ in (question, nowhere):
        path = f"/my/questions/{id_}/withdraw"
        answers.append(await same_request(stage, kiran, path, None))
    assert len(set(answers[: len(places)])) == len(set(answers[len(places) :])) == 1
    assert {status for status, *_ in answers} == {404}
    assert (await kiran.get("/my/questions")).json() == []


async def test_in_a_class_that_is_archived_or_was_left_nothing_is_asked(
    stage: Stage, room: Classroom, kiran: Person, session: str
) -> None:
    await room.enrol(*ROLLS[1:])
    assert (await ask(kiran, room, session)).status_code == 404
    await room.enrol(*ROLLS)
    question = await asked(kiran, room, session)
    await stage.asha.delete(room.path)
    assert (await ask(kiran, room, session)).status_code == 404
    refused = await answer(stage.asha, question, "declined", answer="No.")
    assert await outcome(refused) == (409, "class_archived")


async def same_request(
    stage: Stage, person: Person, path: str, body: Any
) -> tuple[int, str, tuple[str, ...]]:
    assert stage.pool is not None
    stage.pool.statements.clear()
    answer = await person.post(path, body, headers={"X-Request-ID": "the-same"})
    return answer.status_code, answer.text, tuple(stage.pool.statements)


async def test_what_a_student_reads_of_questions_names_nobody(
    stage: Stage, room: Classroom, kiran: Person, session: str
) -> None:
    question = await asked(kiran, room, session)
    await answer(stage.asha, question, "declined", answer="No.")
    said = (await kiran.get("/my/questions")).text
    people = await stage.connection.fetch("SELECT id FROM students UNION SELECT id FROM users")
    hidden = [*ROLLS, "Student 1", "Asha", "Demo", "@", *(str(row["id"]) for row in people)]
    assert [name for name in hidden if name in said] == []


async def test_questions_of_two_records_become_one_persons(
    stage: Stage, room: Classroom, kiran: Person, session: str, google: DemoGoogle
) -> None:
    address = "second@students.demo.university.example"
    await give_address(stage, ROLLS[1], address)
    second = await signed_in(stage, google, address)
    await asked(kiran, room, session)
    await asked(second, room, session, "Me, too.")
    await asked(second, room, await marked(room, "2025-10-21"), "Then, too.")
    this, other = [await id_of_roll(stage, roll) for roll in ROLLS[:2]]
    body = {"otherId": other, "onClash": "this"}
    merged = await stage.meera.post(f"/admin/students/{this}/merge", body)
    assert merged.status_code == 200, merged.text
    questions = (await kiran.get("/my/questions")).json()
    assert [(q["text"], q["status"]) for q in questions] == [
        ("Then, too.", "open"),
        ("Me, too.", "withdrawn"),
        (WORDS, "open"),
    ]


async def test_of_answers_at_the_same_moment_one_is_given(
    crowd: Stage, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(crowd, monkeypatch)
    room = await classroom_of(crowd.asha)
    kiran = await kiran_of(crowd, google)
    session = await marked(room, "2025-10-20")
    texts = [ask(kiran, room, session) for _ in range(6)]
    made = await asyncio.gather(*texts)
    assert sorted(one.status_code for one in made) == [200] * 5 + [201]
    (question,) = {one.json()["id"] for one in made}
    given = await asyncio.gather(
        *(answer(crowd.asha, question, "declined", answer=f"No {n}.") for n in range(3)),
        *(answer(crowd.meera, question, "changed", status="late") for _ in range(3)),
        kiran.post(f"/my/questions/{question}/withdraw"),
    )
    assert {one.status_code for one in given} <= {200, 409}
    (mine,) = (await kiran.get("/my/questions")).json()
    assert mine["status"] != "open"
    assert (mine["mark"] == "late") == (mine["status"] == "changed")
