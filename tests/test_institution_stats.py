"""Statistics of the whole institution, for administrators."""

from typing import Any
from uuid import UUID

import pytest

from tests.classroom import ROLLS, Classroom, classroom_of, day, today
from tests.conftest import Stage
from tests.support import next_of
from tests.test_policy import attend, put

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ROLLS
CLASSES, DEFAULTERS, MISSING = "/stats/classes", "/stats/defaulters", "/stats/missing-sessions"


async def pages_of(stage: Stage, path: str) -> list[list[dict[str, Any]]]:
    """Every page, following the links."""
    pages = []
    following: str | None = path
    while following:
        answer = await stage.meera.get(following)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        following = next_of(answer)
    return pages


async def defaulters(stage: Stage, **query: str) -> list[tuple[str, str]]:
    answer = await stage.meera.get(DEFAULTERS, params=query)
    assert answer.status_code == 200, answer.text
    return [(one["rollNo"], one["code"]) for one in answer.json()]


async def test_defaulters_are_students_below_the_threshold_with_the_figures_of_their_class(
    stage: Stage, room: Classroom
) -> None:
    await put(stage, threshold=6667, minimumSessions=3)
    other = await classroom_of(stage.bilal, "CS200")
    closed = await classroom_of(stage.bilal, "CS100")
    for roll, marks in ((FIRST, "ppa"), (SECOND, "ppp"), (THIRD, "aa")):
        await attend(room, marks, roll)
    await attend(other, "laa", SECOND)
    await attend(other, "aaaa", THIRD)
    await attend(closed, "aaa", FIRST)
    await stage.bilal.delete(closed.path)
    assert await defaulters(stage) == [(FIRST, "CS301"), (SECOND, "CS200"), (THIRD, "CS200")]
    (_, second, _) = (await stage.meera.get(DEFAULTERS)).json()
    stats = (await stage.bilal.get(f"/stats/classes/{other.id}/students")).json()[1]
    names = ("studentId", "rollNo", "name", "counted", "attended", "percentage")
    assert second == {name: stats[name] for name in (*names, "sessionsNeeded", "canMiss")} | {
        "classId": other.id,
        "code": "CS200",
        "className": "Operating Systems",
        "section": "A",
    }
    await other.enrol(FIRST, SECOND)
    assert await defaulters(stage) == [(FIRST, "CS301"), (SECOND, "CS200")]


