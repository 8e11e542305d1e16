"""Reads attendance: a grid with dates across the top, like a register, or a list of marks."""

import re
from datetime import date, time

from app.batch import ClassName, MarkRow, SessionName
from app.errors import Invalid
from app.files.register.register_words import LETTERS
from app.files.sheets.cells import (
    CellError,
    read_clock,
    read_date,
)
from app.files.sheets.choices import NOTHING
from app.files.sheets.headings import key_of
from app.files.sheets.meeting_reports import is_meeting_report, read_meeting_report
from app.files.sheets.session_columns import session_columns
from app.files.sheets.sheet_reader import Readers, SheetReader
from app.schemas.words import Prose, RollNo, Words


class _Student(Words):
    roll_no: RollNo
    name: Prose | None = None


class _Line(Words):
    """A line of a list of marks. Empty cells are refused as missing."""

    roll_no: RollNo
    name: Prose | None = None
    date: date
    start_time: time | None = None
    status: str
    remark: Prose | None = None


_LINE: Readers = {
    "date": read_date,
    "start_time": read_clock,
}
_GENERATED = key_of("Generated")


def read_attendance(reader: SheetReader) -> None:
    """Read the marks of a register, a handmade grid, a list with a date on each line, or the report
    of a meeting."""
    if is_meeting_report(reader):
        read_meeting_report(reader)
        return
    _find_marks_of_list(reader)
    if "roll_no" not in reader.sheet.columns:
        reader.sheet.columns["roll_no"] = reader.sheet.columns.pop("email")
        reader.batch.by_address = True
    if {"date", "status"} <= reader.sheet.columns.keys():
        _read_list(reader)
    else:
        _read_grid(reader)
    _refuse_other_legend(reader)
    reader.batch.notes += _words_noted(reader)


# In a list these are headings of the marks, in a grid of their totals.
_PRESENT = {key_of(words) for words in ("present", "attended", "was present", "present?")}


def _find_marks_of_list(reader: SheetReader) -> None:
    """Use a column `Present` of a list as its marks if every cell in it is a mark."""
    sheet = reader.sheet
    found = [column for column, text in sheet.others.items() if key_of(text) in _PRESENT]
    if "date" not in sheet.columns or "status" in sheet.columns or len(found) != 1:
        return
    cells = [row.cells[found[0]] for row in sheet.rows if found[0] < len(row.cells)]
    if any(cells) and all(_meaning(reader, cell) for cell in cells):
        sheet.columns["status"] = found[0]
        del sheet.others[found[0]]
        reader.batch.ignored.remove(found[0])


# A legend above or below the marks: `P = Present, L = Leave`.
_LEGEND = re.compile(r"(?<![\w/])([^\W_]{1,3}) ?(?:=|:|-|–|is) ?([^\W\d_]+(?: [^\W\d_]+)?)")


def _refuse_other_legend(reader: SheetReader) -> None:
    """Refuse a legend that contradicts the meaning of a word here."""
    other = CellError("other_legend")
    for row in (*reader.sheet.preamble, *reader.sheet.rows):
        legend = _LEGEND.findall(" ".join(row.cells)) if len(row.cells) < 3 else []
        meanings = [(_meaning(reader, word), _meaning(reader, said)) for word, said in legend]
        if any(here != said and {here, said} <= _MEANINGS for here, said in meanings):
            reader.refuse(row, 0, other.code, other.detail)


_UNMARKED = {key_of(words) for words in ("not marked", "unmarked", "no mark", "blank")}
_MEANINGS = {*LETTERS, NOTHING}


def _meaning(reader: SheetReader, text: str) -> str | None:
    if key_of(text) in _UNMARKED:
        return NOTHING
    try:
        return reader.meaning(text) or NOTHING
    except CellError:
        return None


def _words_noted(reader: SheetReader) -> list[str]:
    """How each word was read, with the number of its occurrences."""
    counts = reader.words.most_common()
    if not counts:
        return []
    listed = ", ".join(f"{text} is {word.replace('_', ' ')} ({n:,})" for (text, word), n in counts)
    return [f"Marks were read so: {listed}."]


def _read_list(reader: SheetReader) -> None:
    sessions: dict[SessionName, SessionName] = {}
    readers = {
        **_LINE,
        "roll_no": reader.read_roll,
        "status": lambda text: reader.read_mark(text) or NOTHING,
    }
    for row in reader.sheet.rows:
        class_name, line = reader.class_of(row), reader.model(row, _Line, readers)
        if class_name and line and line.status != NOTHING:
            name = SessionName(class_name, line.date, line.start_time)
            session = sessions.setdefault(name, name)
            column = reader.sheet.columns["status"]
            reader.batch.marks.append(
                MarkRow(
                    *(row.number, column, session, line.roll_no, line.status),
                    line.remark,
                    line.name,
                )
            )


def _read_grid(reader: SheetReader) -> None:
    batch, heads = reader.batch, session_columns(reader)
    exact = any(key_of(row.cells[0]) == _GENERATED for row in reader.sheet.preamble)
    if not (heads or exact or batch.refusals):
        raise Invalid(
            "There is no column of a session: its heading is a date, and may have a time.",
            code="column_missing",
        )
    named: dict[ClassName, list[tuple[int, SessionName]]] = {}
    roll = {"roll_no": reader.read_roll}
    for row in reader.sheet.rows:
        class_name, student = reader.class_of(row), reader.model(row, _Student, roll)
        if not class_name or not student:
            continue
        if class_name not in named:
            named[class_name] = [
                (column, SessionName(class_name, *head, exact=exact))
                for column, head in heads.items()
            ]
        for column, session in named[class_name]:
            if column < len(row.cells) and row.cells[column]:
                try:
                    word = reader.read_mark(row.cells[column])
                except CellError as error:
                    reader.refuse(row, column, error.code, error.detail)
                    continue
                if word:
                    mark = MarkRow(
                        *(row.number, column, session, student.roll_no, word), name=student.name
                    )
                    batch.marks.append(mark)
    if exact:
        batch.sessions = [SessionName(reader.above, *head, exact=exact) for head in heads.values()]
