"""Students: one record per roll number, shared by all classes they attend."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now, OwnId


class Student(Base):
    """A student. Roll numbers are compared by `roll_key` (see `app.schemas.words.roll_key`)."""

    __tablename__ = "students"

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
    phone: Mapped[str | None]
    created_at: Mapped[Now]
