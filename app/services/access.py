"""Access control: the relations that begin a statement, and the check of their verdict.

A class, a session or a roster is reached only through a statement that carries the actor:
`:actor_id` is the user id from the token, `:class_id` or `:session_id` comes from the path. The
statement reads the user's current role, finds the class, and works only on `granted`, which is
empty if access is refused. The relation `verdict` says why; `check` raises the matching error.

`actor` is the signed-in person, `staff` the same person if they work here: everything that staff
can do reads `staff`, so a role that is neither teacher nor administrator inherits nothing.
`student` is the same person's own record if they are a student; all that students see begins there.

This is the only place that defines who can do what with a class.

Rows are always locked in the same order, so that requests wait for each other and never
deadlock: the allow-list; classes by id; students by `roll_key COLLATE "C"`, the order in which
unknown ones are created; leave; sessions by class and id; marks by session and student; questions.
All locks of one kind are taken by one statement, before those of the next kind.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.db import Database, Transaction
from app.errors import AccessDenied, Conflict, NotFound, NotSignedIn
from app.sql import Relations, Statement


@dataclass(frozen=True, slots=True)
class Actor:
    """The user named by the token, and the request id. Each statement reads their role."""

    user_id: UUID
    request_id: str


@dataclass(frozen=True, slots=True)
class StudentActor(Actor):
    """Who asks on a route for students, where `user_id` is the id of their account.

    `let_in` is whether students sign in here at all (STUDENT_SIGN_IN).
    """

    let_in: bool

    def asks(self) -> dict[str, object]:
        """The parameters that `STUDENT` has."""
        return {"actor_id": self.user_id, "let_in": self.let_in}


# What the planner knows of roles it would forget of a union, and expect everybody to be an admin.
STAFF = """
listed_user AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = :actor_id AND u.disabled_at IS NULL
),
staff AS MATERIALIZED (SELECT * FROM listed_user WHERE role IN ('teacher', 'admin')),
actor AS (SELECT * FROM listed_user UNION ALL SELECT id, 'student' FROM student_accounts
          WHERE id = :actor_id AND disabled_at IS NULL)"""

# For what any teacher can see or do, whichever classes they have.
STAFF_VERDICT = """
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                ELSE 'granted' END AS verdict
)"""

# For what only administrators can see or change: nobody else learns whether it exists.
ADMIN: Relations = (
    STAFF,
    """
admin AS MATERIALIZED (SELECT * FROM staff WHERE role = 'admin'),
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM admin) THEN 'denied'
                ELSE 'granted' END AS verdict
)""",
)

# A student is who the institution says has the address: their record, and no other one. What a
# teacher has entered is nobody's until an administrator confirms it.
STUDENT: Relations = (
    STAFF,
    """
student AS MATERIALIZED (
    SELECT s.id
    FROM student_accounts a
    JOIN students s ON s.id = a.student_id AND lower(btrim(s.dtu_email)) = lower(btrim(a.email))
        AND lower(btrim(s.confirmed_email)) = lower(btrim(a.email))
    WHERE a.id = :actor_id AND a.disabled_at IS NULL AND :let_in::boolean
      AND NOT EXISTS (
          SELECT FROM students other
          WHERE lower(btrim(other.dtu_email)) = lower(btrim(a.email))
            AND lower(btrim(other.confirmed_email)) = lower(btrim(a.email)) AND other.id <> s.id)
)""",
)

STUDENT_VERDICT = """
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                ELSE 'granted' END AS verdict
)"""

# For a thing of the student's, which is in `own` if it is theirs and there. It is missing in one
# way whether it is somebody else's or nowhere.
OWN_VERDICT = """
verdict AS (
    SELECT CASE WHEN EXISTS (SELECT FROM actor WHERE role <> 'student') THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM student) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM own) THEN 'not_found'
                ELSE 'granted' END AS verdict
)"""

# The classes on whose roster the student is, with the periods of the enrolment.
MY_CLASSES: Relations = (
    STUDENT,
    """
