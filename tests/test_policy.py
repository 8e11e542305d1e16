"""The attendance policy: read, set, previewed, and followed by every number."""

from typing import Any

import pytest

from tests.classroom import ROLLS, Classroom, classroom_of, day
from tests.conftest import Stage
from tests.support import checksum, next_of

pytestmark = pytest.mark.anyio

DEFAULT = {
    "threshold": 7500,
    "lateWeight": 100,
    "excused": "absent",
    "onDuty": "present",
    "minimumSessions": 5,
}
POLICY, PREVIEW = "/admin/policy", "/admin/policy/preview"


def rules(**changed: Any) -> dict[str, Any]:
    """The default rules without a minimum of sessions, and with these changes."""
    return DEFAULT | {"minimumSessions": 0} | changed


async def put(stage: Stage, **changed: Any) -> None:
    assert (await stage.meera.put(POLICY, rules(**changed))).status_code == 200


async def preview(stage: Stage, **changed: Any) -> dict[str, Any]:
    answer = await stage.meera.post(PREVIEW, rules(**changed))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def numbers(room: Classroom, roll: str = ROLLS[0]) -> tuple[float, int, float]:
    """The sessions attended, the sessions counted, and the percentage."""
    stats = (await room.teacher.get(f"/stats/classes/{room.id}/students")).json()
    (student,) = [s for s in stats if s["rollNo"] == roll]
    return student["attended"], student["counted"], student["percentage"]


async def attend(room: Classroom, marks: str, roll: str = ROLLS[0]) -> list[str]:
    """Hold a session a day with a mark for each letter (p, a, l or e); return the sessions."""
    words = {word[0]: word for word in ("present", "absent", "late", "excused")}
    sessions = []
    for place, letter in enumerate(marks):
        sessions.append(await room.open(day(place - len(marks))))
        answer = await room.mark(sessions[-1], {roll: words[letter]})
        assert answer.json()["rejected"] == []
    return sessions


async def on_leave(stage: Stage, room: Classroom, session: str, kind: str) -> str:
    """The first student's approved leave from that session."""
    asked = {"rollNo": ROLLS[0], "classId": room.id, "sessionIds": [session], "kind": kind}
    leave = (await stage.asha.post("/leaves", asked)).json()["id"]
    assert (await stage.asha.post(f"/leaves/{leave}/approve")).json()["changed"] == 1
    return leave


async def test_the_default_rules_apply_until_somebody_sets_others(stage: Stage) -> None:
    assert (await stage.meera.get(POLICY)).json().items() >= DEFAULT.items()
    wanted = rules(threshold=6667, lateWeight=50, excused="excluded", onDuty="absent")
    answer = await stage.meera.put(POLICY, wanted)
    assert answer.json().items() >= wanted.items()
    assert (await stage.meera.get(POLICY)).json() == answer.json()


async def test_a_change_is_audited_once_however_often_it_is_sent(stage: Stage) -> None:
    wanted = rules(lateWeight=50)
    first = await stage.meera.put(POLICY, wanted)
    done = await checksum(stage.connection)
    assert (await stage.meera.put(POLICY, wanted)).json() == first.json()
    assert await checksum(stage.connection) == done
    (entry,) = (await stage.meera.get("/admin/audit?action=policy_changed")).json()
    assert entry["details"] == wanted
    assert entry["actorId"] == str(stage.meera.user_id)
    assert entry["requestId"] == first.headers["x-request-id"]


@pytest.mark.parametrize("name", ["asha", "divya", "ravi", "omar", "nobody"])
async def test_only_administrators_preview_or_set_the_rules(stage: Stage, name: str) -> None:
    before = await checksum(stage.connection)
    person = getattr(stage, name)
    answers = [
        await person.put(POLICY, rules(threshold=0)),
        await person.post(PREVIEW, rules(threshold=0)),
    ]
    refused = 403 if name in ("asha", "divya") else 401
    assert [answer.status_code for answer in answers] == [refused] * 2
    assert await checksum(stage.connection) == before


