"""The standing of students: of all in one class, of one of them, or of one in all classes.

The view `v_enrolment_attendance` (migration 0012) defines what counts, and where the line is.
"""

from datetime import datetime
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.errors import NotFound
from app.schemas.stats import StudentInClass, StudentOverall, StudentStats
from app.schemas.words import roll_key
from app.services.access import MINE, READ_CLASS, Actor, check
from app.services.counting.as_of import standing_at
from app.services.timetable.meetings import REMAINING
from app.sql import Relations, Statement

# Turns `shown`, the classes, into their enrolments, each with its `numbers` as the API has them.
_FIGURES: Relations = (
    REMAINING,
    """
figures AS (
    SELECT v.*, n AS numbers
    FROM v_enrolment_attendance v
    LEFT JOIN remaining r ON r.class_id = v.class_id
    CROSS JOIN LATERAL (
        SELECT (v.counts).*, v.total, v.counted,
               v.attended * 0.01 AS attended, v.percentage, v.standing,
               v.sessions_needed AS "sessionsNeeded", v.can_miss AS "canMiss",
               CASE WHEN r.class_id IS NOT NULL THEN attendance_percentage(
                   v.attended + 100 * r.meetings, v.counted + r.meetings) END AS "bestPossible",
               v.absent_in_a_row AS "absentInARow", v.unmarked
    ) n
)""",
)

_OF_CLASS = Statement(
    READ_CLASS,
    "shown AS (SELECT * FROM granted)",
    _FIGURES,
    """
SELECT verdict, (
    SELECT coalesce(json_agg(student ORDER BY f.roll_key), '[]')
    FROM figures f CROSS JOIN LATERAL (
        SELECT f.student_id AS "studentId", f.roll_no AS "rollNo", f.name, (f.numbers).*
    ) student
    WHERE f.class_id = (SELECT id FROM granted) AND (:withdrawn OR f.enrolled)
)::text AS document
FROM verdict
""",
)


async def of_class(
    db: Database, actor: Actor, class_id: UUID, *, withdrawn: bool, as_of: datetime | None
) -> Document[list[StudentStats]]:
    """The standing of each student, by roll number, optionally including `withdrawn` ones.

    With `as_of`, the figures are those of that instant.
    """
    async with standing_at(db, as_of) as then:
        row = await then.row(
            _OF_CLASS, actor_id=actor.user_id, class_id=class_id, withdrawn=withdrawn
        )
    check(row)
    return Document(row["document"])


_OF_ONE = Statement(
    READ_CLASS,
    "shown AS (SELECT * FROM granted)",
    _FIGURES,
    """
SELECT verdict, (
    SELECT row_to_json(student)
    FROM figures f CROSS JOIN v_rules r CROSS JOIN LATERAL (
        SELECT f.student_id AS "studentId", f.roll_no AS "rollNo", f.name, f.enrolled,
               (r.rules).threshold, (f.numbers).*
    ) student
    WHERE f.class_id = (SELECT id FROM granted) AND f.student_id = :student_id
)::text AS document
FROM verdict
""",
)


async def of_one(
    db: Database, actor: Actor, class_id: UUID, student_id: UUID
) -> Document[StudentInClass]:
    """The standing of one student of the class, on its roster or withdrawn."""
    row = await db.row(_OF_ONE, actor_id=actor.user_id, class_id=class_id, student_id=student_id)
    check(row)
    if row["document"] is None:
        raise not_in_class()
    return Document(row["document"])


def not_in_class() -> NotFound:
    """The refusal of a student who is not in the class and never was."""
    return NotFound("There is no such student in this class.")


# A student in none of the classes that the actor can see is not found, like an unknown student.
# `OFFSET 0` makes PostgreSQL plan the figures of each class separately; a single plan for all of
# them would count everybody's marks.
_OF_STUDENT = Statement(
    MINE,
    """
student AS MATERIALIZED (SELECT * FROM students WHERE roll_key = :roll_key),
shown AS MATERIALIZED (
    SELECT c.* FROM mine c
    JOIN class_students e ON e.class_id = c.id AND e.student_id = (SELECT id FROM student)
    WHERE c.archived_at IS NULL
)""",
    _FIGURES,
    """
enrolled AS MATERIALIZED (
    SELECT c.code, c.name AS class_name, c.section, t.id AS term_id, t.name AS term, f.*
    FROM shown c LEFT JOIN terms t ON t.id = c.term_id
    CROSS JOIN LATERAL (
        SELECT * FROM figures
        WHERE class_id = c.id AND student_id = (SELECT id FROM student) OFFSET 0
    ) f
    WHERE :withdrawn OR f.enrolled
),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM enrolled) THEN 'not_found'
                ELSE 'granted' END AS verdict
)""",
    """
SELECT verdict, (
    SELECT json_build_object(
        'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name,
        'classes', json_agg(stats ORDER BY e.code COLLATE "C", e.section COLLATE "C", e.class_id),
        'total', (
            SELECT row_to_json(sums) FROM (
                SELECT (sum(counts)).*, sum(total) AS total, sum(counted) AS counted,
                       sum(attended) * 0.01 AS attended, attendance_percentage(
                           sum(attended)::bigint, sum(counted)::bigint) AS percentage,
                       sum(unmarked) AS unmarked
                FROM enrolled
            ) sums))
    FROM student s CROSS JOIN enrolled e CROSS JOIN LATERAL (
        SELECT e.class_id AS "classId", e.code, e.class_name AS name, e.section,
               e.term_id AS "termId", e.term, (e.numbers).*
    ) stats
    GROUP BY s.id, s.roll_no, s.name
)::text AS document
FROM verdict
""",
)


async def of_student(
    db: Database, actor: Actor, roll_no: str, *, withdrawn: bool, as_of: datetime | None
) -> Document[StudentOverall]:
    """The student's standing in each class the actor can see, and in all of them together.

    Archived classes are left out, and unless `withdrawn`, so are those the student has left.
    Raises `NotFound` if no class remains. With `as_of`, the figures are those of that instant.
    """
    asked = {"roll_key": roll_key(roll_no), "withdrawn": withdrawn}
    async with standing_at(db, as_of) as then:
        row = await then.row(_OF_STUDENT, actor_id=actor.user_id, **asked)
    check(row, "student")
    return Document(row["document"])
