"""What can happen in two classes, and what the rules make of it, in plain Python.

Written from docs/attendance-rules.md, and calls nothing of the app: what the API says is held
against it. Days are counted from today.
"""

from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import takewhile
from typing import Any

from hypothesis import strategies as st

from tests import classroom
from tests.test_enrolments import Enrolment

# Few of each, so that what happens to one often meets what happened to it before.
ROOMS = (0, 1)
ROLLS = classroom.ROLLS[:2]
DAYS = (-2, -1)  # of sessions, one a day


# What can happen. A session is (class, day); both classes have the same students.


@dataclass(frozen=True)
class Open:
    room: int
    day: int


@dataclass(frozen=True)
class MarkThem:
    room: int
    day: int
    marks: tuple[tuple[str, str, bool], ...]  # roll, status, by AI


@dataclass(frozen=True)
class Act:
    room: int
    day: int
    act: str


@dataclass(frozen=True)
class FillIn:
    room: int
    day: int
    status: str


@dataclass(frozen=True)
class Enrol:
    room: int
    roll: str
    kind: str
    since: int | None


@dataclass(frozen=True)
class Ask:
    """For leave, in one class or all, on those days or (None) in the sessions there are."""

    roll: str
    kind: str
    room: int | None
    days: tuple[int, int] | None
    decision: str


@dataclass(frozen=True)
class Withdraw:
    number: int


ROOM = st.sampled_from([0, 0, 0, 1])
ROLL, DAY = st.sampled_from(ROLLS), st.sampled_from(DAYS)
DAY_OF_ROSTER = st.integers(-4, 1)
STATUS = st.sampled_from(["absent", "present", "late", "excused"])
MARKS = st.lists(
    st.tuples(ROLL, STATUS, st.booleans()), min_size=1, max_size=2, unique_by=lambda mark: mark[0]
).map(tuple)
SPAN = st.tuples(DAY, DAY).map(lambda days: (min(days), max(days)))
_ACTS = st.sampled_from(["finalise", "reopen", "cancel", "restore"])


def _asks() -> st.SearchStrategy[Ask]:
    decision = st.sampled_from(["approve", "approve", "approve", "reject"])
    kind = st.sampled_from(["on_duty", "medical"])
    return st.builds(Ask, ROLL, kind, st.none() | ROOM, st.none() | SPAN, decision)


# Marks, leave and its withdrawal are what other events are about. Drawn in two steps, since
# `one_of` ignores how often a strategy is repeated in it.
EVENT = st.sampled_from(
    [
        *[st.builds(MarkThem, ROOM, DAY, MARKS)] * 4,
        *[_asks()] * 3,
        *[st.builds(Withdraw, st.integers(0, 1))] * 2,
        *[st.builds(Act, ROOM, DAY, _ACTS)] * 2,
        st.builds(FillIn, ROOM, DAY, STATUS),
        st.builds(Enrol, ROOM, ROLL, st.sampled_from(["in", "out"]), st.none() | DAY_OF_ROSTER),
        st.builds(Open, ROOM, DAY),
    ]
).flatmap(lambda strategy: strategy)
# Three short lists are long enough together, and still shrink to next to nothing.
HISTORIES = st.tuples(*[st.lists(EVENT, max_size=10)] * 3).map(
    lambda parts: [what for part in parts for what in part]
)
# Most histories go on from sessions that there are.
PROLOGUE = (Open(0, -2), Open(1, -2))


@dataclass(frozen=True)
class Mark:
    status: str
    source: str
    leave: int | None = None
    beneath: "Mark | None" = None


@dataclass
class Session:
    status: str = "open"
    marks: dict[str, Mark] = field(default_factory=dict)


@dataclass
class Leave:
    roll: str
    kind: str
    covered: set[tuple[int, int]]
    status: str


@dataclass
class Refusal(Exception):
    """The request is refused with this status and changes nothing."""

    status: int


