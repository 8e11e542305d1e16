"""The statistics of one class: each student, and each session."""

from datetime import datetime
from uuid import UUID

from app.db import Database
from app.documents import Document, clock
from app.schemas.stats import SessionStats, StudentStats
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.counting.as_of import history, source_at
from app.services.counting.figures import (
    FIGURES,
    NOW,
    ONE,
    Source,
    by_policy,
    counted,
    figures,
    held,
    marks_in,
    tallied,
)

_AT = "$4::timestamptz"


def _students_sql(source: Source, past: str = "") -> str:
    return f"""
{access.READ_CLASS},
shown AS (SELECT * FROM granted),
{past}
{counted(source, marks_in(source, ONE))}
SELECT {access.VERDICT}, (
    SELECT coalesce(json_agg(stats ORDER BY s.roll_key), '[]')
    FROM {source.enrolments} e
    JOIN students s ON s.id = e.student_id
    {figures(source)}
    CROSS JOIN LATERAL (
        SELECT s.id AS "studentId", s.roll_no AS "rollNo", s.name, {FIGURES}
    ) stats
    WHERE e.class_id {ONE} AND ($3 OR {source.enrolled("e")})
)::text AS document
"""


_STUDENTS = _students_sql(NOW)
_STUDENTS_THEN = _students_sql(source_at(_AT), f"{history(_AT)},")


async def students(
    db: Database, actor: Actor, class_id: UUID, *, withdrawn: bool, as_of: datetime | None
) -> Document[list[StudentStats]]:
    """Where each student stands, by roll number; `withdrawn` ones too if asked for.

    With `as_of` the figures are those that stood then.
    """
    if as_of is None:
        row = await db.row(_STUDENTS, actor.user_id, class_id, withdrawn)
    else:
        row = await db.row(_STUDENTS_THEN, actor.user_id, class_id, withdrawn, as_of)
    check(row)
    return Document(row["document"])


# Whoever was enrolled on the day and has no mark is unmarked; a mark counts, whoever has it.
def _sessions_sql(source: Source, past: str = "") -> str:
    return f"""
{access.READ_CLASS},
shown AS (SELECT * FROM granted),
{past}
{held(source)},
counts AS MATERIALIZED (
    SELECT t.*, {by_policy("t")}
    FROM ({tallied("m.session_id", marks_in(source, ONE))}) t CROSS JOIN {source.policy} p
),
enrolled AS MATERIALIZED (
    SELECT h.id AS session_id, count(*) AS students
    FROM held h
    JOIN {source.enrolments} e ON e.class_id = h.class_id AND e.periods @> h.session_date
    GROUP BY h.id
),
marked AS MATERIALIZED (
    SELECT h.id AS session_id, count(*) AS students
    FROM {source.marks} m
    JOIN held h ON h.id = m.session_id
    JOIN {source.enrolments} e
        ON e.class_id = h.class_id AND e.student_id = m.student_id
       AND e.periods @> h.session_date
    WHERE m.class_id {ONE}
    GROUP BY h.id
)
SELECT {access.VERDICT}, (
    SELECT coalesce(json_agg(stats ORDER BY h.session_date, h.start_time NULLS FIRST), '[]')
    FROM held h
    LEFT JOIN counts k ON k.session_id = h.id
    LEFT JOIN enrolled e ON e.session_id = h.id
    LEFT JOIN marked m ON m.session_id = h.id
    CROSS JOIN LATERAL (
        SELECT h.id AS "sessionId", h.session_date AS date, {clock("h.start_time")} AS start,
               coalesce(k.present, 0) AS present, coalesce(k.absent, 0) AS absent,
               coalesce(k.late, 0) AS late, coalesce(k.excused, 0) AS excused,
               coalesce(e.students, 0) - coalesce(m.students, 0) AS unmarked,
               attendance_percentage(coalesce(k.attended, 0), coalesce(k.counted, 0))
                   AS percentage
    ) stats
)::text AS document
"""


_SESSIONS = _sessions_sql(NOW)
_SESSIONS_THEN = _sessions_sql(source_at("$3::timestamptz"), f"{history('$3::timestamptz')},")


async def sessions(
    db: Database, actor: Actor, class_id: UUID, *, as_of: datetime | None
) -> Document[list[SessionStats]]:
    """The sessions that are not cancelled, oldest first, each with its marks counted."""
    if as_of is None:
        row = await db.row(_SESSIONS, actor.user_id, class_id)
    else:
        row = await db.row(_SESSIONS_THEN, actor.user_id, class_id, as_of)
    check(row)
    return Document(row["document"])
