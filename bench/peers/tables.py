"""What both peers share: the tables with relationships between them, and who a token is from."""

import os
from uuid import UUID

import jwt
from sqlalchemy import func
from sqlalchemy.orm import column_property, foreign, relationship

from app.models import (
    AttendanceSession,
    AttendanceStatus,
    Class,
    ClassReschedule,
    ClassSchedule,
    ClassStudent,
    Student,
    Term,
)

Class.schedules = relationship(
    ClassSchedule, order_by=[ClassSchedule.day_of_week, ClassSchedule.start_time]
)
Class.reschedules = relationship(ClassReschedule, order_by=ClassReschedule.original_date)
Class.enrolments = relationship(ClassStudent)
Class.term = relationship(Term)
ClassStudent.student = relationship(Student)
ClassStudent.enrolled_from = column_property(func.lower(ClassStudent.periods))
AttendanceSession.marks = relationship(AttendanceStatus, viewonly=True)
AttendanceStatus.student = relationship(
    Student, primaryjoin=foreign(AttendanceStatus.student_id) == Student.id, viewonly=True
)


def database_url() -> str:
    """Where the database is."""
    return os.environ["DATABASE_URL"]


def user_id_of(token: str) -> UUID:
    """The user that the token names; an exception of PyJWT unless it is ours and has not ended."""
    secret = os.environ["JWT_SECRET"]
    claims = jwt.decode(token, secret, ["HS256"], audience="aims-api", issuer="aims")
    return UUID(claims["sub"])
