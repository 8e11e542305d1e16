"""Find the documents of an export, whichever tool wrote it.

Collections come as maps of documents by id or as lists; in `__collections__` at every level
(node-firestore-import-export), in `subCollection` (firestore-export-import), or as responses of
the REST API, whose documents have a `name` and typed `fields`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.errors import Invalid, TooLarge

# In memory, an export takes about six times the size of its file; a hostile one, 26 times.
MAX_BYTES = 128 * 2**20
# Firestore allows a hundred levels; JSON nested deeper is not one of its exports.
MAX_DEPTH = 100

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_ROOT = "/documents/"
_REST = {"name", "fields", "createTime", "updateTime"}
_KEYS = ("__id__", "_id", "docId", "documentId", "id")
_ENVELOPE = {*_KEYS, "data", "path", "ref", "exists", "createTime", "updateTime", "readTime"}


@dataclass(frozen=True, slots=True)
class Found:
    """A document; `collection` is the path of its collection (`classes`, `teachers/u1/classes`)."""

    collection: str
    key: str
    fields: dict[str, Any]

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.key}"


def read_json(content: bytes) -> Any:
    """Parse the file, with typed values and timestamps as plain ones.

    `TooLarge` above `MAX_BYTES`, `Invalid` for what is not JSON or is nested too deeply.
    """
    if len(content) > MAX_BYTES:
        raise TooLarge(f"The export is larger than {MAX_BYTES // 2**20} MiB. Import it in parts.")
    try:
        return json.loads(content, object_hook=_plain, parse_constant=lambda _: None)
    except RecursionError:
        raise _not_an_export("It is nested too deeply.") from None
    except MemoryError:
        raise TooLarge("The export does not fit into memory. Import it in parts.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        cut = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
        ends = " It seems to be truncated." if cut else ""
        raise _not_an_export(f"This is not JSON, from {where} on.{ends}") from None
    except ValueError:  # bytes that are not text, or a number with thousands of digits
        raise _not_an_export("This is not JSON in UTF-8.") from None


def _not_an_export(why: str) -> Invalid:
    return Invalid(why, code="invalid_json")


def documents(export: Any) -> Iterator[Found | str]:
    """Every document of the export, and the paths of values found in place of documents."""
    if isinstance(export, dict) and isinstance(export.get("__collections__"), dict):
        export = export["__collections__"]
    if isinstance(export, dict) and not _is_page(export):
        for name, node in export.items():
            yield from _collection(_visible(name), node, 1)
    elif isinstance(export, dict | list):
        yield from _collection("", export, 1)
    else:
        raise _not_an_export("An export is a JSON object of collections.")


def _collection(name: str, node: Any, depth: int) -> Iterator[Found | str]:
    if depth > MAX_DEPTH:
        raise _not_an_export("It is nested too deeply.")
    if isinstance(node, dict) and not _is_page(node):
        for key, document in node.items():
            yield from _document(name, key, document, depth)
    elif isinstance(node, dict | list):
        for place, item in enumerate(_items(node)):
            document = item.get("document", item) if _is_answer(item) else item
            yield from _document(name, _key_of(document, place), document, depth)
    else:
        yield name


def _is_page(node: dict[str, Any]) -> bool:
    """Whether this is a response of the REST API to a request for a collection."""
    return isinstance(node.get("documents"), list) and node.keys() <= {"documents", "nextPageToken"}


def _is_answer(item: Any) -> bool:
    """Whether this is an element of a response of the REST API to a query."""
    return isinstance(item, dict) and item.keys() <= {"document", "readTime", "skippedResults"}


def _items(node: Any) -> Iterator[Any]:
    """The documents of a list, a page, or a list of pages, which must be complete."""
    pages = node if isinstance(node, list) else [node]
    if pages and isinstance(pages[-1], dict) and _is_page(pages[-1]) and pages[-1].get(_MORE):
        raise Invalid(
            "The export is incomplete: its last page of the REST API refers to a further page.",
            code="incomplete_export",
        )
    for page in pages:
        if isinstance(page, dict) and _is_page(page):
            yield from page["documents"]
        elif not (_is_answer(page) and "document" not in page):
            yield page


_MORE = "nextPageToken"


def _key_of(document: Any, place: int) -> str:
    """The id of a document in a list: the one in it, else its position."""
    if isinstance(document, dict):
        if _ROOT in str(document.get("name")) and "fields" in document:
            return str(document["name"]).rpartition("/")[2]
        for key in _KEYS:
            if isinstance(document.get(key), str | int) and str(document[key]).strip():
                return str(document[key])
    return f"#{place + 1}"


def _document(collection: str, key: str, node: Any, depth: int) -> Iterator[Found | str]:
    if not isinstance(node, dict):
        yield f"{collection}/{_visible(key)}"
        return
    inside = {**_map(node.get("__collections__")), **_map(node.get("subCollection"))}
    fields = node
    if isinstance(node.get("fields"), dict) and node.keys() <= _REST:
        fields = node["fields"]
        before, root, path = str(node.get("name", "")).rpartition(_ROOT)
        if before and root:
            collection, _, key = path.rpartition("/")
            collection = _visible(collection)
    elif isinstance(node.get("data"), dict) and node.keys() <= _ENVELOPE | {"subCollection"}:
        fields = node["data"]
        inside |= _map(fields.get("__collections__"))
    key = _visible(key)
    hidden = ("__collections__", "subCollection")
    if any(name in fields for name in hidden):
        fields = {name: value for name, value in fields.items() if name not in hidden}
    yield Found(collection, key, fields)
    for name, within in inside.items():
        # firestore-export-import writes the whole path of a collection as its name.
        below = _visible(name.rpartition("/")[2])
        yield from _collection(f"{collection}/{key}/{below}", within, depth + 1)


def _visible(name: str) -> str:
    """A name that is safe to show: without control characters, and of limited length."""
    return name[:500] if name.isprintable() else ascii(name[:500])[1:-1]


def _map(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {}


def _plain(value: dict[str, Any]) -> Any:
    """The value that a JSON object stands for (typed value or timestamp), else the object itself.

    Called while the JSON is parsed, so that half a million typed values never fill the memory.
    """
    if len(value) == 1:
        ((kind, inner),) = value.items()
        return _TYPED[kind](inner, value) if kind in _TYPED else value
    if len(value) == 2:
        if "__datatype__" in value and "value" in value:
            return value["value"]
        for names in (("_seconds", "_nanoseconds"), ("seconds", "nanoseconds")):
            if value.keys() == set(names):
                return _moment(value[names[0]]) or value
    return value


def _moment(seconds: Any) -> datetime | None:
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        try:
            return _BEGINNING + timedelta(seconds=seconds)
        except (OverflowError, ValueError):
            return None
    return None


def _integer(inner: Any, value: Any) -> Any:
    text = str(inner)
    return int(text) if len(text) <= 20 and text.lstrip("-").isdecimal() else value


def _timestamp(inner: Any, value: Any) -> Any:
    try:
        moment = datetime.fromisoformat(inner)
    except (TypeError, ValueError):
        return value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_TYPED: dict[str, Callable[[Any, Any], Any]] = {
    "stringValue": lambda inner, _: inner,
    "booleanValue": lambda inner, _: inner,
    "doubleValue": lambda inner, _: inner,
    "bytesValue": lambda inner, _: inner,
    "referenceValue": lambda inner, _: inner,
    "nullValue": lambda _, __: None,
    "integerValue": _integer,
    "timestampValue": _timestamp,
    "mapValue": lambda inner, _: _map(_map(inner).get("fields")),
    "arrayValue": lambda inner, _: _map(inner).get("values") or [],
}
