"""Attendance counted."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, WithJsonSchema

from app.schemas.words import Answer, StudentId, example

Percentage = Annotated[
    Decimal, Field(ge=0, le=100), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})
]

Attended = Annotated[Decimal, Field(ge=0), WithJsonSchema({"type": "number", "minimum": 0})]


class StudentStats(
    Answer,
    json_schema_extra=example(
        rollNo="23/CS/107",
        name="Kabir V. Demo",
        present=9,
        absent=2,
        late=1,
        excused=0,
        total=12,
        counted=12,
        attended=10,
        percentage=83.33,
    ),
):
    """Marks of one student in one class.

    `total` counts the marks recorded. By the policy `attended` of `counted` sessions were
    attended; `percentage` is 100 x attended / counted, two decimals half up, 0 when nothing
    counts. While the policy is the default and nobody was on duty elsewhere, that is
    100 x (present + late) / total.
    """

    student_id: StudentId
    roll_no: str
    name: str
    present: int
    absent: int
    late: int
    excused: int
    total: int
    counted: int
    attended: Attended
    percentage: Percentage
