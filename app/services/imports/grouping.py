"""Divides what is to be written into what one statement writes well."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def grouped_by_size(
    items: Iterable[T], size_of: Callable[[T], int], most: int
) -> Iterator[list[T]]:
    """The items in their order, in groups whose sizes add up to at most `most`; a larger item is
    a group of its own."""
    group: list[T] = []
    size = 0
    for item in items:
        if group and size + size_of(item) > most:
            yield group
            group, size = [], 0
        group.append(item)
        size += size_of(item)
    if group:
        yield group
