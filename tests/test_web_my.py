"""A student's pages: their own attendance, what would follow, and questions about marks."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from app.demo.google import DemoGoogle
from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, classroom_of
from tests.conftest import Stage
from tests.students import kiran_of, let_in

pytestmark = pytest.mark.anyio


@pytest.fixture
async def kiran(
    stage: Stage, room: Classroom, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Browser]:
    let_in(stage, monkeypatch)
    await stage.connection.execute("UPDATE class_students SET periods = '{[2025-08-01,)}'")
    async with browser_of(stage.app, await kiran_of(stage, google)) as browser:
        yield browser


async def marked(room: Classroom, day: str, status: str) -> str:
    session = await room.open(day)
    await room.mark(session, {ROLLS[0]: status, ROLLS[1]: "late"})
    return session


async def test_a_student_sees_their_own_attendance_and_nobody_elses(
    room: Classroom, kiran: Browser
) -> None:
    await marked(room, "2025-10-01", "present")
    assert (await kiran.get("/app")).headers["location"] == "/app/my"
    page = await kiran.shown("/app/my")
    assert "100 %" in page
    assert "1 of 1 sessions" in page
    for path in ("/app/my", f"/app/my/classes/{room.id}"):
        page = await kiran.shown(path)
        assert ROLLS[1] not in page
        assert "Asha" not in page


async def test_a_student_is_told_what_would_follow(room: Classroom, kiran: Browser) -> None:
    await marked(room, "2025-10-01", "present")
    page = await kiran.shown("/app/my?attend=1&miss=2")
    assert "After 1 more attended and 2 missed:" in page
    assert "50 %" in page
    assert "After" not in await kiran.shown("/app/my?attend=&miss=")
    assert (await kiran.get("/app/my?attend=-1")).status_code == 404


async def test_a_student_questions_a_mark_once(room: Classroom, kiran: Browser) -> None:
    session = await marked(room, "2025-10-01", "absent")
    place = f"/app/my/classes/{room.id}"
    fields = {"sessionId": session, "text": "I was there."}
    refused = await kiran.post(f"{place}/questions", fields | {"text": " "})
    assert refused.status_code == 422
    assert await kiran.done(f"{place}/questions", fields) == f"{place}?done=asked"
    page = await kiran.shown(f"{place}?done=asked")
    assert "Your question is with your teacher." in page
    assert "Your question is waiting for an answer." in page
    questions = (await room.teacher.get("/questions", params={"classId": room.id})).json()
    assert [question["text"] for question in questions] == ["I was there."]


async def question_of(room: Classroom) -> str:
    (question,) = (await room.teacher.get("/questions", params={"classId": room.id})).json()
    return str(question["id"])


async def test_a_question_that_is_refused_is_not_lost(room: Classroom, kiran: Browser) -> None:
    session = await marked(room, "2025-10-01", "absent")
    place = f"/app/my/classes/{room.id}"
    fields = {"sessionId": session, "text": "I was there. " * 50}
    refused = await kiran.post(f"{place}/questions", fields)
    assert refused.status_code == 422
    assert f'value="{fields["text"].strip()}"' in refused.text
    assert f'id="e-{session}"' in refused.text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"outcome": "declined", "answer": "I called you twice."}, "the mark stays"),
        ({"outcome": "changed", "status": "late", "answer": "<b>Sorry!</b>"}, "was changed"),
    ],
)
async def test_a_student_reads_the_answer(
    room: Classroom, kiran: Browser, given: dict[str, str], said: str
) -> None:
    session = await marked(room, "2025-10-01", "absent")
    place = f"/app/my/classes/{room.id}"
    await kiran.done(f"{place}/questions", {"sessionId": session, "text": "I was there."})
    await room.teacher.post(f"/questions/{await question_of(room)}/answer", given)
    page = await kiran.shown(place)
    assert said in page
    assert given["answer"].replace("<b>", "&lt;b&gt;").replace("</b>", "&lt;/b&gt;") in page
    assert "Asha" not in page
    assert "Withdraw my question" not in page


async def test_a_student_takes_back_a_question_that_is_not_answered(
    room: Classroom, kiran: Browser
) -> None:
    session = await marked(room, "2025-10-01", "absent")
    place = f"/app/my/classes/{room.id}"
    await kiran.done(f"{place}/questions", {"sessionId": session, "text": "I was there."})
    question = await question_of(room)
    path = f"{place}/questions/{question}/withdraw"
    assert path in await kiran.shown(place)
    assert await kiran.done(path) == f"{place}?done=question_withdrawn"
    assert "Your question is withdrawn." in await kiran.shown(f"{place}?done=question_withdrawn")
    await kiran.done(f"{place}/questions", {"sessionId": session, "text": "I was there."})
    answer = {"outcome": "declined", "answer": "No."}
    (other, _) = (await room.teacher.get("/questions", params={"classId": room.id})).json()
    await room.teacher.post(f"/questions/{other['id']}/answer", answer)
    refused = await kiran.post(f"{place}/questions/{other['id']}/withdraw")
    assert refused.status_code == 409
    assert "This question is answered already." in refused.text
    assert (await kiran.post(f"{place}/questions/{UUID(int=0)}/withdraw")).status_code == 404


async def test_the_pages_of_staff_refuse_students_and_theirs_refuse_staff(
    stage: Stage, room: Classroom, kiran: Browser
) -> None:
    session = await marked(room, "2025-10-01", "absent")
    for path in (
        "today",
        "classes",
        f"classes/{room.id}",
        f"take/{session}",
        f"sessions/{session}",
    ):
        assert (await kiran.get(f"/app/{path}")).status_code == 403
    assert (await kiran.post(f"/app/take/{session}", {})).status_code == 403
    async with browser_of(stage.app, stage.asha) as asha:
        assert (await asha.get("/app/my")).status_code == 403


async def test_a_class_that_is_not_theirs_is_missing_like_one_that_is_not_there(
    stage: Stage, kiran: Browser
) -> None:
    other = await classroom_of(stage.bilal, "CS401", rolls=[ROLLS[1]])
    theirs = await kiran.get(f"/app/my/classes/{other.id}")
    nowhere = await kiran.get(f"/app/my/classes/{stage.asha.user_id}")
    assert (theirs.status_code, theirs.text) == (404, nowhere.text)


async def test_students_are_signed_out_where_they_may_no_longer_sign_in(
    stage: Stage, kiran: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(stage, monkeypatch, students=False)
    answer = await kiran.get("/app/my")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/app/sign-in")
