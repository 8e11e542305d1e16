"""How attendance is counted and judged: the current rules and their history."""

from datetime import datetime

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now


class Policy(Base):
    """The rules in force, in a single row.

    `threshold` is in hundredths of a per cent, `late_weight` in hundredths of a session.
    """

    __tablename__ = "policy"
    __table_args__ = (
        CheckConstraint("single", name="single"),
        CheckConstraint("threshold BETWEEN 0 AND 10000", name="threshold"),
        CheckConstraint("late_weight BETWEEN 0 AND 100", name="late_weight"),
        CheckConstraint("excused IN ('absent', 'excluded', 'present')", name="excused"),
        CheckConstraint("on_duty IN ('absent', 'excluded', 'present')", name="on_duty"),
        CheckConstraint("minimum_sessions BETWEEN 0 AND 1000", name="minimum_sessions"),
    )

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    threshold: Mapped[int] = mapped_column(server_default="7500")
    late_weight: Mapped[int] = mapped_column(server_default="100")
    excused: Mapped[str] = mapped_column(server_default="absent")
    on_duty: Mapped[str] = mapped_column(server_default="present")
    minimum_sessions: Mapped[int] = mapped_column(server_default="5")
    updated_at: Mapped[Now]


class FormerPolicy(Base):
    """The rules in force from `since` until the next row's, including the current ones."""

    __tablename__ = "policies"

    since: Mapped[datetime] = mapped_column(primary_key=True)
    threshold: Mapped[int]
    late_weight: Mapped[int]
    excused: Mapped[str]
    on_duty: Mapped[str]
    minimum_sessions: Mapped[int]