@dataclass
class World:
    """Two classes as the rules have them."""

    enrolments: dict[tuple[int, str], Enrolment]
    sessions: dict[tuple[int, int], Session] = field(default_factory=dict)
    leaves: list[Leave] = field(default_factory=list)
    decided: list[int] = field(default_factory=list)  # in this order leave was approved

    def enrolled(self, room: int, roll: str, on: int) -> bool:
        return on in self.enrolments[room, roll].days

    def enrolled_in(self, key: tuple[int, int]) -> list[str]:
        room, on = key
        return [roll for roll in ROLLS if self.enrolled(room, roll, on)]

    def leave_of(self, key: tuple[int, int], roll: str) -> int | None:
        """The leave that excuses the student in a session: of several, the first approved."""
        for number in self.decided:
            leave = self.leaves[number]
            if leave.status == "approved" and leave.roll == roll and key in leave.covered:
                return number
        return None

    def shown(self, key: tuple[int, int], roll: str) -> Mark | None:
        """Leave turns absent, and unmarked of who was enrolled that day, into excused."""
        mark = self.sessions[key].marks.get(roll)
        said = mark.beneath if mark is not None and mark.source == "leave" else mark
        number = self.leave_of(key, roll)
        unmarked = said is None and self.enrolled(key[0], roll, key[1])
        if number is not None and (unmarked or (said is not None and said.status == "absent")):
            return Mark("excused", "leave", number, said)
        return said

    def settle(self, roll: str, keys: Iterable[tuple[int, int]]) -> None:
        for key in keys:
            marks, mark = self.sessions[key].marks, self.shown(key, roll)
            marks.pop(roll, None)
            if mark is not None:
                marks[roll] = mark

    def changes_closed_marks(self, room: int, roll: str) -> bool:
        return any(
            session.status == "finalised" and session.marks.get(roll) != self.shown(key, roll)
            for key, session in self.sessions.items()
            if key[0] == room
        )

    def put(self, key: tuple[int, int], roll: str, mark: Mark) -> None:
        self.sessions[key].marks[roll] = mark
        self.settle(roll, [key])

    def open_session(self, key: tuple[int, int]) -> Session:
        session = self.sessions[key]
        if session.status != "open":
            raise Refusal(409)
        return session

    def fill_in(self, key: tuple[int, int], mark: Mark) -> None:
        for roll in self.enrolled_in(key):
            if roll not in self.sessions[key].marks:
                self.put(key, roll, mark)

    def finalise(self, key: tuple[int, int]) -> None:
        absent = Mark("absent", "auto")
        self.fill_in(key, absent)
        marks = self.sessions[key].marks
        for roll in self.enrolled_in(key):
            if marks[roll].source == "leave" and marks[roll].beneath is None:
                marks[roll] = replace(marks[roll], beneath=absent)

    def happens(self, event: Any) -> None:
        match event:
            case Open(room, on):
                if (room, on) not in self.sessions:
                    self.sessions[room, on] = Session()
                    for roll in ROLLS:
                        self.settle(roll, [(room, on)])
            case MarkThem(room, on, marks):
                self._mark((room, on), marks)
            case Act(room, on, act):
                self._act((room, on), act)
            case FillIn(room, on, status):
                self.open_session((room, on))
                self.fill_in((room, on), Mark(status, "manual"))
            case Enrol(room, roll, kind, since):
                self._enrol(room, roll, kind, since)
            case Ask():
                self._ask(event)
            case Withdraw(number):
                self._withdraw(number)

    def _mark(self, key: tuple[int, int], marks: tuple[tuple[str, str, bool], ...]) -> None:
        session = self.open_session(key)
        taken = []
        for roll, status, by_ai in marks:
            old = session.marks.get(roll)
            on_roster = self.enrolments[key[0], roll].enrolled
            markable = on_roster or self.enrolled(key[0], roll, key[1]) or old is not None
            if not markable or (by_ai and by_hand(old)):
                continue
            # An excuse for who is excused by leave already says nothing new.
            says_so = old is not None and old.source == "leave" and status == "excused"
            mark = old if says_so and old else Mark(status, "ai" if by_ai else "manual")
            taken.append((roll, mark))
        if marks and not taken:
            raise Refusal(422)
        for roll, mark in taken:
            self.put(key, roll, mark)

    def _act(self, key: tuple[int, int], act: str) -> None:
        start, goal = {
            "finalise": ("open", "finalised"),
            "reopen": ("finalised", "open"),
            "cancel": ("open", "cancelled"),
            "restore": ("cancelled", "open"),
        }[act]
        session = self.sessions[key]
        if session.status == goal:
            return
        if session.status != start:
            raise Refusal(409)
        if act == "finalise":
            self.finalise(key)
        session.status = goal

    def _enrol(self, room: int, roll: str, kind: str, since: int | None) -> None:
        enrolment = self.enrolments[room, roll]
        before = deepcopy(enrolment)
        enrolment.enrol(since) if kind == "in" else enrolment.withdraw(since)
        if self.changes_closed_marks(room, roll):
            self.enrolments[room, roll] = before
            raise Refusal(409)
        self.settle(roll, [key for key in self.sessions if key[0] == room])

    def _ask(self, ask: Ask) -> None:
        if ask.days is None:
            covered = {key for key in self.sessions if key[0] == ask.room}
        else:
            days = range(ask.days[0], ask.days[1] + 1)
            covered = {(room, on) for room in ROOMS if ask.room in (None, room) for on in days}
        approved = ask.decision == "approve"
        self.leaves.append(
            Leave(ask.roll, ask.kind, covered, "approved" if approved else "rejected")
        )
        if approved:
            self.decided.append(len(self.leaves) - 1)
            self.settle(ask.roll, self.sessions)

    def _withdraw(self, number: int) -> None:
        leave = self.leaves[number]
        if leave.status == "rejected":
            raise Refusal(409)
        leave.status = "withdrawn"
        self.settle(leave.roll, self.sessions)


