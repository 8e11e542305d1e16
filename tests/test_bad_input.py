"""What goes in comes out: whatever JSON can express is stored exactly or refused, and never
breaks a later read."""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas.words import roll_key
from tests.classroom import ROLLS, Classroom
from tests.conftest import Stage
from tests.fuzz import (
    MARK,
    Draft,
    Sent,
    accepted,
    assert_all_reads,
    drafts,
    examples,
    lists_of,
    read,
    send,
    sent,
    text_up_to,
)

pytestmark = pytest.mark.anyio

STUDENT_TEXTS = (
    "photoUrl",
    "program",
    "spCode",
    "semester",
    "status",
    "duration",
    "email",
    "dtuEmail",
    "phone",
)


CLASS = {
    "code": text_up_to(255),
    "name": text_up_to(200),
    "section": text_up_to(255),
    "ltpPattern": st.none() | text_up_to(255),
    "teacherType": st.none() | text_up_to(255),
    "practicalGroup": st.none() | text_up_to(255),
}
OPTIONAL_OF_CLASS = ("ltpPattern", "teacherType", "practicalGroup")


def shown(fields: dict[str, Any]) -> dict[str, Any]:
    """A class as it is read back: identifiers lose the white space around them."""
    return {
        name: value.strip() if name in ("code", "section") else value
        for name, value in fields.items()
    }


@examples(90)
@given(body=sent(drafts(CLASS, OPTIONAL_OF_CLASS)))
async def test_a_class_is_stored_as_sent_or_refused(
    stage: Stage, room: Classroom, body: Sent
) -> None:
    answer = await send(stage.asha, "POST", "/classes", body)
    if accepted(answer, body, 409):
        path = f"/classes/{answer.json()['id']}"
        stored = await read(stage.asha, path)
        given_fields = dict.fromkeys(OPTIONAL_OF_CLASS) | body.fields
        assert {name: stored[name] for name in given_fields} == shown(given_fields)
        await assert_all_reads(Classroom(stage.asha, stored["id"]))
        assert (await stage.asha.delete(path)).status_code == 204


@pytest.mark.parametrize("character", ["\0", "\n", "\x1b", "\x7f", "\x85"])
@pytest.mark.parametrize("name", CLASS)
async def test_a_control_character_is_refused(
    stage: Stage, room: Classroom, name: str, character: str
) -> None:
    answer = await stage.asha.patch(room.path, {name: f"{MARK}{character}."})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/{name}"
    assert answer.json()["errors"][0]["code"] == "control_character"


@examples(75)
@given(body=sent(drafts(CLASS, tuple(CLASS))))
async def test_a_change_of_a_class_is_stored_as_sent_or_refused(
    stage: Stage, room: Classroom, body: Sent
) -> None:
    before = await read(stage.asha, room.path)
    answer = await send(stage.asha, "PATCH", room.path, body)
    after = await read(stage.asha, room.path)
    changed = shown(body.fields) if accepted(answer, body) else {}
    assert after == before | changed | {"updatedAt": after["updatedAt"]}
    if answer.is_success:
        await assert_all_reads(room)


ROLL = st.sampled_from([*ROLLS, ROLLS[0].lower(), f" {ROLLS[1]}\t"]) | text_up_to(80)
ENTRY = {
    "rollNo": ROLL,
    "name": st.none() | st.just(" ") | text_up_to(200),
    **{name: st.none() | st.just("") | text_up_to(255) for name in STUDENT_TEXTS},
    "from": st.none() | st.dates(date(1, 1, 2), date(2025, 12, 1)).map(str),
}
ROSTER = lists_of("students", drafts(ENTRY, ("name", "from", *STUDENT_TEXTS)))


