"""The attendance policy, and the SQL functions that count by it.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# They are declared safe for parallel plans: reports over all marks are the ones that need them.

# The numerator in hundredths of a session, so that a late mark can count half and all comparisons
# are of integers.
ATTENDED = """
CREATE FUNCTION attendance_attended(
    p policy, present bigint, late bigint, excused bigint, on_duty bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 100 * present + p.late_weight * late
         + CASE WHEN p.excused = 'present' THEN 100 * (excused - on_duty) ELSE 0 END
         + CASE WHEN p.on_duty = 'present' THEN 100 * on_duty ELSE 0 END
$$
"""

# The denominator, in sessions. `on_duty` is how many of `excused` come from leave on duty.
COUNTED = """
CREATE FUNCTION attendance_counted(
    p policy, present bigint, absent bigint, late bigint, excused bigint, on_duty bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT present + absent + late
         + CASE WHEN p.excused = 'excluded' THEN 0 ELSE excused - on_duty END
         + CASE WHEN p.on_duty = 'excluded' THEN 0 ELSE on_duty END
$$
"""

# Students with fewer sessions than the policy requires are not judged yet.
BELOW = """
CREATE FUNCTION attendance_below(p policy, attended bigint, counted bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT counted > 0 AND counted >= p.minimum_sessions
       AND attended * 100 < p.threshold * counted
$$
"""

COUNTS = """
CREATE VIEW v_attendance_counts AS
SELECT m.class_id, m.student_id,
       count(*) FILTER (WHERE m.status = 'present') AS present,
       count(*) FILTER (WHERE m.status = 'absent') AS absent,
       count(*) FILTER (WHERE m.status = 'late') AS late,
       count(*) FILTER (WHERE m.status = 'excused') AS excused,
       count(*) FILTER (WHERE m.status = 'excused' AND m.leave_kind = 'on_duty') AS on_duty,
       count(*) AS total
FROM attendance_statuses m
WHERE NOT EXISTS (
    SELECT FROM attendance_sessions s
    WHERE s.class_id = m.class_id AND s.id = m.session_id AND s.status = 'cancelled')
GROUP BY m.class_id, m.student_id
"""

ENROLMENT_ATTENDANCE = """
CREATE OR REPLACE VIEW v_enrolment_attendance AS
SELECT e.class_id, e.student_id, s.roll_key, s.roll_no, s.name,
       e.periods && daterange(current_date, NULL) AS enrolled,
       n.present, n.absent, n.late, n.excused, n.total,
       CASE WHEN n.counted > 0
            THEN round(n.attended::numeric / n.counted, 2)
            ELSE 0.00 END AS percentage,
       n.counted, n.attended, n.on_duty
FROM class_students e
JOIN students s ON s.id = e.student_id
LEFT JOIN v_attendance_counts m ON m.class_id = e.class_id AND m.student_id = e.student_id
CROSS JOIN policy p
CROSS JOIN LATERAL (
    SELECT coalesce(m.present, 0) AS present, coalesce(m.absent, 0) AS absent,
           coalesce(m.late, 0) AS late, coalesce(m.excused, 0) AS excused,
           coalesce(m.on_duty, 0) AS on_duty, coalesce(m.total, 0) AS total,
           coalesce(
               attendance_attended(p, m.present, m.late, m.excused, m.on_duty), 0) AS attended,
           coalesce(attendance_counted(
               p, m.present, m.absent, m.late, m.excused, m.on_duty), 0) AS counted
) n
"""

FORMER_ENROLMENT_ATTENDANCE = """
CREATE VIEW v_enrolment_attendance AS
SELECT e.class_id, e.student_id, s.roll_key, s.roll_no, s.name,
       e.periods && daterange(current_date, NULL) AS enrolled,
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


def upgrade() -> None:
    op.create_table(
        "policy",
        sa.Column("single", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("threshold", sa.Integer(), server_default="7500", nullable=False),
        sa.Column("late_weight", sa.Integer(), server_default="100", nullable=False),
        sa.Column("excused", sa.Text(), server_default="absent", nullable=False),
        sa.Column("on_duty", sa.Text(), server_default="present", nullable=False),
        sa.Column("minimum_sessions", sa.Integer(), server_default="5", nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("single", name="ck_policy_single"),
        sa.CheckConstraint("threshold BETWEEN 0 AND 10000", name="ck_policy_threshold"),
        sa.CheckConstraint("late_weight BETWEEN 0 AND 100", name="ck_policy_late_weight"),
        sa.CheckConstraint(
            "excused IN ('absent', 'excluded', 'present')", name="ck_policy_excused"
        ),
        sa.CheckConstraint(
            "on_duty IN ('absent', 'excluded', 'present')", name="ck_policy_on_duty"
        ),
        sa.CheckConstraint(
            "minimum_sessions BETWEEN 0 AND 1000", name="ck_policy_minimum_sessions"
        ),
        sa.PrimaryKeyConstraint("single", name="pk_policy"),
    )
    op.execute("INSERT INTO policy DEFAULT VALUES")
    op.create_index(
        "ix_attendance_sessions_cancelled",
        "attendance_sessions",
        ["class_id", "id"],
        postgresql_where=sa.text("status = 'cancelled'"),
    )
    for statement in (ATTENDED, COUNTED, BELOW, COUNTS, ENROLMENT_ATTENDANCE):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW v_student_attendance_summary")
    op.execute("DROP VIEW v_enrolment_attendance")
    op.execute("DROP VIEW v_attendance_counts")
    op.execute("DROP FUNCTION attendance_attended")
    op.execute("DROP FUNCTION attendance_counted")
    op.execute("DROP FUNCTION attendance_below")
    op.drop_index("ix_attendance_sessions_cancelled", table_name="attendance_sessions")
    op.drop_table("policy")
    op.execute(FORMER_ENROLMENT_ATTENDANCE)
    op.execute(STUDENT_SUMMARY)
