"""Statements of SQL: composed in one way, with parameters by name.

A statement is text as PostgreSQL is sent it. It is put together from relations, common table
expressions that each have a name, and ends with what is asked of them:

    _LIST_SLOTS = Statement(
        READ_CLASS,
        "slots AS (SELECT s.* FROM class_schedules s JOIN granted ON granted.id = s.class_id)",
        SLOT_DOCUMENTS,
        "SELECT verdict, (SELECT json_agg(document) FROM slot_documents)::text AS document "
        "FROM verdict",
    )

A relation that several statements share is a constant. It says in a comment which relations it
reads: those come before it. Nothing smaller than a relation is shared, so every line can be read
in place. `docs/sql` shows each statement whole, and a test keeps it so.
"""

import re
from textwrap import dedent
from typing import Any

Relations = str | tuple["Relations", ...]

# `:class_id`, but neither the cast `::uuid` nor the bounds of a slice or the time '09:00'.
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")


class Statement:
    """SQL with its parameters named `:like_this`, which PostgreSQL is sent as `$1`, `$2` and on.

    `parts` are what it was composed of, `parameters` the names in the order of their numbers.
    """

    def __init__(self, *parts: Relations) -> None:
        self.parts = tuple(_flat(parts))
        *relations, ask = (dedent(part).strip() for part in self.parts)
        named = "WITH " + ",\n".join(relations) + "\n" + ask if relations else ask
        self.parameters = tuple(dict.fromkeys(_PARAMETER.findall(named)))
        numbers = {name: f"${n}" for n, name in enumerate(self.parameters, start=1)}
        self.text = _PARAMETER.sub(lambda found: numbers[found[1]], named)

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The values in the order of the parameters; each parameter needs one, and no more."""
        if len(values) != len(self.parameters):
            raise TypeError(f"{sorted(values)} given for the parameters {self.parameters}")
        return [values[name] for name in self.parameters]


def _flat(parts: tuple[Relations, ...]) -> list[str]:
    """The relations of all groups, each once: groups may share what they begin with."""
    found: dict[str, None] = {}
    for part in parts:
        found |= dict.fromkeys([part] if isinstance(part, str) else _flat(part))
    return list(found)
