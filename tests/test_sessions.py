"""Opening sessions, and reading them back. 2025-10-27 is a Monday."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.schemas.attendance import SessionDraft
from app.services.access import Actor
from app.services.sessions import attendance_service
from tests.classroom import ROLLS, Classroom, today
from tests.conftest import Stage
from tests.support import next_of

pytestmark = pytest.mark.anyio

MONDAY = date(2025, 10, 27)


async def post(room: Classroom, day: Any, **more: Any) -> Any:
    body = {"classId": room.id, "sessionDate": str(day), **more}
    return await room.teacher.post("/attendance/sessions", body)


async def slots(room: Classroom, *times: tuple[str, str], day: int = 1) -> None:
    for start, end in times:
        slot = {"dayOfWeek": day, "startTime": start, "endTime": end}
        assert (await room.teacher.post(f"{room.path}/schedules", slot)).status_code == 201


async def test_opening_a_session_returns_all_that_the_app_reads(
    stage: Stage, room: Classroom
) -> None:
    answer = await post(room, MONDAY, processedImageUrl="https://storage.example.com/e.jpg")
    assert answer.status_code == 200
    body = answer.json()
    assert body == {
        "sessionId": body["sessionId"],
        "classId": room.id,
        "sessionDate": "2025-10-27",
        "startTime": None,
        "endTime": None,
        "teacherId": str(stage.asha.user_id),
        "processedImageUrl": "https://storage.example.com/e.jpg",
        "status": "open",
        "version": 0,
        "createdAt": body["createdAt"],
        "created": True,
    }
    assert answer.headers["etag"] == '"0"'


async def test_a_repeat_returns_the_same_session_and_fills_in_only_a_missing_image(
    stage: Stage, room: Classroom
) -> None:
    first = (await post(room, MONDAY)).json()
    second = (await post(room, MONDAY, processedImageUrl="/data/a.jpg")).json()
    third = (await post(room, MONDAY, processedImageUrl="/data/b.jpg")).json()
    assert {first["sessionId"]} == {second["sessionId"], third["sessionId"]}
    assert (second["created"], second["processedImageUrl"]) == (False, "/data/a.jpg")
    assert third["processedImageUrl"] == "/data/a.jpg"
    assert await stage.count("attendance_sessions") == 1


@pytest.mark.parametrize(
    ("clock", "start"),
    [
        ("08:00", "09:00"),
        ("09:30", "09:00"),
        ("10:00", "09:00"),
        ("11:15", "11:00"),
        ("23:00", "14:00"),
    ],
)
async def test_today_means_the_slot_in_progress_else_the_last_one_begun_else_the_first(
    stage: Stage, room: Classroom, clock: str, start: str
) -> None:
    await slots(room, ("09:00", "10:00"), ("11:00", "12:00"), ("14:00", "15:00"))
    now = datetime.fromisoformat(f"2025-10-27T{clock}").replace(tzinfo=ZoneInfo("Asia/Kolkata"))
    draft = SessionDraft.model_validate({"classId": room.id, "sessionDate": "2025-10-27"})
    actor = Actor(UUID(str(stage.asha.user_id)), "test")
    database = stage.app.state.database
    document = await attendance_service.open_session(database, actor, draft, now)
    assert f'"startTime":"{start}"' in document.json


async def test_another_date_means_its_only_session_else_its_first_slot(room: Classroom) -> None:
    await slots(room, ("09:00", "10:00"), ("11:00", "12:00"))
    assert (await post(room, "2025-10-20")).json()["startTime"] == "09:00"
    only = (await post(room, MONDAY, startTime="16:00", endTime="17:00")).json()
    assert (await post(room, MONDAY)).json()["sessionId"] == only["sessionId"]
    await post(room, MONDAY, startTime="11:00")
    assert (await post(room, MONDAY)).json()["startTime"] == "09:00"


async def test_the_end_defaults_to_that_of_the_slot(room: Classroom) -> None:
    await slots(room, ("09:00", "10:00"))
    assert (await post(room, MONDAY, startTime="09:00")).json()["endTime"] == "10:00"
    off = await post(room, MONDAY, startTime="16:00")
    assert (off.json()["startTime"], off.json()["endTime"]) == ("16:00", None)
    given = await post(room, "2025-11-03", startTime="09:00", endTime="09:45")
    assert given.json()["endTime"] == "09:45"


async def test_a_moved_slot_counts_on_its_new_date_and_not_on_its_old_one(room: Classroom) -> None:
    await slots(room, ("09:00", "10:00"))
    move = {
        "originalDate": "2025-10-27",
        "rescheduledDate": "2025-10-29",
        "rescheduledStartTime": "15:00",
        "rescheduledEndTime": "16:00",
    }
    await room.teacher.post(f"{room.path}/reschedules", move)
    assert (await post(room, MONDAY)).json()["startTime"] is None
    moved = (await post(room, "2025-10-29")).json()
    assert (moved["startTime"], moved["endTime"]) == ("15:00", "16:00")


async def test_later_changes_to_the_timetable_do_not_move_sessions(room: Classroom) -> None:
    await slots(room, ("09:00", "10:00"))
    opened = (await post(room, MONDAY)).json()
    slot = (await room.document())["schedule"][0]["id"]
    await room.teacher.patch(f"{room.path}/schedules/{slot}", {"startTime": "08:00"})
    again = (await post(room, MONDAY)).json()
    assert (again["sessionId"], again["startTime"]) == (opened["sessionId"], "09:00")


@pytest.mark.parametrize(("days", "status"), [(-4000, 200), (0, 200), (1, 200), (2, 422)])
async def test_dates_are_accepted_up_to_tomorrow(room: Classroom, days: int, status: int) -> None:
    assert (await post(room, today() + timedelta(days=days))).status_code == status


IMAGES = [
    ("https://x.example/a b?q=1#f", 200),
    ("/storage/emulated/0/DCIM/a.jpg", 200),
    ("file:///data/a.jpg", 200),
    ("http://x.example/a.jpg", 422),
    ("javascript:alert(1)", 422),
    ("data:image/png;base64,AA", 422),
    ("//x.example/a.jpg", 422),
    ("a.jpg", 422),
    ("https://", 422),
    ("https://[", 422),
    ("/a\n", 422),
    ("/" + "a" * 2047, 200),
    ("/" + "a" * 2048, 422),
    (5, 422),
]


@pytest.mark.parametrize(("image", "status"), IMAGES)
async def test_an_image_is_https_or_a_path_and_comes_back_verbatim(
    room: Classroom, image: Any, status: int
) -> None:
    answer = await post(room, MONDAY, processedImageUrl=image)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["processedImageUrl"] == image


@pytest.mark.parametrize(
    "change",
    [
        {"sessionDate": "2025-02-30"},
        {"sessionDate": "27-10-2025"},
        {"sessionDate": 20251027},
        {"sessionDate": "2025-10-27T00:00:00Z"},
        {"startTime": "10:00", "endTime": "10:00"},
        {"endTime": "10:00"},
        {"classId": "x"},
        {"classId": None},
        {"teacherId": "00000000-0000-4000-8000-000000000000"},
    ],
)
async def test_a_malformed_request_is_refused(room: Classroom, change: dict[str, Any]) -> None:
    body = {"classId": room.id, "sessionDate": "2025-10-27", **change}
    assert (await room.teacher.post("/attendance/sessions", body)).status_code == 422


async def test_sessions_are_listed_newest_first_within_inclusive_dates(room: Classroom) -> None:
    for day in ("2025-10-20", "2025-10-27", "2025-11-03"):
        await post(room, day, startTime="09:00")
    await post(room, "2025-10-27", startTime="11:00")
    untimed = await room.open("2025-10-21")
    await room.mark(untimed, {ROLLS[0]: "present"})
    everything = (await room.teacher.get(f"/attendance/sessions?classId={room.id}")).json()
    assert [(s["sessionDate"], s["startTime"]) for s in everything] == [
        ("2025-11-03", "09:00"),
        ("2025-10-27", "11:00"),
        ("2025-10-27", "09:00"),
        ("2025-10-21", None),
        ("2025-10-20", "09:00"),
    ]
    assert everything[3]["statuses"][0]["rollNo"] == ROLLS[0]
    some = await room.teacher.get(
        f"/attendance/sessions?classId={room.id}&from=2025-10-20&to=2025-10-21"
    )
    assert [s["sessionDate"] for s in some.json()] == ["2025-10-21", "2025-10-20"]


async def test_the_link_header_leads_through_all_sessions(room: Classroom) -> None:
    for start in ("09:00", "10:00", "11:00"):
        await post(room, MONDAY, startTime=start)
    await post(room, "2025-10-20", startTime="09:00")
    path: str | None = f"/attendance/sessions?classId={room.id}&limit=2"
    seen = []
    while path:
        answer = await room.teacher.get(path)
        seen += [(s["sessionDate"], s["startTime"]) for s in answer.json()]
        path = next_of(answer)
    assert len(seen) == len(set(seen)) == 4


@pytest.mark.parametrize(
    "query",
    ["", "classId=x", "classId={id}&from=x", "classId={id}&from=2025-11-01&to=2025-10-01",
     "classId={id}&limit=0", "classId={id}&limit=201", "classId={id}&cursor=x",
     "classId={id}&cursor=2025-99-99T"],
)  # fmt: skip
async def test_a_malformed_query_is_refused(room: Classroom, query: str) -> None:
    answer = await room.teacher.get(f"/attendance/sessions?{query.format(id=room.id)}")
    assert answer.status_code == 422


async def test_a_student_marked_in_one_session_is_unmarked_in_another(room: Classroom) -> None:
    first, second = [await room.open(today() + timedelta(days=n)) for n in (0, 1)]
    await room.mark(first, dict.fromkeys(ROLLS, "present"))
    for session, unmarked in ((first, []), (second, ROLLS)):
        answer = await room.teacher.get(f"/attendance/sessions/{session}")
        assert [student["rollNo"] for student in answer.json()["unmarked"]] == unmarked
