"""After random histories, under all policies, the API's numbers are those of a plain recount."""

from dataclasses import dataclass, field
from itertools import cycle, product
from typing import Any

import pytest
from hypothesis import event, example, given, note
from hypothesis import strategies as st

from tests import recount
from tests.classroom import Classroom, classroom_of, day
from tests.conftest import Stage
from tests.fuzz import examples
from tests.recount import ROLLS, Act, Ask, Enrol, FillIn, MarkThem, Open, Refusal, Withdraw, World
from tests.soundness import assert_sound
from tests.test_enrolments import ENDLESS, Enrolment, Refused

pytestmark = pytest.mark.anyio

FIRST = -10  # the first day of everybody's enrolment
WAYS = ("absent", "excluded", "present")
POLICIES = st.fixed_dictionaries(
    {
        "threshold": st.sampled_from([0, 3333, 3334, 5000, 6666, 6667, 10_000]),
        "lateWeight": st.sampled_from([0, 33, 50, 100]),
        "minimumSessions": st.integers(0, 3),
    }
)


# For what takes a reason.
WHY = {"reason": "So be it."}


@dataclass
class Told:
    """The same history, told to the API."""

    stage: Stage
    rooms: list[Classroom]
    sessions: dict[tuple[int, int], str] = field(default_factory=dict)
    leaves: list[str] = field(default_factory=list)

    def can(self, what: Any) -> bool:
        """Whether there is what the event is about."""
        match what:
            case MarkThem() | Act() | FillIn():
                return (what.room, what.day) in self.sessions
            case Withdraw(number):
                return number < len(self.leaves)
            case Ask(room=room, days=None):
                return any(of == room for of, _ in self.sessions)
        return True

    async def happens(self, what: Any) -> int:
        """Send it; gives the status of the answer."""
        if isinstance(what, Open):
            key = (what.room, what.day)
            self.sessions[key] = await self.rooms[what.room].open(day(what.day))
            return 200
        if isinstance(what, Ask):
            return await self._ask(what)
        if isinstance(what, Withdraw):
            leave = self.leaves[what.number]
            return (await self.stage.meera.post(f"/leaves/{leave}/withdraw", WHY)).status_code
        if isinstance(what, Enrol):
            return await self._enrol(what)
        return await self._in_session(what, f"/attendance/sessions/{self.sessions[_key(what)]}")

    async def _in_session(self, what: Any, path: str) -> int:
        asha = self.stage.asha
        match what:
            case MarkThem(marks=marks):
                updates = [
                    {"rollNo": roll, "status": status, "recognizedByAi": by_ai}
                    for roll, status, by_ai in marks
                ]
                return (await asha.put(f"{path}/statuses", {"updates": updates})).status_code
            case Act(act=act):
                return (await asha.post(f"{path}/{act}", WHY)).status_code
            case FillIn(status=status):
                answer = await asha.post(f"{path}/mark-unmarked", {"status": status})
                return answer.status_code
        raise AssertionError(what)

    async def _enrol(self, what: Enrol) -> int:
        named = "students" if what.kind == "in" else "withdrawals"
        entry: dict[str, Any] = {"rollNo": what.roll}
        if what.since is not None:
            entry["from" if what.kind == "in" else "lastDay"] = str(day(what.since))
        path = f"{self.rooms[what.room].path}/students?mode=merge"
        return (await self.stage.asha.put(path, {"students": [], named: [entry]})).status_code

    async def _ask(self, ask: Ask) -> int:
        # The note keeps it apart from an earlier one that asks for the same.
        note = f"Number {len(self.leaves)}"
        body: dict[str, Any] = {"rollNo": ask.roll, "kind": ask.kind, "note": note}
        if ask.room is not None:
            body["classId"] = self.rooms[ask.room].id
        if ask.days is None:
            body["sessionIds"] = [i for (of, _), i in self.sessions.items() if of == ask.room]
        else:
            body |= {"firstDay": str(day(ask.days[0])), "lastDay": str(day(ask.days[1]))}
        asked = await self.stage.meera.post("/leaves", body)
        assert asked.status_code == 201, asked.text
        self.leaves.append(asked.json()["id"])
        path = f"/leaves/{self.leaves[-1]}/{ask.decision}"
        why = WHY if ask.decision == "approve" else None
        return (await self.stage.meera.post(path, why)).status_code


