"""Addresses that an administrator has confirmed: students sign in with no other.

Revision: 0016, after 0015

Who has signed in already goes on to. All other addresses may be from a teacher's roster.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SIGNED_IN = """
UPDATE students s SET confirmed_email = s.dtu_email FROM student_accounts a
WHERE a.student_id = s.id AND lower(btrim(a.email)) = lower(btrim(s.dtu_email))
"""


def upgrade() -> None:
    op.add_column("students", sa.Column("confirmed_email", sa.Text(), nullable=True))
    op.execute(SIGNED_IN)


def downgrade() -> None:
    op.drop_column("students", "confirmed_email")
