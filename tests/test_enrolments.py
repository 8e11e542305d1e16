"""Enrolments over time: late joiners, last days, and what is counted on which day."""

import json
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.classroom import ROLLS, Classroom, classroom_of, day, today
from tests.conftest import Stage
from tests.fuzz import examples
from tests.support import Person, checksum

pytestmark = pytest.mark.anyio

LATE = "23/CS/200"


async def put(
    person: Person,
    room: Classroom,
    students: list[dict[str, Any]] | None = None,
    withdrawals: list[dict[str, Any]] | None = None,
    query: str = "?mode=merge",
) -> Any:
    body = {"students": students or [], "withdrawals": withdrawals or []}
    return await person.put(f"{room.path}/students{query}", body)


def joins(roll: str, since: int) -> dict[str, Any]:
    return {"rollNo": roll, "from": str(day(since))}


def leaves(roll: str, last: int | None = None) -> dict[str, Any]:
    return {"rollNo": roll} | ({} if last is None else {"lastDay": str(day(last))})


async def days_of(room: Classroom) -> dict[str, tuple[str, str | None]]:
    """Who is on the roster, and from which day until which."""
    return {
        s["rollNo"]: (s["enrolledFrom"], s["enrolledUntil"])
        for s in (await room.document())["students"]
    }


@pytest.mark.parametrize("since", [-40, 0, 30, 400])
async def test_a_late_joiner_is_on_the_roster_with_their_first_day(
    stage: Stage, room: Classroom, since: int
) -> None:
    answer = (await put(stage.asha, room, [joins(LATE, since)])).json()
    assert (answer["added"], answer["removed"], answer["changed"]) == ([LATE], [], [])
    assert (await days_of(room))[LATE] == (str(day(since)), None)
    assert (await stage.asha.get(f"{room.path}?roster=false")).json()["studentCount"] == 4
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    assert LATE in [s["rollNo"] for s in stats]


