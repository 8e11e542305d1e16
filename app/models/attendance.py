"""Attendance sessions, the marks of students in them, and every mark that was replaced."""

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
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Now


class AttendanceSession(Base):
    """A session: attendance taken once. `version` counts the requests that changed its marks.

    `status_reason` says why it was cancelled or reopened.
    """

    __tablename__ = "attendance_sessions"
    __table_args__ = (
        UniqueConstraint(
            "class_id", "session_date", "start_time", postgresql_nulls_not_distinct=True
        ),
        CheckConstraint("end_time > start_time", name="ends_after_start"),
        CheckConstraint("status IN ('open', 'finalised', 'cancelled')", name="status"),
        # Paths name a session by its id alone.
        Index(None, "id"),
        # Few sessions are cancelled, and all counts exclude them.
        Index(
            "ix_attendance_sessions_cancelled",
            "class_id",
            "id",
            postgresql_where=text("status = 'cancelled'"),
        ),
    )

    class_id: Mapped[UUID] = mapped_column(ForeignKey("classes.id"), primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    session_date: Mapped[date]
    start_time: Mapped[time | None]
    end_time: Mapped[time | None]
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    processed_image_url: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="open")
    status_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Now]


class SessionEvent(Base):
    """A session finalised, reopened, cancelled or restored: by whom, when and why."""

    __tablename__ = "session_events"
    __table_args__ = (
        ForeignKeyConstraint(
            ["class_id", "session_id"], ["attendance_sessions.class_id", "attendance_sessions.id"]
        ),
    )

    class_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    status: Mapped[str]
    reason: Mapped[str | None]
    actor_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    request_id: Mapped[str]


class AttendanceBatch(Base):
    """A request that changed marks: it made `version` of its session.

    `reason` is what an administrator gave for a change outside the edit window.
    """

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
    reason: Mapped[str | None]


class AttendanceStatus(Base):
    """The current mark of a student in a session. It references the enrolment.

    A mark that leave excuses has the leave, its kind, and in `said_*` what the leave hides: the
    absence to restore when the leave is withdrawn, or nothing if no mark was entered.
    """

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
        CheckConstraint("source IN ('manual', 'ai', 'auto', 'import', 'leave')", name="source"),
        CheckConstraint("(source = 'leave') = (leave_id IS NOT NULL)", name="leave"),
        CheckConstraint(
            "said_status = 'absent' AND said_source IS NOT NULL AND leave_id IS NOT NULL"
            " OR num_nonnulls(said_status, said_score, said_remark, said_source) = 0",
            name="said",
        ),
        Index(
            "ix_attendance_statuses_leave_id",
            "leave_id",
            postgresql_where=text("leave_id IS NOT NULL"),
        ),
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
    # No foreign key: the batch of the same version has one, checked once instead of sixty times.
    marked_by: Mapped[UUID]
    marked_at: Mapped[Now]
    version: Mapped[int] = mapped_column(server_default="0")
    leave_id: Mapped[UUID | None]
    leave_kind: Mapped[str | None]
    said_status: Mapped[str | None]
    said_score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    said_remark: Mapped[str | None]
    said_source: Mapped[str | None]


class SupersededStatus(Base):
    """A replaced mark, complete, as it was. `version` is the version that made it.

    A null status records that `version` removed the student's mark. `said_*` is what leave hid
    beneath it.

    `recorded_for` is the student it was given to: it differs from `student_id` where two records
    of one person were merged and both had a mark.

    There are no foreign keys: rows come only from `attendance_statuses`, whose keys are checked,
    and checking them again took as long as writing the rows.
    """

    __tablename__ = "superseded_statuses"

    class_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    student_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    recorded_for: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str | None]
    recognized_by_ai: Mapped[bool]
    similarity_score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    remark: Mapped[str | None]
    source: Mapped[str]
    marked_by: Mapped[UUID]
    marked_at: Mapped[datetime]
    leave_kind: Mapped[str | None]
    said_status: Mapped[str | None]
    said_score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    said_remark: Mapped[str | None]
    said_source: Mapped[str | None]
