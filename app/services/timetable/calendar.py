"""The institution's calendar: terms, in which classes meet, and holidays, on which none does."""

from datetime import date
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg

from app.db import Database
from app.documents import Document, instant
from app.errors import Conflict, Flaw, Invalid, NotFound
from app.schemas.calendar import (
    Calendar,
    Holiday,
    HolidayChange,
    HolidayDraft,
    Term,
    TermChange,
    TermDraft,
)
from app.services import old_access as access
from app.services.access import Actor, check, require_admin
from app.services.audit import RECORD, author

Entry = TypeVar("Entry", Term, Holiday)
Draft = TypeVar("Draft", TermDraft, HolidayDraft)
Change = TypeVar("Change", TermChange, HolidayChange)

# The id of the term that covers today; of several the one that began last, of none the latest.
CURRENT_TERM = """
SELECT id FROM terms
ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC, name
LIMIT 1
"""


THIS_TERM = """
this_term AS (
    SELECT id FROM terms
    ORDER BY (current_date BETWEEN first_day AND last_day) DESC, first_day DESC, last_day DESC,
             name
    LIMIT 1
)"""


def in_term(class_: str, term: str) -> str:
    """SQL for whether a class is of a term: its id as text, `all`, or `current`, in which
    classes without a term are as well."""
    return f"""
    CASE {term} WHEN 'all' THEN true
                WHEN 'current' THEN {class_}.term_id IS NULL OR {class_}.term_id = ({CURRENT_TERM})
                ELSE {class_}.term_id::text = {term} END"""


def term_known(term: str) -> str:
    """SQL for whether there is such a term."""
    return f"({term} IN ('all', 'current') OR EXISTS (SELECT FROM terms WHERE id::text = {term}))"


def no_such_term(place: str) -> Invalid:
    """The refusal of a term that is not there, named at `place`."""
    sentence = "There is no such term."
    return Invalid(sentence, code="unknown_term", flaws=(Flaw(place, "unknown_term", sentence),))


_ENTRY = f"""
json_build_object('id', d.id, 'name', d.name, 'firstDay', d.first_day, 'lastDay', d.last_day,
                  'createdAt', {instant("d.created_at")})"""


def _array(table: str, condition: str) -> str:
    return f"""(
    SELECT coalesce(json_agg({_ENTRY} ORDER BY d.first_day, d.last_day, d.name), '[]')
    FROM {table} d WHERE {condition}
)"""


_TOUCHES = """
d.last_day >= coalesce($2, '-infinity'::date) AND d.first_day <= coalesce($3, 'infinity'::date)"""

_CALENDAR = f"""
WITH {access.ACTOR}
SELECT {access.SIGNED_OUT}, json_build_object(
    'terms', {_array("terms", _TOUCHES)}, 'holidays', {_array("holidays", _TOUCHES)}
)::text AS document
"""


async def calendar(
    db: Database, actor: Actor, first: date | None, last: date | None
) -> Document[Calendar]:
    """The terms and holidays that have a day between `first` and `last`, for everybody."""
    row = await db.row(_CALENDAR, actor.user_id, first, last)
    check(row)
    return Document(row["document"])


def _list_sql(noun: str) -> str:
    return f"""
WITH {access.ADMIN}
SELECT {access.ADMIN_VERDICT}, {_array(f"{noun}s", "EXISTS (SELECT FROM admin)")}::text AS document
"""


def _add_sql(noun: str) -> str:
    return f"""
WITH d AS (
    INSERT INTO {noun}s (name, first_day, last_day) VALUES ($3, $4, $5)
    ON CONFLICT DO NOTHING
    RETURNING *
),
recorded AS ({RECORD} SELECT $1, $2, '{noun}_added', '{noun}', id, '{{}}' FROM d)
SELECT {_ENTRY}::text AS document FROM d
"""