@examples(90)
@given(body=sent(ROSTER))
async def test_a_roster_is_stored_as_sent_or_refused_and_blanks_erase_nothing(
    stage: Stage, room: Classroom, body: Sent
) -> None:
    rows = await stage.connection.fetch("SELECT * FROM students")
    stored = {row["roll_key"]: {camel(name): value for name, value in row.items()} for row in rows}
    before = (await read(stage.asha, room.path))["students"]
    answer = await send(stage.asha, "PUT", f"{room.path}/students", body)
    after = (await read(stage.asha, room.path))["students"]
    if accepted(answer, body, 409, 422):
        entries = {}
        for entry in body.fields["students"]:
            fields = Draft(entry, True).fields
            entries[roll_key(fields["rollNo"])] = fields
        assert {roll_key(student["rollNo"]) for student in after} == set(entries)
        assert answer.json()["conflicts"] == []
        for student in after:
            entry = entries[roll_key(student["rollNo"])]
            old = stored.get(roll_key(student["rollNo"]), {"rollNo": entry["rollNo"].strip()})
            for name in ("rollNo", "name", *STUDENT_TEXTS):
                assert student[name] == expected(name, entry, old)
    else:
        assert after == before
    if answer.is_success:
        await assert_all_reads(room)


def expected(name: str, entry: dict[str, Any], old: dict[str, Any]) -> str | None:
    """A student's field after the roster named them with `entry`."""
    value = entry.get(name)
    if name == "rollNo" or value is None or not value.strip():
        return old.get(name, "" if name == "name" else None)
    return value


def camel(name: str) -> str:
    return next(iter(Draft({name: None}, True).fields))


THOUSANDTHS = st.integers(0, 100_000).map(lambda number: number / 1000)
SCORE = st.one_of(st.none(), st.integers(0, 100), st.floats(0, 100), THOUSANDTHS, st.just(-0.0))
KNOWN = st.sampled_from(ROLLS)
UPDATE = {
    "rollNo": KNOWN | ROLL,
    "status": st.sampled_from(["present", "ABSENT", "Late", "eXcUsEd"]),
    "recognizedByAi": st.booleans(),
    "similarityScore": SCORE,
    "remark": st.none() | text_up_to(1000) | st.just(f"{MARK}\n\tlate bus"),
}
BATCH = lists_of("updates", drafts(UPDATE, ("recognizedByAi", "similarityScore", "remark")))


@examples(120)
@given(body=sent(BATCH))
async def test_marks_are_stored_as_sent_or_refused(
    stage: Stage, room: Classroom, body: Sent
) -> None:
    session = await room.open()
    path = f"/attendance/sessions/{session}"
    before = await read(stage.asha, path)
    answer = await send(stage.asha, "PUT", f"{path}/statuses", body)
    after = await read(stage.asha, path)
    if accepted(answer, body, 422):
        assert answer.json()["statuses"] == after["statuses"]
        marks = {roll_key(mark["rollNo"]): mark for mark in after["statuses"]}
        rejected = [item["rollNo"] for item in answer.json()["rejected"]]
        for update in body.fields["updates"]:
            fields = Draft(update, True).fields
            if roll_key(fields["rollNo"]) in map(roll_key, ROLLS):
                if fields["rollNo"].strip() in rejected:
                    assert fields["recognizedByAi"]  # marked by hand in an earlier example
                    continue
                assert marks[roll_key(fields["rollNo"])].items() >= mark_of(fields).items()
            else:
                assert fields["rollNo"].strip() in rejected
    else:
        assert after == before
    if answer.is_success:
        await assert_all_reads(room, session)


def mark_of(fields: dict[str, Any]) -> dict[str, Any]:
    score = fields.get("similarityScore")
    if score is not None:
        rounded = Decimal(str(abs(score))).quantize(Decimal("0.01"), ROUND_HALF_UP)
        score = float(rounded)
    return {
        "status": fields["status"].lower(),
        "recognizedByAi": fields.get("recognizedByAi", False),
        "similarityScore": score,
        "remark": fields.get("remark"),
    }


@pytest.mark.parametrize("score", [0, 0.005, 12.345, 99.994, 99.995, 100, 1e-300])
async def test_a_score_is_rounded_half_up(stage: Stage, room: Classroom, score: float) -> None:
    session = await room.open()
    update = {"rollNo": ROLLS[0], "status": "present", "similarityScore": score}
    path = f"/attendance/sessions/{session}"
    await stage.asha.put(f"{path}/statuses", {"updates": [update]})
    assert (await read(stage.asha, path))["statuses"][0].items() >= mark_of(update).items()


