"""Questions from students on the teacher's Today, and the page on which they are answered."""

import re
from uuid import UUID

import pytest

from app.demo.google import DemoGoogle
from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, co_teacher, day, share
from tests.conftest import Stage
from tests.students import kiran_of, let_in
from tests.support import Person
from tests.test_questions import WORDS, asked, marked

pytestmark = pytest.mark.anyio

DECLINED = {"outcome": "declined", "answer": "I called you twice."}


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


@pytest.fixture
async def question(room: Classroom, kiran: Person, session: str) -> str:
    """Kiran says that the mark of the session is wrong."""
    return await asked(kiran, room, session)


async def of_student(kiran: Person) -> tuple[str, str, str | None]:
    """What the student is told of their question."""
    (mine,) = (await kiran.get("/my/questions")).json()
    return mine["status"], mine["mark"], mine["answer"]


def version_in(page: str) -> str:
    """The version of the session that the form of the page carries."""
    (version,) = re.findall(r'name="version" value="(\d+)"', page)
    return version


async def test_an_open_question_is_on_today_until_it_is_answered(
    asha: Browser, kiran: Person, question: str
) -> None:
    page = await asha.shown("/app/today")
    for text in ("Questions from students", ROLLS[0], "Student 101", "CS301", "Mon 20 Oct", WORDS):
        assert text in page
    assert f'href="/app/questions/{question}"' in page
    assert WORDS not in await asha.shown("/app/today?on=2025-10-20")
    assert await asha.done(f"/app/questions/{question}", DECLINED) == "/app/questions?done=answered"
    page = await asha.shown("/app/questions?done=answered")
    assert "Your answer is with the student." in page
    assert "No question is waiting for an answer." in page
    assert "Questions from students" not in await asha.shown("/app/today")
    assert await of_student(kiran) == ("declined", "absent", "I called you twice.")


async def test_a_mark_that_was_wrong_is_changed_and_stands_in_the_history(
    asha: Browser, kiran: Person, session: str, question: str
) -> None:
    page = await asha.shown(f"/app/questions/{question}")
    assert WORDS in page
    assert 'value="present"' in page
    assert 'value="absent"' not in page
    await asha.done(f"/app/questions/{question}", {"outcome": "present", "answer": "Sorry!"})
    assert await of_student(kiran) == ("changed", "present", "Sorry!")
    page = await asha.shown(f"/app/sessions/{session}")
    assert "No mark was changed" not in page
    page = await asha.shown(f"/app/questions/{question}")
    assert "the mark was changed" in page
    assert "Sorry!" in page
    assert '<form method="post" action="/app/questions' not in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"outcome": "declined"}, 'id="e-answer">This is required.'),
        ({"answer": "I looked again."}, 'id="e-outcome">Choose one of these.'),
        ({"outcome": "here", "answer": "I looked again."}, 'id="e-outcome">Choose one of these.'),
        ({"outcome": "late", "answer": "x" * 501}, 'id="e-answer">This is too long.'),
    ],
)
async def test_an_answer_that_lacks_something_is_shown_again(
    asha: Browser, kiran: Person, question: str, fields: dict[str, str], said: str
) -> None:
    refused = await asha.post(f"/app/questions/{question}", fields)
    assert refused.status_code == 422
    assert said in refused.text
    assert f'value="{fields.get("answer", "")}"' in refused.text
    if fields.get("outcome") in ("declined", "late"):
        assert f'value="{fields["outcome"]}" required checked' in refused.text
    assert await of_student(kiran) == ("open", "absent", None)


