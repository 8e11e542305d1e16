"""Fill a database with the demo's department.

Everything is made through the services, as clients do, so the demo has the rights, history and
versions of real data. Only then is it backdated to when it would have happened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from app.db import Database
from app.demo import dating
from app.demo.attendance import Action, actions_of, cancelled, is_photographed
from app.demo.calendar import Days, holidays, terms
from app.demo.dating import at
from app.demo.department import (
    ADMIN,
    ASHA,
    COURSES,
    DEPARTMENT,
    DOMAIN,
    PAST_COURSE,
    PEOPLE,
    TEACHERS,
    Course,
    Occurrence,
    address_of,
    cancellation_of,
    dates_of,
    enrolled,
    sessions,
    student,
)
from app.demo.google import ISSUER
from app.demo.leaves import ABSENCES, Absence, absences_on, ask
from app.demo.questions import question
from app.schemas.admin import UserChange
from app.schemas.attendance import MarkBatch, OpenedSession, SessionDraft
from app.schemas.auth import Role
from app.schemas.calendar import HolidayDraft, Term, TermDraft
from app.schemas.classes import ClassDetails, ClassDraft, RescheduleDraft, SlotDraft
from app.schemas.roster import Roster
from app.schemas.teachers import Cover, TeacherList
from app.schemas.words import roll_key
from app.services.access import Actor
from app.services.classes import class_service, rosters, teachers
from app.services.people import accounts, allow_list, users
from app.services.people.allow_list import Entry
from app.services.sessions import attendance_service, lifecycle, marking
from app.services.sessions.lifecycle import Act
from app.services.sessions.session_lock import Change
from app.services.students.confirming import confirm_addresses
from app.services.timetable import calendar, reschedules, slots

_opened = TypeAdapter(OpenedSession)
_class = TypeAdapter(ClassDetails)
_term = TypeAdapter(Term)


@dataclass(frozen=True)
class Staff:
    admin: Actor
    teachers: list[Actor]


def admin_entry() -> Entry:
    """Meera's entry on the allow-list."""
    return Entry(ADMIN[0], Role.ADMIN, ADMIN[1])


async def load_department(
    db: Database,
    now: datetime,
    sub_of: Callable[[str], str],
    step: Callable[[], object] = lambda: None,
) -> None:
    """Create the whole department or nothing, as of `now`, the institution's local time.

    `sub_of` gives the `sub` that the stand-in for Google signs for an address. `step` is called
    after each course.
    """
    eve = datetime.combine(terms(now.date())[0].first - timedelta(days=3), time(10), now.tzinfo)
    async with db.in_one_transaction() as whole:
        staff = await _people(whole, sub_of, eve)
        past, present = await _calendar(whole, staff.admin, now.date())
        await _course(whole, PAST_COURSE, past, staff, now)
        classes = {}
        for course in COURSES:
            classes[course] = await _course(whole, course, present, staff, now)
            step()
        await _share(whole, staff, classes[COURSES[0]], now)
        for absence in ABSENCES:
            if not absence.is_ahead:
                class_id = classes[absence.course] if absence.course else None
                await _ask(whole, absence, staff, class_id, now)
        await _confirm(whole, staff.admin)
        await question(whole, classes[COURSES[0]], sub_of, now.date())
        await dating.date_back(whole, eve, str(now.tzinfo))


async def _people(db: Database, sub_of: Callable[[str], str], eve: datetime) -> Staff:
    entries = [Entry(email, Role.TEACHER, name) for email, name in TEACHERS]
    await allow_list.allow(db, [admin_entry(), *entries])
    actors = []
    for email, name in PEOPLE:
        user = await accounts.find_user(db, ISSUER, sub_of(email), email, name)
        assert user is not None  # they have just been allowed
        actors.append(at(Actor(user.id, ""), eve))
    admin, *teachers = actors
    for number, actor in enumerate(actors, start=101):
        change = UserChange(department=DEPARTMENT, employee_id=f"DEMO-{number}")
        await users.change_user(db, admin, actor.user_id, change)
    return Staff(admin, teachers)


async def _calendar(db: Database, admin: Actor, today: date) -> list[Term]:
    made = []
    for days in terms(today):
        term, _ = await calendar.terms.add(db, admin, TermDraft.model_validate(_days(days)))
        made.append(_term.validate_json(term.json))
    for days in holidays(today):
        holiday = HolidayDraft.model_validate(_days(days))
        await calendar.holidays.add(db, admin, holiday)
    return made


def _days(days: Days) -> dict[str, str]:
    return {"name": days.name, "firstDay": str(days.first), "lastDay": str(days.last)}


async def _course(db: Database, course: Course, term: Term, staff: Staff, now: datetime) -> UUID:
    """Create the class with its timetable, then simulate its weeks."""
    teacher, today = staff.teachers[course.teacher], now.date()
    first, end = term.first_day, min(today, term.last_day + timedelta(days=1))
    class_id = await _class_of(db, teacher, course, term)
    await _timetable(db, teacher, class_id, course, today)
    rolls = enrolled(course, 0)
    morning = datetime.combine(first, time(8, 30), now.tzinfo)
    await _roster(db, teacher, class_id, [], rolls, morning)
    for absence in ABSENCES:
        if absence.course is course and absence.is_ahead:
            await _ask(db, absence, staff, class_id, now)
    for occurrence in sessions(course, first, end, today):
        since = occurrence.day - first
        if enrolled(course, since.days / 7) != rolls:
            present, rolls = rolls, enrolled(course, since.days / 7)
            await _roster(db, teacher, class_id, present, rolls, morning + since)
        actions = _actions(course, occurrence, rolls, since / (end - first), now)
        session_id = await _open(db, teacher, class_id, course, occurrence, actions[0].at)
        for action in actions:
            await _perform(db, staff.admin if action.by_admin else teacher, session_id, action)
    return class_id


