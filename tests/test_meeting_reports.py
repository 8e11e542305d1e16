"""Attendance by e-mail addresses: lists, and the reports of online meetings."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.files.sheets.cells import CellError, read_minutes
from tests.classroom import ROLLS, Classroom
from tests.command_line import Aims
from tests.conftest import DOMAIN, Stage
from tests.files import csv, sheets
from tests.test_imports import Rows, flaws, send

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = ROLLS[:3]
KABIR, KAVYA, LATA = (f"{name}@students.{DOMAIN}" for name in ("kabir", "kavya", "lata"))
DAY = "2025-10-27"
TEAMS: Rows = [
    ["1. Summary"],
    ["Meeting title", "CS301 lecture"],
    ["Start time", "10/27/25 7:56:32 AM"],
    [],
    ["2. Participants"],
    ["Name", "First Join", "In-Meeting Duration", "Email", "Role"],
    ["Asha Demo", "7:56", "1h 42m 19s", f"asha@{DOMAIN}", "Organizer"],
    ["Kabir V. Demo", "7:58", "1h 40m", KABIR.upper(), "Presenter"],
    ["Kavya C. Demo", "9:10", "12m 3s", KAVYA, "Presenter"],
    [],
    ["3. In-Meeting Activities"],
    ["Name", "Join Time", "Duration", "Email", "Role"],
    ["Kabir V. Demo", "7:58", "20m", KABIR, "Presenter"],
]


@pytest.fixture
async def hall(stage: Stage, room: Classroom) -> Classroom:
    """A class of which three students have addresses, Lata hers in the institution's field."""
    addresses = {ONE: {"email": KABIR}, TWO: {"email": f" {KAVYA} "}, THREE: {"dtuEmail": LATA}}
    entries = [{"rollNo": roll, **more} for roll, more in addresses.items()]
    path = f"{room.path}/students?mode=merge"
    assert (await stage.asha.put(path, {"students": entries})).is_success
    return room


async def attendance(stage: Stage, hall: Classroom, rows: Rows, **query: Any) -> httpx2.Response:
    query = {"kind": "attendance", "classId": hall.id, **query}
    return await send(stage.meera, "/admin/import", csv(rows), **query)


async def marks(stage: Stage, hall: Classroom) -> dict[str, str]:
    (session,) = (await stage.asha.get("/attendance/sessions", params={"classId": hall.id})).json()
    return {mark["rollNo"]: mark["status"] for mark in session["statuses"]}


async def test_an_address_names_a_student_in_a_list(stage: Stage, hall: Classroom) -> None:
    rows = [["Email", "Date", "Status"], [KABIR.upper(), DAY, "P"], [LATA, DAY, "A"]]
    assert (await attendance(stage, hall, rows)).is_success
    assert await marks(stage, hall) == {ONE: "present", THREE: "absent"}


async def test_an_address_of_nobody_or_of_two_students_is_refused(
    stage: Stage, hall: Classroom
) -> None:
    twice = {"students": [{"rollNo": THREE, "email": KABIR}]}
    assert (await stage.asha.put(f"{hall.path}/students?mode=merge", twice)).is_success
    rows = [["Email", "Date", "Status"], [KABIR, DAY, "P"], [f"x@{DOMAIN}", DAY, "P"]]
    answer = await attendance(stage, hall, rows)
    assert flaws(answer) == [("/rows/2/A", "no_such_address"), ("/rows/3/A", "no_such_address")]


async def test_of_several_sheets_some_may_have_addresses(stage: Stage, hall: Classroom) -> None:
    numbers = [["Roll No", DAY], [ONE, "P"]]
    addresses = [["Email", "Date", "Status"], [LATA, DAY, "A"]]
    query = {"kind": "attendance", "classId": hall.id, "allSheets": "true"}
    book = sheets(Numbers=numbers, Addresses=addresses)
    assert (await send(stage.meera, "/admin/import", book, **query)).is_success
    assert await marks(stage, hall) == {ONE: "present", THREE: "absent"}


async def test_who_joined_a_meeting_for_long_enough_was_present(
    stage: Stage, hall: Classroom
) -> None:
    said = {"date": DAY, "presentMinutes": 40}
    rehearsed = await attendance(stage, hall, TEAMS, dryRun="true", **said)
    assert rehearsed.json()["notes"] == [
        "Present are those with an address who joined for 40 minutes or more; 1 joined for less"
        " and were not marked.",
        "Addresses of nobody in the class were not marked: row 7.",
    ]
    assert (await attendance(stage, hall, TEAMS, **said)).is_success
    assert await marks(stage, hall) == {ONE: "present"}


async def test_a_report_in_minutes_is_read_the_same(stage: Stage, hall: Classroom) -> None:
    rows = [
        ["Name (Original Name)", "User Email", "Total Duration (Minutes)", "Guest"],
        ["Kavya C. Demo", KAVYA, "58", "No"],
        ["Lonnie", "", "58", "Yes"],
    ]
    done = await attendance(stage, hall, rows, date=DAY, presentMinutes=58)
    assert "Without an address, and not marked: rows 3." in done.json()["notes"]
    assert await marks(stage, hall) == {TWO: "present"}


async def test_a_report_without_its_date_or_its_minutes_asks_for_them(
    stage: Stage, hall: Classroom
) -> None:
    for said in ({}, {"date": DAY}, {"presentMinutes": 40}):
        answer = await attendance(stage, hall, TEAMS, **said)
        assert (answer.status_code, answer.json()["code"]) == (422, "meeting_report")
        assert "presentMinutes=40" in answer.json()["detail"]


async def test_a_length_of_time_that_cannot_be_read_is_refused_with_its_place(
    stage: Stage, hall: Classroom
) -> None:
    rows = [["Email", "Minutes"], [KABIR, "long"]]
    answer = await attendance(stage, hall, rows, date=DAY, presentMinutes=1)
    assert flaws(answer) == [("/rows/2/B", "invalid_minutes")]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *(("58", 58), ("1h 42m", 102), ("1h 42m 19s", 102), ("12m 3s", 12), ("45s", 0)),
        *(("2h", 120), ("01:42:59", 102), ("58 min", 58), ("1 hr 5 mins", 65)),
    ],
)
def test_lengths_of_time_are_whole_minutes(text: str, minutes: int) -> None:
    assert read_minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "h", "-5", "1.5", "٥٨", "1:42"])
def test_other_texts_are_no_length_of_time(text: str) -> None:
    with pytest.raises(CellError):
        read_minutes(text)


def test_the_command_asks_for_the_date_of_a_meeting(aims: Aims, tmp_path: Path) -> None:
    aims.must(f"allow meera@{DOMAIN} --role admin")
    (tmp_path / "teams.csv").write_bytes(csv(TEAMS))
    assert "--present-minutes 40" in aims.refuse("import attendance teams.csv")
    said = aims.refuse(f"import attendance teams.csv --date {DAY} --present-minutes 40 --dry-run")
    assert "refused. The class is not named." in said
