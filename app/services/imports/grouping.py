"""Split what is to be written into groups that one statement writes well."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def grouped_by_size(
    items: Iterable[T], size_of: Callable[[T], int], most: int
) -> Iterator[list[T]]:
    """Group the items in order, with at most `most` as the sum of sizes in a group.

    A larger item is a group of its own.
    """
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
