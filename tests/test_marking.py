"""Marking students: whole marks, whole batches, versions, history."""

from typing import Any

import httpx2
import pytest

from tests.classroom import ROLLS, Classroom
from tests.conftest import Stage
from tests.support import checksum, next_of

pytestmark = pytest.mark.anyio

UNKNOWN = "23/CS/999"


async def put(
    room: Classroom, session: str, *updates: dict[str, Any], query: str = "", **headers: str
) -> httpx2.Response:
    path = f"/attendance/sessions/{session}/statuses{query}"
    tags = {name.replace("_", "-"): value for name, value in headers.items()}
    return await room.teacher.put(path, {"updates": list(updates)}, headers=tags)


def mark(roll: str, status: str = "present", **more: Any) -> dict[str, Any]:
    return {"rollNo": roll, "status": status, **more}


@pytest.fixture
async def session(room: Classroom) -> str:
    return await room.open()


async def test_a_batch_is_merged_into_the_session(room: Classroom, session: str) -> None:
    await put(room, session, mark(ROLLS[0]), mark(ROLLS[1], "absent"))
    answer = await put(room, session, mark(ROLLS[1], "LATE"), mark(" 23/cs/103 ", "Excused"))
    marks = {m["rollNo"]: m["status"] for m in answer.json()["statuses"]}
    assert marks == {ROLLS[0]: "present", ROLLS[1]: "late", ROLLS[2]: "excused"}
    assert (answer.json()["version"], answer.headers["etag"]) == (2, '"2"')
    read = await room.teacher.get(f"/attendance/sessions/{session}")
    assert read.json()["statuses"] == answer.json()["statuses"]
    assert read.headers["etag"] == '"2"'


async def test_an_update_replaces_the_whole_mark(room: Classroom, session: str) -> None:
    full = mark(ROLLS[0], recognizedByAi=True, similarityScore=92.5, remark="saw her")
    (first,) = (await put(room, session, full)).json()["statuses"]
    assert (first["recognizedByAi"], first["similarityScore"]) == (True, 92.5)
    assert first["remark"] == "saw her"
    (second,) = (await put(room, session, mark(ROLLS[0]))).json()["statuses"]
    assert (second["recognizedByAi"], second["similarityScore"]) == (False, None)
    assert second["remark"] is None


@pytest.mark.parametrize(
    ("sent", "stored"),
    [(0, 0), (0.0, 0), (100, 100), (92.5, 92.5), (33.335, 33.34), (87.654321, 87.65), (None, None)],
)
async def test_a_score_keeps_two_decimals_and_zero_is_zero(
    room: Classroom, session: str, sent: Any, stored: Any
) -> None:
    answer = await put(room, session, mark(ROLLS[0], similarityScore=sent))
    assert answer.json()["statuses"][0]["similarityScore"] == stored