my_classes AS MATERIALIZED (
    SELECT c.*, e.periods
    FROM class_students e JOIN classes c ON c.id = e.class_id
    WHERE e.student_id = (SELECT id FROM student) AND on_roster(e.periods)
      AND c.archived_at IS NULL
)""",
)


# The classes the actor teaches that day as a co-teacher or substitute. Owners and admins never
# read this relation, so it costs them nothing.
def _covering(day: str) -> str:
    return f"""
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN staff ON staff.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> {day}
)"""


COVERING = _covering("current_date")

# An array, since the planner estimates `IN` as half of all classes, and would read all students.
_OWNS = "(staff.role = 'admin' OR c.teacher_id = staff.id)"
_MAY = f"({_OWNS} OR c.id = ANY(ARRAY(SELECT class_id FROM covering)))"

_MINE = f"mine AS NOT MATERIALIZED (SELECT c.* FROM classes c CROSS JOIN staff WHERE {_MAY})"

# All classes the actor has access to today, or on a later `:day`, including archived ones.
MINE: Relations = (STAFF, COVERING, _MINE)
MINE_ON_DAY: Relations = (STAFF, _covering("greatest(:day::date, current_date)"), _MINE)

# The classes that the actor teaches on `:day`, their own and those shared with them, archived ones
# too: an administrator may work in all, and teaches these. `teaching` is the days on which they do.
# Who may no longer work in a class, or will no longer on a later `:day`, has it no more.
TAUGHT_ON_DAY: Relations = (
    STAFF,
    """
taught AS NOT MATERIALIZED (
    SELECT c.*, daterange(NULL, NULL) AS teaching
    FROM staff JOIN classes c ON c.teacher_id = staff.id
    UNION ALL
    SELECT c.*, daterange(t.first_day, t.last_day, '[]')
    FROM staff JOIN class_teachers t ON t.user_id = staff.id
    JOIN classes c ON c.id = t.class_id
    WHERE daterange(t.first_day, t.last_day, '[]')
       @> daterange(:day::date, greatest(:day, current_date), '[]')
)""",
)

_NAMED = "wanted AS (SELECT :class_id::uuid AS id)"
_OF_QUESTION = "wanted AS (SELECT class_id AS id FROM mark_questions WHERE id = :question_id)"
_OF_SESSION = "wanted AS (SELECT class_id AS id FROM attendance_sessions WHERE id = :session_id)"


def _class(lock: str = "") -> str:
    """The requested class, locked as asked, with the actor's rights."""
    return f"""
class AS MATERIALIZED (
    SELECT c.*, {_OWNS} AS owns, {_MAY} AS may, staff.id AS actor_id, staff.role AS actor_role
    FROM classes c CROSS JOIN staff WHERE c.id = (SELECT id FROM wanted) {lock}
)"""


_READ, _SHARE, _CHANGE, _CLOSE = map(
    _class, ("", "FOR SHARE OF c", "FOR NO KEY UPDATE OF c", "FOR UPDATE OF c")
)


# The order matters: first who the actor is, then whether the class exists, then whether they have
# access. If all of that passes, `granted` is empty only for a write to an archived class.
def _verdict(right: str) -> str:
    return f"""
verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM actor) THEN 'signed_out'
                WHEN NOT EXISTS (SELECT FROM staff) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
                WHEN NOT (SELECT {right} FROM class) THEN 'denied'
                WHEN NOT EXISTS (SELECT FROM granted) THEN 'archived'
                ELSE 'granted' END AS verdict
)"""


_READABLE = ("granted AS MATERIALIZED (SELECT * FROM class WHERE may)", _verdict("may"))
_LIVE = (
    "granted AS MATERIALIZED (SELECT * FROM class WHERE may AND archived_at IS NULL)",
    _verdict("may"),
)
_OWNED_LIVE = (
    "granted AS MATERIALIZED (SELECT * FROM class WHERE owns AND archived_at IS NULL)",
    _verdict("owns"),
)
_OWNED = ("granted AS MATERIALIZED (SELECT * FROM class WHERE owns)", _verdict("owns"))

READ_CLASS: Relations = (STAFF, COVERING, _NAMED, _READ, _READABLE)
READ_SESSION: Relations = (STAFF, COVERING, _OF_SESSION, _READ, _READABLE)
READ_QUESTION: Relations = (STAFF, COVERING, _OF_QUESTION, _READ, _READABLE)
# For a read that decides whether a write follows.
READ_LIVE_CLASS: Relations = (STAFF, COVERING, _NAMED, _READ, _LIVE)
WRITE_CLASS: Relations = (STAFF, COVERING, _NAMED, _SHARE, _LIVE)
MARK_SESSION: Relations = (STAFF, COVERING, _OF_SESSION, _SHARE, _LIVE)
ANSWER_QUESTION: Relations = (STAFF, COVERING, _OF_QUESTION, _SHARE, _LIVE)
CHANGE_CLASS: Relations = (STAFF, COVERING, _NAMED, _CHANGE, _LIVE)
# Only for owners and admins: renaming, reassigning or closing a class, and granting access to it.
OWN_CLASS: Relations = (STAFF, COVERING, _NAMED, _CHANGE, _OWNED_LIVE)
CLOSE_CLASS: Relations = (STAFF, COVERING, _NAMED, _CLOSE, _OWNED)


