"""Random histories of marks, whole sessions and leave: leave hides marks and changes none."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.classroom import ROLLS, Classroom, classroom_of, day
from tests.conftest import Stage
from tests.fuzz import examples
from tests.soundness import assert_sound
from tests.support import Person

pytestmark = pytest.mark.anyio

# The same students are in a second class, where everything but leave happens.
# Absences and the first student are drawn most often, so that leave meets marks to hide.
STATUSES = st.sampled_from(["absent", "absent", "absent", "present", "excused"])
STUDENT, SESSION = st.sampled_from([0, 0, 0, 1]), st.integers(0, 1)
WHY = {"reason": "It came to this."}

# No manual excuse: sent for a student on leave, it stays the leave's (test_marks_on_leave.py).
SAID = st.sampled_from(["present", "absent", "late"])
MARK = st.tuples(st.just("mark"), SESSION, STUDENT, SAID, st.booleans())
ACT = st.tuples(
    st.just("act"), SESSION, st.sampled_from(["finalise", "reopen", "cancel", "restore"])
)
FILL = st.tuples(st.just("fill"), SESSION, STATUSES)
# For one day or both, as days or as sessions.
ASK = st.tuples(st.just("ask"), STUDENT, st.sampled_from([(0, 0), (1, 1), (0, 1)]), st.booleans())
END = st.tuples(st.just("end"), st.integers(0, 3))
HISTORIES = st.lists(st.one_of(MARK, MARK, ACT, FILL, ASK, ASK, END), min_size=6, max_size=12)

Mark = tuple[Any, ...] | None


@dataclass
class Pair:
    """A class with leave and one without, each with a session yesterday and one today.

    An administrator decides on leave, since that may change finalised sessions.
    """

    admin: Person
    rooms: tuple[Classroom, Classroom]
    sessions: tuple[list[str], list[str]]
    leaves: list[str] = field(default_factory=list)
    # The successive states of each mark in the class with leave, by session and student.
    seen: dict[tuple[int, str], list[Mark]] = field(default_factory=dict)

    async def both(self, method: str, session: int, rest: str, body: Any) -> None:
        """Send the same request to both classes. The outcome may differ only in marks."""
        codes = set()
        for room, ids in zip(self.rooms, self.sessions, strict=True):
            path = f"/attendance/sessions/{ids[session]}/{rest}"
            answer = await room.teacher.request(method, path, json=body)
            assert answer.status_code in (200, 409, 422), answer.text
            codes.add(answer.json()["code"] if answer.status_code > 200 else "")
        assert len(codes) == 1
        event(f"{rest}: {codes.pop() or 'done'}")

    async def take(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("mark", session, student, status, by_photo):
                photo = {"recognizedByAi": True, "similarityScore": 50.5} if by_photo else {}
                update = {"rollNo": ROLLS[student], "status": status, "remark": "Seen."} | photo
                await self.both("PUT", session, "statuses", {"updates": [update]})
            case ("act", session, name):
                await self.both("POST", session, name, WHY)
            case ("fill", session, status):
                await self.fill(session, status)
            case ("ask", student, days, by_session):
                await self.ask(student, days, by_session)
            case ("end", number) if self.leaves:
                await self.end(self.leaves[number % len(self.leaves)])

    async def fill(self, session: int, status: str) -> None:
        """Mark the students who are unmarked in the class with leave: in the other class by name,
        where students on leave are unmarked too."""
        room, plain = self.rooms
        mine, theirs = (ids[session] for ids in self.sessions)
        document = (await room.teacher.get(f"/attendance/sessions/{mine}")).json()
        if document["status"] != "open":
            await self.both("POST", session, "mark-unmarked", {"status": status})
            return
        rolls = [person["rollNo"] for person in document["unmarked"]]
        path = f"/attendance/sessions/{mine}/mark-unmarked"
        await room.teacher.post(path, {"status": status})
        await plain.mark(theirs, dict.fromkeys(rolls, status))

    async def ask(self, student: int, days: tuple[int, int], by_session: bool) -> None:
        room = self.rooms[0]
        first, last = (str(day(n - 1)) for n in days)
        when: dict[str, Any] = {"firstDay": first, "lastDay": last}
        if by_session:
            when = {"sessionIds": self.sessions[0][days[0] : days[1] + 1]}
        body = {"rollNo": ROLLS[student], "classId": room.id, "kind": "other"} | when
        leave = (await room.teacher.post("/leaves", body)).json()["id"]
        await self.admin.post(f"/leaves/{leave}/approve", WHY)
        self.leaves.append(leave)

    async def end(self, leave: str) -> None:
        ended = await self.admin.post(f"/leaves/{leave}/withdraw", WHY)
        assert ended.status_code == 200

    async def look(self) -> None:
        """Record the current marks of the class with leave."""
        for session, marks in enumerate(await self.marks(0)):
            for roll in ROLLS:
                turns = self.seen.setdefault((session, roll), [None])
                if turns[-1] != marks.get(roll):
                    turns.append(marks.get(roll))

    async def marks(self, which: int) -> list[dict[str, Mark]]:
        """The marks of each session, by roll number."""
        room = self.rooms[which]
        answer = await room.teacher.get(f"/attendance/sessions?classId={room.id}")
        statuses = {session["sessionId"]: session["statuses"] for session in answer.json()}
        return [{m["rollNo"]: state(m) for m in statuses[id_]} for id_ in self.sessions[which]]

    async def told(self, session: int) -> tuple[int, dict[str, list[Mark]]]:
        """The version, and each mark's states in the history, which must form one chain."""
        path = f"/attendance/sessions/{self.sessions[0][session]}"
        version = (await self.rooms[0].teacher.get(path)).json()["version"]
        chains: dict[str, list[Mark]] = {roll: [None] for roll in ROLLS}
        versions = set()
        for change in (await self.rooms[0].teacher.get(f"{path}/history")).json()[::-1]:
            chain = chains[change["rollNo"]]
            assert state(change["from"]) == chain[-1]
            versions.add(change["version"])
            # A change may affect only the mark that leave hides.
            if state(change["to"]) != chain[-1]:
                chain.append(state(change["to"]))
        assert versions == set(range(1, version + 1))
        return version, chains


