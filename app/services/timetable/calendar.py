"""The institution's calendar: terms, in which classes meet, and holidays, on which they do not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg

from app.db import Database
from app.documents import Document
from app.errors import Conflict, Invalid, NotFound
from app.schemas.calendar import (
    Calendar,
    Holiday,
    HolidayChange,
    HolidayDraft,
    Term,
    TermChange,
    TermDraft,
)
from app.services.access import ADMIN, STAFF, STAFF_VERDICT, Actor, check, require_admin
from app.services.audit import RECORDED, signed
from app.sql import Statement

Entry = TypeVar("Entry", Term, Holiday)
Draft = TypeVar("Draft", TermDraft, HolidayDraft)
Change = TypeVar("Change", TermChange, HolidayChange)


def no_such_term(place: str) -> Invalid:
    """The refusal of an unknown term, which was named at `place`."""
    return Invalid.at(place, "unknown_term", "There is no such term.")


# Turns `entries`, terms or holidays, into `documents`.
_DOCUMENTS = """
documents AS (
    SELECT d.*, json_build_object(
        'id', id, 'name', name, 'firstDay', first_day, 'lastDay', last_day,
        'createdAt', json_instant(created_at)) AS document
    FROM entries d
)"""

_CALENDAR = Statement(
    STAFF,
    STAFF_VERDICT,
    """
kept AS (
    SELECT 'term' AS noun, id, name, first_day, last_day, created_at FROM terms
    UNION ALL
    SELECT 'holiday', id, name, first_day, last_day, created_at FROM holidays
),
entries AS (
    SELECT * FROM kept
    WHERE last_day >= coalesce(:first, '-infinity'::date)
      AND first_day <= coalesce(:last, 'infinity'::date)
)""",
    _DOCUMENTS,
    """
SELECT verdict, (
    SELECT json_build_object(
        'terms', coalesce(json_agg(document ORDER BY first_day, last_day, name)
                          FILTER (WHERE noun = 'term'), '[]'),
        'holidays', coalesce(json_agg(document ORDER BY first_day, last_day, name)
                             FILTER (WHERE noun = 'holiday'), '[]'))
    FROM documents
)::text AS document
FROM verdict
""",
)


async def calendar(
    db: Database, actor: Actor, first: date | None, last: date | None
) -> Document[Calendar]:
    """The terms and holidays that overlap `first` to `last`, for all staff."""
    row = await db.row(_CALENDAR, actor_id=actor.user_id, first=first, last=last)
    check(row)
    return Document(row["document"])


# One act per row of `entries`, those added, changed or removed; `:given` names changed fields.
_ACTS = """
acts AS (
    SELECT :action::text AS action, :noun::text AS subject, id AS subject_id,
           jsonb_strip_nulls(jsonb_build_object('fields', :given::text[])) AS details
    FROM entries
)"""

_ARRAY = """
SELECT verdict, (
    SELECT coalesce(json_agg(document ORDER BY first_day, last_day, name), '[]') FROM documents
)::text AS document
FROM verdict
"""
_DOCUMENT = "SELECT document::text FROM documents"


@dataclass(frozen=True)
class _Table:
    """The relations, all called `entries`, for one of the two tables."""

    all: str
    same: str
    add: str
    change: str
    remove: str


_TERMS = _Table(
    all="entries AS (SELECT * FROM terms WHERE EXISTS (SELECT FROM admin))",
    same="""
entries AS (
    SELECT * FROM terms WHERE name = :name AND first_day = :first_day AND last_day = :last_day
)""",
    add="""
entries AS (
    INSERT INTO terms (name, first_day, last_day) VALUES (:name, :first_day, :last_day)
    ON CONFLICT DO NOTHING
    RETURNING *
)""",
    change="""
entries AS (
    UPDATE terms
    SET name = coalesce(:name, name), first_day = coalesce(:first_day, first_day),
        last_day = coalesce(:last_day, last_day)
    WHERE id = :id
    RETURNING *
)""",
    remove="entries AS (DELETE FROM terms WHERE id = :id RETURNING *)",
)

_HOLIDAYS = _Table(
    all="entries AS (SELECT * FROM holidays WHERE EXISTS (SELECT FROM admin))",
    same="""