async def test_teachers_can_read_the_rules(stage: Stage) -> None:
    await stage.meera.put(POLICY, rules(threshold=6667))
    answers = [await person.get(POLICY) for person in (stage.asha, stage.bilal, stage.meera)]
    assert [answer.json()["threshold"] for answer in answers] == [6667] * 3
    assert {answer.text for answer in answers} == {answers[0].text}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("threshold", value) for value in (-1, 10_001, 75.5, "7500", True, None)),
        *(("lateWeight", value) for value in (-1, 101, 0.5, "50")),
        *(("minimumSessions", value) for value in (-1, 1001, 2**40)),
        *(("excused", value) for value in ("Absent", "late", "", None, ["absent"])),
        ("onDuty", "counted"),
    ],
)
async def test_invalid_rules_are_refused_by_name(stage: Stage, field: str, value: Any) -> None:
    before = await checksum(stage.connection)
    for method, path in (("PUT", POLICY), ("POST", PREVIEW)):
        answer = await stage.meera.request(method, path, json=rules(**{field: value}))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]
    assert await checksum(stage.connection) == before


@pytest.mark.parametrize("field", DEFAULT)
async def test_all_rules_have_to_be_sent(stage: Stage, field: str) -> None:
    wanted = {name: value for name, value in DEFAULT.items() if name != field}
    answer = await stage.meera.put(POLICY, wanted)
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]


async def test_a_manual_excuse_is_an_absence_until_the_rules_say_otherwise(
    stage: Stage, room: Classroom
) -> None:
    await attend(room, "ple")
    assert await numbers(room) == (2, 3, 66.67)


@pytest.mark.parametrize(
    ("weight", "attended", "percentage"),
    [(100, 4, 80), (50, 2.5, 50), (33, 1.99, 39.8), (1, 1.03, 20.6), (0, 1, 20)],
)
async def test_late_has_the_weight_that_the_rules_say(
    stage: Stage, room: Classroom, weight: int, attended: float, percentage: float
) -> None:
    await put(stage, lateWeight=weight)
    await attend(room, "pllla")
    assert await numbers(room) == (attended, 5, percentage)


@pytest.mark.parametrize(
    ("excused", "on_duty", "expected"),
    [
        ("absent", "absent", (1, 5, 20)),
        ("absent", "excluded", (1, 4, 25)),
        ("absent", "present", (2, 5, 40)),
        ("excluded", "absent", (1, 3, 33.33)),
        ("excluded", "excluded", (1, 2, 50)),
        ("excluded", "present", (2, 3, 66.67)),
        ("present", "absent", (3, 5, 60)),
        ("present", "excluded", (3, 4, 75)),
        ("present", "present", (4, 5, 80)),
    ],
)
async def test_excuses_and_on_duty_each_count_by_their_own_rule(
    stage: Stage, room: Classroom, excused: str, on_duty: str, expected: tuple[float, int, float]
) -> None:
    """One present, one absent, one excused by hand, one by medical leave, one on duty."""
    sessions = await attend(room, "paeaa")
    await on_leave(stage, room, sessions[3], "medical")
    await on_leave(stage, room, sessions[4], "on_duty")
    await put(stage, excused=excused, onDuty=on_duty)
    assert await numbers(room) == expected


async def test_a_student_on_duty_counts_as_absent_again_when_the_leave_is_withdrawn(
    stage: Stage, room: Classroom
) -> None:
    session = (await attend(room, "pa"))[1]
    leave = await on_leave(stage, room, session, "on_duty")
    assert await numbers(room) == (2, 2, 100)
    await stage.asha.post(f"/leaves/{leave}/withdraw")
    assert await numbers(room) == (1, 2, 50)


async def test_a_percentage_of_no_sessions_is_zero_and_nobody_is_judged_by_it(
    stage: Stage, room: Classroom
) -> None:
    await attend(room, "ee")
    await put(stage, excused="excluded", threshold=10_000)
    assert await numbers(room) == (0, 0, 0)
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    assert stats[0]["total"] == 2
    assert (await preview(stage, threshold=0))["rises"] == 0


