"""The calendar: terms, holidays, and the term of a class.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Without terms, a code and section can have only one live class: the one of the latest term.
ARCHIVE_EARLIER_TERMS = """
UPDATE classes SET archived_at = now()
FROM (
    SELECT c.id, row_number() OVER (
        PARTITION BY c.teacher_id, c.code, c.section
        ORDER BY t.first_day DESC NULLS LAST, c.created_at DESC) AS place
    FROM classes c LEFT JOIN terms t ON t.id = c.term_id
    WHERE c.archived_at IS NULL
) live
WHERE live.id = classes.id AND live.place > 1
"""


def upgrade() -> None:
    _create("terms", sa.UniqueConstraint("name", name="uq_terms_name"))
    _create(
        "holidays",
        sa.UniqueConstraint(
            "name", "first_day", "last_day", name="uq_holidays_name_first_day_last_day"
        ),
    )
    op.add_column("classes", sa.Column("term_id", sa.Uuid(), nullable=True))
    op.create_foreign_key("fk_classes_term_id", "classes", "terms", ["term_id"], ["id"])
    op.drop_index("uq_classes_live", table_name="classes")
    op.create_index(
        "uq_classes_live",
        "classes",
        ["teacher_id", "term_id", "code", "section"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )


def _create(table: str, unique: sa.UniqueConstraint) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("last_day >= first_day", name=f"ck_{table}_ends_after_start"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        unique,
    )


def downgrade() -> None:
    op.execute(ARCHIVE_EARLIER_TERMS)
    op.drop_index("uq_classes_live", table_name="classes")
    op.create_index(
        "uq_classes_live",
        "classes",
        ["teacher_id", "code", "section"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL"),
    )
    op.drop_column("classes", "term_id")
    op.drop_table("holidays")
    op.drop_table("terms")
