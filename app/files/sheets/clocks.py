"""The times of a timetable, which people often write in twelve-hour form without saying so.

A lecture at `1:30` is in the afternoon: if no time in the file is after 12:59 and none says am or
pm, times from 1:00 to 5:59 are read as afternoon. In a file with a 24-hour clock, a time before
6:00 is refused unless it says am, since nobody teaches then. An hour alone (`9`) is the full hour.
A lecture that ends at midnight (0:00 or 24:00) ends at 23:59, the last minute of its day.
"""

import re
from collections.abc import Iterable
from datetime import time

from app.files.sheets.cells import CellError, read_clock

_HALF = re.compile("[ap]\\.?m", re.IGNORECASE)
_MIDNIGHT = re.compile("0?0[:.]00|24[:.]00|12[:.]00 ?a\\.?m\\.?", re.IGNORECASE)
_HOUR = re.compile(r"([0-9]{1,2})( ?[ap]\.?m\.?)?", re.IGNORECASE)  # `9`, `2 pm`
_MORNING = time(6)
_LAST_MINUTE = time(23, 59)


class Clock:
    """Reads the times of one file; `texts` are all of them."""

    def __init__(self, texts: Iterable[str]) -> None:
        said = [text for text in texts if text]
        self._twelve_hours = not any(_HALF.search(text) or _is_late(text) for text in said)
        self.afternoons: set[str] = set()
        self.midnights: set[str] = set()

    def start(self, text: str) -> time:
        """When a lecture begins."""
        clock = _read(text)
        if clock >= _MORNING or _HALF.search(text):
            return clock
        if self._twelve_hours and clock.hour:
            self.afternoons.add(text)
            return clock.replace(hour=clock.hour + 12)
        raise CellError("night_time")

    def end(self, text: str) -> time:
        """When it ends."""
        if _MIDNIGHT.fullmatch(text):
            self.midnights.add(text)
            return _LAST_MINUTE
        return self.start(text)


def _read(text: str) -> time:
    """The time of day, where an hour alone is the full hour."""
    hour = _HOUR.fullmatch(text)
    return read_clock(f"{hour[1]}:00{hour[2] or ''}" if hour else text)


def _is_late(text: str) -> bool:
    try:
        return _read(text).hour > 12
    except CellError:
        return bool(_MIDNIGHT.fullmatch(text))


def noted(clock: Clock) -> list[str]:
    """Notes on how the times were read, for the person who imports the file."""
    notes = []
    if clock.afternoons:
        listed = ", ".join(sorted(clock.afternoons))
        notes.append(f"Read as afternoon, since the file has no time after 12:59: {listed}.")
    if clock.midnights:
        listed = ", ".join(sorted(clock.midnights))
        notes.append(f"Read as 23:59, the end of the day: {listed}.")
    return notes
