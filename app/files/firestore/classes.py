"""Find the class that a document names, and the teacher that a class names."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from app.files.firestore.contents import ClassRecord, TeacherRecord
from app.files.firestore.export import Found
from app.files.firestore.mapping import Mapping
from app.files.firestore.values import Item, last_segment, text_of
from app.schemas.words import is_address, is_name


def item_of(document: Found) -> Item:
    """The document as an `Item`; its parent is the document above it."""
    return Item(
        document.fields, document.key, document.collection.rpartition("/")[0].rpartition("/")[2]
    )


class Classes:
    """The classes of the export, by everything that a document may name them by.

    `paths` are those of all class documents, including those that were left out.
    """

    def __init__(self, records: list[ClassRecord], paths: Iterable[str]) -> None:
        self._paths = set(paths)
        self._by_path: dict[str, list[ClassRecord]] = defaultdict(list)
        self._by_key: dict[str, list[ClassRecord]] = defaultdict(list)
        self._by_code: dict[str, list[ClassRecord]] = defaultdict(list)
        for record in records:
            self._by_path[record.path].append(record)
            self._by_key[record.path.rpartition("/")[2]].append(record)
            self._by_code[record.draft.code].append(record)

    def named(self, value: Any, collection: str) -> tuple[ClassRecord | None, str]:
        """The class that a document of the collection means, or the reason why it has none.

        A document below a class means that class. An id is looked up among classes under the same
        document first, then among all; a code must belong to one class only.
        """
        above = collection.rpartition("/")[0]
        if above in self._by_path:
            return _only(self._by_path[above])
        text = text_of(value)
        text = text.strip() if isinstance(text, str) else ""
        path = text.rpartition("/documents/")[2].strip("/")
        for known, name in (
            (self._by_path, path),
            (self._by_path, f"{above}/classes/{text}"),
            (self._by_key, text),
            (self._by_key, last_segment(text)),
            (self._by_code, text),
        ):
            if name in known:
                return _only(_beside(known[name], above))
        left_out = {above, path, f"classes/{text}", f"{above}/classes/{text}"} & self._paths
        return None, "class_left_out" if left_out else "class_unknown"


def _beside(records: list[ClassRecord], above: str) -> list[ClassRecord]:
    """Those under the same document, or all if there are none."""
    return [r for r in records if r.path.rpartition("/")[0].rpartition("/")[0] == above] or records


def _only(records: list[ClassRecord]) -> tuple[ClassRecord | None, str]:
    return (records[0], "") if len(records) == 1 else (None, "class_ambiguous")


class Teachers:
    """The teachers of the export, by the ids of their documents, their `uid` and their address."""

    def __init__(self, mapping: Mapping, found: list[Found]) -> None:
        self._known: dict[str, TeacherRecord] = {}
        self.teaching: list[TeacherRecord] = []
        for document in found:
            item, places = item_of(document), mapping.teacher
            email, name = text_of(item.at(places.email)), text_of(item.at(places.name))
            if not (isinstance(email, str) and is_address(email.strip())):
                continue
            if not (isinstance(name, str) and is_name(name.strip())):
                name = None
            teacher = TeacherRecord(document.path, email.strip(), name and name.strip())
            for key in (document.key, last_segment(item.at(places.uid)), email.strip().lower()):
                self._known.setdefault(key, teacher)

    def of(self, value: Any) -> tuple[str | None, str | None]:
        """The address of the teacher that a class names, or the reason why it has none."""
        text = text_of(value)
        if text is None:
            return None, "teacher_missing"
        text = text.strip() if isinstance(text, str) else ""
        teacher = self._known.get(text.lower()) or self._known.get(last_segment(text))
        if teacher is None:
            return (text, None) if is_address(text) else (None, "teacher_unknown")
        if teacher not in self.teaching:
            self.teaching.append(teacher)
        return teacher.email, None
