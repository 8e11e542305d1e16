"""Classes from a file or another system, each with its teacher and its term."""

from typing import Any
from uuid import UUID

import asyncpg

from app.batch import Batch, ClassRow
from app.db import Transaction
from app.errors import Unavailable
from app.schemas.imports import RowOutcome
from app.services.imports.conditions import Conditions
from app.services.imports.outcomes import Outcomes, Table
from app.services.people.allow_list import make_users
from app.sql import Statement

# The users, terms and existing classes, in the order given. A class of another system is the one
# created with its id, else the live one with exactly the same code and section.
_FIND = Statement(
    """
given AS MATERIALIZED (
    SELECT * FROM unnest(:ids::uuid[], :codes::text[], :sections::text[], :teachers::text[],
                         :terms::text[])
        WITH ORDINALITY AS g(id, code, section, teacher, term, place)
),
known AS MATERIALIZED (
    SELECT g.*, u.id AS teacher_id,
           CASE WHEN g.term IS NULL THEN (SELECT id FROM v_current_term) ELSE t.id END AS term_id,
           g.term IS NULL OR t.id IS NOT NULL AS term_known
    FROM given g
    LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(g.teacher))
    LEFT JOIN terms t ON lower(btrim(t.name)) = lower(btrim(g.term))
),
candidates AS MATERIALIZED (
    SELECT k.place, c.id, c.code, c.archived_at, true AS by_id, true AS exact
    FROM known k JOIN classes c ON c.id = k.id
    UNION ALL
    SELECT k.place, c.id, c.code, c.archived_at, false, (c.code, c.section) = (k.code, k.section)
    FROM known k
    JOIN classes c
        ON c.teacher_id = k.teacher_id AND lower(btrim(c.code)) = lower(btrim(k.code))
       AND lower(btrim(c.section)) = lower(btrim(k.section))
       AND c.term_id IS NOT DISTINCT FROM k.term_id AND c.archived_at IS NULL
    WHERE k.id IS NULL OR (c.code, c.section) = (k.code, k.section)
),
found AS MATERIALIZED (
    SELECT DISTINCT ON (place) k.*, c.id AS class_id, CASE
        WHEN c.by_id AND c.code <> k.code THEN 'class_of_another'
        WHEN c.archived_at IS NOT NULL THEN 'class_archived'
    END AS problem
    FROM known k LEFT JOIN candidates c USING (place)
    ORDER BY place, c.by_id DESC, c.exact DESC, c.id
)""",
    """
SELECT array_agg(teacher_id ORDER BY place) AS teachers,
       array_agg(term_id ORDER BY place) AS terms,
       array_agg(term_known ORDER BY place) AS terms_known,
       array_agg(class_id ORDER BY place) AS classes,
       array_agg(problem ORDER BY place) AS problems
FROM found
""",
)

_LOCK = Statement("""
SELECT count(*) FROM (
    SELECT FROM classes WHERE id = ANY(:ids::uuid[]) ORDER BY id FOR NO KEY UPDATE
) locked
""")

# `:found` are the existing classes, null where one is to be created, with its id in `:ids` if any.
_WRITE = Statement(
    """
given AS MATERIALIZED (
    SELECT *, coalesce(found, outside, gen_random_uuid()) AS id
    FROM unnest(:found::uuid[], :ids::uuid[], :teachers::uuid[], :terms::uuid[], :codes::text[],
                :sections::text[], :names::text[], :ltp_patterns::text[], :teacher_types::text[],
                :practical_groups::text[])
        WITH ORDINALITY AS g(
            found, outside, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type,
            practical_group, place)
),
wanted AS (
    SELECT c.id, g.place, g.name,
           coalesce(g.ltp_pattern, c.ltp_pattern) AS ltp_pattern,
           coalesce(g.teacher_type, c.teacher_type) AS teacher_type,
           coalesce(g.practical_group, c.practical_group) AS practical_group
    FROM given g JOIN classes c ON c.id = g.found
    WHERE NOT :keep
),
changed AS (
    UPDATE classes c
    SET name = w.name, ltp_pattern = w.ltp_pattern, teacher_type = w.teacher_type,
        practical_group = w.practical_group, updated_at = now()
    FROM wanted w
    WHERE c.id = w.id AND c.archived_at IS NULL
      AND (c.name, c.ltp_pattern, c.teacher_type, c.practical_group) IS DISTINCT FROM
          (w.name, w.ltp_pattern, w.teacher_type, w.practical_group)
    RETURNING w.place
),
kept AS (
    SELECT g.place FROM given g JOIN classes c ON c.id = g.found
    WHERE :keep
      AND (c.teacher_id, c.name, c.section, c.ltp_pattern, c.teacher_type, c.practical_group)
          IS DISTINCT FROM
          (g.teacher_id, g.name, g.section, g.ltp_pattern, g.teacher_type, g.practical_group)
),
made AS (
    INSERT INTO classes (
        id, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type, practical_group)
    SELECT id, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type,
           practical_group
    FROM given WHERE found IS NULL ORDER BY id
)""",
    """
SELECT (SELECT array_agg(place) FROM changed) AS changed,
       (SELECT array_agg(place) FROM kept) AS kept,
       array_agg(id ORDER BY place) AS ids
FROM given
""",
)


