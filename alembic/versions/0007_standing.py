"""Functions of counted attendance: percentage, standing, and what can still be missed.

Revision: 0007, after 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# `attended` is in hundredths of a session and `threshold` in hundredths of a per cent, as in
# 0006, so decisions compare integers: attended * 100 with threshold * counted.

# Rounded half up, with integers until the last step: twice as fast as dividing decimals.
PERCENTAGE = """
CREATE FUNCTION attendance_percentage(attended bigint, counted bigint)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN counted > 0
                THEN (200 * attended + counted) / (2 * counted) * 0.01 ELSE 0.00 END
$$
"""

# How many sessions in a row can be missed from now on without falling below the line; null if
# there is no line to fall below.
CAN_MISS = """
CREATE FUNCTION attendance_can_miss(p policy, attended bigint, counted bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p.threshold > 0
                THEN greatest(attended * 100 / p.threshold - counted, 0) END
$$
"""

# How many sessions in a row have to be attended from now on to reach the line; null if none
# suffice, since nothing can make up for an absence if the line is at 100 %.
SESSIONS_NEEDED = """
CREATE FUNCTION attendance_sessions_needed(p policy, attended bigint, counted bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN attended * 100 >= p.threshold * counted THEN 0
        WHEN p.threshold < 10000
        THEN (p.threshold * counted - attended * 100 + 9999 - p.threshold)
             / (10000 - p.threshold)
    END
$$
"""

STANDING = """
CREATE FUNCTION attendance_standing(p policy, attended bigint, counted bigint)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN counted = 0 OR counted < p.minimum_sessions THEN 'no_data'
        WHEN attendance_below(p, attended, counted) THEN 'below'
        WHEN attendance_below(p, attended, counted + 1) THEN 'at_risk'
        ELSE 'ok'
    END
$$
"""


def upgrade() -> None:
    for statement in (PERCENTAGE, CAN_MISS, SESSIONS_NEEDED, STANDING):
        op.execute(statement)


def downgrade() -> None:
    for name in ("standing", "sessions_needed", "can_miss", "percentage"):
        op.execute(f"DROP FUNCTION attendance_{name}")
