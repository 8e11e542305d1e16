"""The demo's department: teachers, students, classes and their hours. Everybody is fictional."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from app.demo.calendar import holidays, weekday_of

DOMAIN = "demo.university.example"
DEPARTMENT = "Computer Science and Engineering"
ADMIN = (f"meera@{DOMAIN}", "Meera Demo")
TEACHERS = [
    (f"asha@{DOMAIN}", "Asha Demo"),
    (f"bilal@{DOMAIN}", "Bilal Demo"),
    (f"chitra@{DOMAIN}", "Chitra Demo"),
    (f"dilip@{DOMAIN}", "Dilip Demo"),
    (f"esha@{DOMAIN}", "Esha Demo"),
]
PEOPLE = [ADMIN, *TEACHERS]
ASHA, BILAL, CHITRA, DILIP, ESHA = range(len(TEACHERS))

# Weeks after the first day of the demo's term.
JOINED_LATE = {"23/CS/162": 3, "24/CS/215": 2}
WITHDREW = {"23/CS/140": 5, "24/CS/177": 6}

# fmt: off
_FIRST_NAMES = (
    "Aarav", "Aditi", "Ananya", "Arjun", "Bhavna", "Charu", "Deepa", "Dev", "Farhan", "Gauri",
    "Harsh", "Ishaan", "Jaya", "Kabir", "Kavya", "Lata", "Manav", "Mira", "Naveen", "Nisha",
    "Om", "Pooja", "Pranav", "Rhea", "Rohan", "Sana", "Tara", "Uday", "Varun", "Yash", "Zoya",
)
# fmt: on
_NAMES = [f"{first} {initial}. Demo" for first in _FIRST_NAMES for initial in "ABDGJKMNPRSTV"]
Random(23).shuffle(_NAMES)


class Slot(NamedTuple):
    """A weekly slot: the ISO day of the week, start and end."""

    weekday: int
    start: str
    end: str


class Move(NamedTuple):
    """The slot of `weekday`, moved within its week; week 0 is the current one."""

    week: int
    weekday: int
    to: Slot
    reason: str


class Cancellation(NamedTuple):
    """A session that was opened but did not take place."""

    week: int
    weekday: int
    reason: str


class Occurrence(NamedTuple):
    """A meeting of a class on one day."""

    day: date
    start: str
    end: str


@dataclass(frozen=True)
class Course:
    """A class of the department. `rolls` are all students who ever attend it.

    If `forgotten`, nobody took attendance when it last met.
    """

    code: str
    name: str
    section: str
    teacher: int
    rolls: tuple[str, ...]
    slots: tuple[Slot, ...]
    ltp_pattern: str = "3-1-0"
    practical_group: str | None = None
    moves: tuple[Move, ...] = ()
    cancellations: tuple[Cancellation, ...] = ()
    forgotten: bool = False

    @property
    def is_lab(self) -> bool:
        return self.practical_group is not None


def _rolls(year: int, numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{year}/CS/{number}" for number in numbers)


# Two years of two sections each; a laboratory group is every second student of both sections.
# No teacher and no student has two of these slots at once.
COURSES = (
    Course(
        "CS301",
        "Operating Systems",
        "A",
        ASHA,
        _rolls(23, range(101, 163)),
        (Slot(1, "09:00", "10:00"), Slot(3, "09:00", "10:00"), Slot(5, "09:00", "10:00")),
        moves=(Move(-3, 3, Slot(4, "15:00", "16:00"), "Meeting of the department"),),
        cancellations=(Cancellation(-2, 3, "Fire drill: everybody had to leave the building"),),
        forgotten=True,
    ),
    Course(
        "CS301",
        "Operating Systems",
        "B",
        ASHA,
        _rolls(23, range(163, 223)),
        (Slot(2, "09:00", "10:00"), Slot(4, "11:00", "12:00")),
        moves=(Move(1, 4, Slot(5, "15:00", "16:00"), "Visit of an external examiner"),),
    ),
    Course(
        "CS303",
        "Computer Networks",
        "A",
        BILAL,
        _rolls(23, range(101, 161)),
        (Slot(1, "10:00", "11:00"), Slot(4, "09:00", "10:00")),
        moves=(
            Move(-5, 4, Slot(6, "10:00", "11:00"), "Conference"),
            Move(1, 1, Slot(2, "12:00", "13:00"), "Thesis defence"),
        ),
    ),
    Course(
        "CS305",
        "Databases",
        "A",
        BILAL,
        _rolls(23, range(131, 193)),
        (Slot(2, "14:00", "15:00"), Slot(5, "10:00", "11:00")),
    ),
    Course(
        "MA301",
        "Probability and Statistics",
        "B",
        CHITRA,
        _rolls(23, range(163, 223)),
        (Slot(1, "11:00", "12:00"), Slot(3, "11:00", "12:00"), Slot(5, "11:00", "12:00")),
        moves=(Move(-2, 5, Slot(4, "14:00", "15:00"), "Sports day"),),
    ),
    Course(
        "CS351",
        "Systems Laboratory",
        "A+B",
        CHITRA,
        _rolls(23, range(101, 223, 2)),
        (Slot(3, "14:00", "16:00"),),
        ltp_pattern="0-0-2",
        practical_group="G1",
        moves=(Move(-4, 3, Slot(6, "10:00", "12:00"), "Power cut in the laboratory"),),
    ),
    Course(
        "CS351",
        "Systems Laboratory",
        "A+B",
        DILIP,
        _rolls(23, range(102, 223, 2)),
        (Slot(3, "14:00", "16:00"),),
        ltp_pattern="0-0-2",
        practical_group="G2",
        moves=(Move(2, 3, Slot(6, "10:00", "12:00"), "Laboratory is being repainted"),),
    ),
    Course(
        "CS201",
        "Data Structures",
        "A",
        DILIP,
        _rolls(24, range(101, 159)),
        (Slot(2, "10:00", "11:00"), Slot(4, "10:00", "11:00"), Slot(5, "12:00", "13:00")),
    ),
    Course(
        "CS201",
        "Data Structures",
        "B",
        ESHA,
        _rolls(24, range(159, 216)),
        (Slot(2, "11:00", "12:00"), Slot(4, "12:00", "13:00")),
        moves=(Move(-2, 2, Slot(3, "10:00", "11:00"), "Faculty development programme"),),
    ),
    Course(
        "CS251",
        "Data Structures Laboratory",
        "A+B",
        ESHA,
        _rolls(24, range(103, 216, 2)),
        (Slot(1, "14:00", "16:00"),),
        ltp_pattern="0-0-2",
        practical_group="G1",
    ),
)

# The only class of the past term.
PAST_COURSE = Course(
    "CS206",
    "Theory of Computation",
    "T",
    ASHA,
    _rolls(23, range(101, 113)),
    (Slot(2, "16:00", "17:00"),),
    ltp_pattern="0-1-0",
)


def student(roll: str) -> dict[str, str]:
    """The student as a roster entry, the same in every class."""
    year, _, number = roll.split("/")
    return {
        "rollNo": roll,
        "name": _NAMES[(int(year) * 200 + int(number)) % len(_NAMES)],
        "photoUrl": f"https://photos.{DOMAIN}/{year}cs{number}.jpg",
        "program": "B.Tech. Computer Science",
        "semester": "5" if year == "23" else "3",
        "status": "regular",
        "duration": "4 years",
        "email": f"{year}cs{number}@students.{DOMAIN}",
        "dtuEmail": address_of(roll),
    }


def address_of(roll: str) -> str:
    """The institution's address of a student, by which they sign in."""
    year, _, number = roll.split("/")
    return f"{year}cs{number}@{DOMAIN}"


