"""Compare names in files with stored ones: no import turns one person into another unasked.

Class roll numbers are 1, 2, 3 in every class, and names may have been sorted without their numbers.
A row is refused if its name is clearly not that of the student with its number, unless the caller
says that numbers can be trusted.
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
    ALIKE = "alike"  # except for an initial: accepted as the same person, and reported
    OTHER = "other"


async def refuse_others(
    tx: Transaction, named: Iterable[tuple[int, str, str]], report: Outcomes
) -> set[int]:
    """Refuse rows (number, roll key, name) with another person's name; return their numbers."""
    names = {row: (key, name) for row, key, name in named}
    if not names:
        return set()
    stored = await _stored_names(tx, (key for key, _ in names.values()))
    refused = set()
    for row, (key, name) in names.items():
        known = stored.get(key, "")
        match likeness(known, name):
            case Likeness.OTHER:
                report.refuse_other(row, known)
                refused.add(row)
            case Likeness.ALIKE:
                report.take_alike(row, known)
    return refused


async def _stored_names(tx: Transaction, roll_keys: Iterable[str]) -> dict[str, str]:
    """The names stored under these roll keys, as far as there are any."""
    row = await tx.row(_STORED, roll_keys=list(dict.fromkeys(roll_keys)))
    return dict(zip(row["keys"] or (), row["names"] or (), strict=True))


@lru_cache(4096)  # a class has the same names in every file
def likeness(name: str, other: str) -> Likeness:
    """Whether two names are one person's, ignoring order, letter case, accents and doubled letters;
    a part may be missing or an initial. An empty name matches any.

    Two whole parts must agree. If only one does, the names are alike if all other parts of one name
    are initials of those of the other. Ravi and Rani may well be two people: only the caller knows.
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
    """Whether each part is the initial of a different one of the others, or vice versa."""
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
    """Indian scripts write vowels as marks, without which different names would look the same."""
    return "\u0900" <= character <= "\u0dff"
