"""Who is enrolled in a class."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from app.schemas.words import (
    MAX_ENTRIES,
    Answer,
    Name,
    RollNo,
    StudentId,
    Text,
    Words,
    example,
    repeated_rolls,
)

A_ROSTER_STUDENT = {
    "rollNo": "23/CS/107",
    "name": "Kabir V. Demo",
    "program": "B.Tech. Computer Science",
    "semester": "5",
    "email": "23cs107@students.demo.university.example",
}


class RosterEntry(
    Words,
    json_schema_extra=example(**A_ROSTER_STUDENT),
):
    """A student as the app sends one. Unknown fields are ignored: the app sends extras.

    A field left out, null or blank never erases a stored one.
    """

    model_config = ConfigDict(extra="ignore")

    roll_no: RollNo
    name: Name | None = None
    photo_url: Text | None = None
    program: Text | None = None
    sp_code: Text | None = None
    semester: Text | None = None
    status: Text | None = None
    duration: Text | None = None
    email: Text | None = None
    dtu_email: Text | None = None
    phone: Text | None = None


STUDENT_FIELDS = tuple(name for name in RosterEntry.model_fields if name != "roll_no")


class Roster(Words):
    students: Annotated[list[RosterEntry], Field(max_length=MAX_ENTRIES)]

    @model_validator(mode="after")
    def _each_roll_once(self) -> Self:
        places = repeated_rolls(entry.roll_no for entry in self.students)
        if places:
            raise PydanticCustomError(
                "repeated_roll_number",
                "This roll number stands in the list twice.",
                {"pointers": [f"/students/{place}/rollNo" for place in places]},
            )
        return self


class RosterStudent(
    Answer,
    json_schema_extra=example(**A_ROSTER_STUDENT),
):
    student_id: StudentId
    roll_no: str
    name: str
    photo_url: str | None
    program: str | None
    sp_code: str | None
    semester: str | None
    status: str | None
    duration: str | None
    email: str | None
    dtu_email: str | None
    phone: str | None


class Conflict(Answer, json_schema_extra=example(rollNo="23/CS/107", field="name")):
    """A stored value that the actor may not change, and that was therefore left as it is."""

    roll_no: str
    field: str


class RosterOutcome(Answer, json_schema_extra=example(added=["23/CS/107"], removed=["23/CS/160"])):
    """The roster as it now is (or, in a dry run, as it would be), and what that changed."""

    students: list[RosterStudent]
    added: list[str]
    removed: list[str]
    conflicts: list[Conflict]


def json_name(field: str) -> str:
    return to_camel(field)
