"""Students: one record per roll number, shared by all classes they attend, and their accounts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now, OwnId


class Student(Base):
    """A student. Roll numbers are compared by `roll_key` (see `app.schemas.words.roll_key`).

    `confirmed_email` is the `dtu_email` that an administrator has confirmed. Students sign in only
    while both are one address, so whoever changes `dtu_email` otherwise closes the record.
    """

    __tablename__ = "students"
    # Students sign in with it: it compares like the addresses of staff.
    __table_args__ = (Index("ix_students_dtu_email_key", text("lower(btrim(dtu_email))")),)

    id: Mapped[OwnId]
    roll_no: Mapped[str]
    # With collation C, the order by roll number is the same on every server.
    roll_key: Mapped[str] = mapped_column(String(collation="C"), unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    photo_url: Mapped[str | None]
    program: Mapped[str | None]
    sp_code: Mapped[str | None]
    semester: Mapped[str | None]
    status: Mapped[str | None]
    duration: Mapped[str | None]
    email: Mapped[str | None]
    dtu_email: Mapped[str | None]
    confirmed_email: Mapped[str | None]
    phone: Mapped[str | None]
    created_at: Mapped[Now]


class StudentAccount(Base):
    """A student who has signed in, bound to (issuer, subject). Tokens name its id.

    `email` is the address they signed in with: the account is good while their record, and no
    other one, has it as the confirmed `dtu_email`.
    """

    __tablename__ = "student_accounts"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[OwnId]
    student_id: Mapped[UUID] = mapped_column(ForeignKey("students.id"), unique=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    email: Mapped[str]
    last_login_at: Mapped[datetime | None]
    created_at: Mapped[Now]
    disabled_at: Mapped[datetime | None]


class Erasure(Base):
    """A student whose personal data was erased, or a record that had been merged into theirs.

    There is no foreign key: that record is gone, and a backup may still have it.
    """

    __tablename__ = "erasures"

    student_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    reason: Mapped[str]
