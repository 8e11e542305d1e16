"""Terms, in which classes meet, and holidays, on which they do not."""

from datetime import date

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now, OwnId


class Term(Base):
    """A term. Terms may overlap: a summer course can lie within another term."""

    __tablename__ = "terms"
    __table_args__ = (CheckConstraint("last_day >= first_day", name="ends_after_start"),)

    id: Mapped[OwnId]
    name: Mapped[str] = mapped_column(unique=True)
    first_day: Mapped[date]
    last_day: Mapped[date]
    created_at: Mapped[Now]


class Holiday(Base):
    """One or more consecutive days without classes."""

    __tablename__ = "holidays"
    __table_args__ = (
        CheckConstraint("last_day >= first_day", name="ends_after_start"),
        UniqueConstraint("name", "first_day", "last_day"),
    )

    id: Mapped[OwnId]
    name: Mapped[str]
    first_day: Mapped[date]
    last_day: Mapped[date]
    created_at: Mapped[Now]
