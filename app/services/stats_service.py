"""Attendance counted. The counting itself is the view's, in one place."""

from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.stats import StudentStats
from app.services import access
from app.services.access import Actor, check

_CLASS = f"""
{access.READ_CLASS}
SELECT {access.VERDICT}, (
    SELECT coalesce(json_agg(stats ORDER BY v.roll_key), '[]')
    FROM v_enrolment_attendance v
    CROSS JOIN LATERAL (
        SELECT v.student_id AS "studentId", v.roll_no AS "rollNo", v.name,
               v.present, v.absent, v.late, v.excused, v.total,
               v.counted, round(v.attended / 100.0, 2) AS attended, v.percentage
    ) stats
    WHERE v.class_id = $2 AND (v.enrolled OR $3) AND EXISTS (SELECT FROM granted)
)::text AS document
"""


async def class_stats(
    db: Database, actor: Actor, class_id: UUID, *, withdrawn: bool
) -> Document[list[StudentStats]]:
    """The marks of each student of the class, counted; `withdrawn` ones too if asked for."""
    row = await db.row(_CLASS, actor.user_id, class_id, withdrawn)
    check(row)
    return Document(row["document"])
