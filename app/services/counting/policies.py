"""The attendance policy: read, set, and tried out before it is set.

How it counts is written once, in the functions `attendance_attended`, `attendance_counted` and
`attendance_below` of the database (migration 0006), and what follows for a student in those of
migration 0007.
"""

from typing import Any
from uuid import UUID

from pydantic.alias_generators import to_camel

from app.db import Database, Transaction
from app.documents import Document, instant
from app.schemas.policy import Policy, PolicyPreview, PolicyRules
from app.services import old_access as access
from app.services.access import Actor, check, require_admin
from app.services.audit import RECORD, author

_DOCUMENT = f"""(
    SELECT row_to_json(shown) FROM policy p CROSS JOIN LATERAL (
        SELECT p.threshold, p.late_weight AS "lateWeight", p.excused, p.on_duty AS "onDuty",
               p.minimum_sessions AS "minimumSessions", {instant("p.updated_at")} AS "updatedAt"
    ) shown
)::text AS document"""

# Everybody may know by which line they are judged.
_GET = f"WITH {access.ACTOR} SELECT {access.SIGNED_OUT}, {_DOCUMENT}"


async def get_policy(db: Database | Transaction, actor: Actor) -> Document[Policy]:
    """The rules in force."""
    row = await db.row(_GET, actor.user_id)
    check(row)
    return Document(row["document"])


_RULES = ("threshold", "late_weight", "excused", "on_duty", "minimum_sessions")
_COLUMNS = ", ".join(_RULES)

_SET = f"""
WITH changed AS (
    UPDATE policy SET ({_COLUMNS}) = ($4, $5, $6, $7, $8), updated_at = now()
    WHERE ({_COLUMNS}) IS DISTINCT FROM ($4, $5, $6, $7, $8)
    RETURNING single
)
{RECORD} SELECT $1, $2, 'policy_changed', 'policy', $3, $9::jsonb FROM changed
"""

# The policy is one row without an id; its entries of the audit log carry this one.
_SUBJECT = UUID(int=0)


async def set_policy(db: Database, actor: Actor, rules: PolicyRules) -> Document[Policy]:
    """Put these rules in force for every number from the next request on."""
    said = rules.model_dump_json(by_alias=True)
    async with db.transaction() as tx:
        await require_admin(tx, actor)
        await tx.find_row(_SET, *author(actor), _SUBJECT, *_values(rules), said)
        return await get_policy(tx, actor)


# The rules of a new installation (migration 0006).
_FIRST = "ROW(true, 7500, 100, 'absent', 'present', 5, 'epoch')::policy"


def policy_at(at: str) -> str:
    """SQL for a relation: the one row of the policy as it was at an instant."""
    rules = ", ".join(f"'{rule}', l.details->'{to_camel(rule)}'" for rule in _RULES)
    return f"""jsonb_populate_record({_FIRST}, (
        SELECT jsonb_build_object({rules}) FROM audit_log l
        WHERE l.subject_id = '{_SUBJECT}' AND l.action = 'policy_changed' AND l.at <= {at}
        ORDER BY l.at DESC LIMIT 1))"""


def _values(rules: PolicyRules) -> tuple[Any, ...]:
    return tuple(getattr(rules, rule) for rule in _RULES)


# In the order of the list of classes, then of the roster.
_ORDER = 'code COLLATE "C", section COLLATE "C", class_id, roll_key'

# $2 to $6 the rules to try, $7 and $8 after which class and roll, $9 how many.
_PREVIEW = f"""
WITH {access.ADMIN},
tried AS (SELECT ROW(true, $2, $3, $4, $5, $6, now())::policy AS rules),
judged AS MATERIALIZED (
    SELECT v.class_id, v.student_id, v.roll_key, v.roll_no, v.name, v.percentage AS before,
           attendance_percentage(n.attended, n.counted) AS after,
           attendance_below(p, v.attended, v.counted) AS was_below,
           attendance_below(tried.rules, n.attended, n.counted) AS is_below
    FROM v_enrolment_attendance v
    CROSS JOIN policy p
    CROSS JOIN tried
    CROSS JOIN LATERAL (
        SELECT attendance_attended(tried.rules, v.present, v.late, v.excused, v.on_duty)
                   AS attended,
               attendance_counted(
                   tried.rules, v.present, v.absent, v.late, v.excused, v.on_duty) AS counted
    ) n
    WHERE v.enrolled AND EXISTS (SELECT FROM admin)
),
crossing AS MATERIALIZED (
    SELECT judged.*, c.code, c.section,
           CASE WHEN is_below THEN 'falls' ELSE 'rises' END AS direction
    FROM judged JOIN classes c ON c.id = judged.class_id AND c.archived_at IS NULL
    WHERE was_below <> is_below
),
page AS MATERIALIZED (
    SELECT crossing.*, row_number() OVER (ORDER BY {_ORDER}) AS n
    FROM crossing
    WHERE $7::uuid IS NULL OR ({_ORDER}) > (
        SELECT code, section, id, $8::text FROM classes WHERE id = $7)
    ORDER BY {_ORDER}
    LIMIT $9 + 1
)
SELECT {access.ADMIN_VERDICT}, json_build_object(
    'falls', (SELECT count(*) FROM crossing WHERE is_below),
    'rises', (SELECT count(*) FROM crossing WHERE was_below),
    'students', (
        SELECT coalesce(json_agg(student ORDER BY page.n), '[]')
        FROM page CROSS JOIN LATERAL (
            SELECT page.class_id AS "classId", page.code, page.section,
                   page.student_id AS "studentId", page.roll_no AS "rollNo", page.name,
                   page.direction, page.before, page.after
        ) student
        WHERE page.n <= $9)
)::text AS document, (
    SELECT last.class_id || '~' || last.roll_key FROM page last
    WHERE last.n = $9 AND EXISTS (SELECT FROM page WHERE n > $9)
) AS next_cursor
"""


async def preview_policy(
    db: Database,
    actor: Actor,
    rules: PolicyRules,
    limit: int,
    after: tuple[UUID, str] | None,
) -> Document[PolicyPreview]:
    """Who would cross the line if these rules were in force; nothing is changed."""
    row = await db.row(_PREVIEW, actor.user_id, *_values(rules), *(after or (None, None)), limit)
    check(row)
    return Document(row["document"], next_cursor=row["next_cursor"])
