"""What weekly slots and rescheduled occurrences share: the lock on their class, and errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg

from app.db import Database
from app.documents import Document
from app.errors import Conflict, NotFound
from app.services.access import CHANGE_CLASS, Actor, check
from app.sql import Statement

LOCK = Statement(CHANGE_CLASS, "SELECT verdict FROM verdict")


async def remove(
    db: Database, actor: Actor, class_id: UUID, entry_id: UUID, statement: Statement, what: str
) -> None:
    """Run the statement that removes one of them from its class; `NotFound` if there is none."""
    async with db.transaction() as tx:
        check(await tx.row(LOCK, actor_id=actor.user_id, class_id=class_id))
        if await tx.find_row(statement, class_id=class_id, id=entry_id) is None:
            raise missing(what)


def found(row: asyncpg.Record, what: str) -> Document[Any]:
    """The document of the row; `NotFound` if the class has no such entry."""
    check(row)
    if row["document"] is None:
        raise missing(what)
    return Document(row["document"])


def missing(what: str) -> NotFound:
    return NotFound(f"This class has no such {what}.")


@contextmanager
def moved_twice_named() -> Iterator[None]:
    """Turn a unique violation into the conflict of two moves of one occurrence."""
    try:
        yield
    except asyncpg.UniqueViolationError:
        raise Conflict(
            "Another reschedule already moves that occurrence.", code="already_rescheduled"
        ) from None
