"""Who may sign in, and who has."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Now, OwnId

# Addresses compare by this expression everywhere: both unique indexes are on it, and every
# query must use it.
EMAIL_KEY = "lower(btrim(email))"


class AllowedEmail(Base):
    """An address that may sign in, with its role, which is stored nowhere else."""

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
    """A teacher or administrator. The first sign-in binds the user to its issuer and subject."""

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email_key", text(EMAIL_KEY), unique=True),
        UniqueConstraint("issuer", "google_sub"),
    )

    id: Mapped[OwnId]
    email: Mapped[str]
    name: Mapped[str]
    # The subject, of whatever issuer: Google was the only one when the column got its name.
    google_sub: Mapped[str | None]
    issuer: Mapped[str] = mapped_column(server_default="https://accounts.google.com")
    department: Mapped[str | None]
    employee_id: Mapped[str | None]
    last_login_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[Now]