async def test_a_cancelled_session_counts_nowhere(stage: Stage, room: Classroom) -> None:
    session = (await attend(room, "paa"))[2]
    path = f"/attendance/sessions/{session}"
    assert (await stage.asha.post(f"{path}/cancel", {"reason": "No power"})).status_code == 200
    assert await numbers(room) == (1, 2, 50)
    assert (await stage.asha.post(f"{path}/restore")).status_code == 200
    assert await numbers(room) == (1, 3, 33.33)


@pytest.mark.parametrize(
    ("marks", "threshold", "below"),
    [
        ("pppa", 7500, False),
        ("pppa", 7501, True),
        ("ppa", 6666, False),
        ("ppa", 6667, True),  # shown as 66.67, yet below it
        ("paa", 3333, False),
        ("paa", 3334, True),
        ("aaaa", 0, False),
        ("aaaa", 1, True),
        ("pppp", 10_000, False),
        ("pppl", 10_000, True),
    ],
)
async def test_the_threshold_is_compared_as_integers_never_as_rounded_numbers(
    stage: Stage, room: Classroom, marks: str, threshold: int, below: bool
) -> None:
    await attend(room, marks)
    await put(stage, threshold=0)
    tried = await preview(stage, threshold=threshold, lateWeight=99)
    assert (tried["falls"], tried["rises"]) == (int(below), 0)


@pytest.mark.parametrize(("minimum", "falls"), [(0, 2), (2, 2), (3, 1), (4, 0)])
async def test_nobody_is_judged_before_there_are_enough_sessions(
    stage: Stage, room: Classroom, minimum: int, falls: int
) -> None:
    await attend(room, "aaa", ROLLS[0])
    await attend(room, "aa", ROLLS[1])
    await put(stage, threshold=0)
    assert (await preview(stage, minimumSessions=minimum))["falls"] == falls


async def test_excluded_sessions_do_not_count_towards_the_minimum(
    stage: Stage, room: Classroom
) -> None:
    await attend(room, "aae")
    await put(stage, threshold=0)
    assert (await preview(stage, minimumSessions=3))["falls"] == 1
    assert (await preview(stage, minimumSessions=3, excused="excluded"))["falls"] == 0


async def test_a_preview_names_who_would_cross_the_threshold_and_changes_nothing(
    stage: Stage, room: Classroom
) -> None:
    await attend(room, "pppl", ROLLS[0])
    await attend(room, "pppa", ROLLS[1])
    await attend(room, "paaa", ROLLS[2])
    await put(stage)
    before = await checksum(stage.connection)
    answer = await preview(stage, lateWeight=0, threshold=7600)
    assert await checksum(stage.connection) == before
    assert (answer["falls"], answer["rises"]) == (2, 0)
    ids = {s["rollNo"]: s["studentId"] for s in (await room.document())["students"]}
    common = {"classId": room.id, "code": "CS301", "section": "A", "direction": "falls"}
    assert answer["students"] == [
        common
        | {"rollNo": roll, "studentId": ids[roll], "name": f"Student {roll[-3:]}"}
        | {"before": before, "after": 75}
        for roll, before in ((ROLLS[0], 100), (ROLLS[1], 75))
    ]


