"""Strict JSON (RFC 8259): no NaN, lone surrogates, unlimited nesting or duplicate names."""

import json
from typing import Any

from pydantic_core import from_json

# Replaces an object that has a duplicate name. No field accepts it, so validation reports it with
# its place.
REPEATED = ...


def read(body: bytes) -> Any:
    """Parse the body; duplicate names give `REPEATED`. `ValueError` if it is not UTF-8 JSON."""
    value = from_json(body, allow_inf_nan=False)
    # As many colons as names: no name was lost, so there are no duplicates. This spares nearly all
    # bodies a second parse, which takes three times as long as the first.
    if body.count(b":") == _count_names(value):
        return value
    return json.loads(body, object_pairs_hook=_unless_repeated)


def _count_names(value: Any) -> int:
    count, parts = 0, [value]
    for part in parts:
        if isinstance(part, dict):
            count += len(part)
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)
    return count


def _unless_repeated(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    return found if len(found) == len(pairs) else REPEATED