def check(row: asyncpg.Record, what: str = "class") -> None:
    """Raise the error for the row's `verdict`; `what` names the thing that was not found."""
    match row["verdict"]:
        case "granted":
            return
        case "signed_out":
            raise NotSignedIn("You are no longer signed in. Please sign in again.")
        case "not_found":
            raise NotFound(f"There is no such {what}.")
        case "denied":
            raise AccessDenied("Access denied")
        case "archived":
            raise Conflict(
                "This class is archived. Restore it to change it.", code="class_archived"
            )
        case other:
            raise AssertionError(f"unknown verdict {other}")


def _hold(lock: str) -> Statement:
    """Lock those of the classes that the actor has access to, in the order of their ids."""
    return Statement(
        STAFF,
        COVERING,
        f"""
held AS MATERIALIZED (
    SELECT c.id FROM classes c CROSS JOIN staff
    WHERE c.id = ANY(:class_ids::uuid[]) AND {_MAY} AND c.archived_at IS NULL
    ORDER BY c.id
    FOR {lock} OF c
)""",
        STAFF_VERDICT,
        "SELECT verdict, (SELECT array_agg(id) FROM held) AS held FROM verdict",
    )


_HOLD_TO_WRITE, _HOLD_TO_CHANGE = _hold("SHARE"), _hold("NO KEY UPDATE")
_MAY_WRITE = Statement(WRITE_CLASS, "SELECT verdict FROM verdict")
_MAY_CHANGE = Statement(CHANGE_CLASS, "SELECT verdict FROM verdict")
_MAY_OWN = Statement(STAFF, COVERING, _NAMED, _READ, _OWNED, "SELECT verdict FROM verdict")
_IS_ADMIN = Statement(ADMIN, "SELECT verdict FROM verdict")
_IS_STAFF = Statement(STAFF, STAFF_VERDICT, "SELECT verdict FROM verdict")
_IS_STUDENT = Statement(STUDENT, STUDENT_VERDICT, "SELECT verdict FROM verdict")


async def hold_classes(
    tx: Transaction, actor: Actor, class_ids: Iterable[UUID], *, to_change: bool
) -> None:
    """Lock the classes in the global order, to write in them or to change them.

    Raises the error for the first class that the actor cannot write in or change.
    """
    many, one = (_HOLD_TO_CHANGE, _MAY_CHANGE) if to_change else (_HOLD_TO_WRITE, _MAY_WRITE)
    wanted = sorted(set(class_ids))
    row = await tx.row(many, actor_id=actor.user_id, class_ids=wanted)
    check(row)
    for class_id in set(wanted) - set(row["held"] or ()):
        check(await tx.row(one, actor_id=actor.user_id, class_id=class_id))


async def require_admin(db: Database | Transaction, actor: Actor) -> None:
    """Raise `NotSignedIn` or `AccessDenied` unless the actor is an administrator now."""
    check(await db.row(_IS_ADMIN, actor_id=actor.user_id))


async def require_owner(db: Database, actor: Actor, class_id: UUID) -> None:
    """Raise the error of `check` unless the class, archived or not, is the actor's own, or they
    are an administrator."""
    check(await db.row(_MAY_OWN, actor_id=actor.user_id, class_id=class_id))


async def require_staff(db: Database, actor: Actor) -> None:
    """Raise `NotSignedIn` or `AccessDenied` unless the actor is a teacher or administrator now."""
    check(await db.row(_IS_STAFF, actor_id=actor.user_id))


async def require_known(db: Database, actor: StudentActor) -> None:
    """Raise `NotSignedIn` unless the actor is a student now, or is refused by the route."""
    row = await db.row(_IS_STUDENT, **actor.asks())
    if row["verdict"] == "signed_out":
        check(row)
