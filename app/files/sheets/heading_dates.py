"""The dates in the headings of an attendance grid, with or without their year and month."""

import re
from contextlib import suppress
from datetime import date, time

from app.files.sheets.cells import CellError, read_clock, read_session, read_weekday
from app.files.sheets.headings import Sheet

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(
    rf"\b({'|'.join(_MONTHS)})[a-z]*\.?[ ,/-]*((?:19|20|21)[0-9]{{2}})\b", re.IGNORECASE
)
_DAY = re.compile(r"0?[1-9]|[12][0-9]|3[01]")
_A_FULL_MONTH = 28
# The day of the week beside a date: `Mon 4 Aug`, `04/08/2025 (Mon)`, `6 Aug, Wed`.
_WEEKDAY = "(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
_BESIDE = re.compile(
    rf"(?:(?P<before>{_WEEKDAY})\.?,? +)?(?P<date>.{{1,60}}?)"
    rf"(?:,? *\(?(?P<after>{_WEEKDAY})\.?\)?)?",
    re.IGNORECASE,
)
# `4/8`, `04-08`, `4-Aug`, `4/8 9:00`. Not `4.8`, since a spreadsheet makes `4.1` of `4.10`.
_SHORT = re.compile(
    r"(?P<day>[0-9]{1,2})"
    rf"(?:[/-](?P<number>[0-9]{{1,2}})|[ -]?(?P<name>{'|'.join(_MONTHS)})[a-z]*)"
    r"(?: +(?P<clock>[0-9]{1,2}[:.][0-9]{2}(?: ?[ap]\.?m\.?)?))?",
    re.IGNORECASE,
)
# Longer than a term; twice this is less than a year, so that only one year fits.
_NEAR = 150


class HeadingDates:
    """Reads the dates in one sheet's headings, and notes how incomplete ones were read."""

    def __init__(self, sheet: Sheet) -> None:
        self._months = _months_above(sheet)
        self._month = _month_of_days(sheet, self._months)
        self._whole = _whole_dates(sheet)
        self._short: dict[str, date] = {}

    def read(self, heading: str) -> tuple[date, time | None] | None:
        """The date and, if given, the start that the heading names; None for any other heading.

        Raises `CellError` for a heading that looks like a date and cannot be read.
        """
        if self._month and _DAY.fullmatch(heading):
            return _existing(*self._month, int(heading)), None
        beside = _BESIDE.fullmatch(heading)
        if beside is None:
            return None
        weekdays = filter(None, beside.group("before", "after"))
        head = self._read_date(beside["date"])
        if head and any(read_weekday(text) != head[0].isoweekday() for text in weekdays):
            raise CellError("other_weekday")
        return head

    def _read_date(self, text: str) -> tuple[date, time | None] | None:
        match = _SHORT.fullmatch(text)
        if match is None or not (self._whole or self._months):
            return read_session(text)
        day = self._short[text] = self._with_year(match)
        return day, read_clock(match["clock"]) if match["clock"] else None

    def _with_year(self, match: re.Match[str]) -> date:
        """The only such day near a whole date of the sheet or the month above it."""
        month = int(match["number"] or _MONTHS.index((match["name"] or "").lower()) + 1)
        near = self._whole | {date(*named, 15) for named in self._months}
        found = set()
        for year in {known.year + step for known in near for step in (-1, 0, 1)}:
            with suppress(ValueError):
                day = date(year, month, int(match["day"]))
                if any(abs(day - known).days <= _NEAR for known in near):
                    found.add(day)
        if len(found) != 1:
            raise CellError("invalid_date")
        return found.pop()

    def notes(self) -> list[str]:
        """Notes on how incomplete dates were read."""
        notes = []
        if self._month:
            month = date(*self._month, 1)
            notes.append(f"Numbers in the headings were read as days of {month:%B %Y}.")
        if self._short:
            listed = ", ".join(f"{text} is {day}" for text, day in self._short.items())
            notes.append(f"Dates without a year were read by the other dates: {listed}.")
        return notes


def _existing(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise CellError("invalid_date") from None


def _months_above(sheet: Sheet) -> set[tuple[int, int]]:
    """The months with their years that are named above the headings."""
    return {
        (int(match[2]), _MONTHS.index(match[1].lower()) + 1)
        for row in sheet.preamble
        for cell in row.cells
        for match in _MONTH.finditer(cell)
    }


def _whole_dates(sheet: Sheet) -> set[date]:
    """The headings that are dates with a year."""
    found = set()
    for heading in sheet.others.values():
        beside = _BESIDE.fullmatch(heading)
        with suppress(CellError):
            if beside and (session := read_session(beside["date"])):
                found.add(session[0])
    return found


def _month_of_days(sheet: Sheet, months: set[tuple[int, int]]) -> tuple[int, int] | None:
    """The only month above the headings, if the numbers in them are certainly its days.

    Numbers that count 1, 2, 3 and end before a month does could number lectures. They are days if
    the row above them gives the correct weekday for each.
    """
    days = {column: int(text) for column, text in sheet.others.items() if _DAY.fullmatch(text)}
    if len(months) != 1 or not days:
        return None
    [month] = months
    counted = list(days.values()) == list(range(1, len(days) + 1))
    certain = not counted or len(days) >= _A_FULL_MONTH
    weekdays = {column: sheet.preamble[-1].at(column) for column in days}
    if any(weekdays.values()):
        certain = all(_falls_on((*month, day), weekdays[column]) for column, day in days.items())
    return month if certain else None


def _falls_on(day: tuple[int, int, int], weekday: str) -> bool:
    try:
        return not weekday.isdecimal() and date(*day).isoweekday() == read_weekday(weekday)
    except (CellError, ValueError):
        return False
