"""The histories of the policy and of enrolment periods, each with its start.

Both were read from the audit log before; this migration fills the tables from it once.

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_RULES = (
    ("threshold", sa.Integer()),
    ("late_weight", sa.Integer()),
    ("excused", sa.Text()),
    ("on_duty", sa.Text()),
    ("minimum_sessions", sa.Integer()),
)

# The default rules (migration 0006), and the changes that administrators made.
_POLICIES = """
INSERT INTO policies (since, threshold, late_weight, excused, on_duty, minimum_sessions)
SELECT '-infinity', 7500, 100, 'absent', 'present', 5
UNION ALL
SELECT at, (details ->> 'threshold')::integer, (details ->> 'lateWeight')::integer,
       details ->> 'excused', details ->> 'onDuty', (details ->> 'minimumSessions')::integer
FROM audit_log WHERE action = 'policy_changed'
ON CONFLICT (since) DO NOTHING
"""

# Each act names the last period that an enrolment had then. It left earlier periods unchanged and
# replaced those that touched or followed its first day. The log does not contain the periods of
# records that were merged into others.
_EVENTS = """
WITH acts AS MATERIALIZED (
    SELECT e.class_id, e.student_id, l.at, l.actor_id, l.request_id,
           coalesce((l.details ->> 'firstDay')::date, '-infinity') AS first_day,
           (l.details ->> 'lastDay')::date AS last_day
    FROM class_students e
    JOIN audit_log l ON l.subject_id = e.student_id
        AND l.action IN ('student_enrolled', 'student_withdrawn', 'enrolment_changed')
        AND l.details ->> 'classId' = e.class_id::text
    WHERE e.student_id NOT IN (
        SELECT subject_id FROM audit_log WHERE action = 'students_merged')
)
INSERT INTO enrolment_events (
    class_id, student_id, recorded_for, since, periods, actor_id, request_id)
SELECT act.class_id, act.student_id, act.student_id, act.at, (
    SELECT coalesce(range_agg(period) FILTER (
               WHERE next_first IS NULL OR upper(period) < next_first), '{}')
    FROM (
        SELECT CASE WHEN first_day > '-infinity'
                    THEN daterange(first_day, last_day, '[]') END AS period,
               min(first_day) OVER (
                   ORDER BY at DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
               ) AS next_first
        FROM acts earlier
        WHERE earlier.class_id = act.class_id AND earlier.student_id = act.student_id
          AND earlier.at <= act.at
    ) known
), act.actor_id, act.request_id
FROM acts act
"""


def upgrade() -> None:
    op.create_table(
        "policies",
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, kind, nullable=False) for name, kind in _RULES),
        sa.PrimaryKeyConstraint("since", name="pk_policies"),
    )
    op.execute(_POLICIES)
    op.create_table(
        "enrolment_events",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("recorded_for", sa.Uuid(), nullable=False),
        sa.Column("periods", postgresql.DATEMULTIRANGE(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id", "student_id"],
            ["class_students.class_id", "class_students.student_id"],
            name="fk_enrolment_events_class_id_student_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name="fk_enrolment_events_actor_id"),
        sa.PrimaryKeyConstraint("class_id", "student_id", "id", name="pk_enrolment_events"),
    )
    op.execute(_EVENTS)


def downgrade() -> None:
    op.drop_table("enrolment_events")
    op.drop_table("policies")
