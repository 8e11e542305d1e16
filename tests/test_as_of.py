"""Statistics of an earlier instant are what the API answered then."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests import recount
from tests.classroom import ROLLS, Classroom, classroom_of, day
from tests.conftest import Stage, emptied
from tests.fuzz import examples
from tests.recount import Act, Enrol
from tests.test_history import POLICIES, WAYS, Told, two_classes
from tests.test_policy import DEFAULT

pytestmark = pytest.mark.anyio

ANY_POLICY = st.builds(
    lambda rules, excused, on_duty: rules | {"excused": excused, "onDuty": on_duty},
    POLICIES,
    st.sampled_from(WAYS),
    st.sampled_from(WAYS),
)
# Long enough for marks, leave and rosters to meet, and each step is asked about four times.
STEPS = st.lists(recount.EVENT | ANY_POLICY, min_size=4, max_size=14)


async def instant(connection: asyncpg.Connection) -> str:
    now = await connection.fetchval("SELECT clock_timestamp()")
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class Answer:
    """What was answered to a request at an instant."""

    path: str
    at: str
    said: tuple[int, Any]


def as_of(path: str, at: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}asOf={quote(at)}"


async def ask(stage: Stage, path: str, at: str | None = None) -> tuple[int, Any]:
    answer = await stage.asha.get(path if at is None else as_of(path, at))
    return answer.status_code, answer.json() if answer.is_success else None


async def answers_of(stage: Stage, rooms: list[Classroom]) -> list[Answer]:
    """All statistics of the classes and students as they are now."""
    paths = [f"/stats/students?rollNo={roll}" for roll in recount.ROLLS]
    for room in rooms:
        path = f"/stats/classes/{room.id}"
        paths += [f"{path}/students", f"{path}/students?include=withdrawn", f"{path}/sessions"]
    said = [(path, await ask(stage, path)) for path in paths]
    at = await instant(stage.connection)
    return [Answer(path, at, answer) for path, answer in said]


async def does(told: Told, what: Any) -> int:
    """Let it happen: what `Told` knows, or a policy."""
    if isinstance(what, dict):
        return (await told.stage.meera.put("/admin/policy", what)).status_code
    return await told.happens(what)


async def assert_same_then(stage: Stage, answers: list[Answer]) -> None:
    for answer in answers:
        assert await ask(stage, answer.path, answer.at) == answer.said, answer.path


async def in_a_term_with_slots(stage: Stage) -> list[Classroom]:
    """Two classes that go on for some weeks."""
    term = {"name": "Monsoon", "firstDay": str(day(-30)), "lastDay": str(day(20))}
    assert (await stage.meera.post("/admin/terms", term)).is_success
    rooms = await two_classes(stage)
    for room in rooms:
        slot = {"dayOfWeek": 3, "startTime": "09:00", "endTime": "10:00"}
        assert (await stage.asha.post(f"{room.path}/schedules", slot)).is_success
    return rooms


@examples(6)
@given(steps=STEPS)
async def test_statistics_as_of_an_instant_equal_the_answers_of_that_time(
    crowd: Stage, steps: list[Any]
) -> None:
    await crowd.connection.execute(emptied("users", "allowed_emails"))
    told = Told(crowd, await in_a_term_with_slots(crowd))
    answers = await answers_of(crowd, told.rooms)
    for what in [*recount.PROLOGUE, *steps]:
        if isinstance(what, dict) or told.can(what):
            event(f"{type(what).__name__} {await does(told, what)}")
            answers += await answers_of(crowd, told.rooms)
    await assert_same_then(crowd, answers)


async def test_what_is_undone_later_still_counts_as_of_an_earlier_instant(crowd: Stage) -> None:
    """A mark corrected, a session cancelled, a roster and its periods changed, leave withdrawn."""
    room = await classroom_of(crowd.asha, rolls=[])
    told = Told(crowd, [room])
    first, second = ROLLS[:2]
    entries = [{"rollNo": roll, "from": str(day(-10))} for roll in (first, second)]
    assert (await crowd.asha.put(f"{room.path}/students", {"students": entries})).is_success
    for on, marks in ((-2, {first: "absent", second: "absent"}), (-1, {first: "present"})):
        told.sessions[0, on] = await room.open(day(on))
        await room.mark(told.sessions[0, on], marks)
    steps = [
        recount.MarkThem(0, -2, ((first, "late", False),)),
        DEFAULT | {"lateWeight": 50, "minimumSessions": 1},
        recount.Ask(second, "on_duty", 0, (-2, -2), "approve"),
        recount.Withdraw(0),
        Act(0, -2, "cancel"),
        Act(0, -2, "restore"),
        Enrol(0, second, "out", -4),
        Enrol(0, second, "in", -1),
        Enrol(0, second, "in", 0),
        Enrol(0, second, "in", -1),
        Act(0, -1, "finalise"),
        Enrol(0, second, "out", None),
    ]
    answers = await answers_of(crowd, [room])
    count = len(answers)
    for what in steps:
        assert await does(told, what) == 200
        answers += await answers_of(crowd, [room])
        said = [answer.said for answer in answers]
        assert said[-count:] != said[-2 * count : -count], f"{what} shows in nothing"
    await assert_same_then(crowd, answers)


async def test_records_that_were_merged_are_enrolled_as_both_were(crowd: Stage) -> None:
    room = await classroom_of(crowd.asha, rolls=[])
    entries = [
        {"rollNo": roll, "from": str(day(since))}
        for roll, since in ((ROLLS[0], -1), (ROLLS[1], -9))
    ]
    assert (await crowd.asha.put(f"{room.path}/students", {"students": entries})).is_success
    await room.open(day(-5))
    students = await crowd.asha.get(f"/stats/classes/{room.id}/students")
    this, other = (student["studentId"] for student in students.json())
    merged = await crowd.meera.post(f"/admin/students/{this}/merge", {"otherId": other})
    assert merged.is_success
    answers = await answers_of(crowd, [room])
    assert [answer.said[1][0]["unmarked"] for answer in answers[-3:]] == [1, 1, 1]
    await assert_same_then(crowd, answers)


async def test_before_a_class_existed_there_are_no_figures(stage: Stage, room: Classroom) -> None:
    await room.mark(await room.open(), {ROLLS[0]: "present"})
    for at in ("0001-01-01T00:00:00Z", "2001-01-01T00:00:00.5Z"):
        for path in ("students", "students?include=withdrawn", "sessions"):
            assert await ask(stage, f"/stats/classes/{room.id}/{path}", at) == (200, [])
        assert await ask(stage, f"/stats/students?rollNo={ROLLS[0]}", at) == (404, None)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        *((at, "invalid_instant") for at in ("", "now", "2025-10-20", "2025-10-20T03:31Z")),
        *((at, "invalid_instant") for at in ("2025-10-20T03:31:07+05:30", "2025-02-30T00:00:00Z")),
        *((at, "invalid_instant") for at in ("20251020T033107Z", "٢٠٢٥-10-20T03:31:07Z")),
        ("9999-12-31T23:59:59Z", "instant_in_future"),
    ],
)
async def test_an_invalid_or_future_instant_is_refused(
    stage: Stage, room: Classroom, at: str, code: str
) -> None:
    paths = [f"/stats/classes/{room.id}/{what}" for what in ("students", "sessions")]
    for path in (*paths, f"/stats/students?rollNo={ROLLS[0]}"):
        answer = await stage.asha.get(as_of(path, at))
        assert answer.status_code == 422
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
            ("/query/asOf", code)
        ]


async def test_after_a_merge_the_remaining_record_shows_the_past(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open(day(-1))
    await room.mark(session, {ROLLS[0]: "present", ROLLS[1]: "absent", ROLLS[2]: "late"})
    before = await instant(stage.connection)
    ids = [student["studentId"] for student in (await room.document())["students"]]
    for other in ids[1:]:
        merged = await stage.meera.post(
            f"/admin/students/{ids[0]}/merge", {"otherId": other, "onClash": "other"}
        )
        assert merged.status_code == 200, merged.text
    path = f"/stats/classes/{room.id}/students"
    for at, status in ((None, "late"), (before, "present")):
        (student,) = (await ask(stage, path, at))[1]
        assert (student["total"], student[status]) == (1, 1)
