"""The life cycle of a session, the sources of marks, and leave.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CHECKS = (
    ("attendance_sessions", "status", "status IN ('open', 'finalised', 'cancelled')"),
    ("attendance_statuses", "source", "source IN ('manual', 'ai', 'auto', 'import', 'leave')"),
    ("attendance_statuses", "leave", "(source = 'leave') = (leave_id IS NOT NULL)"),
)


def upgrade() -> None:
    _create_leaves()
    _create_session_events()
    op.add_column("attendance_batches", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("attendance_sessions", sa.Column("status_reason", sa.Text(), nullable=True))
    op.add_column("attendance_statuses", sa.Column("leave_id", sa.Uuid(), nullable=True))
    op.add_column("attendance_statuses", sa.Column("leave_kind", sa.Text(), nullable=True))
    op.add_column("attendance_statuses", sa.Column("beneath", postgresql.JSONB(), nullable=True))
    op.create_index(
        "ix_attendance_statuses_leave_id",
        "attendance_statuses",
        ["leave_id"],
        postgresql_where=sa.text("leave_id IS NOT NULL"),
    )
    op.add_column("superseded_statuses", sa.Column("leave_kind", sa.Text(), nullable=True))
    op.alter_column("superseded_statuses", "status", existing_type=sa.Text(), nullable=True)
    for table, name, condition in _CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def _create_leaves() -> None:
    op.create_table(
        "leaves",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("by_session", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('medical', 'on_duty', 'other')", name="ck_leaves_kind"),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'rejected', 'withdrawn')", name="ck_leaves_status"
        ),
        sa.CheckConstraint("last_day >= first_day", name="ck_leaves_ends_after_start"),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_leaves_class_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name="fk_leaves_decided_by"),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name="fk_leaves_requested_by"),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name="fk_leaves_student_id"),
        sa.PrimaryKeyConstraint("id", name="pk_leaves"),
    )
    op.create_index(
        "ix_leaves_approved",
        "leaves",
        ["student_id", "last_day"],
        postgresql_where=sa.text("status = 'approved'"),
    )
    op.create_index("ix_leaves_student_id", "leaves", ["student_id"])
    op.create_index("ix_leaves_created_at_id", "leaves", [sa.text("created_at DESC"), "id"])
    op.create_table(
        "leave_sessions",
        sa.Column("leave_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["leave_id"], ["leaves.id"], name="fk_leave_sessions_leave_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("leave_id", "session_id", name="pk_leave_sessions"),
    )


def _create_session_events() -> None:
    op.create_table(
        "session_events",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name="fk_session_events_actor_id"),
        sa.ForeignKeyConstraint(
            ["class_id", "session_id"],
            ["attendance_sessions.class_id", "attendance_sessions.id"],
            name="fk_session_events_class_id_session_id",
        ),
        sa.PrimaryKeyConstraint("class_id", "session_id", "id", name="pk_session_events"),
    )


def downgrade() -> None:
    for table, name, _ in _CHECKS:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    # The older table cannot record that a mark was removed.
    op.execute("DELETE FROM superseded_statuses WHERE status IS NULL")
    op.alter_column("superseded_statuses", "status", existing_type=sa.Text(), nullable=False)
    op.drop_column("superseded_statuses", "leave_kind")
    op.drop_index("ix_attendance_statuses_leave_id", table_name="attendance_statuses")
    op.drop_column("attendance_statuses", "beneath")
    op.drop_column("attendance_statuses", "leave_kind")
    op.drop_column("attendance_statuses", "leave_id")
    op.drop_column("attendance_sessions", "status_reason")
    op.drop_column("attendance_batches", "reason")
    op.drop_table("session_events")
    op.drop_table("leave_sessions")
    op.drop_table("leaves")