def _key(what: Any) -> tuple[int, int]:
    return what.room, what.day


async def two_classes(stage: Stage) -> list[Classroom]:
    rooms = [await classroom_of(stage.asha, f"CS30{room}", []) for room in recount.ROOMS]
    students = [{"rollNo": roll, "from": str(day(FIRST))} for roll in ROLLS]
    for room in rooms:
        assert (await stage.asha.put(f"{room.path}/students", {"students": students})).is_success
    return rooms


async def assert_same_marks(told: Told, world: World) -> None:
    for number, room in enumerate(told.rooms):
        answer = await told.stage.asha.get(f"/attendance/sessions?classId={room.id}")
        said = {
            session["sessionId"]: {
                mark["rollNo"]: (mark["status"], mark["source"]) for mark in session["statuses"]
            }
            for session in answer.json()
        }
        assert said == {
            told.sessions[key]: {
                roll: (mark.status, mark.source) for roll, mark in session.marks.items()
            }
            for key, session in world.sessions.items()
            if key[0] == number
        }


async def assert_same_numbers(told: Told, world: World, policy: dict[str, Any]) -> set[Any]:
    """Put the policy in force and compare; gives who on a roster is below the line."""
    assert (await told.stage.meera.put("/admin/policy", policy)).is_success
    below = set()
    for number, room in enumerate(told.rooms):
        path = f"/stats/classes/{room.id}/students?include=withdrawn"
        said = {s["rollNo"]: s for s in (await told.stage.asha.get(path)).json()}
        for roll in ROLLS:
            expected = recount.numbers(world, number, roll, policy)
            assert {name: said[roll][name] for name in expected} == expected
            if world.enrolments[number, roll].enrolled and recount.is_below(expected, policy):
                below.add((room.id, roll))
    return below


async def foretold(told: Told, policy: dict[str, Any]) -> tuple[set[Any], set[Any]]:
    """Who falls and who rises, by the preview."""
    answer = (await told.stage.meera.post("/admin/policy/preview", policy)).json()
    by_way: dict[str, set[Any]] = {"falls": set(), "rises": set()}
    for student in answer["students"]:
        by_way[student["direction"]].add((student["classId"], student["rollNo"]))
    assert {way: len(who) for way, who in by_way.items()} == {way: answer[way] for way in by_way}
    return by_way["falls"], by_way["rises"]


# Leave of somebody who was no longer enrolled that day when the session was finalised.
LEFT_BEFORE_FINALISING = [
    Ask(ROLLS[0], "on_duty", room=0, days=None, decision="approve"),
    Enrol(0, ROLLS[0], "out", since=-4),
    Act(0, -2, "finalise"),
    Withdraw(0),
]
DEFAULTS = {"threshold": 7500, "lateWeight": 100, "minimumSessions": 1}


@examples(50)
@example(history=LEFT_BEFORE_FINALISING, first=DEFAULTS, then=DEFAULTS)
@given(history=recount.HISTORIES, first=POLICIES, then=POLICIES)
async def test_figures_equal_a_plain_recount(
    stage: Stage, history: list[Any], first: dict[str, Any], then: dict[str, Any]
) -> None:
    async with stage.undone():
        told = Told(stage, await two_classes(stage))
        world = World(
            {
                (room, roll): Enrolment(set(range(FIRST, ENDLESS + 1)))
                for room in recount.ROOMS
                for roll in ROLLS
            }
        )
        for what in [*recount.PROLOGUE, *history]:
            if told.can(what):
                await assert_same_outcome(told, world, what)
        await assert_same_marks(told, world)
        await assert_sound(stage)
        below = None
        for rules, (excused, on_duty) in zip(cycle((first, then)), product(WAYS, WAYS)):
            policy = rules | {"excused": excused, "onDuty": on_duty}
            told_before = await foretold(told, policy)
            now = await assert_same_numbers(told, world, policy)
            assert below is None or told_before == (now - below, below - now)
            below = now


async def assert_same_outcome(told: Told, world: World, what: Any) -> None:
    expected = 200
    try:
        world.happens(what)
    except Refusal as refusal:
        expected = refusal.status
    except Refused:
        expected = 422
    event(f"{type(what).__name__} {expected}")
    note(f"{what} -> {expected}")
    assert await told.happens(what) == expected, what
