"""SQL statements, composed of named relations, with named parameters.

A statement is composed of relations, which are named common table expressions, and ends with a
query on them:

    _LIST_SLOTS = Statement(
        READ_CLASS,
        "slots AS (SELECT s.* FROM class_schedules s JOIN granted ON granted.id = s.class_id)",
        SLOT_DOCUMENTS,
        "SELECT verdict, (SELECT json_agg(document) FROM slot_documents)::text AS document "
        "FROM verdict",
    )

A relation shared by several statements is a constant. Its comment says which relations it reads;
these must come before it. Nothing smaller than a relation is shared, so every line can be read in
place. `docs/sql` shows each statement in full, and a test keeps it up to date.
"""

import re
from textwrap import dedent
from typing import Any

Relations = str | tuple["Relations", ...]

# `:class_id`, but neither the cast `::uuid` nor the bounds of a slice or the time '09:00'.
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")


class Statement:
    """SQL with parameters named `:like_this`, which are sent to PostgreSQL as `$1`, `$2` etc.

    `parts` is what it was composed of, `parameters` the names in the order of their numbers.
    """

    def __init__(self, *parts: Relations) -> None:
        self.parts = tuple(_flat(parts))
        *relations, ask = (dedent(part).strip() for part in self.parts)
        named = "WITH " + ",\n".join(relations) + "\n" + ask if relations else ask
        self.parameters = tuple(dict.fromkeys(_PARAMETER.findall(named)))
        numbers = {name: f"${n}" for n, name in enumerate(self.parameters, start=1)}
        self.text = _PARAMETER.sub(lambda found: numbers[found[1]], named)

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The values in the order of the parameters; each parameter needs exactly one."""
        if len(values) != len(self.parameters):
            raise TypeError(f"{sorted(values)} given for the parameters {self.parameters}")
        return [values[name] for name in self.parameters]


def _flat(parts: tuple[Relations, ...]) -> list[str]:
    """The relations of all groups, without duplicates: groups can share relations."""
    found: dict[str, None] = {}
    for part in parts:
        found |= dict.fromkeys([part] if isinstance(part, str) else _flat(part))
    return list(found)
