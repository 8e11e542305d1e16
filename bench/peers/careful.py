"""The careful peer: FastAPI over SQLAlchemy's asynchronous ORM, without a query per row.

Related rows come by `selectinload`, sixty marks are one upsert, statistics one grouped query.
"""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import jwt
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import contains_eager, joinedload, load_only, selectinload

from app.models import (
    AllowedEmail,
    AttendanceSession,
    AttendanceStatus,
    Class,
    ClassSchedule,
    ClassStudent,
    Policy,
    Student,
    Term,
    User,
)
from bench.peers import shapes, standing
from bench.peers.tables import database_url, user_id_of

engine = create_async_engine(
    "postgresql+asyncpg://",
    async_creator=lambda: asyncpg.connect(database_url()),
    pool_size=8,
    max_overflow=0,
)
make_session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def _session() -> AsyncIterator[AsyncSession]:
    async with make_session() as db:
        yield db


Db = Annotated[AsyncSession, Depends(_session)]
_bearer = HTTPBearer()


async def _signed_in(
    db: Db, sent: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]
) -> tuple[User, str]:
    try:
        user_id = user_id_of(sent.credentials)
    except jwt.PyJWTError:
        raise HTTPException(401) from None
    same = func.lower(func.btrim(AllowedEmail.email)) == func.lower(func.btrim(User.email))
    asked = select(User, AllowedEmail.role).join(AllowedEmail, same)
    found = (await db.execute(asked.where(User.id == user_id, User.disabled_at.is_(None)))).first()
    if found is None:
        raise HTTPException(401)
    return found.User, found.role


SignedIn = Annotated[tuple[User, str], Depends(_signed_in)]


@app.get("/users/me", response_model=shapes.Me)
async def me(signed_in: SignedIn) -> Any:
    user, role = signed_in
    columns = {name: getattr(user, name) for name in shapes.Me.model_fields if name != "role"}
    return shapes.Me(**columns, role=role)


@app.get("/classes", response_model=list[shapes.ClassDetails])
async def classes(signed_in: SignedIn, db: Db) -> Any:
    user, _ = signed_in
    on_roster = Class.enrolments.and_(func.on_roster(ClassStudent.periods))
    today = func.current_date()
    current = select(Term.id).order_by(
        today.between(Term.first_day, Term.last_day).desc(), Term.first_day.desc()
    )
    listed = (
        select(Class)
        .where(Class.teacher_id == user.id, Class.archived_at.is_(None))
        .where(or_(Class.term_id.is_(None), Class.term_id == current.limit(1).scalar_subquery()))
        .order_by(Class.code, Class.section)
        .options(selectinload(Class.schedules), selectinload(Class.reschedules))
        .options(
            selectinload(on_roster).options(
                load_only(ClassStudent.student_id, ClassStudent.enrolled_from),
                joinedload(ClassStudent.student, innerjoin=True),
            )
        )
    )
    found = (await db.scalars(listed)).all()
    for class_ in found:
        class_.enrolments.sort(key=lambda enrolment: enrolment.student.roll_key)
    return found


async def _own_class(db: AsyncSession, user: User, class_id: UUID, *options: Any) -> Class:
    class_ = await db.get(Class, class_id, options=options)
    if class_ is None:
        raise HTTPException(404)
    if class_.teacher_id != user.id:
        raise HTTPException(403)
    return class_


@app.post("/attendance/sessions", response_model=shapes.Opened)
async def open_session(draft: shapes.Draft, signed_in: SignedIn, db: Db) -> Any:
    user, _ = signed_in
    class_ = await _own_class(db, user, draft.class_id)
    of_day = select(AttendanceSession).where(
        AttendanceSession.class_id == class_.id,
        AttendanceSession.session_date == draft.session_date,
    )
    there = (await db.scalars(of_day)).all()
    start = draft.start_time
    if start is None and len(there) == 1:
        return there[0]
    slots = select(ClassSchedule.start_time, ClassSchedule.end_time).where(
        ClassSchedule.class_id == class_.id,
        ClassSchedule.day_of_week == draft.session_date.isoweekday(),
    )
    ends = dict((await db.execute(slots)).all())
    start = start or min(ends, default=None)
    for session in there:
        if session.start_time == start:
            return session
    new = {"start_time": start, "end_time": draft.end_time or ends.get(start)}
    return await _create(db, draft, teacher_id=class_.teacher_id, **new)


async def _create(db: AsyncSession, draft: shapes.Draft, **new: Any) -> Any:
    created = insert(AttendanceSession).values(
        class_id=draft.class_id,
        session_date=draft.session_date,
        processed_image_url=draft.processed_image_url,
        **new,
    )
    key = ("class_id", "session_date", "start_time")
    once = created.on_conflict_do_update(
        index_elements=key, set_={"teacher_id": AttendanceSession.teacher_id}
    )
    session = await db.scalar(once.returning(AttendanceSession))
    await db.commit()
    return shapes.Opened.model_validate(session).model_copy(update={"created": True})


