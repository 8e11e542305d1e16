"""Fields that documents have and the import does not read: these must not pass as equal."""

from collections import Counter
from collections.abc import Iterable

from app.files.firestore.export import Found
from app.files.firestore.mapping import Mapping, Places


def shown_collection(path: str) -> str:
    """A collection as people name it: `teachers/*/classes`."""
    parts = path.split("/")
    return "/".join("*" if place % 2 else part for place, part in enumerate(parts))


# Of the teachers nothing is wanted but their addresses.
_WHOLE = ("classes", "attendance", "reschedules")


def unread_fields(mapping: Mapping, found: dict[str, list[Found]]) -> Counter[str]:
    """How many documents have each field that no place of the mapping names and that is not
    passed over on purpose, by collection and field: `attendance/*.presentStudents`."""
    unread: Counter[str] = Counter()
    for kind in _WHOLE:
        known = _named(mapping, kind) | {*mapping.passed_over}
        for document in found[kind]:
            for name, value in document.fields.items():
                if name not in known and value not in (None, "", [], {}):
                    unread[f"{shown_collection(document.collection)}/*.{name[:100]}"] += 1
    return unread


def unread_collections(mapping: Mapping, ignored: Iterable[str]) -> list[str]:
    """The collections that lie in documents which are read whole, and are not read themselves."""
    return [path for path in ignored if _kind_above(mapping, path) in _WHOLE]


def _kind_above(mapping: Mapping, path: str) -> str | None:
    *above, _, _ = ["", "", *path.split("/")]
    return mapping.collection_of("/".join(above[2:])) if len(above) > 2 else None


def _named(mapping: Mapping, kind: str) -> set[str]:
    parts = {
        "classes": mapping.class_,
        "attendance": mapping.attendance,
        "reschedules": mapping.reschedule,
    }
    places: list[Places] = [value for _, value in parts[kind] if isinstance(value, list)]
    return {place.partition(".")[0] for group in places for place in group}