entries AS (
    SELECT * FROM holidays WHERE name = :name AND first_day = :first_day AND last_day = :last_day
)""",
    add="""
entries AS (
    INSERT INTO holidays (name, first_day, last_day) VALUES (:name, :first_day, :last_day)
    ON CONFLICT DO NOTHING
    RETURNING *
)""",
    change="""
entries AS (
    UPDATE holidays
    SET name = coalesce(:name, name), first_day = coalesce(:first_day, first_day),
        last_day = coalesce(:last_day, last_day)
    WHERE id = :id
    RETURNING *
)""",
    remove="entries AS (DELETE FROM holidays WHERE id = :id RETURNING *)",
)


class Kept(Generic[Entry, Draft, Change]):
    """The terms or the holidays, as administrators maintain them; both are stored alike."""

    def __init__(self, noun: str, table: _Table) -> None:
        self._noun = noun
        self._list = Statement(ADMIN, table.all, _DOCUMENTS, _ARRAY)
        self._same = Statement(table.same, _DOCUMENTS, _DOCUMENT)
        self._add, self._change, self._remove = (
            Statement(entries, _ACTS, RECORDED, _DOCUMENTS, _DOCUMENT)
            for entries in (table.add, table.change, table.remove)
        )

    async def list(self, db: Database, actor: Actor) -> Document[list[Entry]]:
        """List all of them, by first day."""
        row = await db.row(self._list, actor_id=actor.user_id)
        check(row)
        return Document(row["document"])

    async def add(self, db: Database, actor: Actor, draft: Draft) -> tuple[Document[Entry], bool]:
        """Add an entry; return it, and whether this request created it.

        An identical entry is returned as it is, so that the request can be retried.
        """
        values = {
            "name": draft.name,
            "first_day": draft.first_day,
            "last_day": draft.last_day or draft.first_day,
        }
        async with db.transaction() as tx:
            await require_admin(tx, actor)
            made = await tx.find_row(self._add, **values, **self._act(actor, "added"))
            row = made or await tx.find_row(self._same, **values)
        if row is None:
            raise self._there_already()
        return Document(row["document"]), made is not None

    async def change(
        self, db: Database, actor: Actor, entry_id: UUID, wanted: Change
    ) -> Document[Entry]:
        """Change the given fields."""
        given = sorted(wanted.model_fields_set)
        async with db.transaction() as tx:
            await require_admin(tx, actor)
            try:
                row = await tx.find_row(
                    self._change,
                    id=entry_id,
                    name=wanted.name,
                    first_day=wanted.first_day,
                    last_day=wanted.last_day,
                    **self._act(actor, "changed", given),
                )
            except asyncpg.UniqueViolationError:
                raise self._there_already() from None
            except asyncpg.CheckViolationError:
                raise _ends_before_start(wanted) from None
            if row is None:
                raise self._missing()
        return Document(row["document"])

    async def remove(self, db: Database, actor: Actor, entry_id: UUID) -> None:
        """Remove the entry; a term that has classes cannot be removed."""
        async with db.transaction() as tx:
            await require_admin(tx, actor)
            try:
                row = await tx.find_row(self._remove, id=entry_id, **self._act(actor, "removed"))
            except asyncpg.ForeignKeyViolationError:
                raise Conflict(
                    "This term has classes. Move them to another term first.", code="term_in_use"
                ) from None
            if row is None:
                raise self._missing()

    def _act(
        self, actor: Actor, verb: str, given: Sequence[str] | None = None
    ) -> dict[str, object]:
        act = {"action": f"{self._noun}_{verb}", "noun": self._noun, "given": given}
        return {**act, **signed(actor)}

    def _missing(self) -> NotFound:
        return NotFound(f"There is no such {self._noun}.")

    def _there_already(self) -> Conflict:
        return Conflict.at(
            "/name", "in_calendar_already", f"This {self._noun} is in the calendar already."
        )


terms = Kept[Term, TermDraft, TermChange]("term", _TERMS)
holidays = Kept[Holiday, HolidayDraft, HolidayChange]("holiday", _HOLIDAYS)


def _ends_before_start(wanted: TermChange | HolidayChange) -> Invalid:
    place = "/lastDay" if wanted.last_day else "/firstDay"
    return Invalid.at(place, "ends_before_start", "The last day must not be before the first.")