_KEY = ("class_id", "session_id", "student_id")
_SAID = ("status", "recognized_by_ai", "similarity_score", "remark")
_table = AttendanceStatus.__table__
_insert = insert(_table)
_differs = or_(*(_table.c[name].is_distinct_from(_insert.excluded[name]) for name in _SAID))
_by_hand = (_table.c.source == "manual") & _insert.excluded.recognized_by_ai
_UPSERT = _insert.on_conflict_do_update(
    index_elements=_KEY,
    set_={
        name: _insert.excluded[name]
        for name in (*_SAID, "source", "marked_by", "marked_at", "version")
    },
    where=_differs & ~_by_hand,
).returning(_table.c.student_id)


@app.put("/attendance/sessions/{id}/statuses", response_model=shapes.Marks)
async def mark(id: UUID, batch: shapes.Batch, signed_in: SignedIn, db: Db) -> Any:
    user, _ = signed_in
    locked = select(AttendanceSession).where(AttendanceSession.id == id).with_for_update()
    session = await db.scalar(locked)
    if session is None:
        raise HTTPException(404)
    await _own_class(db, user, session.class_id)
    if session.status != "open":
        raise HTTPException(409)
    students = await _students(db, session.class_id, batch)
    known = [update for update in batch.updates if update.roll_no.lower() in students]
    rows = [_row(session, students[update.roll_no.lower()], update, user) for update in known]
    rows.sort(key=lambda row: row["student_id"])
    if rows and (await db.execute(_UPSERT, rows)).all():
        session.version += 1
    answer = shapes.Marks(
        session_id=id,
        version=session.version,
        statuses=await _marks(db, session),
        rejected=[
            shapes.Rejected(roll_no=update.roll_no, code="not_enrolled")
            for update in batch.updates
            if update.roll_no.lower() not in students
        ],
    )
    await db.commit()
    return answer


async def _students(db: AsyncSession, class_id: UUID, batch: shapes.Batch) -> dict[str, UUID]:
    """The students of the class whom the batch names, by the keys of their roll numbers."""
    keys = [update.roll_no.lower() for update in batch.updates]
    found = (
        select(Student.roll_key, Student.id)
        .join(ClassStudent, ClassStudent.student_id == Student.id)
        .where(ClassStudent.class_id == class_id, Student.roll_key.in_(keys))
    )
    return dict((await db.execute(found)).all())


def _row(
    session: AttendanceSession, student_id: UUID, update: shapes.Update, user: User
) -> dict[str, Any]:
    return {
        "class_id": session.class_id,
        "session_id": session.id,
        "student_id": student_id,
        **{name: getattr(update, name) for name in _SAID},
        "source": "ai" if update.recognized_by_ai else "manual",
        "marked_by": user.id,
        "marked_at": datetime.now(UTC),
        "version": session.version + 1,
    }


async def _marks(db: AsyncSession, session: AttendanceSession) -> list[shapes.Mark]:
    marks = (
        select(AttendanceStatus)
        .join(AttendanceStatus.student)
        .where(AttendanceStatus.class_id == session.class_id)
        .where(AttendanceStatus.session_id == session.id)
        .order_by(Student.roll_key)
        .options(_MARK_COLUMNS, contains_eager(AttendanceStatus.student).load_only(*_NAMES))
    )
    return [shapes.Mark.model_validate(found) for found in await db.scalars(marks)]


_MARK_COLUMNS = load_only(
    *(AttendanceStatus.status, AttendanceStatus.recognized_by_ai, AttendanceStatus.source),
    *(AttendanceStatus.similarity_score, AttendanceStatus.remark, AttendanceStatus.marked_at),
)
_NAMES = (Student.roll_no, Student.roll_key, Student.name)


@app.get("/attendance/sessions", response_model=list[shapes.SessionMarks])
async def sessions(
    signed_in: SignedIn,
    db: Db,
    class_id: Annotated[UUID, Query(alias="classId")],
    first: Annotated[date, Query(alias="from")] = date.min,
    last: Annotated[date, Query(alias="to")] = date.max,
) -> Any:
    user, _ = signed_in
    await _own_class(db, user, class_id)
    of_student = joinedload(AttendanceStatus.student, innerjoin=True).load_only(*_NAMES)
    listed = (
        select(AttendanceSession)
        .where(AttendanceSession.class_id == class_id)
        .where(AttendanceSession.session_date.between(first, last))
        .order_by(
            AttendanceSession.session_date.desc(), AttendanceSession.start_time.desc().nulls_last()
        )
        .limit(200)
        .options(selectinload(AttendanceSession.marks).options(_MARK_COLUMNS, of_student))
    )
    found = (await db.scalars(listed)).all()
    for session in found:
        session.marks.sort(key=lambda mark: mark.student.roll_key)
    return found


@app.get("/stats/classes/{id}/students", response_model=list[shapes.Standing])
async def stats(id: UUID, signed_in: SignedIn, db: Db) -> Any:
    user, _ = signed_in
    with_term = (joinedload(Class.term), selectinload(Class.schedules))
    class_ = await _own_class(db, user, id, *with_term)
    policy = (await db.scalars(select(Policy))).one()
    held = await db.scalar(standing.held_in(id)) or 0
    rules = standing.Rules(policy, held, standing.meetings_left(class_, date.today()))
    return [rules.standing(student) for student in await db.execute(standing.statuses_of(id))]
