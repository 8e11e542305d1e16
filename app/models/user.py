"""Who can sign in, and the users."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now, OwnId

# Addresses are compared by this expression everywhere: both unique indexes are on it, and every
# query must use it.
EMAIL_KEY = "lower(btrim(email))"


class AllowedEmail(Base):
    """An address that can sign in, with its role, which is stored nowhere else."""

    __tablename__ = "allowed_emails"
    __table_args__ = (
        CheckConstraint("role IN ('teacher', 'admin')", name="role"),
        CheckConstraint("octet_length(email) = length(email)", name="email_ascii"),
        Index("uq_allowed_emails_email_key", text(EMAIL_KEY), unique=True),
    )

    id: Mapped[OwnId]
    email: Mapped[str]
    name: Mapped[str | None]
    role: Mapped[str]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]


class User(Base):
    """A teacher or administrator. The first sign-in binds the user to Google's `sub`."""

    __tablename__ = "users"
    __table_args__ = (Index("uq_users_email_key", text(EMAIL_KEY), unique=True),)

    id: Mapped[OwnId]
    email: Mapped[str]
    name: Mapped[str]
    google_sub: Mapped[str | None] = mapped_column(unique=True)
    department: Mapped[str | None]
    employee_id: Mapped[str | None]
    last_login_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[Now]
