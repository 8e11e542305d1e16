"""Attendance counted."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field, WithJsonSchema

from app.schemas.words import Answer

Percentage = Annotated[
    Decimal, Field(ge=0, le=100), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})
]


class StudentStats(Answer):
    """Marks of one student in one class.

    `total` counts the marks recorded; `percentage` is 100 x (present + late) / total, two
    decimals half up, 0 when nothing is recorded.
    """

    student_id: UUID
    roll_no: str
    name: str
    present: int
    absent: int
    late: int
    excused: int
    total: int
    percentage: Percentage
