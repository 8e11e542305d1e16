"""Classes from a file, each with its teacher and its term."""

from typing import Any

import asyncpg

from app.batch import ClassRow
from app.db import Transaction
from app.errors import Unavailable
from app.schemas.imports import RowOutcome
from app.services.imports.report import Report
from app.services.people.allow_list import make_users
from app.services.timetable.calendar import THIS_TERM
from app.sql import Statement

# In the order given: the users and terms these are, and the live classes there are already.
_FIND = Statement(
    THIS_TERM,
    """
given AS MATERIALIZED (
    SELECT * FROM unnest(:codes::text[], :sections::text[], :teachers::text[], :terms::text[])
        WITH ORDINALITY AS g(code, section, teacher, term, place)
),
known AS MATERIALIZED (
    SELECT g.*, u.id AS teacher_id,
           CASE WHEN g.term IS NULL THEN (SELECT id FROM this_term) ELSE t.id END AS term_id,
           g.term IS NULL OR t.id IS NOT NULL AS term_known
    FROM given g
    LEFT JOIN users u ON lower(btrim(u.email)) = lower(btrim(g.teacher))
    LEFT JOIN terms t ON lower(btrim(t.name)) = lower(btrim(g.term))
),
found AS MATERIALIZED (
    SELECT DISTINCT ON (place) k.*, c.id AS class_id
    FROM known k
    LEFT JOIN classes c
        ON c.teacher_id = k.teacher_id AND lower(btrim(c.code)) = lower(btrim(k.code))
       AND lower(btrim(c.section)) = lower(btrim(k.section))
       AND c.term_id IS NOT DISTINCT FROM k.term_id AND c.archived_at IS NULL
    ORDER BY place, (c.code, c.section) = (k.code, k.section) DESC, c.id
)""",
    """
SELECT array_agg(teacher_id ORDER BY place) AS teachers,
       array_agg(term_id ORDER BY place) AS terms,
       array_agg(term_known ORDER BY place) AS terms_known,
       array_agg(class_id ORDER BY place) AS classes
FROM found
""",
)

_LOCK = Statement("""
SELECT count(*) FROM (
    SELECT FROM classes WHERE id = ANY(:ids::uuid[]) ORDER BY id FOR NO KEY UPDATE
) locked
""")

# `:found` are the classes, null where one is to be made.
_WRITE = Statement(
    """
given AS MATERIALIZED (
    SELECT *, coalesce(found, gen_random_uuid()) AS id
    FROM unnest(:found::uuid[], :teachers::uuid[], :terms::uuid[], :codes::text[],
                :sections::text[], :names::text[], :ltp_patterns::text[], :teacher_types::text[],
                :practical_groups::text[])
        WITH ORDINALITY AS g(
            found, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type,
            practical_group, place)
),
wanted AS (
    SELECT c.id, g.place, g.name,
           coalesce(g.ltp_pattern, c.ltp_pattern) AS ltp_pattern,
           coalesce(g.teacher_type, c.teacher_type) AS teacher_type,
           coalesce(g.practical_group, c.practical_group) AS practical_group
    FROM given g JOIN classes c ON c.id = g.found
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
made AS (
    INSERT INTO classes (
        id, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type, practical_group)
    SELECT id, teacher_id, term_id, code, section, name, ltp_pattern, teacher_type,
           practical_group
    FROM given WHERE found IS NULL ORDER BY id
)""",
    "SELECT (SELECT array_agg(place) FROM changed) AS changed",
)


async def write(tx: Transaction, rows: list[ClassRow], report: Report) -> None:
    """Make the classes, or give those there the names and other fields of the file.

    A class is one of its teacher's by code, section and term; an empty field erases nothing.
    A teacher on the allow-list who has never signed in gets their user here.
    """
    await make_users(tx, [row.teacher for row in rows])
    known = await _known(tx, _each_once(rows, report), report)
    if not known:
        return
    found = [ids["class_id"] for _, ids in known]
    await tx.execute(_LOCK, ids=[class_id for class_id in found if class_id])
    try:
        done = await tx.row(_WRITE, **_columns(known))
    except asyncpg.UniqueViolationError:
        raise Unavailable(
            "Somebody has just made one of these classes. Please try again.", retry_after=1
        ) from None
    changed = set(done["changed"] or ())
    for place, (row, ids) in enumerate(known, start=1):
        there = RowOutcome.CHANGED if place in changed else RowOutcome.UNCHANGED
        report.note(row.row, there if ids["class_id"] else RowOutcome.CREATED)


def _each_once(rows: list[ClassRow], report: Report) -> list[ClassRow]:
    firsts: dict[tuple[str, ...], ClassRow] = {}
    for row in rows:
        texts = (row.draft.code, row.draft.section, row.teacher, row.term or "")
        first = firsts.setdefault(tuple(text.strip().casefold() for text in texts), row)
        if first is not row:
            report.refuse(row.row, "code", "repeated", first.row)
    return list(firsts.values())


Known = list[tuple[ClassRow, dict[str, Any]]]


async def _known(tx: Transaction, rows: list[ClassRow], report: Report) -> Known:
    """The rows whose teacher and term there are, with their ids."""
    found = await tx.row(
        _FIND,
        codes=[row.draft.code for row in rows],
        sections=[row.draft.section for row in rows],
        teachers=[row.teacher for row in rows],
        terms=[row.term for row in rows],
    )
    known: Known = []
    columns = zip(
        rows,
        *(found[name] or () for name in ("teachers", "terms", "terms_known", "classes")),
        strict=True,
    )
    for row, teacher_id, term_id, term_known, class_id in columns:
        if teacher_id is None:
            report.refuse(row.row, "teacher", "unknown_teacher")
        elif not term_known:
            report.refuse(row.row, "term", "unknown_term")
        else:
            ids = {"teacher_id": teacher_id, "term_id": term_id, "class_id": class_id}
            known.append((row, ids))
    return known


def _columns(known: Known) -> dict[str, list[Any]]:
    drafts = [row.draft for row, _ in known]
    return {
        "found": [ids["class_id"] for _, ids in known],
        "teachers": [ids["teacher_id"] for _, ids in known],
        "terms": [ids["term_id"] for _, ids in known],
        "codes": [draft.code for draft in drafts],
        "sections": [draft.section for draft in drafts],
        "names": [draft.name for draft in drafts],
        "ltp_patterns": [draft.ltp_pattern for draft in drafts],
        "teacher_types": [draft.teacher_type for draft in drafts],
        "practical_groups": [draft.practical_group for draft in drafts],
    }
