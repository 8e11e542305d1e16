"""The teachers of a class: its owner, co-teachers and substitutes."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.schemas.words import Answer, Date, Email, Id, StoredDate, UserId, Words, example

MAX_TEACHERS = 100


class Cover(StrEnum):
    """The role of a teacher of a class other than the owner."""

    CO_TEACHER = "co_teacher"
    SUBSTITUTE = "substitute"


class TeacherEntry(
    Words, json_schema_extra=example(email="chitra@demo.university.example", role="co_teacher")
):
    """A co-teacher or substitute, by `userId` or by `email`, with their first and last day.

    Both days are inclusive; a day left out leaves that end open.
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
    """All co-teachers and substitutes of the class."""

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
    """The role of a teacher of a class."""

    OWNER = "owner"
    CO_TEACHER = "co_teacher"
    SUBSTITUTE = "substitute"


class ClassTeacher(
    Answer,
    json_schema_extra=example(
        name="Asha Demo", email="asha@demo.university.example", role="owner", active=True
    ),
):
    """A teacher of a class. `active`: today is one of their days."""

    user_id: UserId
    name: str
    email: str
    role: TeacherRole
    first_day: Date | None
    last_day: Date | None
    active: bool
