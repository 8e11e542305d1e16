"""The preludes of statements that are not composed of relations yet: those that count."""

# `actor` is who asks if they are staff; `anybody` whoever is signed in.
ACTOR = """
anybody AS MATERIALIZED (
    SELECT u.id, a.role
    FROM users u
    JOIN allowed_emails a ON lower(btrim(a.email)) = lower(btrim(u.email))
    WHERE u.id = $1 AND u.disabled_at IS NULL
),
actor AS MATERIALIZED (SELECT * FROM anybody WHERE role IN ('teacher', 'admin'))"""


def covering(day: str) -> str:
    """SQL for the classes the actor does not own and may work in on the day: after `actor`,
    wherever `MAY` stands.

    Nothing reads it for who owns the class or is an admin, for whom it therefore costs nothing.
    """
    return f"""
covering AS MATERIALIZED (
    SELECT t.class_id, t.role
    FROM class_teachers t JOIN actor ON actor.id = t.user_id
    WHERE daterange(t.first_day, t.last_day, '[]') @> {day}
)"""


COVERING = covering("current_date")

# An array, since the planner takes `IN` for half of all classes, and reads all students for them.
MAY = """(actor.role = 'admin' OR c.teacher_id = actor.id
     OR c.id = ANY(ARRAY(SELECT class_id FROM covering)))"""

READ_CLASS = f"""
    WITH {ACTOR},
    {COVERING},
    class AS MATERIALIZED (
        SELECT c.*, {MAY} AS may, actor.id AS actor_id
        FROM classes c CROSS JOIN actor
        WHERE c.id = $2
    ),
    granted AS MATERIALIZED (SELECT * FROM class WHERE may)"""

# Who asks is decided before what they ask for, and whether it exists before whether they may.
VERDICT = """
CASE
    WHEN NOT EXISTS (SELECT FROM anybody) THEN 'signed_out'
    WHEN NOT EXISTS (SELECT FROM actor) THEN 'denied'
    WHEN NOT EXISTS (SELECT FROM class) THEN 'not_found'
    WHEN NOT (SELECT may FROM class) THEN 'denied'
    ELSE 'granted'
END AS verdict"""

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
