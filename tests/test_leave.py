"""Leave: who may request, see, decide on and withdraw it."""

from typing import Any

import httpx2
import pytest

from tests.classroom import (
    ROLLS,
    Classroom,
    asked_leave,
    classroom_of,
    co_teacher,
    day,
    decide,
    share,
    substitute,
)
from tests.conftest import Stage
from tests.support import Person, checksum, next_of

pytestmark = pytest.mark.anyio

NOTE = "Fever. A doctor's letter is in the office."


async def ask(person: Person, **body: Any) -> httpx2.Response:
    """Request leave for the first student today, unless `body` says otherwise."""
    days = {} if "sessionIds" in body else {"firstDay": str(day(0)), "lastDay": str(day(0))}
    return await person.post("/leaves", {"rollNo": ROLLS[0], "kind": "medical"} | days | body)


@pytest.fixture
async def shared(stage: Stage, room: Classroom) -> Classroom:
    """Asha's class with a co-teacher and yesterday's substitute; Bilal has a class of his own."""
    await share(room, co_teacher(stage.chitra), substitute(stage.esha, until=-1))
    await classroom_of(stage.bilal, "CS999", [ROLLS[1]])
    return room


# Requesting.


@pytest.mark.parametrize(
    ("name", "of_class", "of_all"),
    [
        ("asha", 201, 201),
        ("chitra", 201, 201),
        ("esha", 403, 422),
        ("bilal", 403, 422),
        ("meera", 201, 201),
    ],
)
async def test_teachers_request_leave_for_their_classes_and_their_students(
    stage: Stage, shared: Classroom, name: str, of_class: int, of_all: int
) -> None:
    person = getattr(stage, name)
    assert (await ask(person, classId=shared.id)).status_code == of_class
    answer = await ask(person)
    assert answer.status_code == of_all
    if of_all == 422:
        assert answer.json()["code"] == "unknown_student"


async def test_leave_covers_days_or_sessions_of_a_class(stage: Stage, room: Classroom) -> None:
    days = (await ask(stage.asha, lastDay=str(day(9)), note=NOTE)).json()
    assert (days["classId"], days["firstDay"], days["lastDay"]) == (None, str(day(0)), str(day(9)))
    assert (days["status"], days["sessionIds"], days["note"]) == ("pending", None, NOTE)
    sessions = sorted([await room.open(day(-5)), await room.open(day(-2))])
    some = (await ask(stage.asha, classId=room.id, sessionIds=sessions[::-1])).json()
    assert some["sessionIds"] == sessions
    assert (some["firstDay"], some["lastDay"]) == (str(day(-5)), str(day(-2)))


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"lastDay": str(day(-1))}, "/lastDay", "ends_before_start"),
        ({"lastDay": str(day(367))}, "/lastDay", "leave_too_long"),
        ({"lastDay": None}, "/lastDay", "required"),
        ({"sessionIds": ["{session}"]}, "/classId", "required"),
        (
            {"sessionIds": ["{session}"], "classId": "{class}", "firstDay": str(day(0))},
            "/firstDay",
            "days_and_sessions",
        ),
        ({"sessionIds": ["{elsewhere}"], "classId": "{class}"}, "/sessionIds", "unknown_session"),
        ({"sessionIds": [], "classId": "{class}"}, "/sessionIds", "too_short"),
        ({"rollNo": "23/CS/999"}, "/rollNo", "unknown_student"),
        ({"rollNo": "23/CS/999", "classId": "{class}"}, "/rollNo", "unknown_student"),
        ({"kind": "holiday"}, "/kind", "enum"),
        ({"note": "\u0000"}, "/note", "control_character"),
    ],
)
async def test_an_invalid_request_is_refused_and_nothing_is_written(
    stage: Stage, room: Classroom, body: dict[str, Any], pointer: str, code: str
) -> None:
    other = await classroom_of(stage.asha, "CS2")
    ids = {"{class}": room.id, "{session}": await room.open(), "{elsewhere}": await other.open()}
    for name, value in body.items():
        if isinstance(value, list):
            body = body | {name: [ids.get(item, item) for item in value]}
        elif value in ids:
            body = body | {name: ids[value]}
    before = await checksum(stage.connection)
    answer = await ask(stage.asha, **body)
    assert answer.status_code == 422
    assert (answer.json()["errors"][0]["pointer"], answer.json()["errors"][0]["code"]) == (
        pointer,
        code,
    )
    assert await checksum(stage.connection) == before


