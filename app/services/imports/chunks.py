"""Divides much to write into what one statement writes well."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Iterable[T], size_of: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """The items in their order, so many together that their sizes add up to `most` at most; one
    that is larger stands alone."""
    chunk: list[T] = []
    size = 0
    for item in items:
        if chunk and size + size_of(item) > most:
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += size_of(item)
    if chunk:
        yield chunk