MORNING = st.sampled_from(["00:00", "08:59", "09:00:00", "11:30"])
AFTERNOON = st.sampled_from(["12:00", "15:45:00", "23:59"])
IMAGES = st.sampled_from(
    [f"https://demo.university.example/{MARK}.jpg", f"/data/{MARK} ü.jpg", f"file:///{MARK}"]
)
SESSION = {
    "sessionDate": st.dates(date(1, 1, 2), date(2025, 12, 1)).map(str),
    "startTime": MORNING,
    "endTime": AFTERNOON,
    "processedImageUrl": st.none() | IMAGES,
}


@examples(90)
@given(
    body=sent(drafts(SESSION, ("startTime", "endTime", "processedImageUrl"))),
    own=st.sampled_from([True, True, True, False]),
)
async def test_a_session_is_stored_as_sent_or_refused(
    stage: Stage, room: Classroom, body: Sent, own: bool
) -> None:
    if own and isinstance(body.value, dict):
        # Not drawn: the class has its id only now.
        of_class = b'{"classId":"%s"%s' % (room.id.encode(), b"," if body.value else b"")
        # An end without a start is refused.
        clean = body.clean and "endTime" not in body.fields
        body = Sent({**body.value, "classId": room.id}, clean, of_class + body.raw[1:])
    else:
        body = Sent(body.value, False, body.raw)
    answer = await send(stage.asha, "POST", "/attendance/sessions", body)
    if accepted(answer, body):
        opened = answer.json()
        stored = await read(stage.asha, f"/attendance/sessions/{opened['sessionId']}")
        more = {"statuses", "statusReason", "unmarked"}
        created = opened.pop("created")
        assert {name: stored[name] for name in stored.keys() - more} == opened
        opened["created"] = created
        fields = body.fields
        assert opened["sessionDate"] == fields["sessionDate"]
        if fields.get("startTime"):
            assert opened["startTime"] == fields["startTime"][:5]
        if opened["created"]:
            assert opened["endTime"] == ((fields.get("endTime") or "")[:5] or None)
            assert opened["processedImageUrl"] == fields.get("processedImageUrl")
        await assert_all_reads(room, opened["sessionId"])


SLOT = {"dayOfWeek": st.integers(1, 7), "startTime": MORNING, "endTime": AFTERNOON}


@examples(75)
@given(body=sent(drafts(SLOT)))
async def test_a_slot_is_stored_as_sent_or_refused(
    stage: Stage, room: Classroom, body: Sent
) -> None:
    answer = await send(stage.asha, "POST", f"{room.path}/schedules", body)
    if accepted(answer, body):
        path = f"{room.path}/schedules/{answer.json()['id']}"
        stored = await read(stage.asha, path)
        day, start, end = (body.fields[name] for name in SLOT)
        assert (stored["dayOfWeek"], stored["start"], stored["end"]) == (day, start[:5], end[:5])
        assert type(day) is int
        await assert_all_reads(room)
        assert (await stage.asha.delete(path)).status_code == 204


async def slot_of(room: Classroom, day: int, start: str, end: str) -> str:
    body = {"dayOfWeek": day, "startTime": start, "endTime": end}
    return (await room.teacher.post(f"{room.path}/schedules", body)).json()["id"]


@examples(75)
@given(body=sent(drafts(SLOT, tuple(SLOT))))
async def test_a_change_of_a_slot_is_stored_as_sent_or_refused(
    stage: Stage, room: Classroom, body: Sent
) -> None:
    path = f"{room.path}/schedules/{await slot_of(room, 1, '11:45', '11:50')}"
    answer = await send(stage.asha, "PATCH", path, body)
    stored = await read(stage.asha, path)
    wanted = {"dayOfWeek": 1, "startTime": "11:45", "endTime": "11:50"}
    if accepted(answer, body):
        wanted |= {name: value for name, value in body.fields.items() if value is not None}
    assert stored["dayOfWeek"] == wanted["dayOfWeek"]
    assert (stored["start"], stored["end"]) == (wanted["startTime"][:5], wanted["endTime"][:5])
    if answer.is_success:
        await assert_all_reads(room)
    assert (await stage.asha.delete(path)).status_code == 204


