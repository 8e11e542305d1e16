"""The pages of leave: the list, asking for it, and deciding on one or on several."""

import re

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, co_teacher, day, share
from tests.conftest import Stage
from tests.support import checksum

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ROLLS
EVIL = "<script>alert(1)</script>"
WHY = "The certificate came late."


async def state_of(stage: Stage, leave: str) -> str:
    return (await stage.meera.get(f"/leaves/{leave}")).json()["status"]


async def finalised(room: Classroom) -> str:
    """Today's session, which is closed and in which everybody was absent."""
    session = await room.open(day(0))
    await room.teacher.post(f"/attendance/sessions/{session}/finalise")
    return session


# The list.


async def test_the_list_shows_what_waits_and_filters_by_its_address(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    assert "No leave is waiting for a decision" in await meera.shown("/app/leave")
    of_class = await asked_leave(stage.asha, FIRST, classId=room.id, note=EVIL)
    of_all = await asked_leave(
        stage.meera, SECOND, firstDay=str(day(5)), lastDay=str(day(7)), kind="on_duty"
    )
    await stage.meera.post(f"/leaves/{of_all}/approve")
    page = await meera.shown("/app/leave")
    assert f"/app/leave/{of_class}" in page
    assert f"/app/leave/{of_all}" not in page
    assert "&lt;script&gt;" in page
    assert "Asha Demo" in page
    assert "CS301" in page
    both = await meera.shown("/app/leave?status=all")
    assert "2 requests" in both
    assert "All classes" in both
    assert "On duty" in both
    for query, there in (
        ("status=approved", of_all),
        (f"status=all&rollNo={SECOND}", of_all),
        (f"status=all&from={day(6)}&to=", of_all),
        (f"status=all&to={day(4)}", of_class),
        (f"status=all&classId={room.id}", of_class),
    ):
        page = await meera.shown(f"/app/leave?{query}")
        assert "1 request," in page, query
        assert f"/app/leave/{there}" in page, query
    assert "No leave matches" in await meera.shown("/app/leave?status=rejected")


async def test_the_list_goes_on_with_its_filters_and_is_a_file(
    stage: Stage, room: Classroom, meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asked_leave(stage.asha, FIRST, classId=room.id, note="=1+1")
    await asked_leave(stage.asha, SECOND)
    monkeypatch.setattr("app.web.frame.lists.MAX_PAGE", 1)
    page = await meera.shown("/app/leave?status=all")
    assert "1 request on this page" in page
    there, other = (FIRST, SECOND) if FIRST in page else (SECOND, FIRST)
    assert there in page
    assert other not in page
    following = page.partition('class="button" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert following.startswith("/app/leave?status=all&cursor=")
    assert other in await meera.shown(following)
    refused = await meera.post("/app/leave/decide?status=all", {"decision": "approve"})
    assert 'href="/app/leave?status=all&amp;cursor=' in refused.text
    monkeypatch.setattr("app.web.frame.lists.AT_ONCE", 1)
    file = await meera.get("/app/leave.csv?status=all")
    assert file.headers["content-type"].startswith("text/csv")
    lines = file.text.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("\ufeffRoll No,Name,Course Code")
    assert "'=1+1" in file.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=x", "status"),
        ("from=x", "from"),
        ("to=2025-13-01", "to"),
        ("from=2025-02-01&to=2025-01-01", "from"),
        ("rollNo=%00", "rollNo"),
        (f"rollNo={'1' * 10_000}", "rollNo"),
    ],
)
async def test_a_mistake_in_a_filter_is_named_beside_it(
    meera: Browser, query: str, field: str
) -> None:
    answer = await meera.get(f"/app/leave?{query}")
    assert answer.status_code == 422
    assert f'aria-describedby="e-{field}"' in answer.text
    assert (await meera.get(f"/app/leave.csv?{query}")).status_code == 422


@pytest.mark.parametrize("query", ["cursor=%00", "cursor=x", "classId=x"])
async def test_an_address_that_is_none_is_refused(meera: Browser, query: str) -> None:
    assert (await meera.get(f"/app/leave?{query}")).status_code == 422
    assert (await meera.get("/app/leave/nothing")).status_code == 404


async def test_a_teacher_sees_leave_of_their_students_and_decides_on_that_of_their_class(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    mine = await asked_leave(stage.meera, FIRST, classId=room.id)
    of_all = await asked_leave(stage.meera, FIRST, note="Not for teachers")
    other = await classroom_of(stage.bilal, "CS999", [THIRD])
    foreign = await asked_leave(stage.bilal, THIRD, classId=other.id)
    page = await asha.shown("/app/leave")
    assert 'href="/app/leave" aria-current="page"' in page
    assert f'value="{mine}"' in page
    assert f"/app/leave/{of_all}" in page
    assert f'value="{of_all}"' not in page
    assert foreign not in page
    assert "Not for teachers" not in page
    assert "an administrator decides on it" in await asha.shown(f"/app/leave/{of_all}")
    assert (await asha.get(f"/app/leave/{foreign}")).status_code == 403
    assert (await asha.post(f"/app/leave/{of_all}/approve")).status_code == 403
    assert await state_of(stage, of_all) == "pending"


async def test_the_page_of_a_leave_says_what_it_makes_of_each_mark(
    stage: Stage, room: Classroom, asha: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = await asked_leave(stage.asha, FIRST, classId=room.id)
    path = f"/app/leave/{leave}"
    assert "No session has been opened on its days yet in your classes." in await asha.shown(path)
    absent = await room.open(day(0), startTime="09:00", endTime="10:00")
    await room.mark(absent, {FIRST: "absent"})
    present = await room.open(day(0), startTime="11:00", endTime="12:00")
    await room.mark(present, {FIRST: "present"})
    await stage.connection.execute("UPDATE policy SET excused = 'excluded'")
    first, second = rows_of(await asha.shown(path))
    assert f'href="/app/sessions/{absent}"' in first
    for text in ("09:00", "CS301", "Absent", "Excused", "does not count"):
        assert text in first
    assert f'href="/app/sessions/{present}"' in second
    assert "Present" in second
    assert "The same" in second
    monkeypatch.setattr("app.web.leave.leave_pages._MOST_SESSIONS", 1)
    page = await asha.shown(path)
    (following,) = re.findall(rf'href="({path}\?cursor=[^"]+)"', page)
    assert [present in row for row in rows_of(await asha.shown(following))] == [True]
    refused = await asha.post(f"{path}/approve", {"reason": "x" * 2_000})
    assert refused.status_code == 422
    assert f'href="{following}"' in refused.text
    assert (await asha.get(f"{path}?cursor=x")).status_code == 422


def rows_of(page: str) -> list[str]:
    """The rows of the page's table."""
    return page.partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")[:-1]


# Asking.


async def test_leave_is_asked_for_a_student_of_ones_classes(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    assert "First say whose leave it is" in await asha.shown("/app/leave/new")
    form = await asha.shown(f"/app/leave/new?rollNo={FIRST.lower()}")
    assert f'value="{room.id}"' in form
    fields = {
        "rollNo": FIRST,
        "classId": room.id,
        "firstDay": str(day(0)),
        "lastDay": str(day(2)),
        "kind": "medical",
        "note": f"Fever {EVIL}",
    }
    place = await asha.done("/app/leave/new", fields)
    assert place.endswith("?done=leave_asked")
    page = await asha.shown(place)
    assert "The request is sent." in page
    assert "Fever &lt;script&gt;" in page
    assert await asha.done("/app/leave/new", fields) == place, "the same leave again"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"firstDay": ""}, "firstDay"),
        ({"lastDay": "x"}, "lastDay"),
        ({"lastDay": str(day(-1))}, "lastDay"),
        ({"lastDay": str(day(400))}, "lastDay"),
        ({"kind": "holiday"}, "kind"),
        ({"classId": "x"}, "classId"),
        ({"note": "a\0"}, "note"),
        ({"note": "a" * 10_000}, "note"),
    ],
)
async def test_a_mistake_in_a_request_is_named_beside_its_field(
    stage: Stage, room: Classroom, asha: Browser, wrong: dict[str, str], field: str
) -> None:
    days = {"firstDay": str(day(0)), "lastDay": str(day(0))}
    fields = {"rollNo": FIRST, "kind": "other", "note": "A wedding", **days, **wrong}
    before = await checksum(stage.connection)
    answer = await asha.post("/app/leave/new", fields)
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    if field != "note":
        assert "A wedding" in answer.text
    assert await checksum(stage.connection) == before