@pytest.mark.parametrize(
    ("threshold", "below"),
    [("66.66", 0), ("66.67", 1), ("66.670", 1), ("0", 0), ("100", 1), ("1e2", 1)],
)
async def test_another_threshold_can_be_requested_and_is_compared_exactly(
    stage: Stage, room: Classroom, threshold: str, below: int
) -> None:
    await put(stage, threshold=0)
    await attend(room, "ppa")
    assert len(await defaulters(stage, threshold=threshold)) == below


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("threshold", value) for value in ("-1", "100.01", "66.667", "", "NaN", "Infinity", "x")),
        *(("threshold", value) for value in ("1e400", "1e-9")),
        *(("term", value) for value in ("", "all", "x", "0" * 36)),
        *(("limit", value) for value in ("0", "201")),
        *(("cursor", value) for value in ("", "x", "~", f"{'0' * 36}~a", f"{'0' * 32}~\0")),
    ],
)
async def test_an_invalid_parameter_is_refused_by_name(stage: Stage, name: str, value: str) -> None:
    answer = await stage.meera.get(DEFAULTERS, params={name: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/query/{name}"


async def two_terms(stage: Stage) -> tuple[str, str]:
    """The ids of a past term and of the current one."""
    ids = []
    for name, first, last in (("Spring", -200, -120), ("Monsoon", -20, 20)):
        body = {"name": name, "firstDay": str(day(first)), "lastDay": str(day(last))}
        ids.append((await stage.meera.post("/admin/terms", body)).json()["id"])
    return ids[0], ids[1]


async def test_figures_cover_the_current_term_or_the_one_requested(stage: Stage) -> None:
    spring, monsoon = await two_terms(stage)
    await put(stage)
    for code, term in (("OLD", spring), ("NEW", monsoon), ("NONE", None)):
        room = await classroom_of(stage.asha, code, [FIRST])
        assert (await stage.asha.patch(room.path, {"termId": term})).status_code == 200
        await attend(room, "a")
    unknown = "/stats/{}?term=00000000-0000-0000-0000-000000000000"
    for path in ("overview", "defaulters"):
        answer = await stage.meera.get(unknown.format(path))
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_term")
    assert await defaulters(stage) == [(FIRST, "NEW"), (FIRST, "NONE")]
    assert await defaulters(stage, term=spring.upper()) == [(FIRST, "OLD")]
    overview = (await stage.meera.get("/stats/overview")).json()
    assert (overview["term"], overview["classes"]) == ({"id": monsoon, "name": "Monsoon"}, 2)
    overview = (await stage.meera.get(f"/stats/overview?term={spring}")).json()
    assert (overview["term"]["name"], overview["classes"]) == ("Spring", 1)


async def test_pages_of_defaulters_are_ordered_by_roll_number_and_class(stage: Stage) -> None:
    await put(stage)
    # Case folding turns the last one into a key of 765 characters.
    rolls = ["23/CS/É~ 9", *ROLLS, "\ufb03" * 255]
    for code in ("CS9", "CS10", "cs1"):
        room = await classroom_of(stage.asha, code, rolls)
        await room.mark(await room.open(day(-1)), dict.fromkeys(rolls, "absent"))
    pages = await pages_of(stage, f"{DEFAULTERS}?limit=2&threshold=50")
    assert [len(page) for page in pages] == [2] * 7 + [1]
    assert [(one["rollNo"], one["code"]) for page in pages for one in page] == [
        (roll, code) for roll in (*ROLLS, rolls[0], rolls[-1]) for code in ("CS10", "CS9", "cs1")
    ]


async def daily(room: Classroom, start: str, end: str) -> None:
    """Schedule the class at that time every day."""
    for weekday in range(1, 8):
        slot = {"dayOfWeek": weekday, "startTime": start, "endTime": end}
        assert (await room.teacher.post(f"{room.path}/schedules", slot)).status_code == 201


async def test_missing_sessions_are_past_ones_without_attendance(stage: Stage) -> None:
    await two_terms(stage)
    room = await classroom_of(stage.asha, "CS301")
    other = await classroom_of(stage.bilal, "CS200")
    for of in (room, other):
        await daily(of, "09:00", "10:00")
    await daily(room, "11:00", "12:00")
    await attend(room, "p")  # yesterday at nine
    opened = await room.open(day(-2), startTime="09:00")
    await stage.meera.post("/admin/holidays", {"name": "Fair", "firstDay": str(day(-3))})
    query = f"from={day(-4)}&to={day(-1)}"
    pages = await pages_of(stage, f"{MISSING}?{query}&limit=2")
    found = [one for page in pages for one in page]
    assert [len(page) for page in pages] == [2] * 4
    assert [(one["date"], one["start"], one["code"]) for one in found] == [
        (str(day(-4)), "09:00", "CS200"),
        (str(day(-4)), "09:00", "CS301"),
        (str(day(-4)), "11:00", "CS301"),
        (str(day(-2)), "09:00", "CS200"),
        (str(day(-2)), "09:00", "CS301"),
        (str(day(-2)), "11:00", "CS301"),
        (str(day(-1)), "09:00", "CS200"),
        (str(day(-1)), "11:00", "CS301"),
    ]
    assert found[4] == {
        "date": str(day(-2)),
        "start": "09:00",
        "end": "10:00",
        "classId": room.id,
        "code": "CS301",
        "name": "Operating Systems",
        "section": "A",
        "sessionId": opened,
        "teacherId": str(stage.asha.user_id),
        "teacherName": "Asha Demo",
        "teacherEmail": stage.asha.email,
    }
    await stage.bilal.delete(other.path)
    left = (await stage.meera.get(f"{MISSING}?{query}")).json()
    assert {one["code"] for one in left} == {"CS301"}


async def test_missing_sessions_are_listed_from_the_first_day_of_the_term_until_now(
    stage: Stage,
) -> None:
    room = await classroom_of(stage.asha)
    await daily(room, "00:00", "00:01")

    async def days() -> list[str]:
        found = (await stage.meera.get(MISSING)).json()
        return sorted({one["date"] for one in found})

    assert await days() == [str(day(-n)) for n in range(30, -1, -1)]
    await two_terms(stage)
    assert await days() == [str(day(-n)) for n in range(20, -1, -1)]
    ahead = await stage.meera.get(f"{MISSING}?to={day(9)}")
    assert max(one["date"] for one in ahead.json()) == str(today())
    assert (await stage.meera.get(f"{MISSING}?to={day(-40)}")).json() == []
    assert (await stage.meera.get(f"{MISSING}?from={day(2)}&to={day(9)}")).json() == []
    of_old = await pages_of(stage, f"{MISSING}?from=0001-01-02&to=0001-12-31")
    assert [len(page) for page in of_old] == [200, 164]


async def test_paging_through_missing_sessions_survives_the_removal_of_a_class(
    stage: Stage,
) -> None:
    for code in ("CS1", "CS2", "CS3"):
        await daily(await classroom_of(stage.asha, code), "00:00", "00:01")
    page = await stage.meera.get(f"{MISSING}?from={day(-1)}&limit=2")
    seen = page.json()
    assert (await stage.asha.delete(f"/classes/{seen[1]['classId']}")).status_code == 204
    pages = await pages_of(stage, next_of(page) or "")
    assert [one["code"] for one in pages[0]] == ["CS1", "CS3"]
    assert [one["code"] for one in pages[1]] == ["CS1", "CS3"]


async def test_classes_without_a_term_count_before_the_current_term_begins(
    stage: Stage,
) -> None:
    await daily(await classroom_of(stage.asha), "00:00", "00:01")
    later = {"name": "Monsoon", "firstDay": str(day(5)), "lastDay": str(day(90))}
    await stage.meera.post("/admin/terms", later)
    overview = (await stage.meera.get("/stats/overview")).json()
    missing = (await stage.meera.get(MISSING)).json()
    assert (overview["today"]["missing"], overview["sessionsMissing"], len(missing)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("query", "name", "code"),
    [
        ({"from": "2025-10-02", "to": "2025-10-01"}, "from", "range_reversed"),
        ({"from": str(day(1))}, "from", "range_reversed"),
        ({"from": "2020-01-01"}, "to", "range_too_long"),
        ({"from": "0001-01-01"}, "from", "invalid_date"),
        ({"to": "9999-12-31"}, "to", "invalid_date"),
        *(
            ({"cursor": cursor}, "cursor", "invalid_cursor")
            for cursor in (
                *("", "x", "2025-10-01T09:00", f"9999-12-31T09:00~{UUID(int=0)}"),
                *(f"2025-10-01T09:00+05:30~{'0' * 36}", f"2025-10-01T25:00~{'0' * 36}"),
                f"2025-02-30T09:00~{'0' * 8}-0000-0000-0000-{'0' * 12}",
            )
        ),
    ],
)
async def test_invalid_days_are_refused_by_name(
    stage: Stage, query: dict[str, str], name: str, code: str
) -> None:
    answer = await stage.meera.get(MISSING, params=query)
    assert answer.status_code == 422
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        (f"/query/{name}", code)
    ]


async def test_the_overview_agrees_with_the_lists_and_the_classes(stage: Stage) -> None:
    _, monsoon = await two_terms(stage)
    await put(stage, threshold=6000, minimumSessions=2, lateWeight=50)
    room = await classroom_of(stage.asha, "CS301")
    other = await classroom_of(stage.bilal, "CS200", [FIRST])
    await daily(room, "00:00", "00:01")
    await daily(other, "23:58", "23:59")
    for roll, marks in ((FIRST, "lp"), (SECOND, "aa"), (THIRD, "p")):
        await attend(room, marks, roll)
    await attend(other, "ppppe")
    finalised = await other.open("2025-10-01")
    await stage.bilal.post(f"/attendance/sessions/{finalised}/finalise")
    gone = await room.open("2025-10-01")
    await room.mark(gone, dict.fromkeys(ROLLS, "absent"))
    await stage.asha.post(f"/attendance/sessions/{gone}/cancel", {"reason": "A flood"})
    answer = (await stage.meera.get("/stats/overview")).json()
    missing = (await stage.meera.get(MISSING)).json()
    assert answer.pop("sessionsMissing") == len(missing)
    assert answer == {
        "term": {"id": monsoon, "name": "Monsoon"},
        "classes": 2,
        "students": 3,
        "sessionsTaken": 8,
        "marks": {"present": 6, "absent": 2, "late": 1, "excused": 1},
        "percentage": 65.0,
        "standings": {"ok": 1, "atRisk": 1, "below": 1, "noData": 1},
        "departments": [
            {
                "department": None,
                "classes": 2,
                "percentage": 65.0,
                "standings": {"ok": 1, "atRisk": 1, "below": 1, "noData": 1},
            }
        ],
        "today": {"taken": 0, "missing": 1, "inProgress": 0, "upcoming": 1},
    }


async def test_classes_and_departments_add_up_to_the_overview(stage: Stage) -> None:
    await put(stage, threshold=6000, minimumSessions=2, lateWeight=50)
    room = await classroom_of(stage.asha, "CS301")
    other = await classroom_of(stage.bilal, "CS200", [FIRST])
    await classroom_of(stage.bilal, "CS100", [])
    department = {"department": "Computer Science"}
    await stage.meera.patch(f"/admin/users/{stage.asha.user_id}", department)
    await attend(room, "lp", FIRST)
    await attend(room, "aa", SECOND)
    await attend(other, "ppp")
    overview = (await stage.meera.get("/stats/overview")).json()
    of_asha, of_bilal = overview["departments"]
    assert (of_asha["department"], of_asha["classes"]) == ("Computer Science", 1)
    assert (of_bilal["department"], of_bilal["classes"]) == (None, 2)
    assert of_asha["standings"] == {"ok": 0, "atRisk": 1, "below": 1, "noData": 1}
    first = await stage.meera.get(f"{CLASSES}?limit=2")
    pages = await pages_of(stage, f"{CLASSES}?limit=2")
    assert [[one["code"] for one in page] for page in pages] == [["CS100", "CS200"], ["CS301"]]
    empty, single, whole = [one for page in pages for one in page]
    assert first.json() == pages[0]
    assert (empty["students"], empty["percentage"], empty["sessionsTaken"]) == (0, 0, 0)
    assert (single["teacherName"], single["department"], single["sessionsTaken"]) == (
        "Bilal Demo",
        None,
        3,
    )
    assert (whole["students"], whole["standings"]) == (3, of_asha["standings"])
    assert whole["percentage"] == of_asha["percentage"]
    asked = {"department": "Computer Science"}
    assert (await stage.meera.get(CLASSES, params=asked)).json() == [whole]
    assert (await stage.meera.get(f"{CLASSES}?department=")).json() == [empty, single]


@pytest.mark.parametrize(
    ("query", "name", "code"),
    [
        ({"term": str(UUID(int=0))}, "term", "unknown_term"),
        ({"cursor": "x"}, "cursor", "invalid_cursor"),
        ({"department": "\0"}, "department", "control_character"),
    ],
)
async def test_what_classes_are_not_asked_for(
    stage: Stage, query: dict[str, str], name: str, code: str
) -> None:
    answer = await stage.meera.get(CLASSES, params=query)
    assert answer.status_code == 422
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        (f"/query/{name}", code)
    ]


async def test_an_empty_institution_has_an_overview(stage: Stage) -> None:
    answer = (await stage.meera.get("/stats/overview")).json()
    assert (answer["term"], answer["classes"], answer["percentage"]) == (None, 0, 0)
    assert (await stage.meera.get(DEFAULTERS)).json() == []
    assert (await stage.meera.get(MISSING)).json() == []