async def below_now(stage: Stage) -> set[tuple[str, str]]:
    """The students below the threshold in force, queried from the view as a report would."""
    rows = await stage.connection.fetch(
        "SELECT class_id, roll_no FROM v_enrolment_attendance v, policy p"
        " JOIN classes c ON c.archived_at IS NULL"
        " WHERE c.id = class_id AND enrolled AND attendance_below(p, attended, counted)"
    )
    return {(str(row["class_id"]), row["roll_no"]) for row in rows}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"threshold": 5000}, {"threshold": 8000, "lateWeight": 0}),
        ({"threshold": 8000, "lateWeight": 0}, {"threshold": 5000}),
        ({"excused": "excluded"}, {"lateWeight": 40}),
        ({}, {"minimumSessions": 5}),
        ({}, {"lateWeight": 0, "excused": "present", "threshold": 7000}),
    ],
)
async def test_a_preview_predicts_what_the_change_does(
    stage: Stage, room: Classroom, old: dict[str, Any], new: dict[str, Any]
) -> None:
    other = await classroom_of(stage.bilal, "CS200")
    for place, marks in enumerate(("ppll", "ppaa", "eepa")):
        await attend(room, marks, ROLLS[place])
        await attend(other, marks[::-1] + "p", ROLLS[place])
    await put(stage, **old)
    was = await below_now(stage)
    tried = await preview(stage, **new)
    await put(stage, **new)
    now = await below_now(stage)
    named = {(s["classId"], s["rollNo"]): s for s in tried["students"]}
    assert {key for key in named if named[key]["direction"] == "falls"} == now - was
    assert {key for key in named if named[key]["direction"] == "rises"} == was - now
    assert (tried["falls"], tried["rises"]) == (len(now - was), len(was - now))
    assert was != now
    for (class_id, roll), student in named.items():
        held = room if class_id == room.id else other
        assert student["after"] == (await numbers(held, roll))[2]


async def test_a_preview_leaves_out_withdrawn_students_and_archived_classes(
    stage: Stage, room: Classroom
) -> None:
    closed = await classroom_of(stage.bilal, "CS200", ROLLS[:1])
    await attend(room, "aa", ROLLS[0])
    await attend(room, "aa", ROLLS[1])
    await attend(closed, "aa")
    await put(stage, threshold=0)
    assert (await preview(stage))["falls"] == 3
    await stage.bilal.delete(closed.path)
    await room.enrol(*ROLLS[1:])
    assert [s["rollNo"] for s in (await preview(stage))["students"]] == ROLLS[1:2]


async def test_pages_of_a_preview_are_ordered_by_class_and_roll_number(
    stage: Stage,
) -> None:
    rolls = [*ROLLS, "23/CS/É~ 9", "ശ്രീ/1"]
    for code in ("CS9", "CS10", "cs1"):
        room = await classroom_of(stage.asha, code, rolls)
        session = await room.open(day(-1))
        await room.mark(session, dict.fromkeys(rolls, "absent"))
    await put(stage, threshold=0)
    path: str | None = f"{PREVIEW}?limit=2"
    pages = []
    while path:
        answer = await stage.meera.post(path, rules())
        path = next_of(answer)
        pages.append(answer.json())
    assert {(page["falls"], page["rises"]) for page in pages} == {(15, 0)}
    assert [len(page["students"]) for page in pages] == [2] * 7 + [1]
    assert [(s["code"], s["rollNo"]) for page in pages for s in page["students"]] == [
        (code, roll) for code in ("CS10", "CS9", "cs1") for roll in rolls
    ]


@pytest.mark.parametrize("cursor", ["", "x", "~", f"{'0' * 36}~a", f"{'0' * 32}~\0", "a" * 1058])
async def test_an_invalid_cursor_is_refused(stage: Stage, cursor: str) -> None:
    answer = await stage.meera.post(PREVIEW, rules(), params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/cursor"


async def test_the_view_follows_the_rules_as_the_statistics_do(
    stage: Stage, room: Classroom
) -> None:
    await attend(room, "plae")
    for weight, excused in ((100, "absent"), (50, "excluded"), (0, "present")):
        await put(stage, lateWeight=weight, excused=excused)
        rows = await stage.connection.fetch(
            "SELECT roll_no, total, percentage FROM v_student_attendance_summary"
            " WHERE class_id = $1 ORDER BY roll_no",
            room.id,
        )
        stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
        assert [(r["roll_no"], r["total"], float(r["percentage"])) for r in rows] == [
            (s["rollNo"], s["total"], s["percentage"]) for s in stats
        ]


async def test_the_rules_say_when_they_were_set(stage: Stage) -> None:
    first = (await stage.meera.get(POLICY)).json()["updatedAt"]
    second = (await stage.meera.put(POLICY, rules())).json()["updatedAt"]
    assert second > first