@pytest.mark.parametrize("roll", ["23/CS/999", "%00", "1" * 10_000])
async def test_a_student_whom_one_does_not_teach_is_not_found(
    stage: Stage, room: Classroom, roll: str
) -> None:
    async with browser_of(stage.app, stage.bilal) as bilal:
        for asked in (roll, FIRST):
            answer = await bilal.get(f"/app/leave/new?rollNo={asked}")
            assert answer.status_code in (404, 422)
            assert "Student 101" not in answer.text
        days = {"firstDay": str(day(0)), "lastDay": str(day(0)), "kind": "other"}
        answer = await bilal.post("/app/leave/new", {"rollNo": FIRST, **days})
        assert answer.status_code == 422
        assert 'id="e-rollNo"' in answer.text
        answer = await bilal.post("/app/leave/new", {"rollNo": FIRST, "classId": room.id, **days})
        assert answer.status_code == 403


# Deciding on one.


async def test_leave_is_decided_on_its_page_and_tells_what_happened(
    stage: Stage, room: Classroom, asha: Browser, meera: Browser
) -> None:
    leave = await asked_leave(stage.asha, FIRST, classId=room.id)
    session = await room.open(day(0))
    await room.mark(session, {FIRST: "absent"})
    place = await asha.done(f"/app/leave/{leave}/approve")
    assert place == f"/app/leave/{leave}?done=leave_approved"
    assert "Approved by" in await asha.shown(place)
    marks = (await stage.asha.get(f"/attendance/sessions/{session}")).json()["statuses"]
    assert marks[0]["status"] == "excused"
    await meera.done(f"/app/leave/{leave}/withdraw")
    page = await meera.shown(f"/app/leave/{leave}")
    for event in ("Asked for by", "Approved by", "Withdrawn by"):
        assert event in page
    assert "<h2>Decide</h2>" not in page
    answer = await meera.post(f"/app/leave/{leave}/approve")
    assert answer.status_code == 409
    assert "This leave was withdrawn: ask for it again." in answer.text
    other = await asked_leave(stage.asha, SECOND, classId=room.id)
    assert (await asha.done(f"/app/leave/{other}/reject")).endswith("done=leave_rejected")
    assert await state_of(stage, other) == "rejected"