async def write(
    tx: Transaction, batch: Batch, conditions: Conditions, report: Outcomes
) -> dict[str, UUID]:
    """Create the classes, or update the name and other fields of existing ones.

    From a source, existing classes are kept as they are. Returns the classes by their ids in the
    other system. Teacher, code, section and term identify a class; an empty field erases nothing.
    A teacher on the allow-list who has never signed in gets a user.
    """
    made = await make_users(tx, [row.teacher for row in batch.classes])
    report.count(Table.USERS, RowOutcome.CREATED, made)
    known = await _known(tx, batch, _each_once(batch.classes, report), report)
    if not known:
        return {}
    found = [ids["class_id"] for _, ids in known]
    await tx.execute(_LOCK, ids=[class_id for class_id in found if class_id])
    try:
        done = await tx.row(_WRITE, **_columns(known), keep=conditions.keep)
    except asyncpg.UniqueViolationError:
        raise Unavailable(
            "Somebody has just made one of these classes. Please try again.", retry_after=1
        ) from None
    changed, kept = set(done["changed"] or ()), set(done["kept"] or ())
    for place, (row, ids) in enumerate(known, start=1):
        existing = RowOutcome.CHANGED if place in changed else RowOutcome.UNCHANGED
        report.note(Table.CLASSES, row.row, existing if ids["class_id"] else RowOutcome.CREATED)
        if place in kept:
            report.keep(Table.CLASSES, row.row, "class_differs")
    outside = [row.outside_id for row, _ in known]
    return {name: id for name, id in zip(outside, done["ids"], strict=True) if name is not None}


def _each_once(rows: list[ClassRow], report: Outcomes) -> list[ClassRow]:
    firsts: dict[tuple[str, ...], ClassRow] = {}
    for row in rows:
        texts = (row.draft.code, row.draft.section, row.teacher, row.term or "")
        first = firsts.setdefault(tuple(text.strip().casefold() for text in texts), row)
        if first is not row:
            report.refuse(Table.CLASSES, row.row, "code", "repeated", first.row)
    return list(firsts.values())


Known = list[tuple[ClassRow, dict[str, Any]]]


async def _known(tx: Transaction, batch: Batch, rows: list[ClassRow], report: Outcomes) -> Known:
    """The rows that can be written, with the ids of their teachers, terms and classes."""
    outside = [batch.class_id(row.outside_id) if row.outside_id else None for row in rows]
    found = await tx.row(
        _FIND,
        ids=outside,
        codes=[row.draft.code for row in rows],
        sections=[row.draft.section for row in rows],
        teachers=[row.teacher for row in rows],
        terms=[row.term for row in rows],
    )
    known: Known = []
    names = ("teachers", "terms", "terms_known", "classes", "problems")
    columns = zip(rows, outside, *(found[name] or () for name in names), strict=True)
    for row, own_id, teacher_id, term_id, term_known, class_id, problem in columns:
        if not term_known:
            report.refuse(Table.CLASSES, row.row, "term", "unknown_term")
        elif teacher_id is None:
            report.refuse(Table.CLASSES, row.row, "teacher", "unknown_teacher")
        elif problem:
            report.refuse(Table.CLASSES, row.row, "code", problem)
        else:
            ids = {"teacher_id": teacher_id, "term_id": term_id, "class_id": class_id}
            known.append((row, ids | {"own_id": own_id}))
    return known


def _columns(known: Known) -> dict[str, list[Any]]:
    drafts = [row.draft for row, _ in known]
    return {
        "found": [ids["class_id"] for _, ids in known],
        "ids": [ids["own_id"] for _, ids in known],
        "teachers": [ids["teacher_id"] for _, ids in known],
        "terms": [ids["term_id"] for _, ids in known],
        "codes": [draft.code for draft in drafts],
        "sections": [draft.section for draft in drafts],
        "names": [draft.name for draft in drafts],
        "ltp_patterns": [draft.ltp_pattern for draft in drafts],
        "teacher_types": [draft.teacher_type for draft in drafts],
        "practical_groups": [draft.practical_group for draft in drafts],
    }
