"""Who teaches in a class: its owner, co-teachers and substitutes."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.schemas.words import Answer, Date, Email, Id, StoredDate, UserId, Words, example

MAX_TEACHERS = 100


class Cover(StrEnum):
    """What somebody besides the owner is in a class."""

    CO_TEACHER = "co_teacher"
    SUBSTITUTE = "substitute"


class TeacherEntry(
    Words, json_schema_extra=example(email="chitra@demo.university.example", role="co_teacher")
):
    """A co-teacher or substitute, by `userId` or by `email`, and from which day to which.

    Both days count; one left out leaves that side open.
    """

    user_id: Id | None = None
    email: Email | None = None
    role: Cover
    first_day: StoredDate | None = None
    last_day: StoredDate | None = None


class TeacherList(
    Words,
    json_schema_extra=example(
        teachers=[{"email": "chitra@demo.university.example", "role": "co_teacher"}]
    ),
):
    """All who may work in the class besides its owner."""

    teachers: Annotated[list[TeacherEntry], Field(max_length=MAX_TEACHERS)]

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        pointers = [
            f"/teachers/{place}/email"
            for place, entry in enumerate(self.teachers)
            if (entry.user_id is None) == (entry.email is None)
        ]
        if pointers:
            raise PydanticCustomError(
                "one_of_user_id_and_email",
                "Name the person by userId or by email, one of the two.",
                {"pointers": pointers},
            )
        return self

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        pointers = [
            f"/teachers/{place}/lastDay"
            for place, entry in enumerate(self.teachers)
            if entry.first_day and entry.last_day and entry.last_day < entry.first_day
        ]
        if pointers:
            raise PydanticCustomError(
                "last_day_before_first",
                "The last day must not be before the first.",
                {"pointers": pointers},
            )
        return self


class TeacherRole(StrEnum):
    """What somebody is in a class."""

    OWNER = "owner"
    CO_TEACHER = "co_teacher"
    SUBSTITUTE = "substitute"


class ClassTeacher(
    Answer,
    json_schema_extra=example(
        name="Asha Demo", email="asha@demo.university.example", role="owner", active=True
    ),
):
    """`active`: today is one of their days."""

    user_id: UserId
    name: str
    email: str
    role: TeacherRole
    first_day: Date | None
    last_day: Date | None
    active: bool
