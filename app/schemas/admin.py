"""What administrators see and change: the allow-list, users, students, the audit log."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Strict

from app.models.user import Role
from app.schemas.attendance import MarkState
from app.schemas.roster import RosterStudent
from app.schemas.words import (
    Answer,
    Date,
    Email,
    FilledName,
    Id,
    Instant,
    Name,
    RollNo,
    Text,
    Words,
)


class AllowedEmailDraft(Words):
    """An address that may sign in. The name, if given, is shown instead of Google's."""

    email: Email
    role: Role = Role.TEACHER
    name: FilledName | None = None


class AllowedEmailChange(Words):
    """What to change; what is left out stays."""

    email: Email = ""
    role: Role = Role.TEACHER
    name: FilledName | None = None


class AllowedEmail(Answer):
    id: UUID
    email: str
    name: str | None
    role: Role
    created_at: Instant
    updated_at: Instant


class Upload(Answer):
    """How many addresses a CSV put on the list, changed, and found as they are."""

    added: int
    changed: int
    unchanged: int


class UserChange(Words):
    """What to change; what is left out stays, null clears."""

    disabled: Annotated[bool, Strict()] = False
    department: Text | None = None
    employee_id: Text | None = None


class User(Answer):
    """`role` is null for who is not on the allow-list any more."""

    id: UUID
    email: str
    name: str
    role: Role | None
    department: str | None
    employee_id: str | None
    last_login_at: Instant | None
    disabled_at: Instant | None
    created_at: Instant


class StudentChange(Words):
    """What to change; what is left out stays, null clears."""

    roll_no: RollNo = ""
    name: Name = ""
    photo_url: Text | None = None
    program: Text | None = None
    sp_code: Text | None = None
    semester: Text | None = None
    status: Text | None = None
    duration: Text | None = None
    email: Text | None = None
    dtu_email: Text | None = None
    phone: Text | None = None


class Student(RosterStudent):
    """`classes` counts those the student is enrolled in now."""

    created_at: Instant
    classes: int


class Keep(StrEnum):
    """Which of two marks in one session stays: this record's, or the other's."""

    THIS = "this"
    OTHER = "other"


class Merge(Words):
    """`otherId` is the record to take in; `onClash` decides where both have a mark."""

    other_id: Id
    on_clash: Keep | None = None


class MarkClash(Answer):
    """Two different marks in one session, and the one that stays (null: to be decided)."""

    session_id: UUID
    class_id: UUID
    session_date: Date
    this: MarkState
    other: MarkState
    kept: Keep | None


class Merged(Answer):
    """The one record that is left, and what came to it from the other."""

    student: Student
    classes: int
    marks: int
    clashes: list[MarkClash]


class AuditEntry(Answer):
    """`actorId` is null for what was done on the command line."""

    id: UUID
    at: Instant
    actor_id: UUID | None
    request_id: str
    action: str
    subject: str
    subject_id: UUID
    details: dict[str, Any]