async def test_closed_attendance_is_said_to_be_so_and_nothing_typed_is_lost(
    stage: Stage,
    room: Classroom,
    asha: Browser,
    kiran: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = await asked(kiran, room, await marked(room, str(day(-40))))
    closed = await marked(room, str(day(-1)))
    finalised = await asked(kiran, room, closed)
    await stage.asha.post(f"/attendance/sessions/{closed}/finalise", {})
    settings = stage.app.state.settings.model_copy(update={"edit_window_days": 7})
    monkeypatch.setitem(stage.app.state._state, "settings", settings)
    change = {"outcome": "present", "answer": "You were there."}
    for question, said in (
        (old, "This attendance can be changed for 7 days."),
        (finalised, "This attendance is finalised. Reopen it to change it."),
    ):
        refused = await asha.post(f"/app/questions/{question}", change)
        assert refused.status_code == 409
        assert said in refused.text
        assert 'value="You were there."' in refused.text
        assert 'value="present" required checked' in refused.text
        assert "Reason for the change" not in refused.text
    async with browser_of(stage.app, stage.meera) as meera:
        refused = await meera.post(f"/app/questions/{old}", change)
        assert refused.status_code == 422
        assert 'id="e-reason"' in refused.text
        await meera.done(f"/app/questions/{old}", change | {"reason": "The register says so"})


async def test_who_answers_too_late_is_told_so_and_sees_the_answer_and_their_own(
    room: Classroom, asha: Browser, kiran: Person, question: str
) -> None:
    answer = {"outcome": "declined", "answer": "No."}
    await room.teacher.post(f"/questions/{question}/answer", answer)
    refused = await asha.post(f"/app/questions/{question}", DECLINED)
    assert refused.status_code == 409
    for text in ("answered already", "No.", "Your own answer was not sent.", DECLINED["answer"]):
        assert text in refused.text
    assert await of_student(kiran) == ("declined", "absent", "No.")


@pytest.mark.parametrize("picked", ["late", "declined"])
async def test_an_answer_to_a_mark_that_has_changed_is_shown_again_with_the_mark_of_now(
    room: Classroom, asha: Browser, kiran: Person, session: str, question: str, picked: str
) -> None:
    path = f"/app/questions/{question}"
    answer = {"outcome": picked, "answer": "I looked again."}
    seen = version_in(await asha.shown(path))
    await room.mark(session, {ROLLS[0]: "present"})
    refused = await asha.post(path, answer | {"version": seen})
    assert refused.status_code == 412
    assert await of_student(kiran) == ("open", "present", None)
    for text in (
        '<span class="mark present">Present</span>',
        "when they asked it was",
        "You see the mark as it is now.",
        f'value="{picked}" required checked',
        'value="I looked again."',
    ):
        assert text in refused.text
    assert 'value="present"' not in refused.text
    await asha.done(path, answer | {"version": version_in(refused.text)})
    said = ("changed", "late") if picked == "late" else ("declined", "present")
    assert await of_student(kiran) == (*said, "I looked again.")


async def test_a_form_with_an_unreadable_version_is_shown_again(
    asha: Browser, kiran: Person, question: str
) -> None:
    for version in ("soon", "-1", "9" * 40, "\u0663"):
        refused = await asha.post(f"/app/questions/{question}", DECLINED | {"version": version})
        assert refused.status_code == 412
    assert await of_student(kiran) == ("open", "absent", None)


async def test_a_withdrawn_question_needs_no_answer(
    asha: Browser, kiran: Person, question: str
) -> None:
    await kiran.post(f"/my/questions/{question}/withdraw")
    assert "nothing left to answer" in await asha.shown(f"/app/questions/{question}")
    refused = await asha.post(f"/app/questions/{question}", DECLINED)
    assert refused.status_code == 409
    assert WORDS not in await asha.shown("/app/questions")


async def test_only_who_works_in_the_class_sees_and_answers_a_question(
    stage: Stage, room: Classroom, kiran: Person, question: str
) -> None:
    await share(room, co_teacher(stage.chitra))
    path = f"/app/questions/{question}"
    for person, status in ((stage.bilal, 403), (stage.chitra, 200), (stage.meera, 200)):
        async with browser_of(stage.app, person) as browser:
            assert (await browser.get(path)).status_code == status
            assert (WORDS in await browser.shown("/app/today")) == (status == 200)
            assert (WORDS in await browser.shown("/app/questions")) == (status == 200)
            if status == 403:
                assert (await browser.post(path, DECLINED)).status_code == 403
    async with browser_of(stage.app, kiran) as browser:
        for place in (path, "/app/questions"):
            assert (await browser.get(place)).status_code == 403


async def test_where_students_do_not_sign_in_today_has_no_questions(
    stage: Stage, asha: Browser, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(stage, monkeypatch, students=False)
    assert WORDS not in await asha.shown("/app/today")


async def test_many_questions_are_paged_and_today_has_the_latest(
    room: Classroom, asha: Browser, kiran: Person
) -> None:
    for n in range(1, 8):
        await asked(kiran, room, await marked(room, f"2025-10-{n:02}"), f"Sentence {n}.")
    page = await asha.shown("/app/today")
    assert [n for n in range(1, 8) if f"Sentence {n}." in page] == [3, 4, 5, 6, 7]
    page = await asha.shown("/app/questions")
    assert [n for n in range(1, 8) if f"Sentence {n}." in page] == [*range(1, 8)]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/app/questions/nothing", 404),
        (f"/app/questions/{UUID(int=0)}", 404),
        ("/app/questions?cursor=%00", 422),
        (f"/app/questions?cursor={'9' * 10_000}", 422),
        ("/app/questions?cursor=nothing", 422),
    ],
)
async def test_an_address_that_leads_nowhere_says_so(asha: Browser, path: str, status: int) -> None:
    assert (await asha.get(path)).status_code == status


async def test_markup_in_a_question_is_text(
    room: Classroom, asha: Browser, kiran: Person, session: str
) -> None:
    question = await asked(kiran, room, session, "<script>alert(1)</script>")
    for path in ("/app/today", "/app/questions", f"/app/questions/{question}"):
        assert "&lt;script&gt;alert(1)" in await asha.shown(path)
