"""Terms from another system."""

from app.batch import TermRow
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.services.access import Actor
from app.services.audit import RECORDED, signed
from app.services.imports.outcomes import Outcomes, Table
from app.sql import Statement

_ADD = Statement(
    """
given AS MATERIALIZED (
    SELECT * FROM unnest(:names::text[], :first_days::date[], :last_days::date[])
        WITH ORDINALITY AS g(name, first_day, last_day, place)
),
made AS (
    INSERT INTO terms (name, first_day, last_day)
    SELECT name, first_day, last_day FROM given g
    WHERE NOT EXISTS (SELECT FROM terms t WHERE lower(btrim(t.name)) = lower(btrim(g.name)))
    ORDER BY place
    ON CONFLICT DO NOTHING
    RETURNING id, name
),
acts AS (
    SELECT 'term_added' AS action, 'term' AS subject, id AS subject_id, '{}'::jsonb AS details
    FROM made
)""",
    RECORDED,
    "SELECT array_agg(place) AS made FROM given JOIN made USING (name)",
)


async def write(tx: Transaction, actor: Actor, rows: list[TermRow], report: Outcomes) -> None:
    """Add the terms whose names are new; existing ones keep their days."""
    listed: dict[str, TermRow] = {}
    for row in rows:
        first = listed.setdefault(row.name.strip().lower(), row)
        if first is not row:
            report.refuse(Table.TERMS, row.row, "name", "repeated", first.row)
    terms = list(listed.values())
    done = await tx.row(
        _ADD,
        names=[term.name.strip() for term in terms],
        first_days=[term.first_day for term in terms],
        last_days=[term.last_day for term in terms],
        **signed(actor),
    )
    made = set(done["made"] or ())
    for place, term in enumerate(terms, start=1):
        outcome = RowOutcome.CREATED if place in made else RowOutcome.UNCHANGED
        report.note(Table.TERMS, term.row, outcome)
