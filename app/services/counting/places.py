"""Keyset pagination of lists ordered by class."""

from typing import Any
from uuid import UUID

from app.db import Database
from app.sql import Statement

# A deleted class sorts before all others: items are then listed twice rather than left out.
_CLASS = Statement("""
SELECT coalesce(max(code), '') AS code, coalesce(max(section), '') AS section
FROM classes WHERE id = :id
""")


async def after_class(db: Database, class_id: UUID | None) -> dict[str, Any]:
    """The parameters `after_code`, `after_section` and `after_class` of a paginated statement;
    null for the first page."""
    if class_id is None:
        return {"after_code": None, "after_section": None, "after_class": None}
    row = await db.row(_CLASS, id=class_id)
    return {"after_code": row["code"], "after_section": row["section"], "after_class": class_id}
