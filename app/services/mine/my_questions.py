"""A student's questions about their own marks: asked, seen, withdrawn."""

from uuid import UUID

from app.db import Database
from app.documents import Document
from app.errors import Conflict
from app.schemas.questions import MyQuestion, QuestionDraft
from app.services.access import (
    MY_CLASSES,
    OWN_VERDICT,
    STUDENT,
    STUDENT_VERDICT,
    StudentActor,
    check,
)
from app.services.lists import PAGE_OF_DOCUMENTS, After, newest_first
from app.sql import Statement

MOST_OPEN = 10  # of a student in one class

# From `shown`, questions of the student, to their `documents` for them.
_DOCUMENTS = """
documents AS (
    SELECT q.id, json_build_object(
        'id', q.id, 'classId', q.class_id, 'code', c.code, 'sessionId', q.session_id,
        'date', s.session_date, 'start', json_time(s.start_time), 'text', q.text,
        'said', q.said, 'mark', m.status, 'status', q.status,
        'askedAt', json_instant(q.asked_at), 'answer', q.answer,
        'answeredAt', json_instant(q.answered_at)) AS document
    FROM shown q
    JOIN classes c ON c.id = q.class_id
    JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
    LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
        AND m.student_id = q.student_id
)"""

# Questions of one student wait for each other, so that they are counted right.
_LOCK = Statement(
    STUDENT,
    STUDENT_VERDICT,
    """
locked AS (SELECT FROM students WHERE id = (SELECT id FROM student) FOR NO KEY UPDATE)""",
    "SELECT verdict, (SELECT count(*) FROM locked) AS locked FROM verdict",
)

_ASK = Statement(
    MY_CLASSES,
    """
own AS MATERIALIZED (
    SELECT m.class_id, m.session_id, m.student_id, m.status
    FROM attendance_statuses m JOIN student ON student.id = m.student_id
    WHERE m.class_id = :class_id AND m.session_id = :session_id
      AND m.class_id IN (SELECT id FROM my_classes)
)""",
    OWN_VERDICT,
    """
pending AS MATERIALIZED (
    SELECT q.* FROM mark_questions q JOIN student ON student.id = q.student_id
    WHERE q.class_id = :class_id AND q.status = 'open'
),
same AS (SELECT * FROM pending WHERE session_id = :session_id),
asked AS (
    INSERT INTO mark_questions (class_id, session_id, student_id, text, said)
    SELECT class_id, session_id, student_id, :text, status FROM own
    WHERE NOT EXISTS (SELECT FROM same) AND (SELECT count(*) FROM pending) < :most::integer
    RETURNING *
)""",
    "shown AS (SELECT * FROM asked UNION ALL SELECT * FROM same WHERE text = :text)",
    _DOCUMENTS,
    """
SELECT verdict, EXISTS (SELECT FROM asked) AS made, EXISTS (SELECT FROM same) AS open,
       (SELECT document FROM documents)::text AS document
FROM verdict
""",
)


async def ask(
    db: Database, actor: StudentActor, draft: QuestionDraft
) -> tuple[Document[MyQuestion], bool]:
    """The question about that mark, and whether this request made it: the very same is found.

    Raises `NotFound` where the student has no mark.
    """
    async with db.transaction() as tx:
        check(await tx.row(_LOCK, **actor.asks()))
        row = await tx.row(
            _ASK,
            **actor.asks(),
            class_id=draft.class_id,
            session_id=draft.session_id,
            text=draft.text,
            most=MOST_OPEN,
        )
        check(row, "mark of yours")
    if row["document"] is not None:
        return Document(row["document"]), row["made"]
    if row["open"]:
        raise Conflict(
            "You have asked about this mark already. Withdraw that question to ask another.",
            code="question_open",
        )
    raise Conflict(
        f"You have {MOST_OPEN} open questions in this class. Wait for an answer, or withdraw some.",
        code="too_many_questions",
    )


_LIST = Statement(
    STUDENT,
    STUDENT_VERDICT,
    """
page AS MATERIALIZED (
    SELECT q.*, json_instant(q.asked_at) || '~' || q.id AS cursor,
           row_number() OVER (ORDER BY q.asked_at DESC, q.id) AS n
    FROM mark_questions q
    WHERE q.student_id = (SELECT id FROM student)
      AND (:after_at::timestamptz IS NULL OR q.asked_at < :after_at
           OR (q.asked_at = :after_at AND q.id > :after_id::uuid))
    ORDER BY q.asked_at DESC, q.id
    LIMIT :most + 1
),
shown AS (SELECT * FROM page WHERE n <= :most)""",
    _DOCUMENTS,
    PAGE_OF_DOCUMENTS,
)


async def questions(
    db: Database, actor: StudentActor, limit: int, after: After
) -> Document[list[MyQuestion]]:
    """The student's questions, newest first, `limit` of them after `after`."""
    return await newest_first(db, _LIST, limit, after, **actor.asks())


_WITHDRAW = Statement(
    STUDENT,
    """
own AS MATERIALIZED (
    SELECT q.* FROM mark_questions q JOIN student ON student.id = q.student_id
    WHERE q.id = :question_id
)""",
    OWN_VERDICT,
    """
withdrawn AS (
    UPDATE mark_questions q SET status = 'withdrawn'
    FROM own WHERE q.id = own.id AND q.class_id = own.class_id AND q.status = 'open'
    RETURNING q.*
),
shown AS (SELECT * FROM withdrawn UNION ALL SELECT * FROM own WHERE status = 'withdrawn')""",
    _DOCUMENTS,
    "SELECT verdict, (SELECT document FROM documents)::text AS document FROM verdict",
)


async def withdraw(db: Database, actor: StudentActor, question_id: UUID) -> Document[MyQuestion]:
    """Take back a question that is not answered yet."""
    row = await db.row(_WITHDRAW, **actor.asks(), question_id=question_id)
    check(row, "question")
    if row["document"] is None:
        raise Conflict("This question is answered already.", code="question_answered")
    return Document(row["document"])
