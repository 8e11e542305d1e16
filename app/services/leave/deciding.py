"""Deciding on leave: approve, reject or withdraw it, and update the marks it affects."""

from enum import Enum
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.documents import Document
from app.errors import AccessDenied, Conflict, Unavailable
from app.schemas.leave import DecidedLeave
from app.services.access import Actor
from app.services.audit import RECORDED, signed
from app.services.leave.asking import lock_student
from app.services.leave.leaves import get_leave, read_leave
from app.services.sessions.leave_shown import Scope, settle
from app.services.sessions.session_lock import Change
from app.sql import Statement


class Decision(Enum):
    """The possible decisions: from which statuses to which."""

    APPROVE = (("pending",), "approved")
    REJECT = (("pending",), "rejected")
    WITHDRAW = (("pending", "approved"), "withdrawn")


# While the classes are locked, nobody can mark students or open sessions in them.
_LOCK_CLASSES = Statement(
    """
locked AS (
    SELECT id FROM classes
    WHERE id IN (
        SELECT class_id FROM class_students
        WHERE student_id = :student_id AND (:class_id::uuid IS NULL OR class_id = :class_id))
    ORDER BY id FOR NO KEY UPDATE
)""",
    "SELECT coalesce(array_agg(id), '{}') AS class_ids FROM locked",
)

_COUNT_CLASSES = Statement("""
SELECT count(*) AS classes FROM class_students
WHERE student_id = :student_id AND (:class_id::uuid IS NULL OR class_id = :class_id)
""")

_LOCK = Statement("SELECT FROM leaves WHERE id = :leave_id FOR UPDATE")

_DECIDE = Statement(
    """
decided AS (
    UPDATE leaves SET status = :status, decided_by = :actor_id, decided_at = clock_timestamp()
    WHERE id = :leave_id
),
acts AS (
    SELECT 'leave_' || :status::text AS action, 'leave' AS subject,
           :leave_id::uuid AS subject_id, '{}'::jsonb AS details
)""",
    RECORDED,
    "SELECT",
)


async def decide(
    db: Database, actor: Actor, leave_id: UUID, decision: Decision, change: Change
) -> Document[DecidedLeave]:
    """Set the status of the leave, and show it in marks or stop showing it.

    Repeating a decision changes nothing. The person who requested leave can withdraw it while it
    is undecided. Marks in sessions that are closed for marking change by the rules of `settle`.
    """
    sources, goal = decision.value
    changed = 0
    async with db.transaction() as tx:
        leave = await _read_to_decide(tx, actor, leave_id, decision)
        class_ids = await _hold(tx, leave["student_id"], leave["class_id"])
        await tx.execute(_LOCK, leave_id=leave_id)
        # A concurrent request may have decided or deleted the leave, or revoked the actor's access.
        leave = await _read_to_decide(tx, actor, leave_id, decision)
        if leave["status"] in sources:
            await tx.execute(_DECIDE, **signed(actor), leave_id=leave_id, status=goal)
            if "approved" in (leave["status"], goal):
                days = {"first": leave["first_day"], "last": leave["last_day"]}
                scope = Scope(class_ids, student_ids=[leave["student_id"]], **days)
                changed = (await settle(tx, actor, scope, change, role=leave["actor_role"])).changed
        elif leave["status"] != goal:
            raise _decided_already(leave["status"])
        document = (await get_leave(tx, actor, leave_id)).json
    return Document(f'{{"leave":{document},"changed":{changed}}}')


async def _hold(tx: Transaction, student_id: UUID, class_id: UUID | None) -> list[UUID]:
    """Lock the student and the classes in which the leave can change marks; return the classes."""
    whose = {"student_id": student_id, "class_id": class_id}
    held: list[UUID] = (await tx.row(_LOCK_CLASSES, **whose))["class_ids"]
    await lock_student(tx, student_id)
    if (await tx.row(_COUNT_CLASSES, **whose))["classes"] != len(held):
        raise Unavailable(
            "A roster that includes this student has just changed. Please try again.", retry_after=1
        )
    return held


def _decided_already(status: str) -> Conflict:
    if status == "approved":
        return Conflict("This leave is approved: withdraw it.", code="leave_approved")
    if status == "rejected":
        return Conflict("This leave was rejected: ask for it again.", code="leave_rejected")
    return Conflict("This leave was withdrawn: ask for it again.", code="leave_withdrawn")


async def _read_to_decide(
    tx: Transaction, actor: Actor, leave_id: UUID, decision: Decision
) -> asyncpg.Record:
    leave = await read_leave(tx, actor, leave_id)
    own_request = leave["requested_by"] == actor.user_id and leave["status"] != "approved"
    if not leave["decides"] and not (decision is Decision.WITHDRAW and own_request):
        raise AccessDenied("Access denied")
    return leave
