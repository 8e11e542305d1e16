"""What is read from files: what people write in spreadsheets, and nothing that does harm."""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from app.batch import ClassName
from app.errors import Invalid
from app.files.sheets import workbook
from app.files.sheets.batches import read_batch
from app.files.sheets.cells import (
    CellError,
    read_clock,
    read_date,
    read_mark,
    read_session,
    read_weekday,
)
from app.files.sheets.headings import REQUIRED, SPELLINGS, key_of
from app.files.sheets.limits import MAX_LINES
from app.files.sheets.table import read_table
from app.schemas.imports import Kind
from tests import files
from tests.files import cell, csv, handmade, row, xlsx

ROSTER = [["S. No.", "University Roll", "Student Name"], [1, "23/CS/107", "Kabir V. Demo"]]


def cells_of(content: bytes) -> list[list[str]]:
    return [row.cells for row in read_table(content).rows]


@pytest.mark.parametrize(
    "content",
    [
        csv(ROSTER),
        b"\xef\xbb\xbf" + csv(ROSTER),
        csv(ROSTER).decode().encode("utf-16"),
        b"\xfe\xff" + csv(ROSTER).decode().encode("utf-16-be"),
        csv(ROSTER).replace(b",", b";"),
        csv(ROSTER).replace(b",", b"\t").replace(b"\r\n", b"\n"),
        csv(ROSTER).replace(b"\r\n", b"\r"),
        csv([*ROSTER, ["", "", ""], [" ", "", "\u00a0"]]),
        xlsx(ROSTER),
        xlsx(ROSTER, hidden=True),
    ],
)
def test_a_table_is_read_however_it_was_saved(content: bytes) -> None:
    assert cells_of(content) == [[str(cell) for cell in cells] for cells in ROSTER]


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    text = 'Roll No,Name\r\n\r\n1,"two\r\nlines"\r\n,\r\n2,Kavya\r\n'
    assert [row.number for row in read_table(text.encode()).rows] == [1, 3, 5]
    assert [row.number for row in read_table(xlsx([["Roll No"], [], ["1"], [""], ["2"]])).rows] == [
        *(1, 3, 5)
    ]
    below = handmade(row(4, cell("C4", "Roll No")) + row(9, cell("C9", "1")))
    assert [(row.number, row.cells) for row in read_table(below).rows] == [
        (4, ["", "", "Roll No"]),
        (9, ["", "", "1"]),
    ]


def test_a_workbook_shows_its_cells_as_people_type_them() -> None:
    moments = [date(2025, 8, 4), datetime(2025, 8, 4, 9, 0), time(9, 30)]
    assert cells_of(xlsx([[107, 107.5, 1e6, True, *moments, "=x"]])) == [
        ["107", "107.5", "1000000", "TRUE", "2025-08-04", "2025-08-04 09:00", "09:30", "0"]
    ]


def test_a_formula_is_what_it_says_or_shows_and_nothing_more() -> None:
    assert cells_of(b"=1+1,+91 2,'=1+1,''@x,'Tis\n") == [["=1+1", "+91 2", "=1+1", "'@x", "'Tis"]]
    shown = handmade(row(1, cell("A1", "Kabir", 'WEBSERVICE("http://127.0.0.1:1/")')))
    assert cells_of(shown) == [["Kabir"]]


UNREADABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "empty"),
    "no cell": (lambda: b"\xef\xbb\xbf,,\r\n\r\n", "empty"),
    "lines of nothing": (lambda: b"\n" * (MAX_LINES + 1), "1,048,576 lines"),
    "lines of commas": (lambda: b",,\n" * (MAX_LINES + 1), "1,048,576 lines"),
    "an empty workbook": (lambda: xlsx([]), "empty"),
    "Latin-1": (lambda: "Roll No,Näme".encode("latin-1"), "UTF-8"),
    "UTF-16 without its mark": (lambda: "Roll No".encode("utf-16-le"), "UTF-8"),
    "half a character": (lambda: "Roll".encode("utf-16") + b"\0", "UTF-8"),
    "a photo": (lambda: b"\xff\xd8\xff\xe0\x00\x10JFIF", "UTF-8"),
    "NUL bytes": (lambda: b"Roll No\n1\0\n", "UTF-8"),
    "an open quote": (lambda: b'Roll No\n"1\n' + b"2\n" * 20, "quotation marks"),
    "an open quote of a large file": (lambda: b'Roll No\n"1\n' + b"2\n" * 900_000, "quotation"),
    "text after a quote": (lambda: b'Roll No\n"1"2\n', "quotation marks"),
    "a million columns": (lambda: b"a," * 1_000_000, "too many columns"),
    "a thousand and one columns": (lambda: b"a," * 1_001, "1,000 columns"),
    "a million rows": (lambda: b"Roll No\n" + b"1\n" * 1_000_000, "50,000 rows"),
    "a million cells": (lambda: (b"1," * 1_000 + b"\n") * 1_001, "1,000,000 cells"),
    "a cell of a megabyte": (lambda: b"Roll No\n" + b"1" * 1_000_000, "32,767 characters"),
    "a cell too long for a spreadsheet": (lambda: b"1" * 40_000, "32,767 characters"),
    "an old workbook": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), ".xls"),
    "a workbook with a password": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
        "password",
    ),
    "half a workbook": (lambda: xlsx(ROSTER)[:2_000], "damaged"),
    "a zip that is no workbook": (
        lambda: handmade("").replace(b"xl/workbook.xml", b"xl/workbouk.xml"),
        "not a workbook",
    ),
    "a workbook without its sheet": (
        lambda: handmade("").replace(b"sheet1.xml", b"sheet2.xml"),
        "damaged",
    ),
    "a workbook that is not XML": (lambda: handmade("<row><c"), "damaged"),
    "ten thousand parts": (
        lambda: handmade(files.ROLLS_XML, **{f"x{n}": "" for n in range(3_000)}),
        "larger inside",
    ),
    "one text in a million cells": (lambda: files.one_text(10_000), "larger inside"),
    "one cell in the last row": (lambda: files.far_cell(1_048_576), "larger inside"),
    "one cell in the last column": (lambda: files.far_cell(3_000), "larger inside"),
    "a workbook of many columns": (
        lambda: handmade(row(1, cell("A1", "Roll No"), cell("XFD1", "1"))),
        "1,000 columns",
    ),
    "a workbook of many rows": (
        lambda: handmade("".join(row(n, cell(f"A{n}", "1")) for n in range(1, 50_002))),
        "50,000 rows",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_refused_with_its_reason(name: str) -> None:
    make, reason = UNREADABLE[name]
    with pytest.raises(Invalid, match=reason) as refused:
        read_batch(Kind.STUDENTS, make(), in_class=True)
    assert refused.value.code == "unreadable_file"
    assert len(refused.value.detail) < 300


def test_reading_stops_at_too_many_mistakes() -> None:
    nonsense = [["Roll No", *(f"2025-01-{day:02}" for day in range(1, 31))]]
    nonsense += [[n, *["X"] * 30] for n in range(400)]
    with pytest.raises(Invalid, match="more than 10,000 mistakes"):
        read_batch(Kind.ATTENDANCE, csv(nonsense), in_class=True)


@pytest.mark.parametrize("make", [files.bomb, files.lying_bomb, files.nested_parts])
def test_a_zip_bomb_is_measured_before_anything_opens_it(
    make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook.subprocess, "run", lambda *_, **__: pytest.fail("It was opened."))
    with pytest.raises(Invalid, match="larger inside"):
        read_table(make())


_MEASURED = """
import resource, sys
from app.errors import Invalid
from app.files.sheets.limits import MAX_LINES
from app.files.sheets.table import read_table
from tests.files import bomb, lying_bomb, nested_parts
from tests.test_files import UNREADABLE
contents = [UNREADABLE[name][0]() for name in sys.argv[1:]] + [
    bomb(), lying_bomb(), nested_parts()]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for content in contents:
    try:
        read_table(content)
    except Invalid:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_hostile_file_takes_little_memory_and_time() -> None:
    names = [name for name in UNREADABLE if "million" in name or "last" in name]
    began = perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *names], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 100 * 1024  # KiB, beside the contents themselves
    assert perf_counter() - began < 60


PAGE = Path("docs/imports.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("kind", "example"), re.findall(r"^```csv (\w+)\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
)
def test_every_example_of_the_page_is_read_whole(kind: str, example: str) -> None:
    batch = read_batch(Kind(kind), example.encode())
    assert (batch.refusals, batch.ignored) == ([], [])
    assert len(batch.marks) == (5 if "Aug" in example else 2) or kind != "attendance"


def test_every_mark_of_the_page_is_read_as_it_says() -> None:
    rows = re.findall(
        r"^\| (`.+) \| (present|absent|late|excused|excused, on duty) \|$", PAGE, re.M
    )
    assert len(rows) == 5
    for texts, meant in rows:
        word = "on_duty" if "duty" in meant else meant
        assert {read_mark(text.strip(" `")) for text in texts.split(",")} == {word}


@pytest.mark.parametrize("kind", Kind)
def test_every_spelling_means_one_thing(kind: Kind) -> None:
    meant: dict[str, set[str]] = {}
    for name, texts in SPELLINGS[kind].items():
        for text in texts.split("|"):
            meant.setdefault(key_of(text), set()).add(name)
    assert [key for key, names in meant.items() if len(names) > 1 or not key] == []
    assert set(REQUIRED[kind]) <= SPELLINGS[kind].keys()


@pytest.mark.parametrize(
    "heading", ["Roll No", "rollNo", "ROLL NUMBER", "roll_no.", "University Roll No.", "rno"]
)
def test_a_roll_number_is_known_by_many_names(heading: str) -> None:
    batch = read_batch(Kind.STUDENTS, csv([[heading, "Fees"], ["1", "paid"]]), in_class=True)
    assert [student.entry.roll_no for student in batch.students] == ["1"]
    assert batch.ignored == [1]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([["Name", "Section"], ["Kabir", "A"]], "column_missing"),
        ([["Roll No", "rno"], ["1", "1"]], "column_repeated"),
    ],
)
def test_a_file_without_its_columns_is_refused(rows: list[list[str]], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_batch(Kind.STUDENTS, csv(rows))
    assert refused.value.code == code


def test_every_bad_cell_is_named_with_its_place_and_nothing_of_it_repeated() -> None:
    rows = [
        ["Roll No", "Name", "Code", "Joined"],
        ["", "Kabir", "CS301", "31/02/2025"],
        ["2.3E+10", "K\x07", "CS301", ""],
        ["3", "Kavya", "", "tomorrow"],
    ]
    batch = read_batch(Kind.STUDENTS, csv(rows))
    assert batch.students == []
    assert [(r.row, r.column, r.code) for r in batch.refusals] == [
        (2, 3, "invalid_date"),
        (3, 0, "shortened_number"),
        (4, 2, "required"),
        (4, 3, "invalid_date"),
    ]
    assert "tomorrow" not in repr(batch.refusals)


def test_a_register_names_its_own_class() -> None:
    rows: list[list[Any]] = [
        ["Class", "CS301"],
        ["Section", "A"],
        ["Teacher", "Asha Demo <asha@demo.university.example>"],
        ["Term", ""],
        ["Generated", "2025-08-29T10:00:00Z by Asha Demo"],
        [],
        ["Roll No", "Name", "2025-08-04 09:00", "2025-08-05", "Present", "Percentage"],
        ["23/CS/107", "Kabir", "P", "OD", 1, 100.0],
        ["23/CS/108", "Kavya", "-", "", 0, 0],
    ]
    for content in (csv(rows), xlsx(rows)):
        batch = read_batch(Kind.ATTENDANCE, content)
        (named,) = {session.class_name for session in batch.sessions}
        assert named == ClassName("CS301", "A", "asha@demo.university.example")
        assert [(s.day.day, s.start, s.exact) for s in batch.sessions] == [
            (4, time(9), True),
            (5, None, True),
        ]
        assert [(m.row, m.column, m.word) for m in batch.marks] == [
            (8, 2, "present"),
            (8, 3, "on_duty"),
        ]
        assert (batch.refusals, batch.ignored) == ([], [])


@pytest.mark.parametrize(
    "text", ["2025-08-04", "04/08/2025", "4-8-2025", "4.8.2025", "04/08/25", "4 Aug 2025"]
)
def test_dates_are_read_with_the_day_first_or_the_year(text: str) -> None:
    assert read_date(text) == date(2025, 8, 4)


@pytest.mark.parametrize("text", ["08/14/2025", "2025-02-30", "4 August", "0025-08-04", "x" * 99])
def test_something_that_is_not_a_date_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        read_date(text)


@pytest.mark.parametrize(
    ("heading", "meant"),
    [
        ("2025-08-04", (date(2025, 8, 4), None)),
        ("2025-08-04 09:00", (date(2025, 8, 4), time(9))),
        ("04/08/2025 9:00-10:00", (date(2025, 8, 4), time(9))),
        ("4 Aug 2025 (2:30 pm)", (date(2025, 8, 4), time(14, 30))),
        ("Fees", None),
        ("Unit 12", None),
        ("Percentage", None),
        ("Marks 12/20", None),
        ("Unit 5 marks", None),
    ],
)
def test_the_heading_of_a_session_is_a_date_with_or_without_a_time(
    heading: str, meant: object
) -> None:
    assert read_session(heading) == meant


@pytest.mark.parametrize(
    "heading",
    ["08/31/2025", "Mon 04/08/2025", "04/08/2025 (Mon)", "04/08/25 9am", "4-Aug", "4 August"],
)
def test_a_heading_with_a_date_that_is_not_understood_is_refused(heading: str) -> None:
    with pytest.raises(CellError):
        read_session(heading)


def test_a_roll_number_that_a_spreadsheet_has_shortened_is_refused() -> None:
    """Numbers of 15 digits are whole; of longer ones the rest is lost, however they look."""
    rolls = ["Roll No", 230_000_000_000_107, 2_301_234_567_890_123, 10**20, 107.0, "2.3E+10"]
    batch = read_batch(Kind.STUDENTS, xlsx([roll] for roll in rolls), in_class=True)
    assert [line.entry.roll_no for line in batch.students] == ["230000000000107", "107"]
    assert [(flaw.row, flaw.code) for flaw in batch.refusals] == [
        (row, "shortened_number") for row in (3, 4, 6)
    ]


def test_times_weekdays_and_marks_are_read_as_people_write_them() -> None:
    clocks = ["9:00", "09:00", "9.00", "09:00:00", "9:00 am", "9:00AM", "9:00 a.m."]
    assert {read_clock(text) for text in clocks} == {time(9)}
    assert read_clock("12:15 am") == time(0, 15)
    assert {read_weekday(text) for text in ("1", "Mon", "monday", "MON.")} == {1}
    words = {"P": "present", "yes": "present", "1": "present", "Absent": "absent", "0": "absent"}
    words |= {"l": "late", "E": "excused", "od": "on_duty", "On  Duty": "on_duty"}
    assert {text: read_mark(text) for text in words} == words
    assert [read_mark(text) for text in ("", "-", "n/a")] == [None] * 3
    for read, bad in ((read_clock, "25:00"), (read_weekday, "M"), (read_mark, "X")):
        with pytest.raises(CellError):
            read(bad)
