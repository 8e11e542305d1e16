"""The register of a class, read in one statement. `app.files` turns it into files."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.errors import Invalid
from app.schemas.register import Register
from app.services.access import READ_CLASS, Actor, check
from app.sql import Statement


@dataclass(frozen=True)
class Bounds:
    """How large a register may be, and whether it is limited to the term of its class.

    Every cell for a mark counts, empty or not, and each student for `LEAST_CELLS` at least.
    """

    sessions: int
    cells: int
    one_term: bool


# The names and totals of a student take as much as the marks of so many sessions.
LEAST_CELLS = 10

# 1,000 students in 250 sessions: the database answers that in half the statement timeout. A mark
# is one character, so the result is small, and no connection is held while the client reads it.
LISTED = Bounds(sessions=250_000, cells=250_000, one_term=False)
# What can be laid out on paper in a few seconds: 1,000 students in 60 sessions.
PRINTED = Bounds(sessions=300, cells=60_000, one_term=True)

# The requested days; by default those of the whole class: its term and any sessions held outside
# it. `sessions` are the sessions on these days.
_PERIOD = """
held AS MATERIALIZED (
    SELECT s.class_id, s.id, s.session_date, s.start_time
    FROM granted c JOIN attendance_sessions s ON s.class_id = c.id
    WHERE s.status <> 'cancelled'
),
whole AS MATERIALIZED (
    SELECT t.name AS term, t.id IS NOT NULL AS in_term,
           coalesce(least(t.first_day, min(h.session_date)), current_date) AS first,
           coalesce(greatest(t.last_day, max(h.session_date)), current_date) AS last
    FROM granted c LEFT JOIN terms t ON t.id = c.term_id LEFT JOIN held h ON true
    GROUP BY t.id
),
period AS MATERIALIZED (
    SELECT coalesce(:first::date, least(first, :last::date)) AS first,
           coalesce(:last::date, greatest(last, :first::date)) AS last
    FROM whole
),
sessions AS MATERIALIZED (
    SELECT h.*, row_number() OVER (ORDER BY h.session_date, h.start_time NULLS FIRST) AS n
    FROM held h JOIN period p ON h.session_date BETWEEN p.first AND p.last
)"""

# `:most_sessions`, `:most_cells` and `:least_cells` of a student limit its size.
_REGISTER = Statement(
    READ_CLASS,
    _PERIOD,
    """
marks AS MATERIALIZED (
    SELECT m.student_id, s.n, m.status, m.leave_kind
    FROM attendance_statuses m JOIN sessions s ON s.id = m.session_id
    WHERE m.class_id = (SELECT id FROM granted)
      AND m.session_id = ANY(ARRAY(SELECT id FROM sessions))
),
counts AS MATERIALIZED (
    SELECT student_id, sum(on_duty) AS on_duty, jsonb_populate_record(
               attendance_no_counts(), jsonb_object_agg(status, marks)) AS counts
    FROM (SELECT student_id, status, count(*) AS marks,
                 count(*) FILTER (WHERE leave_kind = 'on_duty') AS on_duty
          FROM marks GROUP BY student_id, status) tallied
    GROUP BY student_id
),
people AS MATERIALIZED (
    SELECT e.student_id, e.periods, coalesce(k.counts, attendance_no_counts()) AS counts,
           coalesce(k.on_duty, 0)::bigint AS on_duty
    FROM granted c JOIN class_students e ON e.class_id = c.id CROSS JOIN period p
    LEFT JOIN counts k ON k.student_id = e.student_id
    WHERE k.student_id IS NOT NULL OR e.periods && daterange(p.first, p.last, '[]')
       OR (:last IS NULL AND on_roster(e.periods))
),
size AS MATERIALIZED (
    SELECT n <= :most_sessions
           AND greatest(n, :least_cells) * (SELECT count(*) FROM people) <= :most_cells AS fits
    FROM (SELECT count(*) AS n FROM sessions) s
),
columns AS (
    SELECT s.n, json_build_object(
               'date', s.session_date, 'start', json_time(s.start_time),
               'attended', count(*) FILTER (WHERE m.status IN ('present', 'late'))) AS document
    FROM sessions s LEFT JOIN marks m ON m.n = s.n GROUP BY s.n, s.session_date, s.start_time
),
letters AS (
    SELECT p.student_id, string_agg(
        CASE WHEN m.leave_kind = 'on_duty' THEN 'o' WHEN m.status IS NOT NULL THEN left(m.status, 1)
             WHEN p.periods @> s.session_date THEN ' ' ELSE '-' END, '' ORDER BY s.n) AS marks
    FROM people p CROSS JOIN sessions s LEFT JOIN marks m
        ON m.student_id = p.student_id AND m.n = s.n
    WHERE (SELECT fits FROM size)
    GROUP BY p.student_id
),
rows AS (
    SELECT st.roll_key, d AS document
    FROM people p JOIN students st ON st.id = p.student_id CROSS JOIN v_rules r
    LEFT JOIN letters ON letters.student_id = p.student_id
    CROSS JOIN LATERAL (
        SELECT attendance_attended(r.rules, p.counts, p.on_duty) AS attended,
               attendance_counted(r.rules, p.counts, p.on_duty) AS counted) n
    CROSS JOIN LATERAL (
        SELECT st.roll_no AS "rollNo", st.name, coalesce(letters.marks, '') AS marks,
               (p.counts).*, n.counted, n.attended * 0.01 AS attended,
               attendance_percentage(n.attended, n.counted) AS percentage,
               attendance_below(r.rules, n.attended, n.counted) AS below) d
)""",
    """
