"""How the demo's attendance is invented: who comes how often, and what is corrected later.

Everything follows from seeds, so the same day always gives the same marks.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple

from app.demo.department import Course, Occurrence


class Habit(NamedTuple):
    """How likely a student comes, at the beginning of the weeks and at their end."""

    first: float
    last: float


STEADY, USUAL, SLIPPING, RARE = Habit(0.97, 0.96), Habit(0.9, 0.84), Habit(1, 0.25), Habit(0.6, 0.5)
_HABITS = {STEADY: 62, USUAL: 24, SLIPPING: 7, RARE: 7}

_EXCUSES = ("Medical certificate", "Plays for the university", "Family emergency")
_DELAYS = ("Bus was late", "Came ten minutes late", None)

Update = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """Marks as one request sends them."""

    at: datetime
    by_admin: bool
    updates: list[Update]


def habit_of(roll: str) -> Habit:
    """The student's habit, the same in each of their classes."""
    return Random(f"habit of {roll}").choices(tuple(_HABITS), tuple(_HABITS.values()))[0]


def is_photographed(course: Course, occurrence: Occurrence) -> bool:
    """Whether this attendance is taken from a photo; in laboratories it is called out."""
    return not course.is_lab and _random(course, occurrence, "photo").random() < 0.75


def batches_of(
    course: Course, occurrence: Occurrence, rolls: list[str], progress: float, now: datetime
) -> list[Batch]:
    """The taking of the attendance, and what was corrected until now.

    `progress` grows from 0 to 1 during the weeks.
    """
    random = _random(course, occurrence, "marks")
    photo = is_photographed(course, occurrence)
    taken = [_mark(roll, progress, photo, random) for roll in rolls]
    begin, end = (_moment(occurrence, clock, now) for clock in (occurrence.start, occurrence.end))
    batches = [Batch(begin + timedelta(seconds=random.randint(240, 600)), False, taken)]
    absent = [mark["rollNo"] for mark in taken if mark["status"] == "absent"]
    random.shuffle(absent)
    soon = end + timedelta(seconds=random.randint(300, 2400))
    if photo and absent and random.random() < 0.2:
        batches.append(Batch(soon, False, [_overlooked(absent.pop())]))
    elif photo and random.random() < 0.05:
        batches.append(Batch(soon, False, [_mistaken(taken)]))
    later = end + timedelta(days=random.randint(2, 4), seconds=random.randint(0, 7200))
    if absent and random.random() < 0.15 and later < now:
        batches.append(Batch(later, True, [_excused(absent.pop(), _EXCUSES[0])]))
    return batches


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
    return {"rollNo": roll, "status": "present", "remark": "Was there, hidden on the photo"}


def _mistaken(taken: list[Update]) -> Update:
    """The mark that was recognised with the lowest score, taken back."""
    recognised = [mark for mark in taken if mark.get("recognizedByAi")]
    doubtful = min(recognised, key=lambda mark: mark["similarityScore"])
    return {"rollNo": doubtful["rollNo"], "status": "absent", "remark": "Was somebody else"}


def _moment(occurrence: Occurrence, clock: str, now: datetime) -> datetime:
    return datetime.combine(occurrence.day, time.fromisoformat(clock), now.tzinfo)


def _random(course: Course, occurrence: Occurrence, what: str) -> Random:
    group = course.practical_group or course.section
    return Random(f"{what} of {course.code} {group} {occurrence.day} {occurrence.start}")
