"""The life of a session: open, finalised, cancelled; and the edit window."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.config import Settings
from tests.classroom import ROLLS, Classroom, co_teacher, day, share, substitute
from tests.conftest import Stage
from tests.support import Person, checksum

pytestmark = pytest.mark.anyio

WHY = {"reason": "The power was out."}

SAME = "nothing changes"
MARKED = "a mark changes"
# The outcome for people with access: nothing changes, a mark changes, the session gets that status
# (a mark may change with it), or the request is refused with that code.
TABLE = {
    #                 open         finalised            cancelled
    "finalise": ("finalised", SAME, "session_cancelled"),
    "reopen": (SAME, "open", "session_cancelled"),
    "cancel": ("cancelled", "session_finalised", SAME),
    "restore": (SAME, "session_finalised", "open"),
    "mark": (MARKED, "session_finalised", "session_cancelled"),
    "mark-unmarked": (MARKED, "session_finalised", "session_cancelled"),
    "open again": (SAME, SAME, SAME),
    "read": (SAME, SAME, SAME),
    "history": (SAME, SAME, SAME),
    "events": (SAME, SAME, SAME),
}
STATES = ("open", "finalised", "cancelled")
MAY = ("asha", "chitra", "divya", "meera")  # owner, co-teacher, substitute of the day, admin
MAY_NOT = ("esha", "bilal")  # a substitute until yesterday, another teacher
TO_STATE = {"open": (), "finalised": ("finalise",), "cancelled": ("cancel",)}


async def ask(
    person: Person, session: str, request: str, reason: str | None = None
) -> httpx2.Response:
    """Send a request of the table, with a valid body."""
    path = f"/attendance/sessions/{session}"
    why = {"reason": reason} if reason else {}
    match request:
        case "mark":
            updates = [{"rollNo": ROLLS[0], "status": "late"}]
            return await person.put(f"{path}/statuses", {"updates": updates} | why)
        case "mark-unmarked":
            return await person.post(f"{path}/mark-unmarked", {"status": "present"} | why)
        case "read":
            return await person.get(path)
        case "history" | "events":
            return await person.get(f"{path}/{request}")
        case "reopen" | "cancel":
            return await person.post(f"{path}/{request}", WHY | why)
    return await person.post(f"{path}/{request}", why or None)


async def done(person: Person, session: str, *requests: str) -> dict[str, Any]:
    """The session after these requests, all of which succeed."""
    for request in (*requests, "read"):
        answer = await ask(person, session, request)
        assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def marks_of(session: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {m["rollNo"]: (m["status"], m["source"]) for m in session["statuses"]}


async def history_of(room: Classroom, session: str) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = (await ask(room.teacher, session, "history")).json()
    return changes


async def events_of(room: Classroom, session: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = (await ask(room.teacher, session, "events")).json()
    return events


async def enrol(
    room: Classroom, joins: dict[str, int], last_days: dict[str, int] | None = None
) -> None:
    """Enrol these from that day, counted from today, or give them that last day."""
    body = {
        "students": [{"rollNo": roll, "from": str(day(n))} for roll, n in joins.items()],
        "withdrawals": [
            {"rollNo": roll, "lastDay": str(day(n))} for roll, n in (last_days or {}).items()
        ],
    }
    answer = await room.teacher.put(f"{room.path}/students?mode=merge", body)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def shared(stage: Stage, room: Classroom) -> Classroom:
    """The class, shared with everybody who has or had access to it."""
    today_alone = substitute(stage.divya, since=0, until=0)
    await share(room, co_teacher(stage.chitra), today_alone, substitute(stage.esha, until=-1))
    return room


@pytest.fixture
async def session(room: Classroom) -> str:
    """A session today with one of the three students marked."""
    session = await room.open(day(0), startTime="09:00")
    await room.mark(session, {ROLLS[0]: "present"})
    return session


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("request_", TABLE)
async def test_every_transition_answers_as_in_the_table(
    stage: Stage, shared: Classroom, session: str, request_: str, state: str
) -> None:
    await done(stage.asha, session, *TO_STATE[state])
    found = {}
    for name in MAY + MAY_NOT:
        async with stage.undone():
            found[name] = await outcome(stage, getattr(stage, name), shared, session, request_)
    expected = TABLE[request_][STATES.index(state)]
    assert found == dict.fromkeys(MAY, expected) | dict.fromkeys(MAY_NOT, "access_denied")


async def outcome(stage: Stage, person: Person, room: Classroom, session: str, request: str) -> str:
    """The outcome of the request, in the words of the table."""
    before, checked = await done(stage.asha, session), await checksum(stage.connection)
    if request == "open again":
        again = {"classId": room.id, "sessionDate": str(day(0)), "startTime": "09:00"}
        answer = await person.post("/attendance/sessions", again)
    else:
        answer = await ask(person, session, request)
    changed = await checksum(stage.connection) != checked
    after = await done(stage.asha, session)
    if answer.status_code != 200:
        assert not changed
        return str(answer.json()["code"])
    if isinstance(answer.json(), dict):
        assert answer.json()["sessionId"] == session
        assert answer.json()["version"] == after["version"]
        assert answer.headers["etag"] == f'"{after["version"]}"'
    if not changed:
        assert after == before
        return SAME
    remarked = marks_of(after) != marks_of(before)
    assert after["version"] == before["version"] + remarked
    if after["status"] == before["status"]:
        assert remarked
        return MARKED
    return str(after["status"])


async def test_finalising_marks_unmarked_students_enrolled_on_the_day_absent(
    stage: Stage, room: Classroom
) -> None:
    joined = {"since long": -30, "that day": -3, "a day late": -2, "marked": -30, "guest": -30}
    left = {"until that day": -3, "until the day before": -4, "came back": -20}
    await enrol(room, joined | dict.fromkeys(left, -30))
    await enrol(room, {}, left)
    await enrol(room, {"came back": -1})
    session = await room.open(day(-3))
    await room.mark(session, {"marked": "late", "guest": "excused"})
    await enrol(room, {}, {"guest": -10})
    finalised = await done(stage.asha, session, "finalise")
    assert marks_of(finalised) == {
        "since long": ("absent", "auto"),
        "that day": ("absent", "auto"),
        "until that day": ("absent", "auto"),
        "marked": ("late", "manual"),
        "guest": ("excused", "manual"),
    }
    assert finalised["unmarked"] == []
    assert finalised["version"] == 2


async def test_finalising_changes_the_version_only_if_it_marks_somebody(
    stage: Stage, room: Classroom, session: str
) -> None:
    await room.mark(session, dict.fromkeys(ROLLS, "present"))
    finalised = await done(stage.asha, session, "finalise")
    assert (finalised["status"], finalised["version"]) == ("finalised", 2)
    seen = {"If-Match": '"2"'}
    await done(stage.asha, session, "reopen")
    assert (await room.mark(session, {ROLLS[0]: "late"}, headers=seen)).status_code == 200


async def test_absences_filled_in_survive_reopening_and_are_in_the_history(
    stage: Stage, room: Classroom, session: str
) -> None:
    reopened = await done(stage.meera, session, "finalise", "reopen")
    assert (reopened["status"], reopened["statusReason"]) == ("open", WHY["reason"])
    absent = ("absent", "auto")
    assert marks_of(reopened) == {
        ROLLS[0]: ("present", "manual"),
        ROLLS[1]: absent,
        ROLLS[2]: absent,
    }
    await room.mark(session, {ROLLS[1]: "late"})
    last, *filled, _ = await history_of(room, session)
    assert (last["from"]["source"], last["to"]["source"]) == ("auto", "manual")
    assert [(c["version"], c["from"], c["to"]["source"]) for c in filled] == [(2, None, "auto")] * 2
    assert {c["changedBy"] for c in filled} == {str(stage.meera.user_id)}


async def test_the_events_say_who_did_what_and_why(
    stage: Stage, room: Classroom, session: str
) -> None:
    acts = ("finalise", "finalise", "reopen", "cancel", "cancel", "restore")
    for person, act in zip((stage.asha, stage.meera) * 3, acts, strict=True):
        await done(person, session, act)
    events = await events_of(room, session)
    assert [(e["status"], e["reason"], e["actorName"]) for e in events] == [
        ("open", None, "Meera Demo"),
        ("cancelled", WHY["reason"], "Meera Demo"),
        ("open", WHY["reason"], "Asha Demo"),
        ("finalised", None, "Asha Demo"),
    ]
    assert all(e["requestId"] for e in events)


@pytest.mark.parametrize("act", ["reopen", "cancel"])
@pytest.mark.parametrize("body", [None, {}, {"reason": None}, {"reason": " "}, {"reason": 1}])
async def test_reopening_and_cancelling_need_a_reason(
    stage: Stage, session: str, act: str, body: Any
) -> None:
    await done(stage.asha, session, *(["finalise"] if act == "reopen" else []))
    before = await checksum(stage.connection)
    answer = await stage.asha.post(f"/attendance/sessions/{session}/{act}", body)
    assert answer.status_code == 422
    assert await checksum(stage.connection) == before


@pytest.mark.parametrize("status", ["present", "ABSENT", "late", "excused"])
async def test_all_unmarked_students_can_be_marked_at_once(
    stage: Stage, room: Classroom, session: str, status: str
) -> None:
    path = f"/attendance/sessions/{session}/mark-unmarked"
    first = (await stage.asha.post(path, {"status": status})).json()
    given = (status.lower(), "manual")
    assert marks_of(first) == dict.fromkeys(ROLLS, given) | {ROLLS[0]: ("present", "manual")}
    assert (first["version"], first["unmarked"]) == (2, [])
    before = await checksum(stage.connection)
    assert (await stage.asha.post(path, {"status": "late"})).json() == first
    assert await checksum(stage.connection) == before


# Cancelled sessions count nowhere.


async def counted(stage: Stage, room: Classroom) -> list[Any]:
    """The numbers of the class, on which the API and the view must agree."""
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    view = await stage.connection.fetch(
        "SELECT roll_no, present, absent, late, excused, total, percentage"
        " FROM v_student_attendance_summary WHERE class_id = $1 ORDER BY roll_no",
        room.id,
    )
    assert [(s["rollNo"], s["total"], s["percentage"]) for s in stats] == [
        (row["roll_no"], row["total"], float(row["percentage"])) for row in view
    ]
    return [dict(row) for row in view]


async def test_a_cancelled_session_counts_nowhere_until_it_is_restored(
    stage: Stage, room: Classroom, session: str
) -> None:
    nothing = await counted(stage, room)
    other = await room.open(day(-1))
    await room.mark(other, {ROLLS[0]: "absent", ROLLS[1]: "late"})
    both = await counted(stage, room)
    await done(stage.asha, other, "cancel")
    assert await counted(stage, room) == nothing
    restored = await done(stage.asha, other, "restore")
    assert await counted(stage, room) == both
    assert (restored["version"], restored["statusReason"]) == (1, None)


async def test_a_cancelled_session_keeps_its_slot_and_is_returned_as_cancelled(
    stage: Stage, room: Classroom, session: str
) -> None:
    cancelled = await done(stage.asha, session, "cancel")
    body = {"classId": room.id, "sessionDate": str(day(0)), "startTime": "09:00"}
    opened = (await stage.asha.post("/attendance/sessions", body)).json()
    assert (opened["sessionId"], opened["created"]) == (session, False)
    assert (opened["status"], opened["version"]) == ("cancelled", cancelled["version"])
    (listed,) = (await stage.asha.get(f"/attendance/sessions?classId={room.id}")).json()
    assert (listed["status"], listed["statusReason"]) == ("cancelled", WHY["reason"])
    assert listed["statuses"] == cancelled["statuses"]
    assert await stage.count("attendance_sessions") == 1


# The edit window.

WINDOW = 3
EARLIER = {"reopen": ("finalise",), "restore": ("cancel",)}
CHANGES = ("finalise", "reopen", "cancel", "restore", "mark", "mark-unmarked")


@pytest.fixture
def window(app: FastAPI, settings: Settings) -> Iterator[None]:
    app.state.settings = settings.model_copy(update={"edit_window_days": WINDOW})
    yield
    app.state.settings = settings


async def before(stage: Stage, room: Classroom, age: int, request: str) -> str:
    """A session of that age in days, in which the request would change something."""
    await enrol(room, dict.fromkeys(ROLLS, -30))
    session = await room.open(day(-age))
    for act in EARLIER.get(request, ()):
        answer = await ask(stage.meera, session, act, "An old matter.")
        assert answer.status_code == 200, answer.text
    return session


@pytest.mark.parametrize("request_", CHANGES)
async def test_within_the_window_teachers_can_change_everything(
    stage: Stage, room: Classroom, window: None, request_: str
) -> None:
    session = await before(stage, room, WINDOW, request_)
    assert (await ask(stage.asha, session, request_)).status_code == 200


@pytest.mark.parametrize("request_", CHANGES)
async def test_after_the_window_teachers_are_refused_and_administrators_need_a_reason(
    stage: Stage, room: Classroom, window: None, request_: str
) -> None:
    session = await before(stage, room, WINDOW + 1, request_)
    checked = await checksum(stage.connection)
    refused = await ask(stage.asha, session, request_, "I forgot.")
    assert (refused.status_code, refused.json()["code"]) == (409, "session_locked")
    if request_ not in ("reopen", "cancel"):  # which always need a reason
        silent = await ask(stage.meera, session, request_)
        assert (silent.status_code, silent.json()["code"]) == (422, "reason_required")
        assert silent.json()["errors"][0]["pointer"] == "/reason"
    assert await checksum(stage.connection) == checked
    assert (await ask(stage.meera, session, request_, "On paper.")).status_code == 200
    if request_ not in ("mark", "mark-unmarked"):
        assert (await events_of(room, session))[0]["reason"] == "On paper."
    if request_ in ("mark", "mark-unmarked", "finalise"):
        assert {c["reason"] for c in await history_of(room, session)} == {"On paper."}


async def test_the_window_does_not_limit_reading_and_opening(
    stage: Stage, room: Classroom, window: None
) -> None:
    session = await room.open("2020-01-01")
    for request in ("read", "history", "events"):
        assert (await ask(stage.asha, session, request)).status_code == 200


async def test_without_a_window_marks_can_be_changed_forever(stage: Stage, room: Classroom) -> None:
    session = await room.open("2001-01-01")
    assert (await ask(stage.asha, session, "mark")).status_code == 200
    assert [c["reason"] for c in await history_of(room, session)] == [None]
