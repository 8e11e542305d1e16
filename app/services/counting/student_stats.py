"""The statistics of one student, over all classes in which the actor may see them."""

from datetime import datetime

from app.db import Database
from app.documents import Document
from app.schemas.stats import StudentOverall
from app.schemas.words import roll_key
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.counting.as_of import history, source_at
from app.services.counting.figures import FIGURES, NOW, Source, counted, figures, marks_of

_STUDENT = "(SELECT id FROM student)"
_SUMS = ("present", "absent", "late", "excused", "total", "counted", "attended", "unmarked")


# $2 the key of the roll number, $3 whether withdrawn ones count. Who is in none of the classes
# that the actor may see is not found, like somebody who is nowhere.
def _student_sql(source: Source, past: str = "") -> str:
    return f"""
WITH {access.ACTOR},
{access.COVERING},
student AS MATERIALIZED (SELECT s.* FROM students s WHERE s.roll_key = $2),
shown AS MATERIALIZED (
    SELECT c.* FROM classes c
    JOIN class_students e ON e.class_id = c.id AND e.student_id = {_STUDENT}
    CROSS JOIN actor
    WHERE {access.MAY} AND c.archived_at IS NULL
),
{past}
enrolled AS MATERIALIZED (
    SELECT e.* FROM {source.enrolments} e JOIN shown ON shown.id = e.class_id
    WHERE e.student_id = {_STUDENT} AND ($3 OR {source.enrolled("e")})
),
{counted(source, marks_of(source, _STUDENT))},
each AS MATERIALIZED (
    SELECT c.code, c.section, e.class_id, {", ".join(f"n.{name}" for name in _SUMS)},
           row_to_json(stats) AS stats
    FROM enrolled e
    JOIN shown c ON c.id = e.class_id
    LEFT JOIN terms t ON t.id = c.term_id
    {figures(source)}
    CROSS JOIN LATERAL (
        SELECT c.id AS "classId", c.code, c.name, c.section, t.id AS "termId", t.name AS term,
               {FIGURES}
    ) stats
),
sums AS (SELECT {", ".join(f"sum({name})::bigint AS {name}" for name in _SUMS)} FROM each)
SELECT {access.FOUND_VERDICT.format(found="enrolled")}, (
    SELECT json_build_object(
        'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name,
        'classes', (
            SELECT json_agg(stats ORDER BY code COLLATE "C", section COLLATE "C", class_id)
            FROM each),
        'total', (
            SELECT row_to_json(summed) FROM sums n CROSS JOIN LATERAL (
                SELECT n.present, n.absent, n.late, n.excused, n.total, n.counted,
                       n.attended * 0.01 AS attended,
                       attendance_percentage(n.attended, n.counted) AS percentage, n.unmarked
            ) summed))
    FROM student s
)::text AS document
"""


_NOW = _student_sql(NOW)
_THEN = _student_sql(source_at("$4::timestamptz"), f"{history('$4::timestamptz')},")


async def student(
    db: Database, actor: Actor, roll_no: str, *, withdrawn: bool, as_of: datetime | None
) -> Document[StudentOverall]:
    """Where the student stands in each class the actor may see, and all of them together.

    Archived classes are left out, and unless `withdrawn` those the student has left. Raises
    `NotFound` for who is in none of them. With `as_of` the figures are those that stood then.
    """
    arguments = (actor.user_id, roll_key(roll_no), withdrawn)
    if as_of is None:
        row = await db.row(_NOW, *arguments)
    else:
        row = await db.row(_THEN, *arguments, as_of)
    check(row, "student")
    return Document(row["document"])