async def test_the_first_day_of_an_enrolment_can_be_moved_and_marks_stay(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open(today())
    await room.mark(session, {ROLLS[0]: "present"})
    for since in (-30, 20, -5):
        answer = (await put(stage.asha, room, [joins(ROLLS[0], since)])).json()
        assert (answer["added"], answer["changed"]) == ([], [ROLLS[0]])
        assert (await days_of(room))[ROLLS[0]] == (str(day(since)), None)
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()[0]
    assert (stats["rollNo"], stats["present"], stats["total"]) == (ROLLS[0], 1, 1)


async def test_a_student_stays_on_the_roster_until_their_last_day_has_passed(
    stage: Stage, room: Classroom
) -> None:
    answer = (await put(stage.asha, room, [], [leaves(ROLLS[0], 0), leaves(ROLLS[1], 9)])).json()
    assert (answer["removed"], answer["changed"]) == ([], ROLLS[:2])
    assert await days_of(room) == {
        ROLLS[0]: (str(today()), str(today())),
        ROLLS[1]: (str(today()), str(day(9))),
        ROLLS[2]: (str(today()), None),
    }
    # What the app sends next is the whole roster as it sees it: the days stay.
    again = await room.enrol(*ROLLS)
    assert (again["added"], again["removed"], again["changed"]) == ([], [], [])
    assert (await days_of(room))[ROLLS[1]] == (str(today()), str(day(9)))


async def test_a_past_last_day_takes_them_off_the_roster_and_keeps_their_marks(
    stage: Stage, room: Classroom
) -> None:
    await put(stage.asha, room, [joins(roll, -30) for roll in ROLLS])
    session = await room.open(day(-3))
    await room.mark(session, {ROLLS[0]: "late"})
    answer = (await put(stage.asha, room, [], [leaves(ROLLS[0], -10)])).json()
    assert (answer["removed"], answer["changed"]) == ([ROLLS[0]], [])
    assert list(await days_of(room)) == ROLLS[1:]
    marks = (await stage.asha.get(f"/attendance/sessions/{session}")).json()["statuses"]
    assert [(m["rollNo"], m["status"]) for m in marks] == [(ROLLS[0], "late")]
    everybody = await stage.asha.get(f"/stats/classes/{room.id}/students?include=withdrawn")
    assert everybody.json()[0]["late"] == 1


async def test_without_a_last_day_the_last_one_was_yesterday(stage: Stage, room: Classroom) -> None:
    await put(stage.asha, room, [joins(roll, -30) for roll in ROLLS])
    await put(stage.asha, room, [], [leaves(ROLLS[0])])
    await room.enrol(*ROLLS[2:])
    (entries) = (await stage.meera.get("/admin/audit?action=student_withdrawn")).json()
    assert [e["details"]["lastDay"] for e in entries] == [str(day(-1))] * 2


async def test_a_replacing_roster_gives_those_not_in_it_a_last_day_of_their_own(
    stage: Stage, room: Classroom
) -> None:
    await put(stage.asha, room, [joins(roll, -30) for roll in ROLLS])
    students = [{"rollNo": ROLLS[2]}]
    answer = (await put(stage.asha, room, students, [leaves(ROLLS[0], 5)], "")).json()
    assert (answer["removed"], answer["changed"]) == ([ROLLS[1]], [ROLLS[0]])
    assert [s["rollNo"] for s in answer["students"]] == [ROLLS[0], ROLLS[2]]


async def test_someone_marked_on_a_day_they_were_enrolled_can_be_marked_after_they_left(
    stage: Stage, room: Classroom
) -> None:
    await put(stage.asha, room, [joins(roll, -30) for roll in ROLLS])
    await put(stage.asha, room, [], [leaves(ROLLS[0], -10)])
    before, after = await room.open(day(-10)), await room.open(day(-9))
    updates = {ROLLS[0]: "present", ROLLS[1]: "present"}
    assert (await room.mark(before, updates)).json()["rejected"] == []
    rejected = (await room.mark(after, updates)).json()["rejected"]
    assert rejected == [{"rollNo": ROLLS[0], "code": "not_enrolled"}]


async def test_a_dry_run_shows_the_days_and_changes_nothing(stage: Stage, room: Classroom) -> None:
    before = await checksum(stage.connection)
    students, withdrawals = [joins(LATE, 3), joins(ROLLS[2], -3)], [leaves(ROLLS[0], 5)]
    dry = await put(stage.asha, room, students, withdrawals, "?mode=merge&dryRun=true")
    assert await checksum(stage.connection) == before
    assert (await put(stage.asha, room, students, withdrawals)).json() | {
        "students": without_ids(dry.json()["students"])
    } == dry.json() | {"students": without_ids((await room.document())["students"])}


def without_ids(students: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ids of students made in a dry run are as passing as they."""
    return [{**student, "studentId": None} for student in students]


async def test_the_audit_log_has_the_days(stage: Stage, room: Classroom) -> None:
    await put(stage.asha, room, [joins(LATE, 3)])
    await put(stage.asha, room, [], [leaves(LATE, 5)])
    (made,) = (await stage.meera.get("/admin/audit?action=enrolment_changed")).json()
    assert made["details"] == {
        "classId": room.id,
        "firstDay": str(day(3)),
        "lastDay": str(day(5)),
    }
    enrolled = (await stage.meera.get("/admin/audit?action=student_enrolled")).json()[0]
    assert enrolled["details"] == made["details"] | {"lastDay": None}


@pytest.mark.parametrize(
    ("students", "withdrawals", "pointer", "code"),
    [
        ([joins(LATE, 401)], [], "/students/0/from", "too_far_ahead"),
        ([], [leaves(ROLLS[0], 401)], "/withdrawals/0/lastDay", "too_far_ahead"),
        ([], [leaves(ROLLS[0], -1)], "/withdrawals/0/lastDay", "last_day_before_first"),
        ([], [leaves(LATE)], "/withdrawals/0/rollNo", "not_enrolled"),
        ([], [leaves(LATE, 1)], "/withdrawals/0/rollNo", "not_enrolled"),
        ([joins("1", 0)], [leaves("1 ", 1)], "/withdrawals/0/rollNo", "repeated_roll_number"),
        ([], [leaves("1"), leaves("1", 1)], "/withdrawals/1/rollNo", "repeated_roll_number"),
        ([{"rollNo": LATE, "from": "today"}], [], "/students/0/from", "invalid_date"),
        ([], [{"rollNo": "1", "on": None}], "/withdrawals/0", "unknown_field"),
    ],
)
async def test_impossible_days_are_refused_and_nothing_is_changed(
    stage: Stage,
    room: Classroom,
    students: list[dict[str, Any]],
    withdrawals: list[dict[str, Any]],
    pointer: str,
    code: str,
) -> None:
    before = await checksum(stage.connection)
    good = [joins(ROLLS[2], -5)]
    answer = await put(stage.asha, room, students + good, withdrawals)
    assert answer.status_code == 422
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(pointer, code)]
    assert await checksum(stage.connection) == before


async def test_a_first_day_stays_clear_of_an_earlier_period_and_before_the_last_day(
    stage: Stage, room: Classroom
) -> None:
    await put(stage.asha, room, [joins(ROLLS[0], -30)])
    await put(stage.asha, room, [], [leaves(ROLLS[0], -10)])
    for since in (-40, -10, -9):
        refused = await put(stage.asha, room, [joins(ROLLS[0], since)])
        assert refused.json()["code"] == "within_earlier_period"
    await put(stage.asha, room, [joins(ROLLS[0], -8)])
    refused = await put(stage.asha, room, [joins(ROLLS[0], -9)])
    assert refused.json()["code"] == "within_earlier_period"
    await put(stage.asha, room, [], [leaves(ROLLS[0], 5)])
    refused = await put(stage.asha, room, [joins(ROLLS[0], 6)])
    assert refused.json()["code"] == "first_day_after_last"
    assert (await days_of(room))[ROLLS[0]] == (str(day(-8)), str(day(5)))


async def test_a_planned_last_day_is_not_another_class_s_business(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.bilal, "CS999", [ROLLS[0]])
    entry = [{"rollNo": ROLLS[0], "name": "Renamed Demo"}]
    await put(stage.bilal, other, [], [leaves(ROLLS[0], 5)])
    kept = await put(stage.asha, room, entry)
    assert kept.json()["conflicts"] == [{"rollNo": ROLLS[0], "field": "name"}]
    await put(stage.bilal, other, [], [leaves(ROLLS[0])])
    assert (await put(stage.asha, room, entry)).json()["conflicts"] == []


# The same arithmetic in plain Python: an enrolment is a set of days, counted from today.
ENDLESS = 1000
AHEAD = 400
DAYS = st.integers(-8, 4) | st.sampled_from([399, 400, 401])  # close together: they often touch


class Refused(Exception):
    pass


@dataclass
class Enrolment:
    """The days on which somebody is in the class, and whether they ever were to be."""

    days: set[int] = field(default_factory=set)
    known: bool = True

    @property
    def enrolled(self) -> bool:
        return any(n >= 0 for n in self.days)

    @property
    def last_period(self) -> set[int]:
        period = {max(self.days)}
        while (before := min(period) - 1) in self.days:
            period.add(before)
        return period

    def enrol(self, since: int | None) -> None:
        if since is None and self.enrolled:
            return
        present = self.last_period if self.enrolled else set()
        earlier = self.days - present
        first, last = (0 if since is None else since), max(present, default=ENDLESS)
        if first > AHEAD or first > last:
            raise Refused
        if since is not None and earlier and first <= max(earlier) + 1:
            raise Refused
        self.days = earlier | set(range(first, last + 1))
        self.known = True

    def withdraw(self, last: int | None) -> None:
        if not self.known or (last is not None and not self.days):
            raise Refused
        if last is None:
            self.days = {n for n in self.days if n < 0}
            return
        present = self.last_period
        if last > AHEAD or last < min(present):
            raise Refused
        self.days = (self.days - present) | set(range(min(present), last + 1))


@st.composite
def enrolments(draw: st.DrawFn) -> Enrolment:
    """Periods that are over, and perhaps one that is not."""
    if draw(st.integers(0, 3)) == 0:
        return Enrolment(known=False)
    days: set[int] = set()
    for first in draw(st.sets(st.integers(-7, -2), max_size=3)):
        days |= set(range(first, min(-1, first + draw(st.integers(0, 2))) + 1))
    if draw(st.booleans()):
        last = draw(st.integers(0, 3) | st.just(ENDLESS))
        days |= set(range(draw(st.integers(-7, min(last, 3))), last + 1))
    return Enrolment(days)


async def store(stage: Stage, room: Classroom, roll: str, enrolment: Enrolment) -> None:
    await stage.connection.execute(
        "DELETE FROM class_students USING students s"
        " WHERE class_id = $1 AND student_id = s.id AND roll_no = $2",
        room.id,
        roll,
    )
    if enrolment.known:
        ranges = [
            asyncpg.Range(day(n), None if n == ENDLESS else day(n + 1)) for n in enrolment.days
        ]
        await stage.connection.execute(
            "INSERT INTO class_students (class_id, student_id, periods)"
            " SELECT $1, id, $3 FROM students WHERE roll_no = $2",
            room.id,
            roll,
            ranges,
        )


async def stored(stage: Stage, room: Classroom, roll: str) -> set[int]:
    """The days of an enrolment, as the database has them."""
    days: set[int] = set()
    for period in await stage.connection.fetch(
        "SELECT lower(p) - current_date AS first, upper(p) - 1 - current_date AS last"
        " FROM class_students JOIN students s ON s.id = student_id, unnest(periods) p"
        " WHERE class_id = $1 AND roll_no = $2",
        room.id,
        roll,
    ):
        last = ENDLESS if period["last"] is None else period["last"]
        days |= set(range(period["first"], last + 1))
    return days


def body_of(asked: dict[str, tuple[str, int | None]]) -> dict[str, Any]:
    days = {roll: None if n is None else str(day(n)) for roll, (_, n) in asked.items()}
    named = {kind: [roll for roll in asked if asked[roll][0] == kind] for kind in ("in", "out")}
    return {
        "students": [{"rollNo": roll, "from": days[roll]} for roll in named["in"]],
        "withdrawals": [{"rollNo": roll, "lastDay": days[roll]} for roll in named["out"]],
    }


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[Enrolment, ...], dict[str, tuple[str, int | None]]]:
    """Two enrolments, and what is asked of them; half of the days are where a period borders."""
    states = tuple(draw(enrolments()) for _ in range(2))
    borders = [
        n for state in states for n in range(-8, 5) if (n in state.days) != (n - 1 in state.days)
    ]
    n = st.none() | DAYS | (st.sampled_from(borders) if borders else DAYS)
    kind = st.sampled_from(["in", "in", "out"])
    return states, draw(st.dictionaries(st.sampled_from(ROLLS[:2]), st.tuples(kind, n), min_size=1))


@examples(200)
@given(case=cases(), mode=st.sampled_from(["merge", "replace"]))
async def test_the_days_are_what_plain_sets_of_days_give(
    stage: Stage,
    room: Classroom,
    case: tuple[tuple[Enrolment, ...], dict[str, tuple[str, int | None]]],
    mode: str,
) -> None:
    states, asked = case
    people = dict(zip(ROLLS, states, strict=False))
    for roll, enrolment in people.items():
        await store(stage, room, roll, enrolment)
    were = {roll: (person.enrolled, set(person.days)) for roll, person in people.items()}
    unchanged = await checksum(stage.connection)
    path = f"{room.path}/students?mode={mode}&confirm=true"
    answer = await stage.asha.put(path, body_of(asked))
    try:
        for roll, person in people.items():
            kind, n = asked.get(roll, ("out" if mode == "replace" and person.known else "", None))
            if kind == "in":
                person.enrol(n)
            elif kind == "out":
                person.withdraw(n)
    except Refused:
        event("refused")
        assert answer.status_code == 422, answer.text
        assert await checksum(stage.connection) == unchanged
        return
    assert answer.status_code == 200, json.dumps(answer.json())
    said = answer.json()
    for roll, person in people.items():
        assert await stored(stage, room, roll) == person.days
        was, days = were[roll]
        assert (roll in [s["rollNo"] for s in said["students"]]) == person.enrolled
        assert (roll in said["added"]) == (person.enrolled and not was)
        assert (roll in said["removed"]) == (was and not person.enrolled)
        assert (roll in said["changed"]) == (days != person.days and was == person.enrolled)
    done = await checksum(stage.connection)
    again = await stage.asha.put(path, body_of(asked))
    assert again.status_code == 200, "a retry is safe"
    assert (again.json()["added"], again.json()["removed"], again.json()["changed"]) == ([], [], [])
    assert await checksum(stage.connection) == done
