"""Who is enrolled in a class."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from app.schemas.words import (
    MAX_ENTRIES,
    Answer,
    Date,
    Name,
    Reason,
    RollNo,
    StoredDate,
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
    """A student as the app sends them. Unknown fields are ignored, since the app sends extra ones.

    A field left out, null or blank never erases a stored value. `from` is the first day of a new
    enrolment (default: today), or the new first day of the current one.
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
    from_: Annotated[StoredDate | None, Field(alias="from")] = None


STUDENT_FIELDS = tuple(
    name for name in RosterEntry.model_fields if name not in ("roll_no", "from_")
)


class Withdrawal(Words):
    """A student who leaves after `lastDay`; without it, after yesterday."""

    roll_no: RollNo
    last_day: StoredDate | None = None


class Roster(Words):
    """The students of the class, and those who leave it, with their last days."""

    reason: Reason | None = None
    students: Annotated[list[RosterEntry], Field(max_length=MAX_ENTRIES)]
    withdrawals: Annotated[list[Withdrawal], Field(default_factory=list, max_length=MAX_ENTRIES)]

    @model_validator(mode="after")
    def _each_roll_once(self) -> Self:
        listed: dict[str, list[RosterEntry] | list[Withdrawal]] = {
            "students": self.students,
            "withdrawals": self.withdrawals,
        }
        pointers = [
            f"/{name}/{place}/rollNo" for name in listed for place in range(len(listed[name]))
        ]
        rolls = [entry.roll_no for entries in listed.values() for entry in entries]
        places = repeated_rolls(rolls)
        if places:
            raise PydanticCustomError(
                "repeated_roll_number",
                "This roll number is in the request twice.",
                {"pointers": [pointers[place] for place in places]},
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


class EnrolledStudent(RosterStudent, json_schema_extra=example(**A_ROSTER_STUDENT)):
    """A student with the first and last day of the enrolment, inclusive; null: no end yet."""

    enrolled_from: Date
    enrolled_until: Date | None


class Conflict(Answer, json_schema_extra=example(rollNo="23/CS/107", field="name")):
    """A stored value that the actor is not allowed to change, and that therefore stayed."""

    roll_no: str
    field: str


class RosterOutcome(
    Answer,
    json_schema_extra=example(added=["23/CS/107"], removed=["23/CS/160"], changed=["23/CS/108"]),
):
    """The new roster (in a dry run, as it would be), and what changed.

    `changed` lists students who stay, but whose first or last day is now a different one.
    """

    students: list[EnrolledStudent]
    added: list[str]
    removed: list[str]
    changed: list[str]
    conflicts: list[Conflict]


def json_name(field: str) -> str:
    return to_camel(field)
