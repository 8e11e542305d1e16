"""Students who sign in, the marks they question, and leave they ask for themselves.

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# What each mark counts for. The rules add up: the sums over the marks of a student in a class are
# what `v_attendance_counts` has, whatever they are grouped by.
MARK_COUNTS = """
CREATE VIEW v_mark_counts AS
SELECT m.class_id, m.session_id, m.student_id, s.session_date,
       attendance_attended(r.rules, n.counts, n.on_duty) AS attended,
       attendance_counted(r.rules, n.counts, n.on_duty) AS counted
FROM attendance_statuses m
JOIN attendance_sessions s ON s.class_id = m.class_id AND s.id = m.session_id
CROSS JOIN v_rules r
CROSS JOIN LATERAL (
    SELECT ROW((m.status = 'present')::integer, (m.status = 'absent')::integer,
               (m.status = 'late')::integer, (m.status = 'excused')::integer
           )::attendance_counts AS counts,
           (m.leave_kind IS NOT DISTINCT FROM 'on_duty')::integer AS on_duty
) n
WHERE s.status <> 'cancelled'
"""

# Without students, somebody else has asked: who decided, who owns the class, the first user.
_ASKED_BY_STAFF = """
UPDATE leaves l
SET requested_by = coalesce(
    l.decided_by, (SELECT teacher_id FROM classes c WHERE c.id = l.class_id),
    (SELECT id FROM users ORDER BY created_at, id LIMIT 1))
WHERE requested_by IS NULL
"""


def upgrade() -> None:
    op.create_index("ix_students_dtu_email_key", "students", [sa.text("lower(btrim(dtu_email))")])
    _make_accounts()
    _make_questions()
    op.alter_column("leaves", "requested_by", nullable=True)
    op.execute(MARK_COUNTS)


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)


def _instant(name: str, *, default: str | None = None) -> sa.Column[object]:
    kind, made = sa.DateTime(timezone=True), sa.text(default) if default else None
    return sa.Column(name, kind, server_default=made, nullable=default is None)


def _make_accounts() -> None:
    op.create_table(
        "student_accounts",
        _id(),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        _instant("last_login_at"),
        _instant("created_at", default="now()"),
        _instant("disabled_at"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name="fk_student_accounts_student_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_student_accounts"),
        sa.UniqueConstraint("student_id", name="uq_student_accounts_student_id"),
        sa.UniqueConstraint("issuer", "subject", name="uq_student_accounts_issuer_subject"),
    )


def _make_questions() -> None:
    op.create_table(
        "mark_questions",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        _id(),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        _instant("asked_at", default="clock_timestamp()"),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        _instant("answered_at"),
        sa.CheckConstraint(
            "status IN ('open', 'changed', 'declined', 'withdrawn')",
            name="ck_mark_questions_status",
        ),
        sa.ForeignKeyConstraint(
            ["class_id", "session_id"],
            ["attendance_sessions.class_id", "attendance_sessions.id"],
            name="fk_mark_questions_class_id_session_id",
        ),
        sa.ForeignKeyConstraint(
            ["class_id", "student_id"],
            ["class_students.class_id", "class_students.student_id"],
            name="fk_mark_questions_class_id_student_id",
        ),
        sa.ForeignKeyConstraint(
            ["answered_by"], ["users.id"], name="fk_mark_questions_answered_by"
        ),
        sa.PrimaryKeyConstraint(
            "class_id", "session_id", "student_id", "id", name="pk_mark_questions"
        ),
    )
    op.create_index(
        "uq_mark_questions_open",
        "mark_questions",
        ["class_id", "session_id", "student_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("ix_mark_questions_id", "mark_questions", ["id"])
    op.create_index("ix_mark_questions_student_id", "mark_questions", ["student_id"])
    op.create_index(
        "ix_mark_questions_asked_at_id", "mark_questions", [sa.text("asked_at DESC"), "id"]
    )


def downgrade() -> None:
    op.execute("DROP VIEW v_mark_counts")
    op.execute(_ASKED_BY_STAFF)
    op.alter_column("leaves", "requested_by", nullable=False)
    op.drop_table("mark_questions")
    op.drop_table("student_accounts")
    op.drop_index("ix_students_dtu_email_key", "students")