@pytest.mark.parametrize("score", ["-0.01", "100.01", "1e999", '"92.5"', "true", "[]", "{}"])
async def test_an_invalid_score_is_refused(room: Classroom, session: str, score: str) -> None:
    update = f'{{"rollNo": "{ROLLS[0]}", "status": "late", "similarityScore": {score}}}'
    answer = await room.teacher.request(
        "PUT",
        f"/attendance/sessions/{session}/statuses",
        content=f'{{"updates": [{update}]}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/updates/0/similarityScore"


async def test_students_who_cannot_be_marked_are_named(room: Classroom, session: str) -> None:
    answer = await put(room, session, mark(UNKNOWN), mark(ROLLS[0]), mark("X"))
    assert answer.json()["rejected"] == [
        {"rollNo": UNKNOWN, "code": "not_enrolled"},
        {"rollNo": "X", "code": "not_enrolled"},
    ]
    assert len(answer.json()["statuses"]) == 1


@pytest.mark.parametrize(
    ("updates", "query"),
    [
        ([mark(UNKNOWN)], ""),
        ([mark(ROLLS[0]), mark(UNKNOWN)], "?strict=true"),
        ([mark(ROLLS[0]), mark(ROLLS[1], "here")], ""),
        ([mark(ROLLS[0]), mark(ROLLS[1]), mark("23/cs/101")], ""),
        ([mark(ROLLS[0]), {"rollNo": ROLLS[1]}], ""),
        ([mark(ROLLS[0]), mark(ROLLS[1], recognizedByAi="yes")], ""),
        ([mark(ROLLS[0]), mark(ROLLS[1], remark="a\u0000b")], ""),
        ([mark(ROLLS[0], surprise=1)], ""),
    ],
)
async def test_a_batch_with_a_mistake_changes_nothing_and_points_to_it(
    stage: Stage, room: Classroom, session: str, updates: list[dict[str, Any]], query: str
) -> None:
    before = await checksum(stage.connection)
    answer = await put(room, session, *updates, query=query)
    assert answer.status_code == 422
    last = len(updates) - 1
    assert answer.json()["errors"][0]["pointer"].startswith(f"/updates/{last}")
    assert await checksum(stage.connection) == before


async def test_repeating_a_batch_changes_nothing(
    stage: Stage, room: Classroom, session: str
) -> None:
    batch = (mark(ROLLS[0], similarityScore=50), mark(ROLLS[1], "absent"))
    first = await put(room, session, *batch)
    before = await checksum(stage.connection)
    again = await put(room, session, *batch)
    assert again.json() == first.json()
    assert await checksum(stage.connection) == before
    empty = await put(room, session)
    assert (empty.status_code, empty.json()["version"]) == (200, 1)


async def test_a_stale_version_is_refused_unless_nothing_would_change(
    stage: Stage, room: Classroom, session: str
) -> None:
    first = (mark(ROLLS[0]),)
    assert (await put(room, session, *first, If_Match='"0"')).status_code == 200
    before = await checksum(stage.connection)
    stale = await put(room, session, mark(ROLLS[0], "late"), If_Match='"0"')
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert await checksum(stage.connection) == before
    assert (await put(room, session, *first, If_Match='"0"')).status_code == 200
    assert (await put(room, session, mark(ROLLS[0], "late"), If_Match='"1"')).status_code == 200


@pytest.mark.parametrize(
    ("tag", "status"),
    [('"7", "0"', 200), ("*", 200), ('W/"0"', 412), ('"x"', 412), ("0", 400), ('"0', 400)],
)
async def test_if_match_is_read_as_the_standard_says(
    room: Classroom, session: str, tag: str, status: int
) -> None:
    assert (await put(room, session, mark(ROLLS[0]), If_Match=tag)).status_code == status


async def test_a_withdrawn_student_can_be_corrected_where_they_have_a_mark(
    room: Classroom, session: str
) -> None:
    await put(room, session, mark(ROLLS[0]))
    await room.enrol(*ROLLS[1:])
    corrected = await put(room, session, mark(ROLLS[0], "absent"))
    assert corrected.json()["statuses"][0]["status"] == "absent"
    elsewhere = await room.open("2025-10-28")
    assert (await put(room, elsewhere, mark(ROLLS[0]))).status_code == 422


async def test_the_history_says_who_changed_what_from_what(
    stage: Stage, room: Classroom, session: str
) -> None:
    await put(room, session, mark(ROLLS[0]), mark(ROLLS[1]), X_Request_ID="first")
    path = f"/attendance/sessions/{session}/statuses"
    late = {"updates": [mark(ROLLS[0], "late", remark="bus")]}
    await stage.meera.put(path, late, headers={"X-Request-ID": "second"})
    changes = (await stage.asha.get(f"/attendance/sessions/{session}/history")).json()
    assert [(c["version"], c["rollNo"], c["requestId"]) for c in changes] == [
        (2, ROLLS[0], "second"),
        (1, ROLLS[0], "first"),
        (1, ROLLS[1], "first"),
    ]
    assert (changes[0]["from"]["status"], changes[0]["to"]["status"]) == ("present", "late")
    assert changes[0]["to"]["remark"] == "bus"
    assert changes[0]["changedBy"] == str(stage.meera.user_id)
    assert changes[0]["changedByName"] == "Meera Demo"
    assert changes[1]["from"] is None


async def test_the_history_is_paged(room: Classroom, session: str) -> None:
    for status in ("present", "late", "absent"):
        await put(room, session, *(mark(roll, status) for roll in ROLLS))
    path: str | None = f"/attendance/sessions/{session}/history?limit=4"
    seen = []
    while path:
        answer = await room.teacher.get(path)
        seen += [(c["version"], c["rollNo"]) for c in answer.json()]
        path = next_of(answer)
    assert seen == [(version, roll) for version in (3, 2, 1) for roll in ROLLS]


async def test_two_thousand_updates_are_accepted_and_one_more_is_refused(
    room: Classroom, session: str
) -> None:
    updates = [mark(f"R{n}") for n in range(2000)]
    assert (await put(room, session, mark(ROLLS[0]), *updates)).status_code == 422
    taken = await put(room, session, mark(ROLLS[0]), *updates[:1999])
    assert len(taken.json()["rejected"]) == 1999


@pytest.mark.parametrize(
    "alike", ["２３/ＣＳ/１０１", "23∕СS∕101", "23/CS/\u200b101", " 23/cs/101 "]
)
async def test_a_roll_number_matches_lookalike_characters(room: Classroom, alike: str) -> None:
    marked = await room.mark(await room.open(), {alike: "present"})
    assert [mark["rollNo"] for mark in marked.json()["statuses"]] == ["23/CS/101"]


async def test_a_roll_number_of_invisible_characters_is_blank(room: Classroom) -> None:
    updates = [{"rollNo": "\u200b\u2060", "status": "present"}]
    path = f"/attendance/sessions/{await room.open()}/statuses"
    refused = await room.teacher.put(path, {"updates": updates})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "blank")
