"""Functions for what statements repeat: formatting instants and times for the API, who is on a
roster, since when, and when the institution's clocks show a time.

Revision: 0008, after 0007

Each is a single expression, which PostgreSQL inlines, so a call costs nothing extra. A function
that a released version calls is never changed or dropped while that version may still run: a new
meaning gets a new name.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Text and `replace`, because `to_char` takes longer than everything else in a mark.
JSON_INSTANT = """
CREATE FUNCTION json_instant(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT replace((moment AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'
$$
"""

JSON_TIME = """
CREATE FUNCTION json_time(clock time) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT left(clock::text, 5) $$
"""

# A student is on the roster if their last period is not over yet, even before its first day.
ON_ROSTER = """
CREATE FUNCTION on_roster(periods datemultirange) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT periods && daterange(current_date, NULL) $$
"""

LAST_PERIOD_START = """
CREATE FUNCTION last_period_start(periods datemultirange) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT max(lower(period)) FROM unnest(periods) period
$$
"""

# The first day of the last period. Nearly every enrolment has only one period, whose first day
# costs a tenth of a search.
ENROLLED_FROM = """
CREATE FUNCTION enrolled_from(periods datemultirange) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN datemultirange(range_merge(periods)) = periods THEN lower(periods)
                ELSE last_period_start(periods) END
$$
"""

# When clocks go back, an hour occurs twice, and the first occurrence is meant, where PostgreSQL by
# default takes the second; when they go forward, a skipped time is interpreted with the offset
# before the change. Calendars read local times the same way (RFC 5545, section 3.3.5).
WALL_INSTANT_BEFORE = """
CREATE FUNCTION wall_instant_before(wall timestamp, day_before timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (wall - (day_before::timestamp - day_before AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC'
$$
"""

WALL_INSTANT = """
CREATE FUNCTION wall_instant(wall timestamp) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN wall_instant_before(wall, wall::timestamptz - interval '24 hours')::timestamp = wall
        THEN wall_instant_before(wall, wall::timestamptz - interval '24 hours')
        ELSE wall::timestamptz
    END
$$
"""

FUNCTIONS = {
    "json_instant(timestamptz)": JSON_INSTANT,
    "json_time(time)": JSON_TIME,
    "on_roster(datemultirange)": ON_ROSTER,
    "last_period_start(datemultirange)": LAST_PERIOD_START,
    "enrolled_from(datemultirange)": ENROLLED_FROM,
    "wall_instant_before(timestamp, timestamptz)": WALL_INSTANT_BEFORE,
    "wall_instant(timestamp)": WALL_INSTANT,
}


def upgrade() -> None:
    for statement in FUNCTIONS.values():
        op.execute(statement)


def downgrade() -> None:
    for signature in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {signature}")
