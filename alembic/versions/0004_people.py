"""People over time: co-teachers and substitutes, and enrolments that begin or end on a later day.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The view of 0001 with a new `enrolled`; an existing view has to keep its columns and their order.
ENROLMENT_ATTENDANCE = """
CREATE OR REPLACE VIEW v_enrolment_attendance AS
SELECT e.class_id, e.student_id, s.roll_key, s.roll_no, s.name,
       {enrolled} AS enrolled,
       coalesce(m.present, 0) AS present,
       coalesce(m.absent, 0) AS absent,
       coalesce(m.late, 0) AS late,
       coalesce(m.excused, 0) AS excused,
       coalesce(m.total, 0) AS total,
       CASE WHEN m.total > 0
            THEN round(100.0 * (m.present + m.late) / m.total, 2)
            ELSE 0.00 END AS percentage
FROM class_students e
JOIN students s ON s.id = e.student_id
LEFT JOIN (
    SELECT class_id, student_id,
           count(*) FILTER (WHERE status = 'present') AS present,
           count(*) FILTER (WHERE status = 'absent') AS absent,
           count(*) FILTER (WHERE status = 'late') AS late,
           count(*) FILTER (WHERE status = 'excused') AS excused,
           count(*) AS total
    FROM attendance_statuses
    GROUP BY class_id, student_id
) m ON m.class_id = e.class_id AND m.student_id = e.student_id
"""
NOT_YET_OVER = "e.periods && daterange(current_date, NULL)"
WITHOUT_END = "upper_inf(e.periods)"


def upgrade() -> None:
    op.create_table(
        "class_teachers",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("role IN ('co_teacher', 'substitute')", name="ck_class_teachers_role"),
        sa.CheckConstraint("last_day >= first_day", name="ck_class_teachers_days_in_order"),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_class_teachers_class_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_class_teachers_user_id"),
        sa.PrimaryKeyConstraint("class_id", "user_id", name="pk_class_teachers"),
    )
    op.create_index("ix_class_teachers_user_id", "class_teachers", ["user_id"], unique=False)
    op.execute(ENROLMENT_ATTENDANCE.format(enrolled=NOT_YET_OVER))


def downgrade() -> None:
    op.execute(ENROLMENT_ATTENDANCE.format(enrolled=WITHOUT_END))
    op.drop_index("ix_class_teachers_user_id", table_name="class_teachers")
    op.drop_table("class_teachers")
