"""What administrators can read and change: allow-list, users, students, audit log."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, Strict

from app.schemas.attendance import MarkState
from app.schemas.auth import Role
from app.schemas.roster import A_ROSTER_STUDENT, RosterStudent
from app.schemas.words import (
    A_STUDENT,
    MAX_ENTRIES,
    Answer,
    ClassId,
    Date,
    Email,
    FilledName,
    Id,
    Instant,
    Name,
    Reason,
    RollNo,
    SessionId,
    StudentId,
    Text,
    UserId,
    Words,
    example,
)


class AllowedEmailDraft(
    Words,
    json_schema_extra=example(
        email="devika@demo.university.example", role="teacher", name="Devika Demo"
    ),
):
    """An address that can sign in. The name, if given, is shown instead of Google's."""

    email: Email
    role: Role = Role.TEACHER
    name: FilledName | None = None


class AllowedEmailChange(Words, json_schema_extra=example(role="teacher", name="Devika Demo")):
    """The fields to change; fields left out stay as they are."""

    email: Email = ""
    role: Role = Role.TEACHER
    name: FilledName | None = None


class AllowedEmail(
    Answer,
    json_schema_extra=example(
        id="b1d3f5a7-2c4e-4680-9a1b-3c5d7e9f0a2b",
        email="devika@demo.university.example",
        name="Devika Demo",
    ),
):
    id: UUID
    email: str
    name: str | None
    role: Role
    created_at: Instant
    updated_at: Instant


class Upload(Answer, json_schema_extra=example(added=1, changed=0, unchanged=0)):
    """How many addresses were added, changed and left unchanged."""

    added: int
    changed: int
    unchanged: int


class UserChange(
    Words,
    json_schema_extra=example(department="Computer Science", employeeId="DEMO-17"),
):
    """The fields to change; fields left out stay as they are, null clears."""

    disabled: Annotated[bool, Strict()] = False
    department: Text | None = None
    employee_id: Text | None = None


class User(
    Answer,
    json_schema_extra=example(
        email="asha@demo.university.example",
        name="Asha Demo",
        role="teacher",
        department="Computer Science",
        employeeId="DEMO-17",
        lastLoginAt="2025-10-27T03:28:12.907431Z",
    ),
):
    """A user. `role` is null for users who are no longer on the allow-list."""

    id: UserId
    email: str
    name: str
    role: Role | None
    department: str | None
    employee_id: str | None
    last_login_at: Instant | None
    disabled_at: Instant | None
    created_at: Instant


class StudentChange(Words, json_schema_extra=example(rollNo="23/CS/107", semester="5")):
    """The fields to change; fields left out stay as they are, null clears."""

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


class Student(
    RosterStudent, json_schema_extra=example(**A_ROSTER_STUDENT, dtuEmailConfirmed=True, classes=3)
):
    """A student record. `classes` is the number of classes the student is enrolled in now.

    `dtuEmailConfirmed`: an administrator has given `dtuEmail`, so the student can sign in with it.
    """

    dtu_email_confirmed: bool
    created_at: Instant
    classes: int


class AddressHolder(
    Answer,
    json_schema_extra=example(rollNo="23/CS/107", name="Kabir V. Demo", dtuEmailConfirmed=True),
):
    """A student with that address. `dtuEmailConfirmed`: an administrator has given it."""

    student_id: StudentId
    roll_no: str
    name: str
    dtu_email_confirmed: bool


class SharedAddress(
    Answer,
    json_schema_extra=example(
        address="kabir@students.demo.university.example",
        records=2,
        confirmed=1,
        students=[{"rollNo": "23/CS/107"}, {"rollNo": "23/CS/1O7", "dtuEmailConfirmed": False}],
    ),
):
    """An institution's address (`dtuEmail`) that is on several records, in small letters.

    `records`: on how many, and `confirmed`: on how many of them an administrator has given it. Only
    if that is one can its student sign in with it. `students` are the first of them by roll number.
    """

    address: str
    records: int
    confirmed: int
    students: list[AddressHolder]


class Keep(StrEnum):
    """Which of two marks in a session is kept: this record's, or the other's."""

    THIS = "this"
    OTHER = "other"


class Merge(
    Words, json_schema_extra=example(otherId="f0e2d4c6-b8a9-4b7c-8d5e-3f1a2b0c9d8e", onClash="this")
):
    """`otherId` is the record to merge into this one; `onClash` decides where both have a mark.

    `reason` is kept in the history of the sessions whose marks move.
    """

    other_id: Id
    on_clash: Keep | None = None
    reason: Reason | None = None


class MarkClash(
    Answer,
    json_schema_extra=example(other={"status": "absent", "recognizedByAi": False}, kept="this"),
):
    """Two different marks in a session, and which one is kept (null: undecided)."""

    session_id: SessionId
    class_id: ClassId
    session_date: Date
    this: MarkState
    other: MarkState
    kept: Keep | None


class Merged(Answer, json_schema_extra=example(classes=1, marks=6, needsReason=False)):
    """The merged record, and how many classes and marks came from the other one.

    `needsReason`: some of the marks are in sessions that are finalised or older than the edit
    window, so merging requires a `reason`.
    """

    student: Student
    classes: int
    marks: int
    needs_reason: bool
    clashes: list[MarkClash]


class AuditEntry(
    Answer,
    json_schema_extra=example(
        id="d4f6a8c0-1e3b-4c5d-8e7f-9a0b1c2d3e4f",
        requestId="0b6f3a52-2f5e-4c8e-9a55-6a1f0f3b9d10",
        actorId="9f8e7d6c-5b4a-4392-8170-6f5e4d3c2b1a",
        action="student_changed",
        subject="student",
        subjectId=A_STUDENT,
        details={"fields": ["roll_no"]},
    ),
):
    """An audit log entry. `actorId` is null for acts of the command line."""

    id: UUID
    at: Instant
    actor_id: UserId | None
    request_id: str
    action: str
    subject: str
    subject_id: UUID
    details: dict[str, Any]


class NamesWanted(Words, json_schema_extra=example(ids=[A_STUDENT])):
    """Ids of the audit log: those of actors and subjects, and those in `details`."""

    ids: Annotated[list[Id], Field(max_length=MAX_ENTRIES)]


class Audited(StrEnum):
    """What kind of thing an id of the audit log belongs to."""

    USER = "user"
    ALLOWED_EMAIL = "allowed_email"
    STUDENT = "student"
    LEAVE = "leave"
    QUESTION = "question"
    CLASS = "class"
    SESSION = "session"
    TERM = "term"
    HOLIDAY = "holiday"


class Named(
    Answer, json_schema_extra=example(id=A_STUDENT, kind="student", name="23/CS/107 Kabir V. Demo")
):
    """What an id is called now. Leave and questions have the name of their student."""

    id: UUID
    kind: Audited
    name: str
