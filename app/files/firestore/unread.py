"""Fields of documents that the import does not read: such documents must not count as equal."""

from collections import Counter
from collections.abc import Iterable

from app.files.firestore.export import Found
from app.files.firestore.mapping import Mapping, Places


def shown_collection(path: str) -> str:
    """The path of a collection with `*` for documents: `teachers/*/classes`."""
    parts = path.split("/")
    return "/".join("*" if place % 2 else part for place, part in enumerate(parts))


# Documents whose every field should be read; of teachers only ids, addresses and names are.
_WHOLE = ("classes", "attendance", "reschedules")


def unread_fields(mapping: Mapping, found: dict[str, list[Found]]) -> Counter[str]:
    """Count the documents with each field that the mapping neither names nor skips on purpose, by
    collection and field: `attendance/*.presentStudents`."""
    unread: Counter[str] = Counter()
    for kind in _WHOLE:
        known = _named(mapping, kind) | {*mapping.passed_over}
        for document in found[kind]:
            for name, value in document.fields.items():
                if name not in known and value not in (None, "", [], {}):
                    unread[f"{shown_collection(document.collection)}/*.{name[:100]}"] += 1
    return unread


def unread_collections(mapping: Mapping, ignored: Iterable[str]) -> list[str]:
    """The unread collections inside documents whose every field should be read."""
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
