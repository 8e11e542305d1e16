"""Whose number is it? No file turns one person into another unasked.

Class roll numbers are 1, 2, 3 in every class, and names may be sorted apart from their numbers. A
row whose name is clearly another person's than the one stored under its number is refused, until
the caller says that numbers are to be trusted.
"""

import re
import unicodedata
from collections.abc import Mapping
from difflib import SequenceMatcher

from app.db import Transaction
from app.sql import Statement

_ALIKE = 0.7  # of two spellings of one name: Latha and Lata, but not Anil and Sunil

_STORED = Statement("""
SELECT array_agg(roll_key) AS keys, array_agg(name) AS names
FROM students WHERE roll_key = ANY(:roll_keys::text[]) AND name <> ''
""")


async def others_of(tx: Transaction, given: Mapping[str, str | None]) -> dict[str, str]:
    """The stored names that are not those given, by roll key; `given` are the names by roll key."""
    named = {key: name for key, name in given.items() if name}
    row = await tx.row(_STORED, roll_keys=list(named))
    stored = zip(row["keys"] or (), row["names"] or (), strict=True)
    return {key: name for key, name in stored if not may_be_same(name, named[key])}


def may_be_same(name: str, other: str) -> bool:
    """Whether two names may be one person's: in any order and letter case, with accents or
    without, with initials, with parts left out, and with slips of spelling."""
    shorter, longer = sorted((_parts(name), _parts(other)), key=len)
    if not shorter:
        return True
    rest = list(longer)
    for part in sorted(shorter, key=len, reverse=True):
        match = next((candidate for candidate in rest if _alike(part, candidate)), None)
        if match is None:
            return False
        rest.remove(match)
    return True


def _parts(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(c for c in plain if not unicodedata.combining(c) or _is_vowel_sign(c))
    return re.findall(r"[^\W_]+(?:[^\W_]|[\u0900-\u0dff])*", letters)


def _is_vowel_sign(character: str) -> bool:
    """Scripts of India write vowels as marks, without which names would be others."""
    return "\u0900" <= character <= "\u0dff"


def _alike(part: str, other: str) -> bool:
    if len(part) == 1 or len(other) == 1:
        return part[0] == other[0]
    return part == other or SequenceMatcher(None, part, other).ratio() >= _ALIKE
