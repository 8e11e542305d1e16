"""Reads a workbook from standard input and writes its rows to standard output, as JSON.

It is a separate program, so that its memory and time can be limited, and imports nothing of `app`.
It reads the first visible sheet; with the arguments `sheet NAME` the named one, with `all` every
visible one. For each sheet it prints a line `[name, [other, ...]]` with the other sheets that are
not empty, then a line `[number, [cell, ...]]` for each row; or a sentence that says why the
workbook cannot be read. The output is limited too, since the caller has to hold it: a text that is
stored once in the file may be the text of a million cells.
"""

import json
import resource
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO

_MEMORY = 768 * 1024 * 1024
_CPU_SECONDS = 25
_ANSWER = 32 * 1024 * 1024


def main() -> None:
    _limit(resource.RLIMIT_AS, _MEMORY)
    _limit(resource.RLIMIT_CPU, _CPU_SECONDS)
    _limit(resource.RLIMIT_CORE, 0)
    left = _ANSWER
    for row in _rows(sys.stdin.buffer.read(), *sys.argv[1:]):
        line = json.dumps(row)
        left -= len(line)
        if left < 0:
            sys.exit(1)
        print(line)


def _limit(kind: int, most: int) -> None:
    """Set the limit, unless the operator has set a lower one."""
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(kind, (most, most))


def _rows(
    content: bytes, which: str = "first", wanted: str = ""
) -> "Iterator[tuple[int | str, list[str]] | str]":
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    book = CalamineWorkbook.from_filelike(BytesIO(content))
    shown = [
        place
        for place, sheet in enumerate(book.sheets_metadata)
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]
    if not shown:
        yield "All sheets of this workbook are hidden."
        return
    sheets = [book.get_sheet_by_index(place) for place in shown]
    name = wanted.strip().casefold()
    named = [sheet for sheet in sheets if sheet.name.strip().casefold() == name]
    chosen = {"first": sheets[:1], "sheet": named[:1], "all": sheets}[which]
    if not chosen:
        names = ", ".join(sheet.name for sheet in sheets)
        yield f"There is no such sheet. The sheets are: {names}."
    for found in chosen:
        others = [sheet for sheet in sheets if sheet not in chosen and sheet.start is not None]
        yield found.name, [sheet.name for sheet in others]
        before = [""] * (found.start[1] if found.start else 0)
        for number, cells in enumerate(found.iter_rows(), start=1):
            if any(cell != "" for cell in cells):
                yield number, before + [_text(cell) for cell in cells]


def _text(cell: object) -> str:
    """The cell as a person would type it."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        if abs(cell) >= 1e15:
            return f"{cell:E}"  # a spreadsheet keeps 15 digits: the rest is lost already
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d}" + (f" {cell:%H:%M}" if cell.time() != time() else "")
    if isinstance(cell, timedelta):
        minutes = round(cell.total_seconds() / 60)
        return f"{minutes // 60:02}:{minutes % 60:02}"
    if isinstance(cell, time):
        return f"{cell:%H:%M}"
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


if __name__ == "__main__":
    main()