# Whom to try as a student: one has leave that is to be decided, the other four classes.
STUDENTS = [(address_of(roll), student(roll)["name"]) for roll in ("23/CS/115", "23/CS/131")]


def enrolled(course: Course, weeks: float) -> list[str]:
    """The class's roll numbers that many weeks after the first day."""
    return [
        roll
        for roll in course.rolls
        if JOINED_LATE.get(roll, 0) <= weeks < WITHDREW.get(roll, weeks + 1)
    ]


def dates_of(move: Move, today: date) -> tuple[date, date]:
    """The original date and the new date of the moved occurrence."""
    return (
        weekday_of(move.week, move.weekday, today),
        weekday_of(move.week, move.to.weekday, today),
    )


def occurrences(course: Course, first: date, end: date, today: date) -> list[Occurrence]:
    """When the class meets from `first` until before `end`, with moves and holidays applied."""
    moves = [(*dates_of(move, today), move.to) for move in course.moves]
    away = {original for original, _, _ in moves}
    held = [Occurrence(day, slot.start, slot.end) for _, day, slot in moves]
    for day in (first + timedelta(days) for days in range((end - first).days)):
        held += [
            Occurrence(day, slot.start, slot.end)
            for slot in course.slots
            if slot.weekday == day.isoweekday() and day not in away
        ]
    return sorted(
        occurrence
        for occurrence in held
        if first <= occurrence.day < end and not _is_holiday(occurrence.day, today)
    )


def sessions(course: Course, first: date, end: date, today: date) -> list[Occurrence]:
    """The occurrences for which somebody opened a session."""
    met = occurrences(course, first, end, today)
    return met[:-1] if course.forgotten else met


def cancellation_of(course: Course, occurrence: Occurrence, today: date) -> Cancellation | None:
    """The cancellation of the session, if it was cancelled."""
    for cancellation in course.cancellations:
        if weekday_of(cancellation.week, cancellation.weekday, today) == occurrence.day:
            return cancellation
    return None


def _is_holiday(day: date, today: date) -> bool:
    return any(holiday.first <= day <= holiday.last for holiday in holidays(today))
