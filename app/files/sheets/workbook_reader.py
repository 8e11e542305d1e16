"""Reads a workbook from standard input and writes its rows to standard output, as JSON.

A program of its own, so that it can be given little memory and time: it imports nothing of `app`.
It answers `[[number, [cell, ...]], ...]`, or a sentence that says why it cannot be read.
"""

import json
import resource
import sys
from datetime import date, datetime, time, timedelta
from io import BytesIO

_MEMORY = 768 * 1024 * 1024
_CPU_SECONDS = 25


def main() -> None:
    _limit(resource.RLIMIT_AS, _MEMORY)
    _limit(resource.RLIMIT_CPU, _CPU_SECONDS)
    _limit(resource.RLIMIT_CORE, 0)
    json.dump(_rows(sys.stdin.buffer.read()), sys.stdout)


def _limit(kind: int, most: int) -> None:
    """Set the limit, unless whoever runs the server has set a lower one."""
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(kind, (most, most))


def _rows(content: bytes) -> "list[tuple[int, list[str]]] | str":
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    book = CalamineWorkbook.from_filelike(BytesIO(content))
    for place, sheet in enumerate(book.sheets_metadata):
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible:
            found = book.get_sheet_by_index(place)
            if found.start is None:
                return []
            before = [""] * found.start[1]
            return [
                (number, before + [_text(cell) for cell in cells])
                for number, cells in enumerate(found.iter_rows(), start=1)
                if any(cell != "" for cell in cells)
            ]
    return "This workbook has no sheet that is not hidden."


def _text(cell: object) -> str:
    """The cell as a person would type it."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
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