async def test_a_closed_session_asks_an_administrator_for_a_reason(
    stage: Stage, room: Classroom, asha: Browser, meera: Browser
) -> None:
    leave = await asked_leave(stage.asha, FIRST, classId=room.id)
    await finalised(room)
    path = f"/app/leave/{leave}/approve"
    assert (await asha.post(path)).status_code == 409
    answer = await meera.post(path)
    assert answer.status_code == 422
    assert 'id="e-reason"' in answer.text
    answer = await meera.post(path, {"reason": "a" * 1001})
    assert answer.status_code == 422
    assert await state_of(stage, leave) == "pending"
    await meera.done(path, {"reason": WHY})
    assert await state_of(stage, leave) == "approved"


async def test_who_asked_can_withdraw_until_it_is_decided(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    leave = await asked_leave(stage.asha, FIRST)
    page = await asha.shown(f"/app/leave/{leave}")
    assert ">Withdraw</button>" in page
    assert ">Approve</button>" not in page
    await asha.done(f"/app/leave/{leave}/withdraw")
    assert await state_of(stage, leave) == "withdrawn"


# Deciding on several.


async def test_several_are_decided_each_on_its_own_and_each_fate_is_shown(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    fine = await asked_leave(stage.asha, FIRST, firstDay=str(day(1)), lastDay=str(day(1)))
    closed = await asked_leave(stage.asha, SECOND, classId=room.id)
    gone = await asked_leave(stage.asha, THIRD)
    await stage.meera.post(f"/leaves/{gone}/reject")
    await finalised(room)
    asked = {"leave": [fine, closed, gone, fine], "decision": "approve"}
    answer = await meera.post("/app/leave/decide?status=all", asked)
    assert answer.status_code == 200
    assert "<h1>Leave: 1 approved, 2 refused</h1>" in answer.text
    assert "This leave was rejected: ask for it again." in answer.text
    assert "finalised" in answer.text
    assert 'action="/app/leave/decide?status=all"' in answer.text
    assert [await state_of(stage, leave) for leave in (fine, closed, gone)] == [
        "approved",
        "pending",
        "rejected",
    ]
    again = {"leave": [closed], "decision": "approve", "reason": WHY}
    answer = await meera.post("/app/leave/decide?status=all", again)
    assert "<h1>Leave: 1 approved</h1>" in answer.text
    assert 'href="/app/leave?status=all"' in answer.text
    assert await state_of(stage, closed) == "approved"


@pytest.mark.parametrize(("decision", "state"), [("reject", "rejected"), ("withdraw", "withdrawn")])
async def test_several_are_rejected_or_withdrawn(
    stage: Stage, room: Classroom, meera: Browser, decision: str, state: str
) -> None:
    leaves = [await asked_leave(stage.asha, roll) for roll in ROLLS]
    answer = await meera.post("/app/leave/decide", {"leave": leaves, "decision": decision})
    assert f"<h1>Leave: 3 {state}</h1>" in answer.text
    assert {await state_of(stage, leave) for leave in leaves} == {state}


@pytest.mark.parametrize(
    "fields",
    [
        {"decision": "approve"},
        {"decision": "burn", "leave": "{leave}"},
        {"leave": "{leave}"},
        {"decision": "approve", "leave": "x"},
        {"decision": "approve", "leave": ["{leave}"] * 201},
        {"decision": "approve", "leave": "{leave}", "reason": "a" * 10_000},
    ],
)
async def test_a_decision_that_says_too_little_changes_nothing_and_shows_the_list_again(
    stage: Stage, room: Classroom, meera: Browser, fields: dict[str, str | list[str]]
) -> None:
    leave = await asked_leave(stage.asha, FIRST)
    filled = {
        name: [
            leave if each == "{leave}" else each
            for each in ([value] * isinstance(value, str) or value)
        ]
        for name, value in fields.items()
    }
    answer = await meera.post("/app/leave/decide", filled)
    assert answer.status_code == 422
    assert f"/app/leave/{leave}" in answer.text
    assert 'role="alert"' in answer.text
    assert await state_of(stage, leave) == "pending"


async def test_a_teacher_cannot_decide_what_is_not_theirs_among_others(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    other = await classroom_of(stage.bilal, "CS999", ["23/CS/900"])
    foreign = await asked_leave(stage.bilal, "23/CS/900", classId=other.id, note=EVIL)
    mine = await asked_leave(stage.asha, FIRST, classId=room.id)
    unknown = room.id
    chosen = {"leave": [foreign, mine, unknown], "decision": "approve"}
    answer = await asha.post("/app/leave/decide", chosen)
    assert "<h1>Leave: 1 approved, 2 refused</h1>" in answer.text
    assert "23/CS/900" not in answer.text
    assert await state_of(stage, foreign) == "pending"
    only = await asha.post("/app/leave/decide", {"leave": foreign, "decision": "approve"})
    assert only.status_code == 403


async def test_a_co_teacher_decides_as_the_owner_does(stage: Stage, room: Classroom) -> None:
    await share(room, co_teacher(stage.chitra))
    leave = await asked_leave(stage.asha, FIRST, classId=room.id)
    async with browser_of(stage.app, stage.chitra) as chitra:
        await chitra.done(f"/app/leave/{leave}/approve")
    assert await state_of(stage, leave) == "approved"


async def test_the_api_says_who_may_decide_and_whose_leave_it_is(
    stage: Stage, room: Classroom
) -> None:
    leave = await asked_leave(stage.asha, FIRST)
    seen = (await stage.asha.get(f"/leaves/{leave}")).json()
    assert (seen["mayDecide"], seen["requestedByName"], seen["code"]) == (False, "Asha Demo", None)
    decided = (await stage.meera.post(f"/leaves/{leave}/approve")).json()["leave"]
    assert (decided["mayDecide"], decided["decidedByName"]) == (True, "Meera Demo")
