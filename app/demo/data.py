"""A small department to try AIMS with: an admin, three teachers, six classes, six weeks of marks.

Made through the services, like any client would, so the demo has rights, history and versions
as real data has. Seeded: the same every time, dated relative to today.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from app.db import Database
from app.models.user import Role
from app.schemas.attendance import MarkBatch, OpenedSession, SessionDraft
from app.schemas.classes import Class, ClassDraft, SlotDraft
from app.schemas.roster import Roster
from app.services import (
    attendance_service,
    auth_service,
    class_service,
    marking_service,
    roster_service,
    timetable_service,
)
from app.services.access import Actor
from app.services.admin import allow_list_service
from app.services.admin.allow_list_service import Entry

DOMAIN = "demo.university.example"
ADMIN = (f"meera@{DOMAIN}", "Meera Demo")
TEACHERS = [
    (f"asha@{DOMAIN}", "Asha Demo"),
    (f"bilal@{DOMAIN}", "Bilal Demo"),
    (f"chitra@{DOMAIN}", "Chitra Demo"),
]
PEOPLE = [ADMIN, *TEACHERS]
WEEKS = 6

# fmt: off
_FIRST_NAMES = (
    "Aarav", "Aditi", "Ananya", "Arjun", "Bhavna", "Charu", "Deepa", "Dev", "Esha", "Farhan",
    "Gauri", "Harsh", "Ishaan", "Jaya", "Kabir", "Kavya", "Lata", "Manav", "Mira", "Naveen",
    "Nisha", "Om", "Pooja", "Pranav", "Rhea", "Rohan", "Sana", "Tara", "Uday", "Varun", "Yash",
)
# fmt: on


@dataclass(frozen=True)
class _Course:
    code: str
    name: str
    section: str
    teacher: int
    first_roll: int
    size: int
    slots: tuple[tuple[int, str, str], ...]


_COURSES = (
    _Course(
        "CS301",
        "Operating Systems",
        "A",
        0,
        101,
        60,
        ((1, "09:00", "10:00"), (3, "11:00", "12:00")),
    ),
    _Course(
        "CS301",
        "Operating Systems",
        "B",
        0,
        161,
        58,
        ((2, "09:00", "10:00"), (4, "11:00", "12:00")),
    ),
    _Course(
        "CS303",
        "Computer Networks",
        "A",
        1,
        101,
        60,
        ((1, "10:00", "11:00"), (4, "09:00", "10:00")),
    ),
    _Course("CS305", "Databases", "A", 1, 131, 62, ((2, "14:00", "15:00"), (5, "09:00", "10:00"))),
    _Course(
        "MA201", "Probability", "A", 2, 101, 60, ((3, "09:00", "10:00"), (5, "11:00", "12:00"))
    ),
    _Course(
        "CS391",
        "Systems Laboratory",
        "A",
        2,
        161,
        57,
        ((1, "14:00", "16:00"), (4, "14:00", "16:00")),
    ),
)

_opened = TypeAdapter(OpenedSession)
_class = TypeAdapter(Class)


async def load_demo(
    db: Database,
    zone: ZoneInfo,
    sub_of: Callable[[str], str],
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Fill an empty database. `sub_of` gives the `sub` the stand-in signs for an address."""
    random = Random(23)
    teachers = await _people(db, sub_of)
    now = datetime.now(zone)
    for course in _COURSES:
        progress(f"{course.code} {course.section}")
        teacher = Actor(teachers[course.teacher], "demo-data")
        class_id = await _class_of(db, teacher, course, now.date(), random)
        await _sessions(db, teacher, class_id, course, now, random)


async def _people(db: Database, sub_of: Callable[[str], str]) -> list[UUID]:
    entries = [Entry(*_entry(ADMIN, Role.ADMIN))]
    entries += [Entry(*_entry(teacher, Role.TEACHER)) for teacher in TEACHERS]
    await allow_list_service.allow(db, entries)
    signed_in = [
        await auth_service.sign_in(db, email, sub_of(email), name) for email, name in PEOPLE
    ]
    return [user.id for user in signed_in[1:]]


def _entry(person: tuple[str, str], role: Role) -> tuple[str, Role, str]:
    return person[0], role, person[1]


async def _class_of(
    db: Database, teacher: Actor, course: _Course, today: date, random: Random
) -> UUID:
    draft = ClassDraft(
        code=course.code, name=course.name, section=course.section, ltp_pattern="3-0-0"
    )
    made = _class.validate_json((await class_service.create_class(db, teacher, draft)).json)
    for day, start, end in course.slots:
        slot = SlotDraft.model_validate({"dayOfWeek": day, "startTime": start, "endTime": end})
        await timetable_service.add_slot(db, teacher, made.id, slot)
    roster = Roster.model_validate({"students": [_student(n) for n in _rolls(course)]})
    await roster_service.put_roster(
        db, teacher, made.id, roster, today, merge=False, dry_run=False, confirm=False
    )
    return made.id


def _rolls(course: _Course) -> range:
    return range(course.first_roll, course.first_roll + course.size)


def _student(number: int) -> dict[str, str]:
    """The same student for the same number, whatever class asks."""
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    middle = chr(ord("A") + number * 7 % 26)
    return {
        "rollNo": f"23/CS/{number}",
        "name": f"{first} {middle}. Demo",
        "program": "B.Tech. Computer Science",
        "semester": "5",
        "email": f"23cs{number}@students.{DOMAIN}",
    }


async def _sessions(
    db: Database, teacher: Actor, class_id: UUID, course: _Course, now: datetime, random: Random
) -> None:
    diligence = {number: _diligence(random) for number in _rolls(course)}
    for back in range(WEEKS * 7, 0, -1):
        day = now.date() - timedelta(days=back)
        for weekday, start, _ in course.slots:
            if day.isoweekday() == weekday:
                await _session(db, teacher, class_id, day, start, diligence, now, random)


def _diligence(random: Random) -> float:
    """How often a student comes: most nearly always, some slip, a few stay away."""
    return random.choices((0.95, 0.85, 0.7, 0.5), (60, 25, 10, 5))[0]


async def _session(
    db: Database,
    teacher: Actor,
    class_id: UUID,
    day: date,
    start: str,
    diligence: dict[int, float],
    now: datetime,
    random: Random,
) -> None:
    draft = SessionDraft.model_validate(
        {"classId": str(class_id), "sessionDate": day.isoformat(), "startTime": start}
    )
    document = await attendance_service.open_session(db, teacher, draft, now)
    session_id = _opened.validate_json(document.json).session_id
    batch = MarkBatch.model_validate(
        {"updates": [_mark(number, often, random) for number, often in diligence.items()]}
    )
    await marking_service.mark(db, teacher, session_id, batch, strict=False, if_match=None)


def _mark(number: int, often: float, random: Random) -> dict[str, object]:
    roll = f"23/CS/{number}"
    if random.random() > often:
        return {"rollNo": roll, "status": random.choices(("absent", "excused"), (9, 1))[0]}
    if random.random() < 0.05:
        return {"rollNo": roll, "status": "late"}
    if random.random() < 0.6:
        score = round(random.uniform(72, 99.5), 2)
        return {
            "rollNo": roll,
            "status": "present",
            "recognizedByAi": True,
            "similarityScore": score,
        }
    return {"rollNo": roll, "status": "present"}
