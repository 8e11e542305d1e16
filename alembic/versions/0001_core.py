"""The core: people, classes, rosters, sessions, marks and their history.

Revision: 0001, the first
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The totals of every enrolment, including ended ones. Only marks in sessions of that class are
# counted, never those in other classes.
ENROLMENT_ATTENDANCE = """
CREATE VIEW v_enrolment_attendance AS
SELECT e.class_id, e.student_id, s.roll_key, s.roll_no, s.name,
       upper_inf(e.periods) AS enrolled,
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

STUDENT_SUMMARY = """
CREATE VIEW v_student_attendance_summary AS
SELECT class_id, student_id, roll_no, name, present, absent, late, excused, total, percentage
FROM v_enrolment_attendance
WHERE enrolled
"""

# ANALYZE estimates far too few sessions in a large table; a class of 60 has 60 marks per session.
SESSIONS_IN_STATUSES = """
ALTER TABLE attendance_statuses ALTER COLUMN session_id SET (n_distinct = -0.0167)
"""


def upgrade() -> None:
    op.create_table(
        "allowed_emails",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "octet_length(email) = length(email)", name="ck_allowed_emails_email_ascii"
        ),
        sa.CheckConstraint("role IN ('teacher', 'admin')", name="ck_allowed_emails_role"),
        sa.PrimaryKeyConstraint("id", name="pk_allowed_emails"),
    )
    op.create_index(
        "uq_allowed_emails_email_key",
        "allowed_emails",
        [sa.literal_column("lower(btrim(email))")],
        unique=True,
    )
    op.create_table(
        "students",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("roll_no", sa.Text(), nullable=False),
        sa.Column("roll_key", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("photo_url", sa.Text(), nullable=True),
        sa.Column("program", sa.Text(), nullable=True),
        sa.Column("sp_code", sa.Text(), nullable=True),
        sa.Column("semester", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("duration", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("dtu_email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_students"),
        sa.UniqueConstraint("roll_key", name="uq_students_roll_key"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("google_sub", sa.Text(), nullable=True),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("employee_id", sa.Text(), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("google_sub", name="uq_users_google_sub"),
    )
    op.create_index(
        "uq_users_email_key", "users", [sa.literal_column("lower(btrim(email))")], unique=True
    )
    op.create_table(
        "classes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("ltp_pattern", sa.Text(), nullable=True),
        sa.Column("teacher_type", sa.Text(), nullable=True),
        sa.Column("practical_group", sa.Text(), nullable=True),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name="fk_classes_teacher_id"),
        sa.PrimaryKeyConstraint("id", name="pk_classes"),
    )
    op.create_index(
        "uq_classes_live",
        "classes",
        ["teacher_id", "code", "section"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL"),
    )
    op.create_table(
        "attendance_sessions",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("session_date", sa.Date(), nullable=False),
        sa.Column("start_time", sa.Time(), nullable=True),
        sa.Column("end_time", sa.Time(), nullable=True),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("processed_image_url", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("end_time > start_time", name="ck_attendance_sessions_ends_after_start"),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_attendance_sessions_class_id"
        ),
        sa.ForeignKeyConstraint(
            ["teacher_id"], ["users.id"], name="fk_attendance_sessions_teacher_id"
        ),
        sa.PrimaryKeyConstraint("class_id", "id", name="pk_attendance_sessions"),
        sa.UniqueConstraint(
            "class_id",
            "session_date",
            "start_time",
            name="uq_attendance_sessions_class_id_session_date_start_time",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_attendance_sessions_id", "attendance_sessions", ["id"], unique=False)
    op.create_table(
        "class_reschedules",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("original_date", sa.Date(), nullable=False),
        sa.Column("original_start_time", sa.Time(), nullable=False),
        sa.Column("original_end_time", sa.Time(), nullable=False),
        sa.Column("rescheduled_date", sa.Date(), nullable=False),
        sa.Column("rescheduled_start_time", sa.Time(), nullable=False),
        sa.Column("rescheduled_end_time", sa.Time(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "rescheduled_end_time > rescheduled_start_time",
            name="ck_class_reschedules_ends_after_start",
        ),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_class_reschedules_class_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("class_id", "id", name="pk_class_reschedules"),
        sa.UniqueConstraint(
            "class_id",
            "original_date",
            "original_start_time",
            name="uq_class_reschedules_class_id_original_date_original_start_time",
        ),
    )
    op.create_table(
        "class_schedules",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("day_of_week", sa.SmallInteger(), nullable=False),
        sa.Column("start_time", sa.Time(), nullable=False),
        sa.Column("end_time", sa.Time(), nullable=False),
        sa.CheckConstraint("day_of_week BETWEEN 1 AND 7", name="ck_class_schedules_day_of_week"),
        sa.CheckConstraint("end_time > start_time", name="ck_class_schedules_ends_after_start"),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_class_schedules_class_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("class_id", "id", name="pk_class_schedules"),
        sa.UniqueConstraint(
            "class_id",
            "day_of_week",
            "start_time",
            name="uq_class_schedules_class_id_day_of_week_start_time",
        ),
    )
    op.create_table(
        "class_students",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column(
            "added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("periods", postgresql.DATEMULTIRANGE(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_class_students_class_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_class_students_student_id"
        ),
        sa.PrimaryKeyConstraint("class_id", "student_id", name="pk_class_students"),
    )
    op.create_index("ix_class_students_student_id", "class_students", ["student_id"], unique=False)
    op.create_table(
        "attendance_batches",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name="fk_attendance_batches_actor_id"),
        sa.ForeignKeyConstraint(
            ["class_id", "session_id"],
            ["attendance_sessions.class_id", "attendance_sessions.id"],
            name="fk_attendance_batches_class_id_session_id",
        ),
        sa.PrimaryKeyConstraint("class_id", "session_id", "version", name="pk_attendance_batches"),
    )
    op.create_table(
        "attendance_statuses",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "recognized_by_ai", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("similarity_score", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), server_default="manual", nullable=False),
        sa.Column("marked_by", sa.Uuid(), nullable=False),
        sa.Column(
            "marked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "status IN ('present', 'absent', 'late', 'excused')",
            name="ck_attendance_statuses_status",
        ),
        sa.CheckConstraint(
            "similarity_score BETWEEN 0 AND 100", name="ck_attendance_statuses_similarity_score"
        ),
        sa.ForeignKeyConstraint(
            ["class_id", "session_id"],
            ["attendance_sessions.class_id", "attendance_sessions.id"],
            name="fk_attendance_statuses_class_id_session_id",
        ),
        sa.ForeignKeyConstraint(
            ["class_id", "student_id"],
            ["class_students.class_id", "class_students.student_id"],
            name="fk_attendance_statuses_class_id_student_id",
        ),
        sa.PrimaryKeyConstraint(
            "class_id", "session_id", "student_id", name="pk_attendance_statuses"
        ),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "superseded_statuses",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("recognized_by_ai", sa.Boolean(), nullable=False),
        sa.Column("similarity_score", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("marked_by", sa.Uuid(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "class_id", "session_id", "student_id", "version", name="pk_superseded_statuses"
        ),
    )
    op.execute(SESSIONS_IN_STATUSES)
    op.execute(ENROLMENT_ATTENDANCE)
    op.execute(STUDENT_SUMMARY)


def downgrade() -> None:
    op.execute("DROP VIEW v_student_attendance_summary")
    op.execute("DROP VIEW v_enrolment_attendance")
    op.drop_table("superseded_statuses")
    op.drop_table("attendance_statuses")
    op.drop_table("attendance_batches")
    op.drop_index("ix_class_students_student_id", table_name="class_students")
    op.drop_table("class_students")
    op.drop_table("class_schedules")
    op.drop_table("class_reschedules")
    op.drop_index("ix_attendance_sessions_id", table_name="attendance_sessions")
    op.drop_table("attendance_sessions")
    op.drop_index(
        "uq_classes_live", table_name="classes", postgresql_where=sa.text("archived_at IS NULL")
    )
    op.drop_table("classes")
    op.drop_index("uq_users_email_key", table_name="users")
    op.drop_table("users")
    op.drop_table("students")
    op.drop_index("uq_allowed_emails_email_key", table_name="allowed_emails")
    op.drop_table("allowed_emails")
