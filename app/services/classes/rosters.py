"""Rosters: who is in a class, read and replaced.

`app.services.classes.enrolling` does the enrolling and withdrawing.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.errors import AccessDenied, Conflict, Flaw, Invalid
from app.schemas.roster import Roster, RosterEntry, RosterOutcome, Withdrawal
from app.services.access import CHANGE_CLASS, Actor, check
from app.services.classes.enrolling import SENTENCES, create_and_lock, enrol, forget_strangers
from app.services.sessions.session_lock import Change
from app.sql import Statement

# The students of the classes in `listed`, as JSON, by roll number.
ROSTERS = """
rosters AS MATERIALIZED (
    SELECT e.class_id, json_agg(student ORDER BY s.roll_key) AS students
    FROM class_students e
    JOIN students s ON s.id = e.student_id
    CROSS JOIN LATERAL (
        SELECT s.id AS "studentId", s.roll_no AS "rollNo", s.name, s.photo_url AS "photoUrl",
               s.program, s.sp_code AS "spCode", s.semester, s.status, s.duration, s.email,
               s.dtu_email AS "dtuEmail", s.phone, enrolled_from(e.periods) AS "enrolledFrom",
               upper(e.periods) - 1 AS "enrolledUntil"
    ) student
    WHERE e.class_id IN (SELECT id FROM listed) AND on_roster(e.periods)
    GROUP BY e.class_id
)"""

# Includes the days to which the actor's access is limited, unless they own the class.
_LOCK = Statement(
    CHANGE_CLASS,
    """
SELECT verdict, c.actor_role, t.first_day, t.last_day
FROM verdict LEFT JOIN granted c ON true
LEFT JOIN class_teachers t ON NOT c.owns AND t.class_id = c.id AND t.user_id = c.actor_id
""",
)

# A separate statement, so that it also counts students whose enrolment the lock waited for.
_COUNT = Statement("""
SELECT count(*) AS students FROM class_students
WHERE class_id = :class_id AND on_roster(periods)
""")

_ROSTER = Statement(
    "listed AS (SELECT :class_id::uuid AS id)",
    ROSTERS,
    "SELECT coalesce((SELECT students FROM rosters), '[]')::text AS students",
)


async def put_roster(
    db: Database,
    actor: Actor,
    class_id: UUID,
    roster: Roster,
    *,
    merge: bool,
    dry_run: bool,
    confirm: bool,
    window: int | None = None,
) -> Document[RosterOutcome]:
    """Replace the roster (`merge`: change only the students named) and return what changed.

    Withdrawn students keep their marks. `dry_run` returns the same and changes nothing, but for a
    teacher it treats students who are in none of their classes as unknown (`forget_strangers`).
    Emptying a roster of more than one student needs `confirm`. If new days show or hide leave in
    sessions that are finalised or older than `window` days, an administrator has to do it and give
    a reason.
    """
    async with db.transaction(keep=not dry_run) as tx:
        actor_role = await lock_roster(tx, actor, class_id, roster.students, roster.withdrawals)
        if not (merge or confirm or roster.students):
            await _refuse_emptying(tx, class_id)
        if dry_run and actor_role != "admin":
            await forget_strangers(tx, actor, class_id, roster.students)
        await create_and_lock(tx, roster.students)
        change = await enrol(
            *(tx, actor, class_id, roster.students, roster.withdrawals),
            replace=not merge,
            change=Change(window, roster.reason),
        )
        _check_dates(change)
        students = (await tx.row(_ROSTER, class_id=class_id))["students"]
    return Document(
        f'{{"students":{students},"added":{change["added"]},"removed":{change["removed"]},'
        f'"changed":{change["changed"]},"conflicts":{change["conflicts"]}}}'
    )


async def lock_roster(
    tx: Transaction,
    actor: Actor,
    class_id: UUID,
    entries: Iterable[RosterEntry],
    leavers: Iterable[Withdrawal] = (),
) -> str:
    """Lock the class to change its roster, if the actor may; return the actor's role.

    A teacher who has the class only for some days can only date enrolments within those days.
    """
    lock = await tx.row(_LOCK, actor_id=actor.user_id, class_id=class_id)
    check(lock)
    days = [entry.from_ for entry in entries if entry.from_]
    # A withdrawal takes effect on the day after the last one.
    days += [leaver.last_day + timedelta(days=1) for leaver in leavers if leaver.last_day]
    first, last = lock["first_day"] or date.min, lock["last_day"] or date.max
    if not all(first <= day <= last for day in days):
        raise AccessDenied("Access denied")
    role: str = lock["actor_role"]
    return role


async def require_roster(db: Database, actor: Actor, class_id: UUID) -> None:
    """Refuse early, before expensive work, an actor who cannot change the roster."""
    check(await db.row(_LOCK, actor_id=actor.user_id, class_id=class_id))


async def _refuse_emptying(tx: Transaction, class_id: UUID) -> None:
    students = (await tx.row(_COUNT, class_id=class_id))["students"]
    if students > 1:
        raise Conflict(
            f"This would remove all {students} students. Confirm this to continue.",
            code="confirmation_needed",
        )


def _check_dates(change: dict[str, Any]) -> None:
    """Refuse the whole roster if a day in it is impossible."""
    flaws = []
    for place, code in zip(change["refused"] or (), change["refusals"] or (), strict=True):
        day = "lastDay" if place.startswith("/withdrawals") else "from"
        field = "rollNo" if code == "not_enrolled" else day
        flaws.append(Flaw(f"{place}/{field}", code, SENTENCES[code]))
    if flaws:
        raise Invalid(
            f"Nothing was changed. {flaws[0].detail}", code=flaws[0].code, flaws=tuple(flaws)
        )
