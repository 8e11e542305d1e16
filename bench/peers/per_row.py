"""The usual peer: FastAPI in threads over SQLAlchemy's ORM, a query for each row that is needed.

Related rows are loaded when they are read, and sixty marks are read and changed one by one.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
import psycopg
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from app.models import (
    AllowedEmail,
    AttendanceSession,
    AttendanceStatus,
    Class,
    ClassStudent,
    Policy,
    Student,
    Term,
    User,
)
from bench.peers import shapes, standing
from bench.peers.tables import database_url, user_id_of

engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url()))
make_session = sessionmaker(engine)
app = FastAPI()


def _session() -> Iterator[Session]:
    with make_session() as db:
        yield db


Db = Annotated[Session, Depends(_session)]
_bearer = HTTPBearer()


def _signed_in(db: Db, sent: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]) -> User:
    try:
        user = db.get(User, user_id_of(sent.credentials))
    except jwt.PyJWTError:
        raise HTTPException(401) from None
    if user is None or user.disabled_at is not None:
        raise HTTPException(401)
    return user


def _role(db: Session, user: User) -> str:
    key = func.lower(func.btrim(AllowedEmail.email))
    allowed = db.scalar(select(AllowedEmail).where(key == user.email.strip().lower()))
    if allowed is None:
        raise HTTPException(401)
    return allowed.role


SignedIn = Annotated[User, Depends(_signed_in)]


@app.get("/users/me", response_model=shapes.Me)
def me(user: SignedIn, db: Db) -> Any:
    columns = {name: getattr(user, name) for name in shapes.Me.model_fields if name != "role"}
    return shapes.Me(**columns, role=_role(db, user))


@app.get("/classes", response_model=list[shapes.ClassDetails])
def classes(user: SignedIn, db: Db) -> Any:
    _role(db, user)
    today = date.today()
    terms = sorted(db.scalars(select(Term)), key=lambda term: term.first_day)
    current = [term.id for term in terms if term.first_day <= today <= term.last_day]
    chosen = (current or [term.id for term in terms])[-1:]
    listed = select(Class).where(Class.teacher_id == user.id, Class.archived_at.is_(None))
    found = [
        class_
        for class_ in db.scalars(listed.order_by(Class.code, Class.section))
        if class_.term_id is None or class_.term_id in chosen
    ]
    for class_ in found:
        class_.enrolments.sort(key=lambda enrolment: enrolment.student.roll_key)
    return [shapes.ClassDetails.model_validate(class_) for class_ in found]


def _own_class(db: Session, user: User, class_id: UUID) -> Class:
    _role(db, user)
    class_ = db.get(Class, class_id)
    if class_ is None:
        raise HTTPException(404)
    if class_.teacher_id != user.id:
        raise HTTPException(403)
    return class_


@app.post("/attendance/sessions", response_model=shapes.Opened)
def open_session(draft: shapes.Draft, user: SignedIn, db: Db) -> Any:
    class_ = _own_class(db, user, draft.class_id)
    of_day = select(AttendanceSession).where(
        AttendanceSession.class_id == class_.id,
        AttendanceSession.session_date == draft.session_date,
    )
    there = db.scalars(of_day).all()
    start = draft.start_time
    if start is None and len(there) == 1:
        return shapes.Opened.model_validate(there[0])
    day_of_week = draft.session_date.isoweekday()
    slots = {
        slot.start_time: slot.end_time
        for slot in class_.schedules
        if slot.day_of_week == day_of_week
    }
    start = start or min(slots, default=None)
    for session in there:
        if session.start_time == start:
            return shapes.Opened.model_validate(session)
    session = AttendanceSession(
        class_id=class_.id,
        session_date=draft.session_date,
        start_time=start,
        end_time=draft.end_time or slots.get(start),
        teacher_id=class_.teacher_id,
        processed_image_url=draft.processed_image_url,
    )
    db.add(session)
    db.commit()
    return shapes.Opened.model_validate(session).model_copy(update={"created": True})


@app.put("/attendance/sessions/{id}/statuses", response_model=shapes.Marks)
def mark(id: UUID, batch: shapes.Batch, user: SignedIn, db: Db) -> Any:
    session = db.scalar(
        select(AttendanceSession).where(AttendanceSession.id == id).with_for_update()
    )
    if session is None:
        raise HTTPException(404)
    _own_class(db, user, session.class_id)
    if session.status != "open":
        raise HTTPException(409)
    outcomes = [_mark_one(db, session, update, user) for update in batch.updates]
    if "changed" in outcomes:
        session.version += 1
    db.commit()
    rejected = [
        shapes.Rejected(roll_no=update.roll_no, code=outcome)
        for update, outcome in zip(batch.updates, outcomes, strict=True)
        if outcome in ("not_enrolled", "marked_by_hand")
    ]
    marks = sorted(session.marks, key=lambda mark: mark.student.roll_key)
    shown = [shapes.Mark.model_validate(mark) for mark in marks]
    return shapes.Marks(session_id=id, version=session.version, statuses=shown, rejected=rejected)


def _mark_one(db: Session, session: AttendanceSession, update: shapes.Update, user: User) -> str:
    """What becomes of one of the marks: `changed`, `unchanged`, or why it is refused."""
    student = db.scalar(select(Student).where(Student.roll_key == update.roll_no.lower()))
    if student is None or db.get(ClassStudent, (session.class_id, student.id)) is None:
        return "not_enrolled"
    key = {"class_id": session.class_id, "session_id": session.id, "student_id": student.id}
    mark = db.get(AttendanceStatus, key)
    if mark is None:
        mark = AttendanceStatus(**key)
        db.add(mark)
    elif update.recognized_by_ai and mark.source == "manual":
        return "marked_by_hand"
    said = update.model_dump(exclude={"roll_no"})
    if all(_same(getattr(mark, name), value) for name, value in said.items()):
        return "unchanged"
    for name, value in said.items():
        setattr(mark, name, value)
    mark.source = "ai" if update.recognized_by_ai else "manual"
    mark.marked_by, mark.marked_at, mark.version = user.id, datetime.now(UTC), session.version + 1
    db.flush()
    return "changed"


def _same(stored: Any, said: Any) -> bool:
    return (float(stored) if isinstance(said, float) and stored is not None else stored) == said


@app.get("/attendance/sessions", response_model=list[shapes.SessionMarks])
def sessions(
    user: SignedIn,
    db: Db,
    class_id: Annotated[UUID, Query(alias="classId")],
    first: Annotated[date, Query(alias="from")] = date.min,
    last: Annotated[date, Query(alias="to")] = date.max,
) -> Any:
    _own_class(db, user, class_id)
    listed = (
        select(AttendanceSession)
        .where(AttendanceSession.class_id == class_id)
        .where(AttendanceSession.session_date.between(first, last))
        .order_by(AttendanceSession.session_date.desc(), AttendanceSession.start_time.desc())
        .limit(200)
    )
    found = db.scalars(listed).all()
    for session in found:
        session.marks.sort(key=lambda mark: mark.student.roll_key)
    return [shapes.SessionMarks.model_validate(session) for session in found]


@app.get("/stats/classes/{id}/students", response_model=list[shapes.Standing])
def stats(id: UUID, user: SignedIn, db: Db) -> Any:
    class_ = _own_class(db, user, id)
    policy = db.scalars(select(Policy)).one()
    held = db.scalar(standing.held_in(id)) or 0
    rules = standing.Rules(policy, held, standing.meetings_left(class_, date.today()))
    return [rules.standing(student) for student in db.execute(standing.statuses_of(id))]
