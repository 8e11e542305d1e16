"""Imports that the server does by itself, with what became of each row of their files.

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def _text(name: str, *, default: str | None = None, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=nullable)


def upgrade() -> None:
    now, id_ = sa.text("clock_timestamp()"), sa.text("gen_random_uuid()")
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "import_runs",
        sa.Column("id", sa.Uuid(), server_default=id_, nullable=False),
        sa.Column("created_at", instant, server_default=now, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        _text("kind", nullable=False),
        _text("file_name"),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("options", JSONB(), nullable=False),
        _text("asked", nullable=False),
        _text("state", default="waiting", nullable=False),
        sa.Column("confirmed_by", sa.Uuid(), nullable=True),
        _text("request_id", nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("heartbeat", instant, nullable=True),
        sa.Column("done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("result", JSONB(), nullable=True),
        sa.Column("rows", JSONB(), nullable=True),
        _text("code"),
        _text("detail"),
        sa.Column("finished_at", instant, nullable=True),
        sa.CheckConstraint("asked IN ('preview', 'import')", name="ck_import_runs_asked"),
        sa.CheckConstraint(
            "state IN ('waiting', 'working', 'previewed', 'done', 'refused', 'failed', 'expired')",
            name="ck_import_runs_state",
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name="fk_import_runs_created_by"),
        sa.ForeignKeyConstraint(["confirmed_by"], ["users.id"], name="fk_import_runs_confirmed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_import_runs"),
    )
    op.create_index(
        "ix_import_runs_created_at_id", "import_runs", [sa.text("created_at DESC"), "id"]
    )
    op.create_index(
        "ix_import_runs_unfinished",
        "import_runs",
        ["created_at"],
        postgresql_where=sa.text("state IN ('waiting', 'working')"),
    )


def downgrade() -> None:
    op.drop_table("import_runs")
