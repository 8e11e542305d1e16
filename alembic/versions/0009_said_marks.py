"""Separate columns for the mark that was entered before leave excused it.

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COLUMNS = (
    sa.Column("said_status", sa.Text(), nullable=True),
    sa.Column("said_score", sa.Numeric(5, 2), nullable=True),
    sa.Column("said_remark", sa.Text(), nullable=True),
    sa.Column("said_source", sa.Text(), nullable=True),
)

# The source `ai` implies `recognized_by_ai`.
_FROM_BENEATH = """
UPDATE attendance_statuses
SET said_status = beneath ->> 'status', said_score = (beneath ->> 'similarityScore')::numeric,
    said_remark = beneath ->> 'remark', said_source = beneath ->> 'source'
WHERE beneath IS NOT NULL
"""
_TO_BENEATH = """
UPDATE attendance_statuses
SET beneath = jsonb_build_object(
    'status', said_status, 'recognizedByAi', said_source = 'ai', 'similarityScore', said_score,
    'remark', said_remark, 'source', said_source)
WHERE said_status IS NOT NULL
"""
_NAME = "ck_attendance_statuses_said"
_HIDDEN = """
said_status = 'absent' AND said_source IS NOT NULL AND leave_id IS NOT NULL
OR num_nonnulls(said_status, said_score, said_remark, said_source) = 0
"""


def upgrade() -> None:
    for column in _COLUMNS:
        op.add_column("attendance_statuses", column)
    op.execute(_FROM_BENEATH)
    op.create_check_constraint(op.f(_NAME), "attendance_statuses", _HIDDEN)
    op.drop_column("attendance_statuses", "beneath")


def downgrade() -> None:
    op.add_column("attendance_statuses", sa.Column("beneath", postgresql.JSONB(), nullable=True))
    op.execute(_TO_BENEATH)
    op.drop_constraint(op.f(_NAME), "attendance_statuses")
    for column in _COLUMNS:
        op.drop_column("attendance_statuses", column.name)
