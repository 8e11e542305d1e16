"""Fills a database with the demo's department.

Made through the services, like any client would, so the demo has rights, history and versions
as real data has. Only then it is dated back to when it would have happened.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from app.db import Database
from app.demo.attendance import Batch, batches_of, is_photographed
from app.demo.department import (
    ADMIN,
    COURSES,
    DEPARTMENT,
    DOMAIN,
    PEOPLE,
    TEACHERS,
    Course,
    Occurrence,
    dates_of,
    enrolled,
    occurrences,
    student,
)
from app.models.class_model import Cover
from app.models.user import Role
from app.schemas.admin import UserChange
from app.schemas.attendance import MarkBatch, OpenedSession, SessionDraft
from app.schemas.classes import ClassDetails, ClassDraft, RescheduleDraft, SlotDraft
from app.schemas.roster import Roster
from app.schemas.teachers import TeacherList
from app.services import (
    attendance_service,
    auth_service,
    class_service,
    roster_service,
    teacher_service,
)
from app.services.access import Actor
from app.services.admin import allow_list_service, user_service
from app.services.admin.allow_list_service import Entry
from app.services.demo import dating_service
from app.services.demo.dating_service import Happened
from app.services.marking import marking_service
from app.services.timetable import reschedule_service, slot_service

WEEKS = 8

_opened = TypeAdapter(OpenedSession)
_class = TypeAdapter(ClassDetails)


def admin_entry() -> Entry:
    """Meera's place on the allow-list."""
    return Entry(ADMIN[0], Role.ADMIN, ADMIN[1])


async def load_department(
    db: Database,
    now: datetime,
    sub_of: Callable[[str], str],
    step: Callable[[], object] = lambda: None,
) -> None:
    """Make the department, all of it or nothing, as of `now`, the institution's local time.

    `sub_of` gives the `sub` the stand-in for Google signs for an address. `step` is called
    after each course.
    """
    async with db.in_one_transaction() as whole:
        admin, teachers = await _people(whole, sub_of)
        happened: list[Happened] = []
        for course in COURSES:
            happened += await _course(whole, course, teachers[course.teacher], admin, now)
            step()
        eve = datetime.combine(_first_day(now) - timedelta(days=3), time(10), now.tzinfo)
        await dating_service.date_back(whole, eve, str(now.tzinfo), happened)


def _first_day(now: datetime) -> date:
    return now.date() - timedelta(weeks=WEEKS)


async def _people(db: Database, sub_of: Callable[[str], str]) -> tuple[Actor, list[Actor]]:
    entries = [Entry(email, Role.TEACHER, name) for email, name in TEACHERS]
    await allow_list_service.allow(db, [admin_entry(), *entries])
    actors = []
    for email, name in PEOPLE:
        user = await auth_service.sign_in(db, email, sub_of(email), name)
        actors.append(Actor(user.id, "demo-people"))
    admin, *teachers = actors
    for number, actor in enumerate(actors, start=101):
        change = UserChange(department=DEPARTMENT, employee_id=f"DEMO-{number}")
        await user_service.change_user(db, admin, actor.user_id, change)
    return admin, teachers


async def _course(
    db: Database, course: Course, teacher: Actor, admin: Actor, now: datetime
) -> list[Happened]:
    """Make the class with its timetable, then live through its weeks."""
    class_id = await _class_of(db, teacher, course)
    await _timetable(db, teacher, class_id, course, now.date())
    first, today = _first_day(now), now.date()
    rolls = enrolled(course, 0)
    await _roster(db, teacher, class_id, [], rolls, first)
    happened = []
    for occurrence in occurrences(course, first, today, today):
        weeks = (occurrence.day - first).days / 7
        if enrolled(course, weeks) != rolls:
            present, rolls = rolls, enrolled(course, weeks)
            await _roster(db, teacher, class_id, present, rolls, occurrence.day)
        batches = batches_of(course, occurrence, rolls, weeks / WEEKS, now)
        session_id = await _open(db, teacher, class_id, course, occurrence, batches[0].at)
        happened += await _mark(db, teacher, admin, session_id, batches)
    if course is COURSES[0]:
        await _share(db, teacher, class_id, today)
    return happened


