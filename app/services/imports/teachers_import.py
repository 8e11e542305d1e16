"""Teachers of a class besides its owner, from another system."""

from uuid import UUID

from app.batch import TeacherRow
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.services.access import Actor, hold_classes
from app.services.audit import RECORDED, signed
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.outcomes import Outcomes, Table
from app.services.people.allow_list import make_users
from app.sql import Statement

_ADD = Statement(
    """
given AS MATERIALIZED (
    SELECT g.*, u.id AS user_id
    FROM unnest(:classes::uuid[], :emails::text[], :roles::text[])
        WITH ORDINALITY AS g(class_id, email, role, place)
    LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(g.email))
),
made AS (
    INSERT INTO class_teachers (class_id, user_id, role)
    SELECT g.class_id, g.user_id, g.role
    FROM given g JOIN classes c ON c.id = g.class_id AND c.teacher_id <> g.user_id
    ORDER BY g.class_id, g.user_id
    ON CONFLICT DO NOTHING
    RETURNING class_id, user_id, role
),
acts AS (
    SELECT 'teacher_added' AS action, 'class' AS subject, class_id AS subject_id,
           jsonb_build_object('userId', user_id, 'role', role, 'firstDay', NULL, 'lastDay', NULL)
               AS details
    FROM made
)""",
    RECORDED,
    """
SELECT array_agg(user_id IS NOT NULL ORDER BY place) AS known,
       array_agg(EXISTS (SELECT FROM made m WHERE (m.class_id, m.user_id)
                         = (given.class_id, given.user_id)) ORDER BY place) AS made
FROM given
""",
)


async def write(
    tx: Transaction, actor: Actor, rows: list[TeacherRow], classes: Resolved, report: Outcomes
) -> None:
    """Add the teachers to the classes; those already there and owners stay as they are."""
    known: dict[tuple[UUID, str], TeacherRow] = {}
    for row in rows:
        class_id = classes[row.class_name]
        if isinstance(class_id, Unresolved):
            report.refuse(Table.TEACHERS, row.row, "code", class_id.code)
        else:
            known.setdefault((class_id, row.email.strip().lower()), row)
    await hold_classes(tx, actor, (class_id for class_id, _ in known), to_change=True)
    users = await make_users(tx, [email for _, email in known])
    report.count(Table.USERS, RowOutcome.CREATED, users)
    done = await tx.row(
        _ADD,
        classes=[class_id for class_id, _ in known],
        emails=[email for _, email in known],
        roles=[row.role for row in known.values()],
        **signed(actor),
    )
    columns = zip(known.values(), done["known"] or (), done["made"] or (), strict=True)
    for row, has_user, made in columns:
        if has_user:
            outcome = RowOutcome.CREATED if made else RowOutcome.UNCHANGED
            report.note(Table.TEACHERS, row.row, outcome)
        else:
            report.refuse(Table.TEACHERS, row.row, "email", "unknown_teacher")
