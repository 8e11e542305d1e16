"""Answers that PostgreSQL produces as JSON text, and the model that describes them.

Lists leave the database as JSON and go to the socket unchanged; turning 600 marks into objects
and back costs more than the query that found them. OpenAPI shows the model, and the tests
validate every answer against it.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Document(Generic[T]):
    """The JSON text of a `T`, with values for the response headers.

    `version` is the ETag of a session; `next_cursor` is where the next page begins.
    """

    json: str
    version: int | None = None
    next_cursor: str | None = None
