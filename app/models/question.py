"""Marks that students question, and what they were told."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id


class MarkQuestion(Base):
    """A student says that a mark of theirs is wrong. `said` is its status when they asked.

    A mark has one open question at most.
    """

    __tablename__ = "mark_questions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["class_id", "session_id"], ["attendance_sessions.class_id", "attendance_sessions.id"]
        ),
        ForeignKeyConstraint(
            ["class_id", "student_id"], ["class_students.class_id", "class_students.student_id"]
        ),
        CheckConstraint("status IN ('open', 'changed', 'declined', 'withdrawn')", name="status"),
        Index(
            "uq_mark_questions_open",
            "class_id",
            "session_id",
            "student_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
        # Paths name a question by its id alone.
        Index(None, "id"),
        Index(None, "student_id"),
        Index("ix_mark_questions_asked_at_id", text("asked_at DESC"), "id"),
    )

    class_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    student_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    text: Mapped[str]
    said: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    status: Mapped[str] = mapped_column(server_default="open")
    answer: Mapped[str | None]
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    answered_at: Mapped[datetime | None]
