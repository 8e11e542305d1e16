"""The register of a class, read in one statement. `app.files` makes files of it."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.db import Database
from app.documents import Document, clock
from app.errors import Flaw, Invalid
from app.schemas.register import Register
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.counting.figures import by_policy, tallied


@dataclass(frozen=True)
class Bounds:
    """How much a register may hold, and whether it keeps to the term of its class."""

    sessions: int
    marks: int
    one_term: bool


# 1,000 students of 250 sessions: what the database gives in half the time a statement may take.
# A mark is a character, so all of it is small, and no connection waits while somebody reads it.
LISTED = Bounds(sessions=250_000, marks=250_000, one_term=False)
# What can be laid out on paper in some seconds: 1,000 students of 60 sessions.
PRINTED = Bounds(sessions=300, marks=60_000, one_term=True)

# $3 and $4 are the days asked for; left out they are those of the whole class, its term and
# whatever was held beside it, and whoever is on the roster today is in it. $5 and $6 bound it.
_REGISTER = f"""
{access.READ_CLASS},
held AS MATERIALIZED (
    SELECT s.id, s.session_date, s.start_time
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
    SELECT coalesce($3::date, least(first, $4::date)) AS first,
           coalesce($4::date, greatest(last, $3::date)) AS last
    FROM whole
),
shown AS MATERIALIZED (
    SELECT h.*, row_number() OVER (ORDER BY h.session_date, h.start_time NULLS FIRST) AS n
    FROM held h JOIN period p ON h.session_date BETWEEN p.first AND p.last
),
marks AS MATERIALIZED (
    SELECT m.student_id, s.n, m.status, m.leave_kind
    FROM attendance_statuses m JOIN shown s ON s.id = m.session_id
    WHERE m.class_id = (SELECT id FROM granted)
      AND m.session_id = ANY(ARRAY(SELECT id FROM shown))
),
counts AS MATERIALIZED (
    SELECT t.*, {by_policy("t")}
    FROM ({tallied("m.student_id", "marks m")}) t CROSS JOIN policy p
),
people AS MATERIALIZED (
    SELECT st.id, st.roll_key, st.roll_no, st.name, e.periods,
           coalesce(n.present, 0) AS present, coalesce(n.absent, 0) AS absent,
           coalesce(n.late, 0) AS late, coalesce(n.excused, 0) AS excused,
           coalesce(n.counted, 0) AS counted, coalesce(n.attended, 0) AS attended
    FROM granted c
    JOIN class_students e ON e.class_id = c.id
    JOIN students st ON st.id = e.student_id
    LEFT JOIN counts n ON n.student_id = e.student_id
    CROSS JOIN period
    WHERE n.student_id IS NOT NULL
       OR e.periods && daterange(period.first, period.last, '[]')
       OR ($4 IS NULL AND e.periods && daterange(current_date, NULL))
),
size AS MATERIALIZED (
    SELECT sessions <= $5 AND sessions * (SELECT count(*) FROM people) <= $6 AS fits
    FROM (SELECT count(*) AS sessions FROM shown) s
),
rows AS (
    SELECT p.id, string_agg(
        CASE WHEN m.leave_kind = 'on_duty' THEN 'o' WHEN m.status IS NOT NULL THEN left(m.status, 1)
             WHEN p.periods @> s.session_date THEN ' ' ELSE '-' END, '' ORDER BY s.n) AS marks
    FROM people p CROSS JOIN shown s LEFT JOIN marks m ON m.student_id = p.id AND m.n = s.n
    WHERE (SELECT fits FROM size)
    GROUP BY p.id
),
columns AS (
    SELECT n, count(*) AS attended FROM marks WHERE status IN ('present', 'late') GROUP BY n
)
SELECT {access.VERDICT}, (SELECT fits FROM size) AS fits,
       (SELECT in_term AND (p.first < whole.first OR p.last > whole.last)
        FROM whole CROSS JOIN period p) AS beyond_term, (
    SELECT json_build_object(
        'classId', c.id, 'code', c.code, 'name', c.name, 'section', c.section,
        'teacher', owner.name, 'teacherEmail', owner.email, 'term', whole.term,
        'first', period.first, 'last', period.last,
        'generatedBy', (SELECT name FROM users WHERE id = c.actor_id),
        'threshold', policy.threshold / 100.0,
        'sessions', (
            SELECT coalesce(json_agg(d ORDER BY s.n), '[]')
            FROM shown s LEFT JOIN columns ON columns.n = s.n CROSS JOIN LATERAL (
                SELECT s.session_date AS date, {clock("s.start_time")} AS start,
                       coalesce(attended, 0) AS attended
            ) d),
        'students', (
            SELECT coalesce(json_agg(d ORDER BY p.roll_key), '[]')
            FROM people p LEFT JOIN rows USING (id)
            CROSS JOIN LATERAL (
                SELECT p.roll_no AS "rollNo", p.name, coalesce(rows.marks, '') AS marks,
                       p.present, p.absent, p.late, p.excused, p.counted,
                       p.attended * 0.01 AS attended,
                       attendance_percentage(p.attended, p.counted) AS percentage,
                       attendance_below(policy, p.attended, p.counted) AS below
            ) d))
    FROM granted c JOIN users owner ON owner.id = c.teacher_id
    CROSS JOIN whole CROSS JOIN period CROSS JOIN policy
    WHERE (SELECT fits FROM size)
)::text AS document
"""


async def register(
    db: Database,
    actor: Actor,
    class_id: UUID,
    first: date | None,
    last: date | None,
    bounds: Bounds,
) -> Document[Register]:
    """The register of the class from `first` to `last`, both inclusive.

    Left out, they are those of its term, or of all its sessions. Cancelled sessions are not in
    it; students are, who were enrolled or marked on those days. Raises `Invalid` for days beyond
    the term if `bounds` keep to it, and for more than they allow.
    """
    row = await db.row(
        *(_REGISTER, actor.user_id, class_id, first, last, bounds.sessions, bounds.marks)
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
    return Invalid(
        sentence, code="beyond_term", flaws=(Flaw("/query/from", "beyond_term", sentence),)
    )


def _too_large(bounds: Bounds) -> Invalid:
    sentence = f"A register holds at most {bounds.marks:,} marks: ask for fewer days."
    if bounds.one_term:
        sentence = (
            f"As XLSX or PDF a register holds at most {bounds.sessions} sessions and "
            f"{bounds.marks:,} marks: ask for fewer days, or for CSV."
        )
    return Invalid(
        sentence,
        code="register_too_large",
        flaws=(Flaw("/query/from", "register_too_large", sentence),),
    )
