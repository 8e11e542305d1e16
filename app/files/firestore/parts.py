"""The parts of a class document: weekly slots, moved occurrences, students."""

from collections.abc import Callable
from datetime import date, time
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from app.batch import Move
from app.files.firestore.mapping import Mapping
from app.files.firestore.values import Item, Reader, entries, text_of
from app.reconciliation import LeftOut
from app.schemas.classes import SlotDraft
from app.schemas.roster import STUDENT_FIELDS, RosterEntry, json_name
from app.schemas.words import Prose, is_blank, roll_key

M = TypeVar("M", bound=BaseModel)
LeaveOut = Callable[[LeftOut], None]


def fitted(model: type[M], values: dict[str, Any]) -> tuple[M | None, list[str]]:
    """Build the model without the values that it refuses; return it and the names of those.

    The model is None if it needs one of them. `values` are by JSON name.
    """
    try:
        return model.model_validate(values), []
    except ValidationError as refused:
        names = [str(error["loc"][0]) for error in refused.errors() if error["loc"]]
    kept = {name: value for name, value in values.items() if name not in names}
    try:
        return model.model_validate(kept), sorted(set(names))
    except ValidationError:
        return None, sorted(set(names))


class Meeting(NamedTuple):
    start: time
    end: time


class Timetable:
    """The valid weekly slots and moves of a class."""

    def __init__(self) -> None:
        self.slots: list[SlotDraft] = []
        self.moves: list[Move] = []

    def on(self, day: date) -> list[Meeting]:
        """When the class meets on the day, by the timetable."""
        away = {move.original_start for move in self.moves if move.original_date == day}
        weekly = [
            Meeting(slot.start_time, slot.end_time)
            for slot in self.slots
            if slot.day_of_week == day.isoweekday() and slot.start_time not in away
        ]
        return weekly + [
            Meeting(move.new_start, move.new_end) for move in self.moves if move.new_date == day
        ]

    def add_slot(self, slot: SlotDraft) -> str | None:
        """Add the slot, or return the reason why not. A duplicate is ignored."""
        for other in self.slots:
            if other == slot:
                return None
            if other.day_of_week == slot.day_of_week and _overlap(
                Meeting(slot.start_time, slot.end_time), Meeting(other.start_time, other.end_time)
            ):
                return "slot_overlaps"
        self.slots.append(slot)
        return None

    def add_move(
        self, day: date, start: time | None, to: date, at: Meeting, why: str | None
    ) -> str | None:
        """Add a move of the day's slot (the one at `start`, if given), or return why not."""
        meets = [
            slot
            for slot in sorted(self.slots, key=lambda slot: slot.start_time)
            if slot.day_of_week == day.isoweekday() and start in (None, slot.start_time)
        ]
        moved = {move.original_start for move in self.moves if move.original_date == day}
        meets = [slot for slot in meets if slot.start_time not in moved] or meets
        if not meets:
            return "move_of_nothing"
        slot = meets[0]
        move = Move(day, slot.start_time, slot.end_time, to, at.start, at.end, why)
        # A second move of the same occurrence replaces the first, as in the API.
        others = [
            other
            for other in self.moves
            if (other.original_date, other.original_start) != (day, slot.start_time)
        ]
        before, self.moves = self.moves, [*others, move]
        if sum(_overlap(at, other) for other in self.on(to)) > 1:
            self.moves = before
            return "slot_overlaps"
        return None


def _overlap(one: Meeting, other: Meeting) -> bool:
    return one.start < other.end and one.end > other.start


class Parts:
    """Reads the parts of classes by the places and words of a mapping."""

    def __init__(self, mapping: Mapping, reader: Reader, leave_out: LeaveOut) -> None:
        self._mapping, self._reader, self._leave_out = mapping, reader, leave_out
        self._days = mapping.days()

    def slots(self, path: str, value: Any, timetable: Timetable) -> None:
        """Add the weekly slots in the value of a class's `schedule`."""
        if not self._is_container(path, value, "schedule"):
            return
        places = self._mapping.slot
        for number, item in enumerate(entries(value), start=1):
            start, end = self._reader.range_of(item.fields)
            if isinstance(item.fields, dict):
                given = item.at(places.start), item.at(places.end)
                if given == (None, None):
                    continue
                start, end = (self._reader.time_of(one) for one in given)
            elif is_blank(item.fields) if isinstance(item.fields, str | None) else False:
                continue
            day = self._days.get(str(text_of(item.at(places.day))).strip().lower())
            problem: str | None = "slot_unreadable"
            if day and start and end and start < end:
                slot = SlotDraft.model_construct(day_of_week=day, start_time=start, end_time=end)
                problem = timetable.add_slot(slot)
            if problem:
                self._leave_out(LeftOut(path, "slot", problem, f"schedule/{number}"))

    def moves(self, path: str, value: Any, timetable: Timetable) -> None:
        """Add the moved occurrences in the value of a class's `reschedules`."""
        if self._is_container(path, value, "reschedules"):
            for number, item in enumerate(entries(value), start=1):
                self.move(path, item, timetable, f"reschedules/{number}")

    def move(self, path: str, item: Item, timetable: Timetable, place: str = "") -> None:
        """Add one moved occurrence."""
        places, reader = self._mapping.reschedule, self._reader
        day, to = (
            reader.date_of(item.at(places.original_date)),
            reader.date_of(item.at(places.new_date)),
        )
        start, end = (
            reader.time_of(item.at(places.new_start)),
            reader.time_of(item.at(places.new_end)),
        )
        problem: str | None = "move_unreadable"
        if day and to and start and end and start < end:
            original = reader.time_of(item.at(places.original_start))
            reason = self._reason(path, item.at(places.reason), place)
            problem = timetable.add_move(day, original, to, Meeting(start, end), reason)
        if problem:
            self._leave_out(LeftOut(path, "reschedule", problem, place))

    def _reason(self, path: str, value: Any, place: str) -> str | None:
        checked, refused = fitted(_Reason, {"reason": text_of(value)})
        if refused:
            self._leave_out(LeftOut(path, "field", "field_refused", f"{place}/reason".lstrip("/")))
        return checked.reason if checked else None

    def students(self, path: str, value: Any) -> dict[str, RosterEntry]:
        """The roster in the value of a class's `students`, by roll key."""
        found: dict[str, RosterEntry] = {}
        if not self._is_container(path, value, "students"):
            return found
        places = self._mapping.student
        for number, item in enumerate(entries(value), start=1):
            place = f"students/{number}"
            values = {"rollNo": text_of(item.at(places.roll_no))}
            for field in STUDENT_FIELDS:
                given = text_of(item.at(getattr(places, field)))
                if given is not None:
                    values[json_name(field)] = given
            entry, refused = fitted(RosterEntry, values)
            if entry is None or entry.roll_no is None:
                self._leave_out(LeftOut(path, "student", "roll_refused", place))
                continue
            for name in refused:
                self._leave_out(LeftOut(path, "field", "field_refused", f"{place}/{name}"))
            key = roll_key(entry.roll_no)
            if key in found:
                self._leave_out(LeftOut(path, "student", "roll_repeated", place))
            found.setdefault(key, entry)
        return found

    def _is_container(self, path: str, value: Any, place: str) -> bool:
        if value is not None and not isinstance(value, dict | list):
            self._leave_out(LeftOut(path, "field", "field_refused", place))
        return isinstance(value, dict | list)


class _Reason(BaseModel):
    reason: Prose | None = None
