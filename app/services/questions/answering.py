"""Answering a student's question: the mark is changed, or not and why."""

from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Conflict
from app.schemas.attendance import MarkBatch, MarkUpdate
from app.schemas.questions import Outcome, Question, QuestionAnswer
from app.services.access import ANSWER_QUESTION, Actor, check
from app.services.audit import RECORDED, signed
from app.services.questions.shown import DOCUMENTS
from app.services.sessions.marking import mark_within
from app.services.sessions.session_lock import changed_since
from app.sql import Statement

# With the class held nobody closes it or takes the right away meanwhile.
_FIND = Statement(
    ANSWER_QUESTION,
    """
shown AS (
    SELECT q.* FROM mark_questions q JOIN granted ON granted.id = q.class_id
    WHERE q.id = :question_id
)""",
    """
SELECT verdict, q.session_id, q.status, q.answer, q.answered_by, st.roll_no, m.remark, s.version
FROM verdict LEFT JOIN shown q ON true
LEFT JOIN attendance_sessions s ON s.class_id = q.class_id AND s.id = q.session_id
LEFT JOIN students st ON st.id = q.student_id
LEFT JOIN attendance_statuses m ON m.class_id = q.class_id AND m.session_id = q.session_id
    AND m.student_id = q.student_id
""",
)

_ANSWER = Statement(
    """
answered AS (
    UPDATE mark_questions
    SET status = :outcome::text, answer = :answer, answered_by = :actor_id::uuid,
        answered_at = clock_timestamp()
    WHERE id = :question_id AND status = 'open'
    RETURNING *
),
acts AS (
    SELECT 'question_answered' AS action, 'question' AS subject, id AS subject_id,
           jsonb_build_object('classId', class_id, 'sessionId', session_id,
                              'studentId', student_id, 'outcome', status) AS details
    FROM answered
)""",
    RECORDED,
    "SELECT subject_id FROM acts",
)

_GET = Statement(
    "shown AS (SELECT * FROM mark_questions WHERE id = :question_id)",
    DOCUMENTS,
    "SELECT document::text, version FROM documents",
)


async def answer_question(
    db: Database,
    actor: Actor,
    question_id: UUID,
    given: QuestionAnswer,
    *,
    if_match: list[int] | None,
    window: int | None,
) -> Document[Question]:
    """Answer the question, and if the mark was wrong change it by the rules of marking.

    The same answer again changes nothing; another one is a conflict. `if_match` lists the versions
    of the session the caller has seen: in any other one the mark may be another than they judged,
    which raises `Stale`, unless it is already what they change it to.
    """
    async with db.transaction() as tx:
        question = await tx.row(_FIND, actor_id=actor.user_id, question_id=question_id)
        check(question, "question")
        if not _is_given(question, actor, given):
            _require_open(question["status"])
            if given.outcome is Outcome.CHANGED:
                await _change_mark(tx, actor, question, given, if_match, window)
            elif if_match is not None and question["version"] not in if_match:
                raise changed_since()
            await _record(tx, actor, question_id, given)
        row = await tx.row(_GET, question_id=question_id)
        return Document(row["document"], version=row["version"])


def _is_given(question: asyncpg.Record, actor: Actor, given: QuestionAnswer) -> bool:
    """Whether this is the answer that was given already, sent again."""
    said = (question["status"], question["answer"], question["answered_by"])
    return said == (given.outcome, given.answer, actor.user_id)


async def _change_mark(
    tx: Transaction,
    actor: Actor,
    question: asyncpg.Record,
    given: QuestionAnswer,
    if_match: list[int] | None,
    window: int | None,
) -> None:
    assert given.status is not None
    update = MarkUpdate(roll_no=question["roll_no"], status=given.status, remark=question["remark"])
    batch = MarkBatch(updates=[update], reason=given.reason)
    await mark_within(tx, actor, question["session_id"], batch, if_match=if_match, window=window)


async def _record(tx: Transaction, actor: Actor, question_id: UUID, given: QuestionAnswer) -> None:
    answer = {"outcome": given.outcome, "answer": given.answer, "question_id": question_id}
    if await tx.find_row(_ANSWER, **answer, **signed(actor)) is None:
        raise _answered()  # by the request that this one waited for


def _require_open(status: str) -> None:
    if status == "withdrawn":
        raise Conflict("The student has withdrawn this question.", code="question_withdrawn")
    if status != "open":
        raise _answered()


def _answered() -> Conflict:
    return Conflict("This question is answered already. Reload it.", code="question_answered")
