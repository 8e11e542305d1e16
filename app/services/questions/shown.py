"""Questions as staff see them: those about marks in their classes."""

from dataclasses import dataclass
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.questions import Question, QuestionStatus
from app.services.access import MINE, READ_QUESTION, STAFF_VERDICT, Actor, check
from app.services.lists import PAGE_OF_DOCUMENTS, After, newest_first
from app.sql import Statement

# From `shown`, the questions, to their `documents` for staff, with the versions of the sessions.
DOCUMENTS = """
documents AS (
    SELECT q.id, s.version, json_build_object(
        'id', q.id, 'classId', q.class_id, 'code', c.code, 'section', c.section,
        'sessionId', q.session_id, 'date', s.session_date, 'start', json_time(s.start_time),
        'studentId', q.student_id, 'rollNo', st.roll_no, 'name', st.name, 'text', q.text,
        'said', q.said, 'mark', m.status, 'status', q.status,
        'askedAt', json_instant(q.asked_at), 'answer', q.answer, 'answeredBy', q.answered_by,
        'answeredAt', json_instant(q.answered_at)) AS document
    FROM shown q
    JOIN classes c ON c.id = q.class_id
    JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
    JOIN students st ON st.id = q.student_id
    LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
        AND m.student_id = q.student_id
)"""


@dataclass(frozen=True)
class Filter:
    """Which questions to show; None shows all."""

    class_id: UUID | None = None
    status: QuestionStatus | None = None


# Those that wait for an answer.
OPEN = Filter(status=QuestionStatus.OPEN)


_LIST = Statement(
    MINE,
    STAFF_VERDICT,
    """
page AS MATERIALIZED (
    SELECT q.*, json_instant(q.asked_at) || '~' || q.id AS cursor,
           row_number() OVER (ORDER BY q.asked_at DESC, q.id) AS n
    FROM mark_questions q
    WHERE q.class_id = ANY(ARRAY(SELECT id FROM mine))
      AND (:class_id::uuid IS NULL OR q.class_id = :class_id)
      AND (:status::text IS NULL OR q.status = :status)
      AND (:after_at::timestamptz IS NULL OR q.asked_at < :after_at
           OR (q.asked_at = :after_at AND q.id > :after_id::uuid))
    ORDER BY q.asked_at DESC, q.id
    LIMIT :most + 1
),
shown AS (SELECT * FROM page WHERE n <= :most)""",
    DOCUMENTS,
    PAGE_OF_DOCUMENTS,
)


async def list_questions(
    db: Database,
    actor: Actor,
    shown: Filter,
    limit: int,
    after: After,
) -> Document[list[Question]]:
    """The questions in the actor's classes, newest first, `limit` of them after `after`."""
    return await newest_first(db, _LIST, limit, after, actor_id=actor.user_id, **vars(shown))


_GET = Statement(
    READ_QUESTION,
    """
shown AS (
    SELECT q.* FROM mark_questions q JOIN granted ON granted.id = q.class_id
    WHERE q.id = :question_id
)""",
    DOCUMENTS,
    "SELECT verdict, document::text, version FROM verdict LEFT JOIN documents ON true",
)


async def get_question(db: Database, actor: Actor, question_id: UUID) -> Document[Question]:
    """One question about a mark in a class of the actor's, with the version of its session."""
    row = await db.row(_GET, actor_id=actor.user_id, question_id=question_id)
    check(row, "question")
    return Document(row["document"], version=row["version"])
