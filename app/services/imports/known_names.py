"""Whose number is it? No file turns one person into another unasked.

Class roll numbers are 1, 2, 3 in every class, and names may be sorted apart from their numbers. A
row whose name is clearly another person's than the one stored under its number is refused, until
the caller says that numbers are to be trusted.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from app.db import Transaction
from app.services.imports.outcomes import Outcomes
from app.sql import Statement

_STORED = Statement("""
SELECT array_agg(roll_key) AS keys, array_agg(name) AS names
FROM students WHERE roll_key = ANY(:roll_keys::text[]) AND name <> ''
""")


class Likeness(Enum):
    """How a name in a file compares to the one stored under its number."""

    SAME = "same"
    ALIKE = "alike"  # but for an initial: taken for the same person, and said
    OTHER = "other"


async def refuse_others(
    tx: Transaction, named: Iterable[tuple[int, str, str]], told: Outcomes
) -> set[int]:
    """Refuse rows (their number, roll key and name) whose name is another person's; gives these."""
    names = {row: (key, name) for row, key, name in named}
    if not names:
        return set()
    stored = await _stored_names(tx, (key for key, _ in names.values()))
    refused = set()
    for row, (key, name) in names.items():
        known = stored.get(key, "")
        match likeness(known, name):
            case Likeness.OTHER:
                told.refuse_other(row, known)
                refused.add(row)
            case Likeness.ALIKE:
                told.take_alike(row, known)
    return refused


async def _stored_names(tx: Transaction, roll_keys: Iterable[str]) -> dict[str, str]:
    """The names stored under these roll keys, where there are any."""
    row = await tx.row(_STORED, roll_keys=list(dict.fromkeys(roll_keys)))
    return dict(zip(row["keys"] or (), row["names"] or (), strict=True))


@lru_cache(4096)  # a class writes the same names in every file
def likeness(name: str, other: str) -> Likeness:
    """Whether two names are one person's: in any order and letter case, with accents and doubled
    letters or without, with a part left out or as its initial. No name is like any.

    Two whole parts have to agree, or all but initials that one of the names alone has, which makes
    them alike. Ravi and Rani may well be two people, and only the caller knows.
    """
    parts, others = _parts(name), _parts(other)
    if not parts or not others:
        return Likeness.SAME
    shared = Counter(filter(_is_whole, parts)) & Counter(filter(_is_whole, others))
    rest, other_rest = Counter(parts) - shared, Counter(others) - shared
    rest, other_rest = rest - other_rest, other_rest - rest
    if not rest and not other_rest:
        return Likeness.SAME
    if shared.total() >= 2:
        fits = _fits(rest, other_rest) or _fits(other_rest, rest)
        return Likeness.SAME if fits else Likeness.OTHER
    one_sided = not all(any(map(_is_whole, side)) for side in (rest, other_rest))
    same_number = rest.total() == other_rest.total()
    if shared.total() == 1 and one_sided and same_number and _fits(rest, other_rest):
        return Likeness.ALIKE
    return Likeness.OTHER


def _fits(parts: Counter[str], others: Counter[str]) -> bool:
    """Whether each of the parts is an initial of one of the others, or the other way round."""
    left = list(others.elements())
    for part in parts.elements():
        match = next((other for other in left if _is_initial(part, other)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _is_initial(part: str, other: str) -> bool:
    return part[0] == other[0] and 1 in (len(part), len(other))


def _is_whole(part: str) -> bool:
    return len(part) > 1


def _parts(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(c for c in plain if not unicodedata.combining(c) or _is_vowel_sign(c))
    words = re.findall(r"[^\W_]+(?:[^\W_]|[\u0900-\u0dff])*", letters)
    return [re.sub(r"(.)\1+", r"\1", word) for word in words]


def _is_vowel_sign(character: str) -> bool:
    """Scripts of India write vowels as marks, without which names would be others."""
    return "\u0900" <= character <= "\u0dff"
