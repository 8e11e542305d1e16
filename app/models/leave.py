"""Leave of absence: why a student was not there, and who accepted it."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now, OwnId


class Leave(Base):
    """Leave of a student. `class_id` is the class it is for; null means all their classes.
    `by_session`: it is only for the sessions in `leave_sessions`, not for all of its days.
    `requested_by` is null if the student requested it."""

    __tablename__ = "leaves"
    __table_args__ = (
        CheckConstraint("kind IN ('medical', 'on_duty', 'other')", name="kind"),
        CheckConstraint(
            "status IN ('pending', 'approved', 'rejected', 'withdrawn')", name="status"
        ),
        CheckConstraint("last_day >= first_day", name="ends_after_start"),
        Index("ix_leaves_student_id", "student_id"),
        # For marking: which students of a class are on leave on a day.
        Index(
            "ix_leaves_approved",
            "student_id",
            "last_day",
            postgresql_where=text("status = 'approved'"),
        ),
        Index("ix_leaves_created_at_id", text("created_at DESC"), "id"),
    )

    id: Mapped[OwnId]
    student_id: Mapped[UUID] = mapped_column(ForeignKey("students.id"))
    class_id: Mapped[UUID | None] = mapped_column(ForeignKey("classes.id", ondelete="CASCADE"))
    first_day: Mapped[date]
    last_day: Mapped[date]
    by_session: Mapped[bool] = mapped_column(server_default=text("false"))
    kind: Mapped[str]
    note: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="pending")
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    created_at: Mapped[Now]


class LeaveSession(Base):
    """A session that a leave is for."""

    __tablename__ = "leave_sessions"

    leave_id: Mapped[UUID] = mapped_column(
        ForeignKey("leaves.id", ondelete="CASCADE"), primary_key=True
    )
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
