"""The register as a workbook of one sheet, to be read on a screen, sorted, added up and printed.

Text stays text: no name becomes a formula or a link.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from app.files.register import register_grid
from app.files.register.register_words import LETTERS, NOT_ENROLLED, STUDENT_COLUMNS, TOTAL_COLUMNS
from app.schemas.register import Register, RegisterStudent

_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_A4 = 9
# Up to this many sessions can still be read when scaled to the width of one page.
_ONE_PAGE = 45
_NAME_WIDTHS = (12, 45)
# Not allowed in XML: one of them would make the whole file unreadable.
_NO_CHARACTER = re.compile("[\ufffe\uffff]")


def written(register: Register, generated: datetime) -> bytes:
    """The whole file. It is written row by row to a temporary file, and then packed."""
    packed = BytesIO()
    with xlsxwriter.Workbook(packed, _OPTIONS) as book:
        book.set_properties(
            {
                "title": _text(f"Attendance register {register.code} {register.section}"),
                "author": _text(register.generated_by),
                "created": generated.astimezone(UTC).replace(tzinfo=None),
            }
        )
        sheet = book.add_worksheet("Register")
        formats = _formats(book)
        _set_columns(sheet, register)
        top = _write_preamble(sheet, register, generated, formats)
        _write_headings(sheet, top, register_grid.headings(register), formats)
        for row, student in enumerate(register.students, start=top + 1):
            _write_student(sheet, row, student, formats)
        # Roll numbers may consist of digits, but are text.
        sheet.ignore_errors({"number_stored_as_text": "A1:B1048576"})
        sheet.freeze_panes(top + 1, len(STUDENT_COLUMNS))
        _set_up_printing(sheet, register, top)
    return packed.getvalue()


def _text(text: str) -> str:
    """The text, with characters that a workbook cannot hold replaced."""
    return _NO_CHARACTER.sub("\ufffd", text)


def _formats(book: Workbook) -> dict[str, Format]:
    # Text that begins like a formula stays text even if somebody edits the cell.
    text = {"num_format": "@", "quote_prefix": True, "valign": "vcenter"}
    mark = {"align": "center", "valign": "vcenter", "border": 1, "border_color": "#D9D9D9"}
    heading = {"bold": True, "bottom": 1, "valign": "bottom", "bg_color": "#E9EDF2"}
    number = {"align": "right", "valign": "vcenter"}
    percentage = {**number, "num_format": "0.00%"}
    return {
        "label": book.add_format({"font_color": "#595959"}),
        "text": book.add_format(text),
        "strong": book.add_format({**text, "bold": True}),
        "heading": book.add_format(heading),
        "session": book.add_format({**heading, "rotation": 90, "align": "center"}),
        "total": book.add_format({**heading, "align": "right"}),
        "mark": book.add_format(mark),
        "absent": book.add_format({**mark, "bold": True, "font_color": "#9C0006"}),
        "number": book.add_format({**number, "num_format": "0"}),
        "attended": book.add_format(number),
        "percentage": book.add_format(percentage),
        "below": book.add_format(
            {**percentage, "bold": True, "font_color": "#9C0006", "bg_color": "#FFC7CE"}
        ),
    }


def _set_columns(sheet: Worksheet, register: Register) -> None:
    """Set the widths, in characters; in constant-memory mode this must come first."""
    first = len(STUDENT_COLUMNS)
    past = first + len(register.sessions)
    for column, texts in enumerate(
        ([s.roll_no for s in register.students], [s.name for s in register.students])
    ):
        longest = max(map(len, texts), default=0) + 2
        sheet.set_column(column, column, min(max(longest, _NAME_WIDTHS[0]), _NAME_WIDTHS[1]))
    if register.sessions:
        sheet.set_column(first, past - 1, 3.6)
    sheet.set_column(past, past + len(TOTAL_COLUMNS) - 1, 11)


def _write_preamble(
    sheet: Worksheet, register: Register, generated: datetime, formats: dict[str, Format]
) -> int:
    """Write the preamble, and return the row of the headings."""
    lines = register_grid.preamble(register, generated)
    for row, (label, value) in enumerate(lines):
        sheet.write_string(row, 0, label, formats["label"])
        sheet.write_string(row, 1, _text(value), formats["strong" if row < 2 else "text"])
    return len(lines) + 1


def _write_headings(
    sheet: Worksheet, row: int, headings: list[str], formats: dict[str, Format]
) -> None:
    first, past = len(STUDENT_COLUMNS), len(headings) - len(TOTAL_COLUMNS)
    sheet.set_row(row, 110)
    for column, heading in enumerate(headings):
        kind = "heading" if column < first else "session" if column < past else "total"
        sheet.write_string(row, column, heading, formats[kind])


def _write_student(
    sheet: Worksheet, row: int, student: RegisterStudent, formats: dict[str, Format]
) -> None:
    sheet.write_string(row, 0, _text(student.roll_no), formats["text"])
    sheet.write_string(row, 1, _text(student.name), formats["text"])
    column = len(STUDENT_COLUMNS)
    for letter in register_grid.letters(student):
        kind = formats["absent" if letter == LETTERS["absent"] else "mark"]
        # An empty cell has a border but no text.
        write: Callable[..., Any] = sheet.write_string if letter else sheet.write_blank
        write(row, column, letter or None, kind)
        column += 1
    *numbers, attended = register_grid.counts(student)
    for number in numbers:
        sheet.write_number(row, column, number, formats["number"])
        column += 1
    sheet.write_number(row, column, float(attended), formats["attended"])
    share = float(student.percentage / 100)
    sheet.write_number(row, column + 1, share, formats["below" if student.below else "percentage"])


def _set_up_printing(sheet: Worksheet, register: Register, top: int) -> None:
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.7)
    sheet.repeat_rows(top)
    sheet.repeat_columns(0, len(STUDENT_COLUMNS) - 1)
    if len(register.sessions) <= _ONE_PAGE:
        sheet.fit_to_pages(1, 0)
    legend = "  ".join(f"{letter} {word}" for word, letter in LETTERS.items()).replace("_", " ")
    sheet.set_footer(f"&L&8{legend}  {NOT_ENROLLED} not enrolled&R&8Page &P of &N")
