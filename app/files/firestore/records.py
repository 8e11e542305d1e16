"""Turn the documents of an export into records: classes with their teachers and sessions."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.errors import Invalid
from app.files.firestore.attendance import AttendanceReader
from app.files.firestore.classes import Classes, Teachers, item_of
from app.files.firestore.contents import ClassRecord, Records
from app.files.firestore.export import Found, documents
from app.files.firestore.mapping import Mapping
from app.files.firestore.parts import Parts, Timetable, fitted
from app.files.firestore.unread import shown_collection, unread_collections, unread_fields
from app.files.firestore.values import Reader, text_of
from app.reconciliation import LeftOut
from app.schemas.classes import ClassDraft
from app.schemas.roster import json_name

_CLASS_TEXTS = ("code", "name", "section", "ltp_pattern", "teacher_type", "practical_group")


def read_records(export: Any, mapping: Mapping, zone: ZoneInfo, today: date) -> Records:
    """Everything that the mapping finds in the export; `today` is the institution's.

    What cannot be used is in `left_out`. `Invalid` if there are neither classes nor attendance.
    """
    return _Assembly(mapping, zone, today).read(export)


class _Assembly:
    def __init__(self, mapping: Mapping, zone: ZoneInfo, today: date) -> None:
        self._mapping = mapping
        self._reader = Reader(zone, mapping.formats.dates, mapping.formats.times)
        self._records = Records(Counter(), Counter(), Counter(), [], [], [])
        self._leave = self._records.left_out.append
        self._parts = Parts(mapping, self._reader, self._leave)
        self._last_day = today + timedelta(days=1)

    def read(self, export: Any) -> Records:
        found = self._sorted(export)
        if not (found["classes"] or found["attendance"]):
            raise Invalid(
                "The export has no collection of classes that the mapping names. It has: "
                f"{', '.join(list(self._records.ignored)[:10]) or 'none at all'}.",
                code="no_classes",
            )
        teachers = Teachers(self._mapping, found["teachers"])
        timetables: dict[str, Timetable] = {}
        paths = Counter(document.path for document in found["classes"])
        for document in found["classes"]:
            self._class(document, teachers, timetables, alone=paths[document.path] == 1)
        classes = Classes(self._records.classes, paths)
        for document in found["reschedules"]:
            self._reschedule(document, classes, timetables)
        for record in self._records.classes:
            timetable = timetables[record.identity]
            record.slots, record.moves = timetable.slots, timetable.moves
        attendance = AttendanceReader(self._mapping, self._reader, self._last_day, self._leave)
        for document in found["attendance"]:
            attendance.read(document, classes, timetables)
        _tell_apart(self._records.classes, self._leave)
        self._records.teachers = teachers.teaching
        if idle := len(found["teachers"]) - len(teachers.teaching):
            self._leave(LeftOut("", "teacher", "teacher_without_class", count=idle))
        return self._records

    def _sorted(self, export: Any) -> dict[str, list[Found]]:
        """The documents by kind, counted; those of other collections are only counted."""
        found: dict[str, list[Found]] = defaultdict(list)
        for document in documents(export):
            if isinstance(document, str):
                if self._mapping.collection_of(document.rpartition("/")[0] or document):
                    self._leave(LeftOut(document, "document", "not_a_document"))
                continue
            kind = self._mapping.collection_of(document.collection)
            counts = self._records.read if kind else self._records.ignored
            counts[shown_collection(document.collection)] += 1
            if kind:
                found[kind].append(document)
        self._records.unread.update(unread_fields(self._mapping, found))
        for path in unread_collections(self._mapping, self._records.ignored):
            self._records.unread[path] = self._records.ignored[path]
        return found

    def _class(
        self,
        document: Found,
        teachers: Teachers,
        timetables: dict[str, Timetable],
        *,
        alone: bool,
    ) -> None:
        """Add the class of a document, which is `alone` if no other has its path."""
        places, item, path = self._mapping.class_, item_of(document), document.path
        values = {json_name(name): text_of(item.at(getattr(places, name))) for name in _CLASS_TEXTS}
        values["section"] = values["section"] or places.without_section
        draft, refused = fitted(ClassDraft, values)
        if draft is None:
            self._leave(LeftOut(path, "class", "class_unreadable"))
            return
        for name in refused:
            self._leave(LeftOut(path, "field", "field_refused", name))
        teacher, problem = teachers.of(item.at(places.teacher))
        words = (path, draft.section, draft.practical_group or "", teacher or "")
        identity = path if alone else "|".join(words)
        if identity in timetables:
            self._leave(LeftOut(path, "class", "class_repeated"))
            return
        timetable = timetables[identity] = Timetable()
        self._parts.slots(path, item.at(places.schedule), timetable)
        self._parts.moves(path, item.at(places.reschedules), timetable)
        students = self._parts.students(path, item.at(places.students))
        self._records.classes.append(
            ClassRecord(path, identity, draft, teacher, problem, students=students)
        )

    def _reschedule(
        self, document: Found, classes: Classes, timetables: dict[str, Timetable]
    ) -> None:
        item = item_of(document)
        record, problem = classes.named(
            item.at(self._mapping.reschedule.class_), document.collection
        )
        if record is None:
            self._leave(LeftOut(document.path, "reschedule", problem))
        else:
            self._parts.move(document.path, item, timetables[record.identity])


def _tell_apart(records: list[ClassRecord], leave: Any) -> None:
    """Give classes of one teacher with the same code and section different sections.

    The app stored the lecture and each practical group of a course as such classes.
    """
    same: dict[tuple[str, str, str], list[ClassRecord]] = defaultdict(list)
    for record in records:
        draft = record.draft
        same[(record.teacher or "").lower(), draft.code, draft.section].append(record)
    for group in same.values():
        kinds = [_kind_of(record.draft) for record in group]
        if len(group) == 1 or len(set(kinds)) < len(group):
            continue
        for record, kind in zip(group, kinds, strict=True):
            if kind:
                section = f"{record.draft.section} {kind}"
                record.draft = record.draft.model_copy(update={"section": section[:255]})
                leave(LeftOut(record.path, "section", "section_extended"))


def _kind_of(draft: ClassDraft) -> str:
    kind = draft.practical_group or draft.teacher_type or ""
    return "" if kind.strip().lower() == "lecture" else kind.strip()