def by_hand(mark: Mark | None) -> bool:
    """Whether somebody made the mark, or the one that leave lies upon."""
    return mark is not None and "manual" in (mark.source, mark.beneath and mark.beneath.source)


def numbers(world: World, room: int, roll: str, policy: dict[str, Any]) -> dict[str, Any]:
    """What the statistics say of a student."""
    marks = [
        session.marks[roll]
        for (of, _), session in world.sessions.items()
        if of == room and session.status != "cancelled" and roll in session.marks
    ]
    counts = Counter(mark.status for mark in marks)
    attended = Decimal(counts["present"]) + Decimal(policy["lateWeight"] * counts["late"]) / 100
    counted = len(marks)
    for mark in marks:
        if mark.status == "excused":
            duty = mark.leave is not None and world.leaves[mark.leave].kind == "on_duty"
            rule = policy["onDuty" if duty else "excused"]
            attended += rule == "present"
            counted -= rule == "excluded"
    return {
        **{status: counts[status] for status in ("present", "absent", "late", "excused")},
        "total": len(marks),
        "counted": counted,
        "attended": float(attended),
        "percentage": float(half_up(attended, counted)),
        **outlook(int(attended * 100), counted, policy),
        "absentInARow": absent_in_a_row(world, room, roll),
        "unmarked": unmarked(world, room, roll),
    }


TRIED = 300  # sessions ahead, more than any line asks for here


def outlook(attended: int, counted: int, policy: dict[str, Any]) -> dict[str, Any]:
    """Where that leads, by trying: each session attended adds to both, each missed to one."""

    def holds(attended: int, counted: int) -> bool:
        return attended * 100 >= policy["threshold"] * counted

    def misses(number: int) -> bool:
        return holds(attended, counted + number)

    needed = next((n for n in range(TRIED) if holds(attended + 100 * n, counted + n)), None)
    missed = next((n for n in range(TRIED) if not misses(n + 1)), None)
    if counted == 0 or counted < policy["minimumSessions"]:
        standing = "no_data"
    elif not holds(attended, counted):
        standing = "below"
    else:
        standing = "ok" if misses(1) else "at_risk"
    return {
        "standing": standing,
        "sessionsNeeded": needed,
        "canMiss": missed if misses(0) else 0,
    }


def held(world: World, room: int) -> list[tuple[int, Session]]:
    """The sessions of a class that are not cancelled, by day."""
    return sorted(
        (
            (on, session)
            for (of, on), session in world.sessions.items()
            if of == room and session.status != "cancelled"
        ),
        key=lambda entry: entry[0],
    )


def absent_in_a_row(world: World, room: int, roll: str) -> int:
    marks = [session.marks[roll] for _, session in held(world, room) if roll in session.marks]
    return len(list(takewhile(lambda mark: mark.status == "absent", reversed(marks))))


def unmarked(world: World, room: int, roll: str) -> int:
    return sum(
        roll not in session.marks and world.enrolled(room, roll, on)
        for on, session in held(world, room)
    )


def half_up(attended: Decimal, counted: int) -> Decimal:
    """100 x attended / counted with two decimals, on integers; 0 of nothing."""
    if counted == 0:
        return Decimal(0)
    return Decimal((int(attended * 20_000) + counted) // (2 * counted)) / 100


def is_below(numbers: dict[str, Any], policy: dict[str, Any]) -> bool:
    """Whether somebody is below the line, which nobody with too few counted sessions is."""
    counted, attended = numbers["counted"], round(numbers["attended"] * 100)
    judged = counted > 0 and counted >= policy["minimumSessions"]
    return judged and attended * 100 < policy["threshold"] * counted
