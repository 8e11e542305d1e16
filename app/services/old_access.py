"""The preludes of statements that are not composed of relations yet."""

# `actor` is who asks if they are staff; `anybody` whoever is signed in.
ACTOR = """
anybody AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u
    JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
actor AS MATERIALIZED (SELECT * FROM anybody WHERE role IN ('teacher', 'admin'))"""


def in_days(teacher: str, day: str = "current_date") -> str:
    """SQL for whether the day is one of those of that row of `class_teachers`."""
    return f"daterange({teacher}.first_day, {teacher}.last_day, '[]') @> {day}"


def covering(day: str) -> str:
    """SQL for the classes the actor does not own and may work in on the day: after `actor`,
    wherever `MAY` stands.

    Nothing reads it for who owns the class or is an admin, for whom it therefore costs nothing.
    """
    return f"""
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN actor ON actor.id = t.user_id
    WHERE {in_days("t", day)}
)"""


COVERING = covering("current_date")

OWNS = "(actor.role = 'admin' OR c.teacher_id = actor.id)"
# An array, since the planner takes `IN` for half of all classes, and reads all students for them.
MAY = f"({OWNS} OR c.id = ANY(ARRAY(SELECT class_id FROM covering)))"

_CLASS_OF_SESSION = "(SELECT class_id FROM attendance_sessions WHERE id = $2)"


def _prelude(class_id: str, condition: str, lock: str, right: str = MAY) -> str:
    return f"""
    WITH {ACTOR},
    {COVERING},
    class AS MATERIALIZED (
        SELECT c.*, {right} AS may, actor.id AS actor_id, actor.role AS actor_role
        FROM classes c CROSS JOIN actor
        WHERE c.id = {class_id}
        {f"FOR {lock} OF c" if lock else ""}
    ),
    granted AS MATERIALIZED (SELECT * FROM class WHERE {condition})"""


_LIVE = "may AND archived_at IS NULL"

READ_CLASS = _prelude("$2", "may", "")
READ_SESSION = _prelude(_CLASS_OF_SESSION, "may", "")
WRITE_CLASS = _prelude("$2", _LIVE, "SHARE")
CHANGE_CLASS = _prelude("$2", _LIVE, "NO KEY UPDATE")
# For owners and admins alone: renaming, giving away, closing a class, and saying who else may.
OWN_CLASS = _prelude("$2", _LIVE, "NO KEY UPDATE", OWNS)
CLOSE_CLASS = _prelude("$2", "may", "UPDATE", OWNS)
MARK_SESSION = _prelude(_CLASS_OF_SESSION, _LIVE, "SHARE")

# Who asks is decided before what they ask for, and whether it exists before whether they may.
# `granted` is empty after all that only for a write to an archived class.
_VERDICT = """
CASE
    WHEN NOT EXISTS (SELECT FROM anybody) THEN 'signed_out'
    WHEN NOT EXISTS (SELECT FROM actor) THEN 'denied'
    WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
    WHEN NOT (SELECT may FROM class) THEN 'denied'
    WHEN {archived} THEN 'archived'
    ELSE 'granted'
END AS verdict"""
VERDICT = _VERDICT.format(archived="NOT EXISTS (SELECT FROM granted)")
# For a read that decides whether a write follows.
WRITE_VERDICT = _VERDICT.format(archived="(SELECT archived_at IS NOT NULL FROM class)")

SIGNED_OUT = """
CASE
    WHEN NOT EXISTS (SELECT FROM anybody) THEN 'signed_out'
    WHEN NOT EXISTS (SELECT FROM actor) THEN 'denied'
    ELSE 'granted'
END AS verdict"""

# For what is found in classes that the actor may see, or not at all: `found` holds it.
FOUND_VERDICT = """
CASE
    WHEN NOT EXISTS (SELECT FROM anybody) THEN 'signed_out'
    WHEN NOT EXISTS (SELECT FROM actor) THEN 'denied'
    WHEN NOT EXISTS (SELECT FROM {found}) THEN 'not_found'
    ELSE 'granted'
END AS verdict"""

# For what only administrators may see or change: nobody else learns whether it exists.
ADMIN = f"""
{ACTOR},
admin AS MATERIALIZED (SELECT * FROM actor WHERE role = 'admin')"""

ADMIN_VERDICT = """
CASE
    WHEN NOT EXISTS (SELECT FROM anybody) THEN 'signed_out'
    WHEN NOT EXISTS (SELECT FROM actor) THEN 'denied'
    WHEN NOT EXISTS (SELECT FROM admin) THEN 'denied'
    ELSE 'granted'
END AS verdict"""
