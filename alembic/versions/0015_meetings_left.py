"""What is left of a term: how many meetings each class still has in it, as a view.

Revision: 0015, after 0014

In both schemas, like the views of migration 0012: `asOf` counts from the instant's day on.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# From today on, without meetings that were moved away, taken or cancelled, and without holidays.
# Terms longer than 400 days are treated as open-ended, so their classes are not in here.
MEETINGS_LEFT = """
CREATE VIEW v_meetings_left AS
SELECT c.id AS class_id, (
    SELECT count(*)
    FROM generate_series(0, t.last_day - greatest(t.first_day, r.today)) n
    CROSS JOIN LATERAL (SELECT greatest(t.first_day, r.today) + n AS day) d
    JOIN v_timetable w ON w.class_id = c.id
        AND (w.day_of_week = extract(isodow FROM d.day)::smallint OR w.day = d.day)
    WHERE NOT EXISTS (SELECT FROM holidays h WHERE d.day BETWEEN h.first_day AND h.last_day)
      AND NOT EXISTS (
          SELECT FROM class_reschedules a
          WHERE w.day IS NULL AND a.class_id = c.id AND a.original_date = d.day
            AND a.original_start_time = w.start_time)
      AND NOT EXISTS (
          SELECT FROM v_sessions s
          WHERE s.class_id = c.id AND s.session_date = d.day AND s.start_time = w.start_time
            AND s.state <> 'open')) AS meetings
FROM classes c CROSS JOIN v_rules r
JOIN terms t ON t.id = c.term_id AND t.last_day - t.first_day < 400
"""


def upgrade() -> None:
    op.execute(MEETINGS_LEFT)
    op.execute("SET LOCAL search_path = as_of, public")
    op.execute(MEETINGS_LEFT)
    op.execute("SET LOCAL search_path TO DEFAULT")


def downgrade() -> None:
    op.execute("DROP VIEW as_of.v_meetings_left")
    op.execute("DROP VIEW v_meetings_left")
