"""Imports that the server does by itself."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, OwnId


class ImportRun(Base):
    """A file that somebody sent to be previewed or imported, and how far the server is with it.

    `content` is there as long as it may be needed. `rows` says what became of each row, refused
    ones first; it is compressed, and read only by those who ask for it.

    The server with the current `claim` works on it; if its `heartbeat` stops, another claims the
    run. Only the claim that is stored may end a run, in the transaction that writes the file.
    """

    __tablename__ = "import_runs"
    __table_args__ = (
        CheckConstraint("asked IN ('preview', 'import')", name="asked"),
        CheckConstraint(
            "state IN ('waiting', 'working', 'previewed', 'done', 'refused', 'failed', 'expired')",
            name="state",
        ),
        Index("ix_import_runs_created_at_id", text("created_at DESC"), "id"),
        Index(
            "ix_import_runs_unfinished",
            "created_at",
            postgresql_where=text("state IN ('waiting', 'working')"),
        ),
    )

    id: Mapped[OwnId]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    file_name: Mapped[str | None]
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    asked: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="waiting")
    confirmed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    request_id: Mapped[str]
    claim: Mapped[UUID | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    heartbeat: Mapped[datetime | None]
    done: Mapped[int] = mapped_column(server_default=text("0"))
    total: Mapped[int | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    rows: Mapped[list[Any] | None] = mapped_column(JSONB)
    code: Mapped[str | None]
    detail: Mapped[str | None]
    finished_at: Mapped[datetime | None]
