"""Classes, their weekly slots, rescheduled occurrences, teachers and enrolments.

The keys of everything that belongs to a class begin with `class_id`: a class's rows lie together
on disk, and a distributed PostgreSQL can keep them on one node.
"""

from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import DATEMULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Now, OwnId


class Class(Base):
    __tablename__ = "classes"
    __table_args__ = (
        # One live class per teacher, term, code and section; archived ones may repeat.
        Index(
            "uq_classes_live",
            "teacher_id",
            "term_id",
            "code",
            "section",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[OwnId]
    code: Mapped[str]
    name: Mapped[str]
    section: Mapped[str]
    ltp_pattern: Mapped[str | None]
    teacher_type: Mapped[str | None]
    practical_group: Mapped[str | None]
    teacher_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    term_id: Mapped[UUID | None] = mapped_column(ForeignKey("terms.id"))
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    archived_at: Mapped[datetime | None]


class ClassSchedule(Base):
    """A weekly slot; `day_of_week` is ISO's, 1 = Monday."""

    __tablename__ = "class_schedules"
    __table_args__ = (
        CheckConstraint("day_of_week BETWEEN 1 AND 7", name="day_of_week"),
        CheckConstraint("end_time > start_time", name="ends_after_start"),
        UniqueConstraint("class_id", "day_of_week", "start_time"),
    )

    class_id: Mapped[UUID] = mapped_column(
        ForeignKey("classes.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[Id] = mapped_column(primary_key=True)
    day_of_week: Mapped[int] = mapped_column(SmallInteger)
    start_time: Mapped[time]
    end_time: Mapped[time]


class ClassReschedule(Base):
    """One occurrence of a weekly slot, moved: off `original_date`, onto `rescheduled_date`."""

    __tablename__ = "class_reschedules"
    __table_args__ = (
        CheckConstraint("rescheduled_end_time > rescheduled_start_time", name="ends_after_start"),
        UniqueConstraint("class_id", "original_date", "original_start_time"),
    )

    class_id: Mapped[UUID] = mapped_column(
        ForeignKey("classes.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[Id] = mapped_column(primary_key=True)
    original_date: Mapped[date]
    original_start_time: Mapped[time]
    original_end_time: Mapped[time]
    rescheduled_date: Mapped[date]
    rescheduled_start_time: Mapped[time]
    rescheduled_end_time: Mapped[time]
    reason: Mapped[str | None]
    created_at: Mapped[Now]


class ClassTeacher(Base):
    """A co-teacher or substitute of a class, from `first_day` to `last_day`, both inclusive.

    A null day leaves that end open.
    """

    __tablename__ = "class_teachers"
    __table_args__ = (
        CheckConstraint("role IN ('co_teacher', 'substitute')", name="role"),
        CheckConstraint("last_day >= first_day", name="days_in_order"),
    )

    class_id: Mapped[UUID] = mapped_column(
        ForeignKey("classes.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    role: Mapped[str]
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    created_at: Mapped[Now]


class ClassStudent(Base):
    """An enrolment, one row per student and class; `periods` are ended, never deleted.

    A student is on the roster if their last period is not over yet. All other periods are over,
    and there is at least one day between two periods.
    """

    __tablename__ = "class_students"

    class_id: Mapped[UUID] = mapped_column(
        ForeignKey("classes.id", ondelete="CASCADE"), primary_key=True
    )
    student_id: Mapped[UUID] = mapped_column(
        ForeignKey("students.id"), primary_key=True, index=True
    )
    added_at: Mapped[Now]
    periods: Mapped[Any] = mapped_column(DATEMULTIRANGE)


class EnrolmentEvent(Base):
    """The periods that an enrolment had from `since` until the next event, and who set them.

    `recorded_for` is the student they were given to: it differs from `student_id` where two
    records of one person were merged. `actor_id` is null for acts of the command line.
    """

    __tablename__ = "enrolment_events"
    __table_args__ = (
        ForeignKeyConstraint(
            ["class_id", "student_id"],
            ["class_students.class_id", "class_students.student_id"],
            ondelete="CASCADE",
        ),
    )

    class_id: Mapped[UUID] = mapped_column(primary_key=True)
    student_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    recorded_for: Mapped[UUID]
    periods: Mapped[Any] = mapped_column(DATEMULTIRANGE)
    actor_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    request_id: Mapped[str]
