"""Attendance sessions, the mark of each student in them, and every mark they replaced."""

from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Numeric,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Now


class AttendanceSession(Base):
    """One taking of attendance. `version` counts the requests that changed a mark of it."""

    __tablename__ = "attendance_sessions"
    __table_args__ = (
        UniqueConstraint(
            "class_id", "session_date", "start_time", postgresql_nulls_not_distinct=True
        ),
        CheckConstraint("end_time > start_time", name="ends_after_start"),
        # Paths name a session by its id alone.
        Index(None, "id"),
    )

    class_id: Mapped[UUID] = mapped_column(ForeignKey("classes.id"), primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    session_date: Mapped[date]
    start_time: Mapped[time | None]
    end_time: Mapped[time | None]
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    processed_image_url: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="open")
    version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Now]


class AttendanceBatch(Base):
    """A request that changed marks: it made `version` of its session."""

    __tablename__ = "attendance_batches"
    __table_args__ = (
        ForeignKeyConstraint(
            ["class_id", "session_id"], ["attendance_sessions.class_id", "attendance_sessions.id"]
        ),
    )

    class_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str]
    actor_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[Now]


class AttendanceStatus(Base):
    """The mark that counts. Only enrolled students have one: it references the enrolment."""

    __tablename__ = "attendance_statuses"
    __table_args__ = (
        ForeignKeyConstraint(
            ["class_id", "session_id"], ["attendance_sessions.class_id", "attendance_sessions.id"]
        ),
        ForeignKeyConstraint(
            ["class_id", "student_id"], ["class_students.class_id", "class_students.student_id"]
        ),
        CheckConstraint("status IN ('present', 'absent', 'late', 'excused')", name="status"),
        CheckConstraint("similarity_score BETWEEN 0 AND 100", name="similarity_score"),
        # Half-empty pages let a changed mark stay on its page, without touching an index.
        {"postgresql_with": {"fillfactor": "50"}},
    )

    class_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    student_id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str]
    recognized_by_ai: Mapped[bool] = mapped_column(server_default=text("false"))
    similarity_score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    remark: Mapped[str | None]
    source: Mapped[str] = mapped_column(server_default="manual")
    # No foreign key: the batch of the same version has it, once instead of sixty times.
    marked_by: Mapped[UUID]
    marked_at: Mapped[Now]
    version: Mapped[int] = mapped_column(server_default="0")


class SupersededStatus(Base):
    """A mark that no longer counts, whole, as it was. `version` is the one that made it.

    `recorded_for` is the student it was given to: another than `student_id` where two records
    of one person were merged and both had a mark.

    No foreign keys: rows come from `attendance_statuses` alone, whose keys are checked, and
    checking them again took as long as writing them.
    """

    __tablename__ = "superseded_statuses"

    class_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    student_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    recorded_for: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str]
    recognized_by_ai: Mapped[bool]
    similarity_score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    remark: Mapped[str | None]
    source: Mapped[str]
    marked_by: Mapped[UUID]
    marked_at: Mapped[datetime]
