"""Who did what to which record."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, OwnId


class AuditEntry(Base):
    """An administrative act, by ids only: no name, no address, no roll number.

    `actor_id` is null for what was done on the command line.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_at_id", text("at DESC"), "id"),
        Index("ix_audit_log_subject_id_at", "subject_id", text("at DESC")),
    )

    id: Mapped[OwnId]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    actor_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    request_id: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    subject_id: Mapped[UUID]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