def state(mark: dict[str, Any] | None) -> Mark:
    fields = ("status", "source", "recognizedByAi", "similarityScore", "remark")
    return tuple(mark[name] for name in fields) if mark else None


async def pair_of(stage: Stage, number: int) -> Pair:
    rooms, sessions = [], []
    for code in (f"L{number}", f"P{number}"):
        room = await classroom_of(stage.asha, code, [])
        students = [{"rollNo": roll, "from": str(day(-9))} for roll in ROLLS[:2]]
        late = [{"rollNo": ROLLS[2], "from": str(day(0))}]
        await room.teacher.put(f"{room.path}/students", {"students": students + late})
        rooms.append(room)
        sessions.append([await room.open(day(n - 1)) for n in range(2)])
    return Pair(stage.meera, (rooms[0], rooms[1]), (sessions[0], sessions[1]))


@examples(40)
@given(steps=HISTORIES)
async def test_when_all_leave_is_withdrawn_the_marks_are_those_of_a_class_without_leave(
    stage: Stage, steps: list[tuple[Any, ...]]
) -> None:
    pair = await pair_of(stage, await stage.count("classes"))
    for step in steps:
        await pair.take(step)
        await pair.look()
    await assert_sound(stage)
    for leave in pair.leaves:
        await pair.end(leave)
        await pair.look()
    assert await pair.marks(0) == await pair.marks(1)
    for session in range(2):
        _, chains = await pair.told(session)
        assert chains == {roll: pair.seen[session, roll] for roll in ROLLS}