EDGES = ["0001-01-01", "0001-01-02", "9999-12-30", "9999-12-31"]
MONDAY = date(2025, 10, 27)
MOVE = {
    "originalDate": st.integers(-100, 100).map(lambda n: str(MONDAY + timedelta(7 * n))),
    "originalStartTime": st.none() | st.just("09:00"),
    "rescheduledDate": st.dates().map(str) | st.sampled_from(EDGES),
    "rescheduledStartTime": MORNING,
    "rescheduledEndTime": AFTERNOON,
    "reason": st.none() | text_up_to(1000),
}


@examples(90)
@given(body=sent(drafts(MOVE, ("originalStartTime", "reason"))))
async def test_a_reschedule_is_stored_as_sent_or_refused(
    stage: Stage, room: Classroom, body: Sent
) -> None:
    if not (await room.document())["schedule"]:
        await slot_of(room, 1, "09:00", "10:00")
    for method, path in (("POST", room.path), ("PUT", None)):
        if path is None:
            moves = (await stage.asha.get(f"{room.path}/reschedules")).json()
            if not moves:
                break
            path = f"{room.path}/reschedules/{moves[0]['id']}"
        else:
            path = f"{path}/reschedules"
        answer = await send(stage.asha, method, path, body)
        if accepted(answer, body, 409, 422):
            stored = await read(stage.asha, f"{room.path}/reschedules/{answer.json()['id']}")
            for name, value in {"reason": None, **body.fields}.items():
                if name != "originalStartTime" or value is not None:
                    assert stored[name] == (value[:5] if name.endswith("Time") else value)
            await assert_all_reads(room)


@pytest.mark.parametrize("day", EDGES)
async def test_the_ends_of_the_calendar_are_stored_exactly_or_refused(
    stage: Stage, room: Classroom, day: str
) -> None:
    await slot_of(room, 1, "09:00", "10:00")
    move = {
        "originalDate": "2025-10-27",
        "rescheduledDate": day,
        "rescheduledStartTime": "15:00",
        "rescheduledEndTime": "16:00",
    }
    moved = await stage.asha.post(f"{room.path}/reschedules", move)
    assert moved.status_code == 422 or moved.json()["rescheduledDate"] == day
    body = {"classId": room.id, "sessionDate": day}
    opened = await stage.asha.post("/attendance/sessions", body)
    assert opened.status_code == 422 or opened.json()["sessionDate"] == day
    assert {moved.status_code, opened.status_code} <= {200, 201, 422}
    for path in (f"{room.path}/reschedules?", f"/attendance/sessions?classId={room.id}&"):
        assert (await stage.asha.get(f"{path}from={day}")).status_code == 200
        assert (await stage.asha.get(f"{path}to={day}")).status_code == 200
    await assert_all_reads(room)


async def test_a_slot_that_follows_onto_a_move_already_made_is_a_conflict(
    stage: Stage, room: Classroom
) -> None:
    move = {
        "originalDate": str(MONDAY),
        "rescheduledDate": "2025-10-29",
        "rescheduledStartTime": "15:00",
        "rescheduledEndTime": "16:00",
    }
    first = await slot_of(room, 1, "09:00", "10:00")
    await stage.asha.post(f"{room.path}/reschedules", move)
    await stage.asha.delete(f"{room.path}/schedules/{first}")
    path = f"{room.path}/schedules/{await slot_of(room, 1, '11:00', '12:00')}"
    await stage.asha.post(f"{room.path}/reschedules", {**move, "rescheduledDate": "2025-10-30"})
    answer = await stage.asha.patch(path, {"startTime": "09:00"})
    assert (answer.status_code, answer.json()["code"]) == (409, "already_rescheduled")
