"""The tables, for Alembic to compare with the database. There are no queries here."""

from app.models.attendance import (
    AttendanceBatch,
    AttendanceSession,
    AttendanceStatus,
    SessionEvent,
    SupersededStatus,
)
from app.models.audit import AuditEntry
from app.models.base import Base
from app.models.calendar import Holiday, Term
from app.models.class_model import (
    Class,
    ClassReschedule,
    ClassSchedule,
    ClassStudent,
    ClassTeacher,
    EnrolmentEvent,
)
from app.models.import_run import ImportRun
from app.models.leave import Leave, LeaveSession
from app.models.policy import FormerPolicy, Policy
from app.models.question import MarkQuestion
from app.models.student import Erasure, Student, StudentAccount
from app.models.user import AllowedEmail, User

__all__ = [
    "AllowedEmail",
    "AttendanceBatch",
    "AttendanceSession",
    "AttendanceStatus",
    "AuditEntry",
    "Base",
    "Class",
    "ClassReschedule",
    "ClassSchedule",
    "ClassStudent",
    "ClassTeacher",
    "EnrolmentEvent",
    "Erasure",
    "FormerPolicy",
    "Holiday",
    "ImportRun",
    "Leave",
    "LeaveSession",
    "MarkQuestion",
    "Policy",
    "SessionEvent",
    "Student",
    "StudentAccount",
    "SupersededStatus",
    "Term",
    "User",
]
