"""Classes from a file, each with its teacher and its term."""

from typing import Any

import asyncpg

from app.db import Transaction
from app.errors import Unavailable
from app.schemas.imports import ClassRow, RowOutcome
from app.services.imports.report import Report
from app.services.people.allow_list import make_users
from app.services.timetable.calendar import CURRENT_TERM

# $1 to $4 codes, sections, teachers, terms. In the order given: the users and terms these are,
# and the live classes there are already.
_FIND = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
        WITH ORDINALITY AS g(code, section, teacher, term, place)
),
known AS MATERIALIZED (
    SELECT g.*, u.id AS teacher_id,
           CASE WHEN g.term IS NULL THEN ({CURRENT_TERM}) ELSE t.id END AS term_id,
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
)
SELECT array_agg(teacher_id ORDER BY place) AS teachers,
       array_agg(term_id ORDER BY place) AS terms,
       array_agg(term_known ORDER BY place) AS terms_known,
       array_agg(class_id ORDER BY place) AS classes
FROM found
"""

_LOCK = """
SELECT count(*) FROM (
    SELECT FROM classes WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
) locked
"""

_OPTIONAL = ("ltp_pattern", "teacher_type", "practical_group")
_STORED = f"c.name, {', '.join(f'c.{field}' for field in _OPTIONAL)}"
_WANTED = f"g.name, {', '.join(f'coalesce(g.{field}, c.{field})' for field in _OPTIONAL)}"

# $1 classes (null: to be made), $2 teachers, $3 terms, $4 to $9 the fields of each.
_WRITE = f"""
WITH given AS MATERIALIZED (
    SELECT *, coalesce(found, gen_random_uuid()) AS id
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                $7::text[], $8::text[], $9::text[])
        WITH ORDINALITY AS g(
            found, teacher_id, term_id, code, section, name, {", ".join(_OPTIONAL)}, place)
),
changed AS (
    UPDATE classes c SET (name, {", ".join(_OPTIONAL)}) = ROW({_WANTED}), updated_at = now()
    FROM given g
    WHERE c.id = g.found AND c.archived_at IS NULL AND ({_STORED}) IS DISTINCT FROM ({_WANTED})
    RETURNING g.place
),
made AS (
    INSERT INTO classes (
        id, teacher_id, term_id, code, section, name, {", ".join(_OPTIONAL)})
    SELECT id, teacher_id, term_id, code, section, name, {", ".join(_OPTIONAL)}
    FROM given WHERE found IS NULL ORDER BY id
)
SELECT (SELECT array_agg(place) FROM changed) AS changed
"""


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
    await tx.find_row(_LOCK, [class_id for class_id in found if class_id])
    try:
        done = await tx.row(_WRITE, *_columns(known))
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
        [row.draft.code for row in rows],
        [row.draft.section for row in rows],
        [row.teacher for row in rows],
        [row.term for row in rows],
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


def _columns(known: Known) -> list[list[Any]]:
    ids = [[ids[name] for _, ids in known] for name in ("class_id", "teacher_id", "term_id")]
    fields = ("code", "section", "name", *_OPTIONAL)
    return [*ids, *([getattr(row.draft, field) for row, _ in known] for field in fields)]
