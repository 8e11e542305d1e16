"""Past attendance from files: the rules of marking, for many sessions at once."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.config import Settings
from tests.classroom import ROLLS, Classroom, asked_leave, day, decide
from tests.conftest import Stage
from tests.files import csv, xlsx
from tests.support import checksum
from tests.test_imports import Rows, counts, flaws, imported, send

pytestmark = pytest.mark.anyio

CLASS: Rows = [["Class", "CS301"], ["Section", "A"], []]
MONDAY, TUESDAY = "2025-10-27", "2025-10-28"


def grid(*heads: str, **rows: Any) -> Rows:
    """Attendance of `ROLLS`: a letter a session for each, in their order."""
    marks = [[roll, "", *letters] for roll, letters in zip(ROLLS, rows["marks"], strict=True)]
    return [*CLASS, ["Roll No", "Name", *heads], *marks]


async def sessions(room: Classroom) -> dict[tuple[str, str | None], dict[str, Any]]:
    listed = await room.teacher.get("/attendance/sessions", params={"classId": room.id})
    return {(s["sessionDate"], s["startTime"]): s for s in listed.json()}


def marks(session: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {mark["rollNo"][-3:]: (mark["status"], mark["source"]) for mark in session["statuses"]}


@pytest.mark.parametrize("write", [csv, xlsx])
async def test_a_grid_makes_its_sessions_and_marks_and_coming_again_changes_nothing(
    stage: Stage, room: Classroom, write: Any
) -> None:
    slot = {"dayOfWeek": 1, "startTime": "09:00", "endTime": "10:00"}
    await stage.asha.post(f"{room.path}/schedules", slot)
    rows = grid("27/10/2025", "2025-10-28 14:00", "29 Oct 2025", marks=["PA ", "L--", "eo "])
    rows[6][3] = "OD"
    content = write(rows)
    before = await checksum(stage.connection)
    tried = await send(stage.meera, "/admin/import", content, kind="attendance", dryRun="true")
    assert await checksum(stage.connection) == before
    done = await send(stage.meera, "/admin/import", content, kind="attendance")
    assert done.json() == tried.json() | {"dryRun": False}
    assert done.json()["marks"] == {"sessions": 2, "created": 5, "changed": 0, "unchanged": 0}
    found = await sessions(room)
    assert list(found) == [(TUESDAY, "14:00"), (MONDAY, "09:00")]
    monday, tuesday = found[MONDAY, "09:00"], found[TUESDAY, "14:00"]
    assert (monday["endTime"], monday["teacherId"]) == ("10:00", str(stage.meera.user_id))
    assert [session["version"] for session in (monday, tuesday)] == [1, 1]
    assert marks(monday) == {
        "101": ("present", "import"),
        "102": ("late", "import"),
        "103": ("excused", "import"),
    }
    assert marks(tuesday) == {"101": ("absent", "import"), "103": ("excused", "import")}
    kinds = await stage.connection.fetch(
        "SELECT leave_kind FROM attendance_statuses WHERE status = 'excused' ORDER BY 1"
    )
    assert [kind for (kind,) in kinds] == ["on_duty", None]
    after = await checksum(stage.connection)
    again = await send(stage.meera, "/admin/import", content, kind="attendance")
    assert (counts(again.json()), again.json()["marks"]["unchanged"]) == ((0, 0, 3, 0), 5)
    assert await checksum(stage.connection) == after


async def test_a_list_has_a_line_for_each_mark(stage: Stage, room: Classroom) -> None:
    rows: Rows = [
        ["Course Code", "Sec", "Date", "Time", "Roll No", "Status", "Remarks"],
        ["CS301", "A", MONDAY, "9:00", ROLLS[0], "Present", ""],
        ["CS301", "A", MONDAY, "9:00", ROLLS[1], "absent", "Not seen"],
        ["CS301", "A", MONDAY, "11:00 am", ROLLS[0], "0", ""],
    ]
    outcome = await imported(stage.meera, "attendance", rows)
    assert (counts(outcome), outcome["marks"]["sessions"]) == ((3, 0, 0, 0), 2)
    found = await sessions(room)
    nine = {m["rollNo"]: (m["status"], m["remark"]) for m in found[MONDAY, "09:00"]["statuses"]}
    assert nine == {ROLLS[0]: ("present", None), ROLLS[1]: ("absent", "Not seen")}
    rows[2][6] = ""
    assert counts(await imported(stage.meera, "attendance", rows)) == (0, 0, 3, 0)
    rows[2][5], rows[2][6] = "late", "Seen after all"
    assert counts(await imported(stage.meera, "attendance", rows)) == (0, 1, 2, 0)
    history = await stage.asha.get(
        f"/attendance/sessions/{found[MONDAY, '09:00']['sessionId']}/history?limit=1"
    )
    (change,) = history.json()
    assert (change["version"], change["from"]["remark"]) == (2, "Not seen")
    assert (change["to"]["status"], change["to"]["source"]) == ("late", "import")
    assert change["changedBy"] == str(stage.meera.user_id)


async def test_a_date_alone_means_the_only_session_of_the_day(
    stage: Stage, room: Classroom
) -> None:
    await room.open(MONDAY, startTime="15:00")
    await imported(stage.meera, "attendance", grid(MONDAY, marks="PPP"))
    assert list(await sessions(room)) == [(MONDAY, "15:00")]
    await room.open(MONDAY, startTime="16:00")
    content = csv(grid(MONDAY, marks="PPP"))
    refused = await send(stage.meera, "/admin/import", content, kind="attendance")
    assert flaws(refused) == [("/rows/5/C", "several_sessions")]
    both = csv(grid(MONDAY, f"{MONDAY} 15:00", marks=["AP", "AP", "AP"]))
    refused = await send(stage.meera, "/admin/import", both, kind="attendance")
    assert flaws(refused) == [("/rows/5/C", "several_sessions")]
    await room.open(MONDAY)
    done = await send(stage.meera, "/admin/import", both, kind="attendance")
    assert done.json()["marks"]["sessions"] == 0
    assert list(await sessions(room)) == [(MONDAY, t) for t in ("16:00", "15:00", None)]


async def test_what_is_marked_by_hand_or_photo_and_the_same_stays_as_it_is(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open(MONDAY)
    seen = {"recognizedByAi": True, "similarityScore": 91.5}
    updates = [{"rollNo": ROLLS[0], "status": "present", **seen}]
    updates += [{"rollNo": ROLLS[1], "status": "absent", "remark": "Not seen"}]
    updates += [{"rollNo": ROLLS[2], "status": "absent"}]
    await stage.asha.put(f"/attendance/sessions/{session}/statuses", {"updates": updates})
    await stage.asha.post(f"/attendance/sessions/{session}/finalise")
    before = await checksum(stage.connection)
    outcome = await imported(stage.meera, "attendance", grid(MONDAY, marks="PAA"))
    assert (counts(outcome), outcome["marks"]["unchanged"]) == ((0, 0, 3, 0), 3)
    assert await checksum(stage.connection) == before


async def test_each_cell_that_cannot_be_is_named_and_nothing_is_written(
    stage: Stage, room: Classroom
) -> None:
    final, gone = await room.open(MONDAY), await room.open(TUESDAY)
    await room.mark(final, dict.fromkeys(ROLLS, "absent"))
    await stage.asha.post(f"/attendance/sessions/{final}/finalise")
    await stage.asha.post(f"/attendance/sessions/{gone}/cancel", {"reason": "Rain."})
    rows = grid("27/10/2025", TUESDAY, "29/10/2025", str(day(2)), marks=["APP ", "ALX ", "A-PP"])
    rows += [["99/XX/1", "", "", "", "P", ""], [ROLLS[0], "", "", "", "A", ""]]
    before = await checksum(stage.connection)
    refused = await send(stage.meera, "/admin/import", csv(rows), kind="attendance")
    assert flaws(refused) == [
        ("/rows/5/D", "session_cancelled"),
        ("/rows/6/D", "session_cancelled"),
        ("/rows/6/E", "invalid_status"),
        ("/rows/7/F", "date_in_future"),
        ("/rows/8/E", "not_enrolled"),
        ("/rows/9/E", "contradiction"),
    ]
    rows = grid("27/10/2025", marks="PAA")
    refused = await send(stage.meera, "/admin/import", csv(rows), kind="attendance")
    assert flaws(refused) == [("/rows/5/C", "session_finalised")]
    assert await checksum(stage.connection) == before


async def test_headings_without_a_session_are_refused_or_ignored(
    stage: Stage, room: Classroom
) -> None:
    rows = grid("Fees", MONDAY, "2025-02-30", "27/10/2025", marks=["xPPP"] * 3)
    refused = await send(stage.meera, "/admin/import", csv(rows), kind="attendance")
    assert flaws(refused) == [("/rows/4/E", "invalid_date"), ("/rows/4/F", "repeated")]
    outcome = await imported(stage.meera, "attendance", grid("Fees", MONDAY, marks=["xP"] * 3))
    assert outcome["ignoredColumns"] == ["C"]
    content = csv(grid("Fees", marks="xxx"))
    refused = await send(stage.meera, "/admin/import", content, kind="attendance")
    assert refused.json()["code"] == "column_missing"


async def test_a_student_is_marked_on_days_of_their_enrolment_and_while_on_the_roster(
    stage: Stage, room: Classroom
) -> None:
    gone = {"rollNo": ROLLS[2], "from": "2025-08-01"}
    await stage.asha.put(f"{room.path}/students?mode=merge", {"students": [gone]})
    leaves = {"students": [], "withdrawals": [{"rollNo": ROLLS[2], "lastDay": MONDAY}]}
    await stage.asha.put(f"{room.path}/students?mode=merge", leaves)
    refused = await send(
        stage.meera,
        "/admin/import",
        csv(grid(MONDAY, TUESDAY, marks=["PP"] * 3)),
        kind="attendance",
    )
    assert flaws(refused) == [("/rows/7/D", "not_enrolled")]
    outcome = await imported(
        stage.meera, "attendance", grid(MONDAY, TUESDAY, marks=["PP"] * 2 + ["P-"])
    )
    assert outcome["marks"]["created"] == 5


async def test_approved_leave_shows_in_imported_sessions_as_in_any_other(
    stage: Stage, room: Classroom
) -> None:
    days = {"firstDay": MONDAY, "lastDay": MONDAY, "classId": room.id}
    await stage.asha.put(
        f"{room.path}/students?mode=merge",
        {"students": [{"rollNo": roll, "from": "2025-08-01"} for roll in ROLLS]},
    )
    ill = await asked_leave(stage.asha, ROLLS[0], **days)
    duty = await asked_leave(stage.asha, ROLLS[1], kind="on_duty", **days)
    for leave in (ill, duty):
        await decide(stage.asha, leave, "approve")
    await imported(stage.meera, "attendance", grid(MONDAY, marks=["A", "", "A"]))
    (session,) = (await sessions(room)).values()
    assert marks(session) == {
        "101": ("excused", "leave"),
        "102": ("excused", "leave"),
        "103": ("absent", "import"),
    }
    before = await checksum(stage.connection)
    for same in ("AEA", "EEA"):
        outcome = await imported(stage.meera, "attendance", grid(MONDAY, marks=same))
        assert outcome["marks"] == {"sessions": 0, "created": 0, "changed": 0, "unchanged": 3}
    assert await checksum(stage.connection) == before
    await decide(stage.asha, ill, "withdraw")
    (session,) = (await sessions(room)).values()
    assert marks(session)["101"] == ("absent", "import")
    assert counts(await imported(stage.meera, "attendance", grid(MONDAY, marks="EPA"))) == (
        0,
        2,
        1,
        0,
    )


@pytest.fixture
def window(app: FastAPI, settings: Settings) -> Iterator[None]:
    app.state.settings = settings.model_copy(update={"edit_window_days": 30})
    yield
    app.state.settings = settings


@pytest.mark.usefixtures("window")
async def test_outside_the_edit_window_an_import_needs_its_reason(
    stage: Stage, room: Classroom
) -> None:
    rows = grid(MONDAY, str(day(-3)), marks=["PP"] * 3)
    refused = await send(stage.meera, "/admin/import", csv(rows), kind="attendance")
    assert flaws(refused) == [(f"/rows/{row}/C", "reason_required") for row in (5, 6, 7)]
    await imported(stage.meera, "attendance", rows, reason="From the paper register")
    session = (await sessions(room))[MONDAY, None]["sessionId"]
    history = (await stage.asha.get(f"/attendance/sessions/{session}/history")).json()
    assert {change["reason"] for change in history} == {"From the paper register"}
    assert counts(await imported(stage.meera, "attendance", rows)) == (0, 0, 3, 0)


async def test_attendance_is_of_the_class_that_is_named_and_of_no_other(
    stage: Stage, room: Classroom
) -> None:
    unnamed = grid(MONDAY, marks="PPP")[3:]
    refused = await send(stage.meera, "/admin/import", csv(unnamed), kind="attendance")
    assert flaws(refused) == [(f"/rows/{row}", "required") for row in (2, 3, 4)]
    outcome = await imported(stage.meera, "attendance", unnamed, classId=room.id)
    assert outcome["marks"]["created"] == 3
    nowhere = "00000000-0000-4000-8000-000000000000"
    gone = await send(
        stage.meera, "/admin/import", csv(unnamed), kind="attendance", classId=nowhere
    )
    assert gone.status_code == 404
    other = [["Class", "CS999"], ["Class id", room.id], *unnamed]
    refused = await send(stage.meera, "/admin/import", csv(other), kind="attendance")
    assert {code for _, code in flaws(refused)} == {"class_mismatch"}
    await stage.asha.delete(room.path)
    archived = await send(
        stage.meera, "/admin/import", csv(grid(MONDAY, marks="AAA")), kind="attendance"
    )
    assert {code for _, code in flaws(archived)} == {"class_archived"}


@pytest.mark.parametrize("write", [csv, xlsx])
async def test_a_date_merged_over_times_is_a_session_for_each(
    stage: Stage, room: Classroom, write: Any
) -> None:
    rows = grid(MONDAY, "", TUESDAY, "", marks=["PAPA", "AAPP", "PP P"])
    rows.insert(4, ["", "", "9:00", "11:00-12:00", "9:00", "2:00 pm"])
    await send(stage.meera, "/admin/import", write(rows), kind="attendance")
    found = await sessions(room)
    assert list(found) == [
        (TUESDAY, "14:00"),
        (TUESDAY, "09:00"),
        (MONDAY, "11:00"),
        (MONDAY, "09:00"),
    ]
    assert marks(found[TUESDAY, "09:00"]).keys() == {"101", "102"}


@pytest.mark.parametrize("periods", [["I", "II"], ["L3", "L4"], None])
async def test_a_date_merged_over_periods_is_the_sessions_of_the_day_in_their_order(
    stage: Stage, room: Classroom, periods: list[str] | None
) -> None:
    for start, end in (("09:00", "10:00"), ("14:00", "15:00")):
        slot = {"dayOfWeek": 1, "startTime": start, "endTime": end}
        await stage.asha.post(f"{room.path}/schedules", slot)
    rows = grid(MONDAY, "", marks=["PA", "AP", " P"])
    if periods:
        rows.insert(4, ["", "", *periods])
    outcome = await imported(stage.meera, "attendance", rows)
    assert outcome["notes"][1] == (
        "These columns are the sessions of their day in the order of time: C, D."
    )
    found = await sessions(room)
    assert list(found) == [(MONDAY, "14:00"), (MONDAY, "09:00")]
    assert [mark[0] for mark in marks(found[MONDAY, "09:00"]).values()] == ["present", "absent"]
    await room.open(MONDAY, startTime="16:00")
    refused = await send(stage.meera, "/admin/import", csv(rows), kind="attendance")
    row = 6 if periods else 5
    assert flaws(refused) == [
        (f"/rows/{row}/C", "other_periods"),
        (f"/rows/{row}/D", "other_periods"),
    ]


async def test_a_row_of_marks_without_a_roll_number_is_not_a_row_of_periods(
    stage: Stage, room: Classroom
) -> None:
    rows = grid(MONDAY, "", marks=["PA", "AP", " P"])
    rows.insert(4, ["", "", "1", "1"])
    refused = await send(stage.meera, "/admin/import", csv(rows), kind="attendance")
    assert flaws(refused)[0] == ("/rows/5/A", "required")


@pytest.mark.parametrize("heads", [(MONDAY, ""), (MONDAY, "L2"), (MONDAY, "11.8"), ("", MONDAY)])
async def test_no_column_with_marks_is_ignored(
    stage: Stage, room: Classroom, heads: tuple[str, str]
) -> None:
    refused = await send(
        stage.meera, "/admin/import", csv(grid(*heads, marks=["PA"] * 3)), kind="attendance"
    )
    column = "C" if heads[1] == MONDAY else "D"
    expected = [(f"/rows/4/{column}", "heading_unknown")]
    if heads == (MONDAY, ""):
        expected = [("/rows/5/C", "other_periods"), ("/rows/5/D", "other_periods")]
    assert flaws(refused) == expected


async def test_days_of_the_month_above_are_dates_where_the_weekdays_agree(
    stage: Stage, room: Classroom
) -> None:
    rows = grid("1", "2", "3", marks=["PAP", "P P", "PPA"])
    rows.insert(0, ["Attendance for October 2025"])
    rows.insert(4, ["", "", "Wed", "Thu", "Fri"])
    outcome = await imported(stage.meera, "attendance", rows, reason="Paper register")
    assert outcome["marks"]["created"] == 8
    assert [day for day, _ in await sessions(room)] == ["2025-10-03", "2025-10-02", "2025-10-01"]
    for weekdays in (["Thu", "Fri", "Sat"], ["", "", ""]):
        rows[4][2:] = weekdays
        refused = await send(stage.meera, "/admin/import", csv(rows), kind="attendance")
        places = {place for place, _ in flaws(refused)}
        assert places == {f"/rows/6/{column}" for column in "CDE"}, weekdays
