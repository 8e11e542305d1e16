"""The attendance policy: read it, set it, and preview a change.

The counting rules are defined once, in the database functions `attendance_attended`,
`attendance_counted` and `attendance_below` (migration 0006); the functions of migration 0007
derive a student's standing from them.
"""

from typing import Any
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.schemas.policy import Policy, PolicyPreview, PolicyRules
from app.services.access import ADMIN, STAFF, STAFF_VERDICT, Actor, check, require_admin
from app.services.audit import RECORDED, signed
from app.services.counting.places import after_class
from app.services.lists import page_of
from app.sql import Statement

# All staff can read the rules by which their students are judged.
_GET = Statement(
    STAFF,
    STAFF_VERDICT,
    """
SELECT verdict, (
    SELECT json_build_object(
        'threshold', p.threshold, 'lateWeight', p.late_weight, 'excused', p.excused,
        'onDuty', p.on_duty, 'minimumSessions', p.minimum_sessions,
        'updatedAt', json_instant(p.updated_at))
    FROM policy p
)::text AS document
FROM verdict
""",
)


async def get_policy(db: Database | Transaction, actor: Actor) -> Document[Policy]:
    """The rules in force."""
    row = await db.row(_GET, actor_id=actor.user_id)
    check(row)
    return Document(row["document"])


_SET = Statement(
    """
wanted AS (
    SELECT :threshold::integer AS threshold, :late_weight::integer AS late_weight,
           :excused::text AS excused, :on_duty::text AS on_duty,
           :minimum_sessions::integer AS minimum_sessions
),
changed AS (
    UPDATE policy p
    SET threshold = w.threshold, late_weight = w.late_weight, excused = w.excused,
        on_duty = w.on_duty, minimum_sessions = w.minimum_sessions, updated_at = now()
    FROM wanted w
    WHERE (p.threshold, p.late_weight, p.excused, p.on_duty, p.minimum_sessions)
          IS DISTINCT FROM
          (w.threshold, w.late_weight, w.excused, w.on_duty, w.minimum_sessions)
    RETURNING p.single
),
history AS (
    INSERT INTO policies (since, threshold, late_weight, excused, on_duty, minimum_sessions)
    SELECT clock_timestamp(), w.* FROM wanted w WHERE EXISTS (SELECT FROM changed)
),
acts AS (
    SELECT 'policy_changed' AS action, 'policy' AS subject, :subject_id::uuid AS subject_id,
           :said::jsonb AS details
    FROM changed
)""",
    RECORDED,
    "SELECT count(*) AS acts FROM acts",
)

# The policy is one row without an id; its entries of the audit log carry this one.
_SUBJECT = UUID(int=0)


async def set_policy(db: Database, actor: Actor, rules: PolicyRules) -> Document[Policy]:
    """Put these rules in force; all figures follow them from the next request on."""
    said = rules.model_dump_json(by_alias=True)
    async with db.transaction() as tx:
        await require_admin(tx, actor)
        await tx.execute(_SET, subject_id=_SUBJECT, said=said, **_values(rules), **signed(actor))
        return await get_policy(tx, actor)


def _values(rules: PolicyRules) -> dict[str, Any]:
    return rules.model_dump()


_PREVIEW = Statement(
    ADMIN,
    """
tried AS (
    SELECT ROW(true, :threshold, :late_weight, :excused, :on_duty, :minimum_sessions,
               now())::policy AS rules
),
judged AS MATERIALIZED (
    SELECT v.class_id, v.student_id, v.roll_key, v.roll_no, v.name, v.percentage AS before,
           attendance_percentage(n.attended, n.counted) AS after,
           attendance_below(p, v.attended, v.counted) AS was_below,
           attendance_below(tried.rules, n.attended, n.counted) AS is_below
    FROM v_enrolment_attendance v
    CROSS JOIN policy p
    CROSS JOIN tried
    CROSS JOIN LATERAL (
        SELECT attendance_attended(tried.rules, v.counts, v.on_duty) AS attended,
               attendance_counted(tried.rules, v.counts, v.on_duty) AS counted
    ) n
    WHERE v.enrolled AND EXISTS (SELECT FROM admin)
),
crossing AS MATERIALIZED (
    SELECT judged.*, row_number() OVER (
               ORDER BY c.code COLLATE "C", c.section COLLATE "C", c.id, judged.roll_key) AS place,
           c.code, c.section, CASE WHEN is_below THEN 'falls' ELSE 'rises' END AS direction
    FROM judged JOIN classes c ON c.id = judged.class_id AND c.archived_at IS NULL
    WHERE was_below <> is_below
),
page AS MATERIALIZED (
    SELECT crossing.*, row_number() OVER (ORDER BY place) AS n
    FROM crossing
    WHERE :after_class::uuid IS NULL
       OR (code COLLATE "C", section COLLATE "C", class_id, roll_key)
          > (:after_code::text, :after_section::text, :after_class, :after_roll::text)
    ORDER BY place
    LIMIT :most + 1
),
students AS (
    SELECT n, json_build_object(
        'classId', class_id, 'code', code, 'section', section, 'studentId', student_id,
        'rollNo', roll_no, 'name', name, 'direction', direction, 'before', before,
        'after', after) AS student
    FROM page WHERE n <= :most
)""",
    """
SELECT verdict, json_build_object(
    'falls', (SELECT count(*) FROM crossing WHERE is_below),
    'rises', (SELECT count(*) FROM crossing WHERE was_below),
    'students', (SELECT coalesce(json_agg(student ORDER BY n), '[]') FROM students)
)::text AS document, (
    SELECT last.class_id || '~' || last.roll_key FROM page last
    WHERE last.n = :most AND EXISTS (SELECT FROM page WHERE n > :most)
) AS next_cursor
FROM verdict
""",
)


async def preview_policy(
    db: Database,
    actor: Actor,
    rules: PolicyRules,
    limit: int,
    after: tuple[UUID, str] | None,
) -> Document[PolicyPreview]:
    """List who would cross the line if these rules were in force; nothing is changed."""
    class_id, after_roll = after or (None, None)
    row = await db.report(
        _PREVIEW,
        actor_id=actor.user_id,
        after_roll=after_roll,
        most=limit,
        **await after_class(db, class_id),
        **_values(rules),
    )
    return page_of(row)