def _same_sql(noun: str) -> str:
    return f"""
SELECT {_ENTRY}::text AS document FROM {noun}s d
WHERE name = $1 AND first_day = $2 AND last_day = $3
"""


# $4 names the fields to change.
def _change_sql(noun: str) -> str:
    return f"""
WITH d AS (
    UPDATE {noun}s SET name = coalesce($5, name), first_day = coalesce($6, first_day),
                       last_day = coalesce($7, last_day)
    WHERE id = $3
    RETURNING *
),
recorded AS (
    {RECORD}
    SELECT $1, $2, '{noun}_changed', '{noun}', id, jsonb_build_object('fields', $4::text[]) FROM d
)
SELECT {_ENTRY}::text AS document FROM d
"""


def _remove_sql(noun: str) -> str:
    return f"""
WITH d AS (DELETE FROM {noun}s WHERE id = $3 RETURNING id),
recorded AS ({RECORD} SELECT $1, $2, '{noun}_removed', '{noun}', id, '{{}}' FROM d)
SELECT id FROM d
"""


class Kept(Generic[Entry, Draft, Change]):
    """What administrators keep in the calendar: terms or holidays, which are stored alike."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._list = _list_sql(noun)
        self._add = _add_sql(noun)
        self._same = _same_sql(noun)
        self._change = _change_sql(noun)
        self._remove = _remove_sql(noun)

    async def list(self, db: Database, actor: Actor) -> Document[list[Entry]]:
        """All of them, by first day."""
        row = await db.row(self._list, actor.user_id)
        check(row)
        return Document(row["document"])

    async def add(self, db: Database, actor: Actor, draft: Draft) -> tuple[Document[Entry], bool]:
        """The new entry, and whether this request made it.

        The very same one again is found, so that a lost answer can be asked for again.
        """
        values = (draft.name, draft.first_day, draft.last_day or draft.first_day)
        async with db.transaction() as tx:
            await require_admin(tx, actor)
            made = await tx.find_row(self._add, *author(actor), *values)
            row = made or await tx.find_row(self._same, *values)
        if row is None:
            raise self._there_already()
        return Document(row["document"]), made is not None

    async def change(
        self, db: Database, actor: Actor, entry_id: UUID, wanted: Change
    ) -> Document[Entry]:
        """Change what was given."""
        given = sorted(wanted.model_fields_set)
        values = (wanted.name, wanted.first_day, wanted.last_day)
        async with db.transaction() as tx:
            await require_admin(tx, actor)
            try:
                row = await tx.find_row(self._change, *author(actor), entry_id, given, *values)
            except asyncpg.UniqueViolationError:
                raise self._there_already() from None
            except asyncpg.CheckViolationError:
                raise _ends_before_start(wanted) from None
            if row is None:
                raise self._missing()
        return Document(row["document"])

    async def remove(self, db: Database, actor: Actor, entry_id: UUID) -> None:
        """Take it out of the calendar; a term stays as long as a class belongs to it."""
        async with db.transaction() as tx:
            await require_admin(tx, actor)
            try:
                row = await tx.find_row(self._remove, *author(actor), entry_id)
            except asyncpg.ForeignKeyViolationError:
                raise Conflict("Classes belong to this term.", code="term_in_use") from None
            if row is None:
                raise self._missing()

    def _missing(self) -> NotFound:
        return NotFound(f"There is no such {self._noun}.")

    def _there_already(self) -> Conflict:
        return Conflict(f"The calendar has this {self._noun} already.", code="in_calendar_already")


terms = Kept[Term, TermDraft, TermChange]("term")
holidays = Kept[Holiday, HolidayDraft, HolidayChange]("holiday")


def _ends_before_start(wanted: TermChange | HolidayChange) -> Invalid:
    place = "/lastDay" if wanted.last_day else "/firstDay"
    sentence = "The last day must not be before the first."
    return Invalid(
        sentence, code="ends_before_start", flaws=(Flaw(place, "ends_before_start", sentence),)
    )
