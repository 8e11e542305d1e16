"""Administration: the audit log, and history that survives merging two students.

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column(
            "details",
            postgresql.JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name="fk_audit_log_actor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_at_id", "audit_log", [sa.text("at DESC"), "id"])
    op.create_index("ix_audit_log_subject_id_at", "audit_log", ["subject_id", sa.text("at DESC")])
    op.add_column("superseded_statuses", sa.Column("recorded_for", sa.Uuid(), nullable=True))
    op.execute("UPDATE superseded_statuses SET recorded_for = student_id")
    op.alter_column("superseded_statuses", "recorded_for", nullable=False)
    _replace_key("class_id", "session_id", "student_id", "version", "recorded_for")


def downgrade() -> None:
    # The older table cannot hold a merged record's marks next to those of the other record.
    op.execute("DELETE FROM superseded_statuses WHERE recorded_for <> student_id")
    _replace_key("class_id", "session_id", "student_id", "version")
    op.drop_column("superseded_statuses", "recorded_for")
    op.drop_table("audit_log")


def _replace_key(*columns: str) -> None:
    op.drop_constraint("pk_superseded_statuses", "superseded_statuses")
    op.create_primary_key("pk_superseded_statuses", "superseded_statuses", list(columns))
