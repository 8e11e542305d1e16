"""Invent the demo's attendance: who comes how often, and what is corrected later.

Everything is derived from seeds, so the same day always gives the same marks.
"""

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple

from app.demo.department import Course, Occurrence
from app.services.sessions.lifecycle import Act


class Habit(NamedTuple):
    """How likely a student is to come, in the first and in the last week."""

    first: float
    last: float


STEADY, USUAL, SLIPPING, RARE = Habit(0.97, 0.96), Habit(0.9, 0.84), Habit(1, 0.25), Habit(0.6, 0.5)
_HABITS = {STEADY: 62, USUAL: 24, SLIPPING: 7, RARE: 7}

_EXCUSES = ("Medical certificate", "Plays for the university", "Family emergency")
_DELAYS = ("Bus was late", "Came ten minutes late", None)

_MINUTE = timedelta(minutes=1)

Update = dict[str, Any]


@dataclass(frozen=True)
class Action:
    """What one request does to a session: mark students, or change its status."""

    at: datetime
    does: Act | list[Update]
    by_admin: bool = False
    reason: str | None = None


def habit_of(roll: str) -> Habit:
    """The student's habit, the same in each of their classes."""
    return Random(f"habit of {roll}").choices(tuple(_HABITS), tuple(_HABITS.values()))[0]


def is_photographed(course: Course, occurrence: Occurrence) -> bool:
    """Whether this attendance is taken from a photo; in laboratories, names are called out."""
    return not course.is_lab and _random(course, occurrence, "photo").random() < 0.75


def actions_of(
    course: Course,
    occurrence: Occurrence,
    rolls: list[str],
    away: set[str],
    progress: float,
    now: datetime,
) -> list[Action]:
    """The requests for a session: taking attendance, corrections until now, and finalising.

    `away` are those of the `rolls` who certainly do not come. `progress` grows from 0 to 1 over
    the weeks. Sometimes there is only a photo: students who are not in it have no mark at first.
    """
    random = _random(course, occurrence, "marks")
    photo = is_photographed(course, occurrence)
    marks = [_mark(roll, progress, photo, random) for roll in rolls if roll not in away]
    absent = [mark["rollNo"] for mark in marks if mark["status"] == "absent"]
    marks += [{"rollNo": roll, "status": "absent"} for roll in rolls if roll in away]
    random.shuffle(absent)
    begin, end = (_moment(occurrence, clock, now) for clock in (occurrence.start, occurrence.end))
    taken = Action(begin + timedelta(seconds=random.randint(240, 600)), marks)
    if photo and random.random() < 0.3:
        taken = replace(taken, does=[mark for mark in marks if mark["status"] != "absent"])
    actions = [taken]
    soon = end + timedelta(seconds=random.randint(300, 2400))
    if photo and absent and random.random() < 0.2:
        actions.append(Action(soon, [_overlooked(absent.pop())]))
    elif photo and random.random() < 0.05:
        actions.append(Action(soon, [_mistaken(marks)]))
    done = _finalised_at(occurrence, max(end, actions[-1].at), random, now)
    if done:
        actions.append(Action(done, Act.FINALISE))
    later = end + timedelta(days=random.randint(2, 4), seconds=random.randint(0, 7200))
    if absent and random.random() < 0.15 and later < now - _MINUTE:
        actions += _corrected(later, [_excused(absent.pop(), _EXCUSES[0])], finalised=bool(done))
    return actions


def cancelled(occurrence: Occurrence, reason: str, now: datetime) -> list[Action]:
    """Cancel the session soon after it has begun."""
    begin = _moment(occurrence, occurrence.start, now)
    return [Action(begin + timedelta(minutes=7), Act.CANCEL, reason=reason)]


def _finalised_at(
    occurrence: Occurrence, done: datetime, random: Random, now: datetime
) -> datetime | None:
    """Some minutes after everything was done, or the evening of the next day.

    None for the sessions of the last seven days, which are still open.
    """
    minutes, seconds = random.randint(2, 15), random.randint(0, 5400)
    if occurrence.day >= now.date() - timedelta(days=7):
        return None
    if random.random() < 0.6:
        return done + timedelta(minutes=minutes)
    return _moment(occurrence, "17:30", now) + timedelta(days=1, seconds=seconds)


def _corrected(at: datetime, marks: list[Update], *, finalised: bool) -> list[Action]:
    """A correction by an administrator, who reopens the session if it is finalised."""
    correction = Action(at, marks, by_admin=True)
    if not finalised:
        return [correction]
    return [
        Action(at - _MINUTE, Act.REOPEN, by_admin=True, reason="A certificate was brought later"),
        correction,
        Action(at + _MINUTE, Act.FINALISE, by_admin=True),
    ]


def _mark(roll: str, progress: float, photo: bool, random: Random) -> Update:
    habit = habit_of(roll)
    if random.random() > habit.first + (habit.last - habit.first) * progress:
        if random.random() < 0.08:
            return _excused(roll, random.choice(_EXCUSES))
        return {"rollNo": roll, "status": "absent"}
    if random.random() < 0.04:
        return {"rollNo": roll, "status": "late", "remark": random.choice(_DELAYS)}
    mark: Update = {"rollNo": roll, "status": "present"}
    if photo and random.random() < 0.95:
        score = round(random.triangular(71, 99.5, 94), 2)
        mark |= {"recognizedByAi": True, "similarityScore": score}
    return mark


def _excused(roll: str, why: str) -> Update:
    return {"rollNo": roll, "status": "excused", "remark": why}


def _overlooked(roll: str) -> Update:
    return {"rollNo": roll, "status": "present", "remark": "Was there, but hidden in the photo"}


def _mistaken(taken: list[Update]) -> Update:
    """Take back the mark that was recognised with the lowest score."""
    recognised = [mark for mark in taken if mark.get("recognizedByAi")]
    doubtful = min(recognised, key=lambda mark: mark["similarityScore"])
    return {
        "rollNo": doubtful["rollNo"],
        "status": "absent",
        "remark": "The photo showed somebody else",
    }


def _moment(occurrence: Occurrence, clock: str, now: datetime) -> datetime:
    return datetime.combine(occurrence.day, time.fromisoformat(clock), now.tzinfo)


def _random(course: Course, occurrence: Occurrence, what: str) -> Random:
    group = course.practical_group or course.section
    return Random(f"{what} of {course.code} {group} {occurrence.day} {occurrence.start}")
