"""The leave in the demo: for which student, for which days, and what was decided about it."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from app.db import Database
from app.demo.calendar import weekday_of
from app.demo.dating import at
from app.demo.department import ASHA, BILAL, COURSES, Course
from app.schemas.leave import Leave, LeaveDraft, LeaveKind
from app.services.access import Actor
from app.services.leave.asking import request_leave
from app.services.leave.deciding import Decision, decide
from app.services.sessions.session_lock import Change

_leave = TypeAdapter(Leave)

Step = tuple[int, Decision]


@dataclass(frozen=True)
class Absence:
    """Leave for `days` days; `begins` gives week and weekday, where week 0 is the current one.

    The class's teacher decides. Meera decides if there is no course, which means all classes, and
    if the sessions are finalised by then. `asked` and the steps count in days from the first day.
    """

    roll: str
    course: Course | None
    asked_by: int
    begins: tuple[int, int]
    days: int
    kind: LeaveKind
    note: str
    asked: int
    steps: tuple[Step, ...] = ()

    def first_day(self, today: date) -> date:
        return weekday_of(*self.begins, today)

    def last_day(self, today: date) -> date:
        return self.first_day(today) + timedelta(days=self.days - 1)

    def moment(self, after: int, now: datetime) -> datetime:
        """The afternoon of the day that is `after` days after the first one."""
        day = self.first_day(now.date()) + timedelta(days=after)
        return datetime.combine(day, time(16, 30), now.tzinfo)

    @property
    def is_over_when_decided(self) -> bool:
        return any(days >= self.days for days, step in self.steps if step is not Decision.REJECT)

    @property
    def is_ahead(self) -> bool:
        """Whether it is approved before it begins, and so shows in sessions as they open."""
        return any(days < 0 and step is Decision.APPROVE for days, step in self.steps)


# Leave approved afterwards was approved after the last corrections of those days.
ABSENCES = (
    Absence(
        "23/CS/110",
        course=None,
        asked_by=ASHA,
        begins=(-4, 1),
        days=4,
        kind=LeaveKind.MEDICAL,
        note="Fever; certificate of the health centre received",
        asked=4,
        steps=((9, Decision.APPROVE),),
    ),
    Absence(
        "23/CS/170",
        course=COURSES[1],
        asked_by=ASHA,
        begins=(-3, 2),
        days=3,
        kind=LeaveKind.ON_DUTY,
        note="Plays for the university",
        asked=-6,
        steps=((-4, Decision.APPROVE),),
    ),
    Absence(
        "23/CS/150",
        course=COURSES[3],
        asked_by=BILAL,
        begins=(-5, 2),
        days=4,
        kind=LeaveKind.MEDICAL,
        note="Certificate to follow",
        asked=4,
        steps=((9, Decision.APPROVE), (13, Decision.WITHDRAW)),
    ),
    Absence(
        "23/CS/118",
        course=COURSES[0],
        asked_by=ASHA,
        begins=(-2, 5),
        days=1,
        kind=LeaveKind.OTHER,
        note="Concert in another town",
        asked=-3,
        steps=((-2, Decision.REJECT),),
    ),
    Absence(
        "23/CS/115",
        course=COURSES[0],
        asked_by=ASHA,
        begins=(1, 3),
        days=2,
        kind=LeaveKind.OTHER,
        note="Wedding of a sister",
        asked=-12,
    ),
)


def absences_on(course: Course, day: date, today: date) -> list[Absence]:
    """The leave requested from the class on that day, whatever was decided."""
    return [
        absence
        for absence in ABSENCES
        if absence.course in (None, course)
        and absence.first_day(today) <= day <= absence.last_day(today)
    ]


async def ask(
    db: Database,
    absence: Absence,
    asker: Actor,
    decider: Actor,
    class_id: UUID | None,
    now: datetime,
) -> None:
    """Request the leave, and decide it step by step."""
    draft = {
        "rollNo": absence.roll,
        "classId": class_id and str(class_id),
        "firstDay": str(absence.first_day(now.date())),
        "lastDay": str(absence.last_day(now.date())),
        "kind": absence.kind,
        "note": absence.note,
    }
    asked = at(asker, absence.moment(absence.asked, now))
    document, _ = await request_leave(db, asked, LeaveDraft.model_validate(draft))
    leave_id = _leave.validate_json(document.json).id
    for days, decision in absence.steps:
        decided = at(decider, absence.moment(days, now))
        await decide(db, decided, leave_id, decision, Change(reason=absence.note))
