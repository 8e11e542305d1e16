"""Answers that PostgreSQL writes itself: JSON text, and the model that describes it.

Lists leave the database as JSON and go to the socket untouched; turning 600 marks into
objects and back costs more than the query that found them. The model is what OpenAPI
shows and what the tests validate every answer against.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Document(Generic[T]):
    """JSON text of a `T`, with what travels beside it in the headers of the answer.

    `version` is the ETag of a session; `next_cursor` is where the next page begins.
    """

    json: str
    version: int | None = None
    next_cursor: str | None = None
