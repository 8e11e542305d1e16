"""The sessions of a student's classes, with their own mark in each."""

from dataclasses import dataclass
from datetime import date, time
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.mine import MySession
from app.services.access import MY_CLASSES, OWN_VERDICT, StudentActor
from app.services.lists import PAGE_OF_DOCUMENTS, page_of
from app.sql import Statement


@dataclass(frozen=True)
class Filter:
    """Which sessions to show; None shows all. Dates are inclusive."""

    class_id: UUID | None = None
    first: date | None = None
    last: date | None = None


# Newest first; on one date the untimed session comes last. Sessions from before a student came, or
# from between two enrolments, are not theirs unless they have a mark.
_LIST = Statement(
    MY_CLASSES,
    """
own AS (
    SELECT FROM student
    WHERE :class_id::uuid IS NULL OR :class_id = ANY(ARRAY(SELECT id FROM my_classes))
)""",
    OWN_VERDICT,
    """
page AS MATERIALIZED (
    SELECT s.*, c.code,
           concat(s.session_date, 'T', json_time(s.start_time), '~', s.id) AS cursor,
           row_number() OVER (
               ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST, s.id) AS n
    FROM my_classes c JOIN attendance_sessions s ON s.class_id = c.id
    WHERE (:class_id IS NULL OR c.id = :class_id)
      AND s.session_date >= coalesce(:first, '-infinity'::date)
      AND s.session_date <= coalesce(:last, 'infinity'::date)
      AND (c.periods @> s.session_date OR EXISTS (
          SELECT FROM attendance_statuses m
          WHERE m.class_id = s.class_id AND m.session_id = s.id
            AND m.student_id = (SELECT id FROM student)))
      AND (:after_day::date IS NULL OR s.session_date < :after_day
           OR (s.session_date = :after_day
               AND (s.start_time < :after_time
                    OR (s.start_time IS NULL AND :after_time IS NOT NULL)
                    OR (s.start_time IS NOT DISTINCT FROM :after_time AND s.id > :after_id::uuid))))
    ORDER BY s.session_date DESC, s.start_time DESC NULLS LAST, s.id
    LIMIT :most + 1
),
documents AS (
    SELECT p.id, json_build_object(
        'sessionId', p.id, 'classId', p.class_id, 'code', p.code, 'date', p.session_date,
        'start', json_time(p.start_time), 'end', json_time(p.end_time), 'status', p.status,
        'mark', m.status, 'leaveKind', m.leave_kind, 'markedAt', json_instant(m.marked_at),
        'counted', coalesce(k.counted, 0) > 0, 'attended', coalesce(k.attended, 0) * 0.01,
        'question', (
            SELECT json_build_object('id', q.id, 'status', q.status) FROM mark_questions q
            WHERE q.class_id = p.class_id AND q.session_id = p.id AND q.student_id = student.id
            ORDER BY q.asked_at DESC LIMIT 1)) AS document
    FROM page p CROSS JOIN student
    LEFT JOIN attendance_statuses m ON m.class_id = p.class_id AND m.session_id = p.id
        AND m.student_id = student.id
    LEFT JOIN v_mark_counts k ON k.class_id = p.class_id AND k.session_id = p.id
        AND k.student_id = student.id
    WHERE p.n <= :most
)""",
    PAGE_OF_DOCUMENTS,
)


async def sessions(
    db: Database,
    actor: StudentActor,
    shown: Filter,
    limit: int,
    after: tuple[date, time | None, UUID] | None,
) -> Document[list[MySession]]:
    """The sessions of the student's classes, newest first, `limit` of them after `after`.

    Raises `NotFound` for a class that is none of theirs.
    """
    after_day, after_time, after_id = after or (None, None, None)
    row = await db.row(
        _LIST,
        **actor.asks(),
        **vars(shown),
        after_day=after_day,
        after_time=after_time,
        after_id=after_id,
        most=limit,
    )
    return page_of(row)