async def test_a_repeated_request_returns_the_first_until_it_is_rejected_or_withdrawn(
    stage: Stage, room: Classroom
) -> None:
    sessions = [await room.open(day(-n)) for n in range(3)]
    for body in ({"note": NOTE}, {"classId": room.id, "sessionIds": sessions}):
        first = await ask(stage.asha, **body)
        before = await checksum(stage.connection)
        again = await ask(stage.asha, **body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert await checksum(stage.connection) == before
        assert (await ask(stage.meera, **body)).status_code == 201, "requested by somebody else"
        await decide(stage.meera, first.json()["id"], "approve")
        assert (await ask(stage.asha, **body)).json()["status"] == "approved"
        await decide(stage.meera, first.json()["id"], "withdraw")
        assert (await ask(stage.asha, **body)).status_code == 201
    assert (await ask(stage.asha, note="Another matter.")).status_code == 201


async def test_an_archived_class_accepts_no_new_leave(stage: Stage, room: Classroom) -> None:
    await room.open()
    await stage.asha.delete(room.path)
    answer = await ask(stage.asha, classId=room.id)
    assert (answer.status_code, answer.json()["code"]) == (409, "class_archived")


# Seeing.


@pytest.mark.parametrize(
    ("asker", "of_class", "sees", "reads_note"),
    [
        ("asha", True, {"asha", "chitra", "meera"}, {"asha", "chitra", "meera"}),
        ("asha", False, {"asha", "chitra", "meera"}, {"asha", "meera"}),
        ("meera", True, {"asha", "chitra", "meera"}, {"asha", "chitra", "meera"}),
        ("meera", False, {"asha", "chitra", "meera"}, {"meera"}),
    ],
)
async def test_teachers_of_the_student_see_leave_but_only_deciders_and_the_requester_its_note(
    stage: Stage,
    shared: Classroom,
    asker: str,
    of_class: bool,
    sees: set[str],
    reads_note: set[str],
) -> None:
    asked = await ask(getattr(stage, asker), classId=shared.id if of_class else None, note=NOTE)
    found: dict[str, Any] = {}
    for name in ("asha", "chitra", "esha", "bilal", "divya", "meera"):
        one = await getattr(stage, name).get(f"/leaves/{asked.json()['id']}")
        listed = (await getattr(stage, name).get("/leaves")).json()
        if one.status_code == 200:
            found[name] = one.json()["note"]
            assert listed == [one.json()]
        else:
            assert (one.status_code, listed) == (403, [])
            assert NOTE not in one.text
    assert found.keys() == sees
    assert {name for name, note in found.items() if note == NOTE} == reads_note


async def test_the_list_is_filtered_and_paged(stage: Stage, room: Classroom) -> None:
    for n, roll in enumerate(ROLLS):
        body = {"firstDay": str(day(n * 10)), "lastDay": str(day(n * 10 + 5)), "rollNo": roll}
        made = await ask(stage.asha, **body, classId=room.id if n == 2 else None)
        # A test runs in one transaction, in which now() never changes.
        await stage.connection.execute(
            "UPDATE leaves SET created_at = created_at + interval '1 ms' * $1 WHERE id = $2",
            n,
            made.json()["id"],
        )
    (last,) = (await stage.asha.get(f"/leaves?classId={room.id}")).json()
    await decide(stage.asha, last["id"], "reject")

    async def rolls(query: str) -> list[str]:
        return [leave["rollNo"] for leave in (await stage.asha.get(f"/leaves?{query}")).json()]

    assert await rolls("") == ROLLS[::-1]
    assert await rolls(f"rollNo= {ROLLS[1].lower()} ") == [ROLLS[1]]
    assert await rolls("status=rejected") == [ROLLS[2]]
    assert await rolls(f"from={day(5)}&to={day(10)}") == [ROLLS[1], ROLLS[0]]
    assert await rolls(f"from={day(6)}&to={day(9)}") == []
    path: str | None = "/leaves?limit=2"
    seen = []
    while path:
        page = await stage.asha.get(path)
        seen.append([leave["rollNo"] for leave in page.json()])
        path = next_of(page)
    assert seen == [ROLLS[:0:-1], ROLLS[:1]]


# Deciding.

# Status x decision: the resulting status, or the code of the refusal.
DECISIONS = {
    #                approve            reject              withdraw
    "pending": ("approved", "rejected", "withdrawn"),
    "approved": ("approved", "leave_approved", "withdrawn"),
    "rejected": ("leave_rejected", "rejected", "leave_rejected"),
    "withdrawn": ("leave_withdrawn", "leave_withdrawn", "withdrawn"),
}
WORDS = ("approve", "reject", "withdraw")
TO_STATUS = {"approved": "approve", "rejected": "reject", "withdrawn": "withdraw"}


@pytest.mark.parametrize("decision", WORDS)
@pytest.mark.parametrize("status", DECISIONS)
async def test_the_table_of_decisions_holds(
    stage: Stage, room: Classroom, status: str, decision: str
) -> None:
    leave = await asked_leave(stage.asha, ROLLS[0], classId=room.id)
    if status != "pending":
        await decide(stage.asha, leave, TO_STATUS[status])
    before = await checksum(stage.connection)
    answer = await stage.meera.post(f"/leaves/{leave}/{decision}")
    outcome = DECISIONS[status][WORDS.index(decision)]
    if outcome in DECISIONS:
        assert answer.json()["leave"]["status"] == outcome
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, outcome)
    assert (await checksum(stage.connection) != before) == (outcome in DECISIONS.keys() - {status})
    if outcome in DECISIONS.keys() - {status}:
        assert answer.json()["leave"]["decidedBy"] == str(stage.meera.user_id)
        (entry,) = (await stage.meera.get(f"/admin/audit?action=leave_{outcome}")).json()
        assert (entry["subjectId"], entry["details"]) == (leave, {})


