"""Read attendance documents into sessions and their marks."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, time
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.files.firestore.classes import Classes, item_of
from app.files.firestore.contents import ClassRecord, SessionRecord
from app.files.firestore.export import Found
from app.files.firestore.mapping import Mapping
from app.files.firestore.parts import LeaveOut, Timetable
from app.files.firestore.values import Item, Reader, entries, text_of
from app.reconciliation import Difference, LeftOut, counted, status_of
from app.schemas.attendance import ImagePlace
from app.schemas.words import RollNo, roll_key

_EARLIEST = date(2000, 1, 1)
_UNMARKED = "unmarked"

_roll = TypeAdapter(RollNo)
_image = TypeAdapter(ImagePlace)


class AttendanceReader:
    """Reads attendance documents into the sessions of their classes.

    Nothing is dropped silently: what is not written is counted in the class's `lost`.
    """

    def __init__(
        self, mapping: Mapping, reader: Reader, last_day: date, leave_out: LeaveOut
    ) -> None:
        self._places, self._reader = mapping.attendance, reader
        self._last_day, self._leave_out = last_day, leave_out
        self._words = mapping.statuses()
        self._rolls: dict[str, tuple[str, str] | None] = {}
        self._taken: set[tuple[str, date, time | None]] = set()

    def read(self, document: Found, classes: Classes, timetables: dict[str, Timetable]) -> None:
        item = item_of(document)
        value = item.at(self._places.marks)
        marks = list(self._marks(value))
        known = counted(word for _, word in marks if word and word != _UNMARKED)
        record, problem = classes.named(item.at(self._places.class_), document.collection)
        if record is None:
            self._leave_out(LeftOut(document.path, "session", problem, marks=known.total()))
            return
        record.exported_sessions += 1
        record.exported.update(known)
        day = self._reader.date_of(item.at(self._places.date))
        if value is not None and not isinstance(value, dict | list):
            problem = "marks_unreadable"
        elif day is None:
            problem = "date_unreadable"
        elif not _EARLIEST <= day <= self._last_day:
            problem = "date_out_of_range"
        else:
            start, end = self._times(item, day, timetables[record.identity])
            if (record.identity, day, start) not in self._taken:
                self._taken.add((record.identity, day, start))
                image = self._image(document.path, item)
                kept = self._kept(document.path, record, marks)
                record.sessions.append(SessionRecord(document.path, day, start, end, image, kept))
                return
            problem = "session_repeated"
        self._leave_out(LeftOut(document.path, "session", problem, marks=known.total()))
        record.lost.append(Difference(problem, less=known, sessions=1))

    def _times(
        self, item: Item, day: date, timetable: Timetable
    ) -> tuple[time | None, time | None]:
        """Start and end as in the document, else of the day's slot if there is exactly one."""
        meetings = timetable.on(day)
        start = self._reader.time_of(item.at(self._places.start))
        if start is None:
            return meetings[0] if len(meetings) == 1 else (None, None)
        end = self._reader.time_of(item.at(self._places.end))
        ends = [meeting.end for meeting in meetings if meeting.start == start]
        end = end or (ends[0] if ends else None)
        return start, end if end and end > start else None

    def _marks(self, value: Any) -> Iterator[tuple[str, str | None]]:
        """Each roll number as written, with its word of the mapping, or None if it has none."""
        if isinstance(value, dict) and all(isinstance(word, str) for word in value.values()):
            for roll, word in value.items():
                yield roll, self._words.get(word) or self._words.get(word.strip().lower())
            return
        for item in entries(value):
            if isinstance(item.fields, dict):
                roll, word = item.at(self._places.roll_no), item.at(self._places.status)
            else:
                roll, word = item.key, item.fields
            yield str(text_of(roll) or ""), self._words.get(_word(word))

    def _kept(
        self, path: str, record: ClassRecord, marks: list[tuple[str, str | None]]
    ) -> dict[str, str]:
        """The marks that can be written, by roll key."""
        kept: dict[str, str] = {}
        lost: dict[str, Counter[str]] = {}
        for roll, word in marks:
            if word == _UNMARKED:
                continue
            named = self._named(roll)
            if word is None:
                problem = "status_unknown"
            elif named is None:
                problem = "roll_refused"
            elif named[1] in kept:
                problem = "roll_repeated"
            else:
                kept[named[1]] = word
                record.rolls.setdefault(named[1], named[0])
                continue
            lost.setdefault(problem, Counter())[status_of(word) if word else ""] += 1
        for problem, statuses in lost.items():
            self._leave_out(LeftOut(path, "mark", problem, count=statuses.total()))
            statuses.pop("", None)
            record.lost.append(Difference(problem, less=statuses))
        return kept

    def _named(self, roll: str) -> tuple[str, str] | None:
        """The roll number and its key; each is checked once, however many marks it has."""
        if roll not in self._rolls:
            try:
                checked = _roll.validate_python(roll)
                self._rolls[roll] = checked, roll_key(checked)
            except ValidationError:
                self._rolls[roll] = None
        return self._rolls[roll]

    def _image(self, path: str, item: Item) -> str | None:
        value = item.at(self._places.image)
        if value is None:
            return None
        try:
            return _image.validate_python(value)
        except ValidationError:
            self._leave_out(LeftOut(path, "field", "image_refused"))
            return None


def _word(value: Any) -> str:
    """A status, normalised like the mapping's words; booleans and numbers are words, too."""
    if value is None:
        return ""
    return str(text_of(value)).strip().lower() if isinstance(value, str | int | float) else "?"
