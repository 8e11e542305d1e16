"""Institution's addresses that are on several records, found before anybody is refused for them."""

from app.db import Database
from app.documents import Document
from app.schemas.admin import SharedAddress
from app.services.access import ADMIN, Actor
from app.services.lists import PAGE_OF_DOCUMENTS, page_of
from app.sql import Statement

# Addresses are one as for signing in: whatever the capitals, and the spaces around them.
_SHARED = Statement(
    ADMIN,
    """
page AS MATERIALIZED (
    SELECT address AS id, address AS cursor, count(*) AS records,
           count(*) FILTER (WHERE lower(btrim(s.confirmed_email)) = address) AS confirmed,
           row_number() OVER (ORDER BY address) AS n
    FROM students s CROSS JOIN LATERAL (SELECT lower(btrim(s.dtu_email)) AS address) a
    WHERE EXISTS (SELECT FROM admin) AND address <> ''
      AND (:after::text IS NULL OR address > :after)
    GROUP BY address HAVING count(*) > 1
    ORDER BY address
    LIMIT :most + 1
),
documents AS (
    SELECT p.id, json_build_object(
        'address', p.id, 'records', p.records, 'confirmed', p.confirmed, 'students', (
            SELECT json_agg(json_build_object(
                'studentId', s.id, 'rollNo', s.roll_no, 'name', s.name,
                'dtuEmailConfirmed', coalesce(lower(btrim(s.confirmed_email)) = p.id, false))
                ORDER BY s.roll_key)
            FROM (
                SELECT * FROM students WHERE lower(btrim(dtu_email)) = p.id
                ORDER BY roll_key LIMIT :most_students
            ) s
        )) AS document
    FROM page p WHERE p.n <= :most
)""",
    PAGE_OF_DOCUMENTS,
)

# Of an address that somebody has put on a whole class, these are enough to see what happened.
_MOST_STUDENTS = 20


async def shared_addresses(
    db: Database, actor: Actor, limit: int, after: str | None
) -> Document[list[SharedAddress]]:
    """The addresses on several records, in alphabetical order: `limit` of them after `after`."""
    asked = {"actor_id": actor.user_id, "after": after, "most_students": _MOST_STUDENTS}
    return page_of(await db.row(_SHARED, **asked, most=limit))