PEOPLE = ("asha", "chitra", "esha", "bilal", "meera")


@pytest.mark.parametrize("decision", WORDS)
@pytest.mark.parametrize(
    ("of_class", "deciders"), [(True, {"asha", "chitra", "meera"}), (False, {"meera"})]
)
async def test_teachers_decide_for_their_classes_and_administrators_for_all(
    stage: Stage, shared: Classroom, of_class: bool, deciders: set[str], decision: str
) -> None:
    for_ = {"classId": shared.id if of_class else None}
    leave = await asked_leave(stage.meera, ROLLS[0], **for_)
    before = await checksum(stage.connection)
    for name in PEOPLE:
        if name not in deciders:
            answer = await getattr(stage, name).post(f"/leaves/{leave}/{decision}")
            assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")
    assert await checksum(stage.connection) == before
    for name in sorted(deciders):
        leave = await asked_leave(stage.meera, ROLLS[0], **for_, note=name)
        await decide(getattr(stage, name), leave, decision)


async def test_the_requester_may_withdraw_undecided_leave(stage: Stage, room: Classroom) -> None:
    first, second = [await asked_leave(stage.asha, ROLLS[0], note=n) for n in "ab"]
    for _ in range(2):
        assert (await decide(stage.asha, first, "withdraw"))["leave"]["status"] == "withdrawn"
    await decide(stage.meera, second, "approve")
    assert (await stage.asha.post(f"/leaves/{second}/withdraw")).status_code == 403
    assert (await stage.asha.post(f"/leaves/{second}/approve")).status_code == 403
    assert (await stage.asha.get(f"/leaves/{second}")).json()["status"] == "approved"


# Rights that are limited to certain days.


async def test_a_substitute_decides_on_leave_within_their_days(
    stage: Stage, room: Classroom
) -> None:
    await share(room, substitute(stage.esha, since=0, until=1))
    within = await asked_leave(stage.asha, ROLLS[0], classId=room.id)
    beyond = await asked_leave(
        *(stage.asha, ROLLS[1]), classId=room.id, firstDay=str(day(-250)), lastDay=str(day(0))
    )
    before = await checksum(stage.connection)
    assert (await stage.esha.post(f"/leaves/{beyond}/approve")).status_code == 403
    assert await checksum(stage.connection) == before
    assert (await decide(stage.esha, within, "approve"))["leave"]["status"] == "approved"
    assert (await stage.esha.get(f"/leaves/{beyond}")).status_code == 200


async def test_leave_from_all_classes_is_seen_where_the_student_is_enrolled_on_one_of_its_days(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.bilal, "CS999", [ROLLS[0]])
    seen = await asked_leave(stage.meera, ROLLS[0])
    left = {"students": [], "withdrawals": [{"rollNo": ROLLS[0], "lastDay": str(day(0))}]}
    path = f"{other.path}/students?mode=merge"
    assert (await stage.bilal.put(path, left)).status_code == 200
    days = {"firstDay": str(day(1)), "lastDay": str(day(3))}
    hidden = await asked_leave(stage.meera, ROLLS[0], **days)
    assert (await stage.bilal.get(f"/leaves/{seen}")).status_code == 200
    assert (await stage.bilal.get(f"/leaves/{hidden}")).status_code == 403
    assert (await stage.asha.get(f"/leaves/{hidden}")).status_code == 200
    listed = (await stage.bilal.get("/leaves")).json()
    assert [leave["id"] for leave in listed] == [seen]


async def test_a_substitute_whose_days_are_over_no_longer_sees_leave_they_requested(
    stage: Stage, room: Classroom
) -> None:
    await share(room, substitute(stage.esha, since=0, until=1))
    leave = await asked_leave(stage.esha, ROLLS[0], classId=room.id)
    assert (await stage.esha.get(f"/leaves/{leave}")).json()["note"] is None
    await share(room, substitute(stage.esha, since=-3, until=-1))
    assert (await stage.esha.get(f"/leaves/{leave}")).status_code == 403
    assert (await stage.esha.get("/leaves")).json() == []
