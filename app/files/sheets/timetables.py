"""Reads timetables: the weekly slots of classes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.batch import SlotRow
from app.files.sheets.cells import read_weekday
from app.files.sheets.clocks import Clock, noted
from app.files.sheets.headings import Sheet
from app.files.sheets.sheet_reader import SheetReader
from app.files.sheets.table import Row
from app.schemas.classes import SlotDraft

_RANGE = re.compile(r"(.+?)\s*(?:-|–|—|\bto\b|\btill\b)\s*(.+)", re.IGNORECASE)

# Longer abbreviations come first, so that `TTh` is Tuesday and Thursday.
_LETTERS: Mapping[str, str] = {
    "tu": "2",
    "th": "4",
    "sa": "6",
    "su": "7",
    "m": "1",
    "t": "2",
    "w": "3",
    "f": "5",
}
_TOGETHER = re.compile("|".join(_LETTERS))
_BETWEEN = re.compile(r"\s*[,;/&+]\s*|\s+and\s+|\s+", re.IGNORECASE)


def read_timetable(reader: SheetReader) -> None:
    """Read a slot for each class, day and time in the sheet."""
    reader.sheet = sheet = _with_both_times(reader.sheet)
    clock = Clock(
        text
        for row in sheet.rows
        for text in (sheet.cell(row, "start_time"), sheet.cell(row, "end_time"))
    )
    readers = {
        "start_time": lambda text: clock.start(text).isoformat("minutes"),
        "end_time": lambda text: clock.end(text).isoformat("minutes"),
    }
    for row in sheet.rows:
        class_name = reader.class_of(row)
        for day in days_of(sheet.cell(row, "day_of_week")):
            slot = reader.model(row, SlotDraft, {**readers, "day_of_week": _of(day)})
            if slot is None:
                break
            if class_name:
                reader.batch.slots.append(SlotRow(row.number, class_name, slot))
    reader.batch.notes += noted(clock)


def _of(day: str) -> Callable[[str], int]:
    """A reader that returns this one of the days in a cell."""
    return lambda _: read_weekday(day)


def days_of(text: str) -> list[str]:
    """The days named in a cell, each once: `Mon, Wed`, `MWF`, `TTh`, `TuTh`.

    A letter that occurs twice is not read as a day, since it is ambiguous (`MTWTF`).
    """
    days: list[str] = []
    for word in [word for word in _BETWEEN.split(text.strip()) if word] or [text]:
        letters = _TOGETHER.findall(word.lower())
        whole = "".join(letters) == word.lower() != "sat"
        if whole and len(set(letters)) == len(letters):
            days += [_LETTERS[letter] for letter in letters]
        else:
            days.append(word)
    return list(dict.fromkeys(days))


@dataclass(frozen=True)
class _Ranges(Sheet):
    """A sheet with start and end in one cell: `9:30-10:30`."""

    def cell(self, row: Row, name: str) -> str:
        text = super().cell(row, name)
        if name not in ("start_time", "end_time"):
            return text
        match = _RANGE.fullmatch(text)
        if match is None:
            return text if name == "start_time" else ""
        return match[1] if name == "start_time" else match[2]


def _with_both_times(sheet: Sheet) -> Sheet:
    if "times" not in sheet.columns or "start_time" in sheet.columns:
        return sheet
    times = sheet.columns["times"]
    columns = {**sheet.columns, "start_time": times, "end_time": times}
    return _Ranges(columns, sheet.others, sheet.rows, sheet.heading, sheet.preamble)