async def _ask(
    db: Database, absence: Absence, staff: Staff, class_id: UUID | None, now: datetime
) -> None:
    """Request the leave, and have it decided by the teacher or the administrator."""
    asker = staff.teachers[absence.asked_by]
    decider = staff.admin
    if absence.course and not absence.is_over_when_decided:
        decider = staff.teachers[absence.course.teacher]
    await ask(db, absence, asker, decider, class_id, now)


async def _share(db: Database, staff: Staff, class_id: UUID, now: datetime) -> None:
    """Make Chitra a co-teacher of Asha's first class, and Bilal its substitute for this week."""
    bilal, chitra = (email for email, _ in TEACHERS[1:3])
    today = now.date()
    days = {"firstDay": str(today), "lastDay": str(today + timedelta(days=6))}
    entries = [
        {"email": chitra, "role": Cover.CO_TEACHER},
        {"email": bilal, "role": Cover.SUBSTITUTE, **days},
    ]
    wanted = TeacherList.model_validate({"teachers": entries})
    yesterday = datetime.combine(today - timedelta(days=1), time(17), now.tzinfo)
    owner = at(staff.teachers[ASHA], yesterday)
    await teachers.put_teachers(db, owner, class_id, wanted)


async def _confirm(db: Database, admin: Actor) -> None:
    """Let the students sign in with the addresses that their teachers have entered."""
    rolls = {roll for course in (PAST_COURSE, *COURSES) for roll in course.rolls}
    async with db.transaction() as tx:
        addresses = [(roll_key(roll), address_of(roll)) for roll in sorted(rolls)]
        await confirm_addresses(tx, admin, addresses)


async def _class_of(db: Database, teacher: Actor, course: Course, term: Term) -> UUID:
    draft = ClassDraft(
        code=course.code,
        name=course.name,
        section=course.section,
        ltp_pattern=course.ltp_pattern,
        teacher_type="Practical" if course.is_lab else "Lecture",
        practical_group=course.practical_group,
        term_id=str(term.id),
    )
    return _class.validate_json((await class_service.create_class(db, teacher, draft)).json).id


async def _timetable(
    db: Database, teacher: Actor, class_id: UUID, course: Course, today: date
) -> None:
    for slot in course.slots:
        draft = {"dayOfWeek": slot.weekday, "startTime": slot.start, "endTime": slot.end}
        await slots.add_slot(db, teacher, class_id, SlotDraft.model_validate(draft))
    for move in course.moves:
        original, moved_to = dates_of(move, today)
        draft = {
            "originalDate": str(original),
            "rescheduledDate": str(moved_to),
            "rescheduledStartTime": move.to.start,
            "rescheduledEndTime": move.to.end,
            "reason": move.reason,
        }
        await reschedules.add_reschedule(
            db, teacher, class_id, RescheduleDraft.model_validate(draft)
        )


async def _roster(
    db: Database,
    teacher: Actor,
    class_id: UUID,
    present: list[str],
    rolls: list[str],
    morning: datetime,
) -> None:
    """Change the roster from the `present` students to the `rolls`, as of the day of `morning`."""
    day = morning.date()
    joining = {roll: {"from": str(day)} for roll in rolls if roll not in present}
    leaving = [roll for roll in present if roll not in rolls]
    eve = str(day - timedelta(days=1))
    roster = Roster.model_validate(
        {
            "students": [{**student(roll), **joining.get(roll, {})} for roll in rolls],
            "withdrawals": [{"rollNo": roll, "lastDay": eve} for roll in leaving],
        }
    )
    await rosters.put_roster(
        db, at(teacher, morning), class_id, roster, merge=False, dry_run=False, confirm=False
    )


def _actions(
    course: Course, occurrence: Occurrence, rolls: list[str], progress: float, now: datetime
) -> list[Action]:
    """What happens to the session; students excused in advance need no mark."""
    cancellation = cancellation_of(course, occurrence, now.date())
    if cancellation is not None:
        return cancelled(occurrence, cancellation.reason, now)
    absences = absences_on(course, occurrence.day, now.date())
    excused = {absence.roll for absence in absences if absence.is_ahead}
    away = {absence.roll for absence in absences}
    rolls = [roll for roll in rolls if roll not in excused]
    return actions_of(course, occurrence, rolls, away, progress, now)


async def _open(
    db: Database,
    teacher: Actor,
    class_id: UUID,
    course: Course,
    occurrence: Occurrence,
    before: datetime,
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
    moment = before - timedelta(minutes=1)
    document = await attendance_service.open_session(db, at(teacher, moment), draft, moment)
    return _opened.validate_json(document.json).session_id


async def _perform(db: Database, actor: Actor, session_id: UUID, action: Action) -> None:
    actor = at(actor, action.at)
    if isinstance(action.does, Act):
        change = Change(reason=action.reason)
        await lifecycle.perform(db, actor, session_id, action.does, change)
    else:
        marks = MarkBatch.model_validate({"updates": action.does})
        await marking.mark(db, actor, session_id, marks, strict=True, if_match=None)