async def _share(db: Database, owner: Actor, class_id: UUID, today: date) -> None:
    """Chitra teaches Asha's first class with her, and Bilal stands in there this week."""
    bilal, chitra = (email for email, _ in TEACHERS[1:3])
    days = {"firstDay": str(today), "lastDay": str(today + timedelta(days=6))}
    entries = [
        {"email": chitra, "role": Cover.CO_TEACHER},
        {"email": bilal, "role": Cover.SUBSTITUTE, **days},
    ]
    teachers = TeacherList.model_validate({"teachers": entries})
    await teacher_service.put_teachers(db, owner, class_id, teachers)


async def _class_of(db: Database, teacher: Actor, course: Course) -> UUID:
    draft = ClassDraft(
        code=course.code,
        name=course.name,
        section=course.section,
        ltp_pattern=course.ltp_pattern,
        teacher_type="Practical" if course.is_lab else "Lecture",
        practical_group=course.practical_group,
    )
    return _class.validate_json((await class_service.create_class(db, teacher, draft)).json).id


async def _timetable(
    db: Database, teacher: Actor, class_id: UUID, course: Course, today: date
) -> None:
    for slot in course.slots:
        draft = {"dayOfWeek": slot.weekday, "startTime": slot.start, "endTime": slot.end}
        await slot_service.add_slot(db, teacher, class_id, SlotDraft.model_validate(draft))
    for move in course.moves:
        original, moved_to = dates_of(move, today)
        draft = {
            "originalDate": str(original),
            "rescheduledDate": str(moved_to),
            "rescheduledStartTime": move.to.start,
            "rescheduledEndTime": move.to.end,
            "reason": move.reason,
        }
        await reschedule_service.add_reschedule(
            db, teacher, class_id, RescheduleDraft.model_validate(draft)
        )


async def _roster(
    db: Database, teacher: Actor, class_id: UUID, present: list[str], rolls: list[str], day: date
) -> None:
    joining = {roll: {"from": str(day)} for roll in rolls if roll not in present}
    leaving = [roll for roll in present if roll not in rolls]
    eve = str(day - timedelta(days=1))
    roster = Roster.model_validate(
        {
            "students": [{**student(roll), **joining.get(roll, {})} for roll in rolls],
            "withdrawals": [{"rollNo": roll, "lastDay": eve} for roll in leaving],
        }
    )
    await roster_service.put_roster(
        db, teacher, class_id, roster, merge=False, dry_run=False, confirm=False
    )


async def _open(
    db: Database,
    teacher: Actor,
    class_id: UUID,
    course: Course,
    occurrence: Occurrence,
    at: datetime,
) -> UUID:
    photo = None
    if is_photographed(course, occurrence):
        name = f"{course.code}-{course.section}-{occurrence.day}.jpg"
        photo = f"https://photos.{DOMAIN}/{name}"
    draft = SessionDraft.model_validate(
        {
            "classId": str(class_id),
            "sessionDate": str(occurrence.day),
            "startTime": occurrence.start,
            "processedImageUrl": photo,
        }
    )
    document = await attendance_service.open_session(db, teacher, draft, at)
    return _opened.validate_json(document.json).session_id


async def _mark(
    db: Database, teacher: Actor, admin: Actor, session_id: UUID, batches: list[Batch]
) -> list[Happened]:
    happened = []
    for batch in batches:
        actor = replace(admin if batch.by_admin else teacher, request_id=f"demo-{batch.at:%Y%m%d}")
        marks = MarkBatch.model_validate({"updates": batch.updates})
        answer = await marking_service.mark(
            db, actor, session_id, marks, strict=True, if_match=None
        )
        assert answer.version is not None
        happened.append(Happened(session_id, answer.version, batch.at))
    return happened