SELECT verdict, (SELECT fits FROM size) AS fits,
       (SELECT in_term AND (p.first < whole.first OR p.last > whole.last)
        FROM whole CROSS JOIN period p) AS beyond_term, (
    SELECT json_build_object(
        'classId', c.id, 'code', c.code, 'name', c.name, 'section', c.section,
        'teacher', owner.name, 'teacherEmail', owner.email, 'term', whole.term,
        'first', p.first, 'last', p.last, 'generatedBy', (
            SELECT name FROM users WHERE id = c.actor_id),
        'threshold', (r.rules).threshold / 100.0,
        'sessions', (SELECT coalesce(json_agg(document ORDER BY n), '[]') FROM columns),
        'students', (SELECT coalesce(json_agg(document ORDER BY roll_key), '[]') FROM rows))
    FROM granted c JOIN users owner ON owner.id = c.teacher_id
    CROSS JOIN whole CROSS JOIN period p CROSS JOIN v_rules r
    WHERE (SELECT fits FROM size)
)::text AS document
FROM verdict
""",
)


async def register(
    db: Database,
    actor: Actor,
    class_id: UUID,
    first: date | None,
    last: date | None,
    bounds: Bounds,
) -> Document[Register]:
    """The register of the class from `first` to `last`, both inclusive.

    By default these are the days of its term and of all its sessions. Cancelled sessions are left
    out; the students are those who were enrolled or marked on these days. Raises `Invalid` for
    days outside the term if `bounds` are limited to it, and for registers larger than `bounds`.
    """
    row = await db.row(
        _REGISTER,
        actor_id=actor.user_id,
        class_id=class_id,
        first=first,
        last=last,
        most_sessions=bounds.sessions,
        most_cells=bounds.cells,
        least_cells=LEAST_CELLS,
    )
    check(row)
    if bounds.one_term and row["beyond_term"]:
        raise _beyond_term()
    if not row["fits"]:
        raise _too_large(bounds)
    return Document(row["document"])


def _beyond_term() -> Invalid:
    sentence = (
        "As XLSX or PDF a register covers the term of its class and no more: "
        "ask for days of the term, or for CSV."
    )
    return Invalid.at("/query/from", "beyond_term", sentence)


def _too_large(bounds: Bounds) -> Invalid:
    cells = f"{bounds.cells:,} cells, at least {LEAST_CELLS} for each student"
    sentence = f"A register holds at most {cells}: ask for fewer days."
    if bounds.one_term:
        sentence = (
            f"As XLSX or PDF a register holds at most {bounds.sessions} sessions and {cells}: "
            "ask for fewer days, or for CSV."
        )
    return Invalid.at("/query/from", "register_too_large", sentence)
