"""Files as people mean them: what is certain is read and shown, the rest refused with its place."""

from datetime import date
from typing import Any
from zipfile import ZipFile

import pytest

from app.batch import Batch
from app.errors import Invalid
from app.files.sheets.batches import read_batch
from app.files.sheets.choices import choices
from app.schemas.imports import Kind
from tests.files import csv, sheets, xlsx
from tests.test_imports import Rows

ABOVE: Rows = [["Course Code", "CS301"], ["Section", "A"], []]


def read(kind: Kind, rows: Rows) -> Batch:
    return read_batch(kind, csv(rows))


def codes(batch: Batch) -> list[tuple[int, int | None, str]]:
    return [(refusal.row, refusal.column, refusal.code) for refusal in batch.refusals]


@pytest.mark.parametrize(
    "heading",
    ["PRN", "USN No.", "HTNO", "Hall Ticket No", "Regd. No.", "Admission No", "Student ID"],
)
def test_roll_numbers_have_many_headings(heading: str) -> None:
    rows = [["S.No", heading, "Name"], ["1", "23/CS/107", "Kabir V. Demo"]]
    batch = read_batch(Kind.STUDENTS, csv(rows), in_class=True)
    assert [row.entry.roll_no for row in batch.students] == ["23/CS/107"]
    assert batch.ignored == [0]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ('="0091107"', "0091107"),
        ("'0091107", "0091107"),
        ("91107.0", "91107"),
        ('"91107,0"', "91107"),
        ("20E103", "20E103"),
    ],
)
def test_additions_of_a_spreadsheet_to_a_number_are_removed(cell: str, code: str) -> None:
    rows = [["Roll No", "Name", "Phone"], [cell, "Kabir V. Demo", cell]]
    (row,) = read_batch(Kind.STUDENTS, csv(rows), in_class=True).students
    assert (row.entry.roll_no, row.entry.phone) == (code, code)


# Half of a number, the comma of thousands, and sixteen digits, fifteen of which are kept.
CHANGED = ["91107.5", '"91,107"', "2301234567890120"]


@pytest.mark.parametrize(
    "cell", ["2.31E+10", "2.31e10", '"2,31E+10"', "23.1E+09", "2E+10", *CHANGED]
)
@pytest.mark.parametrize("column", [0, 2])
def test_a_number_that_a_spreadsheet_has_damaged_is_refused(cell: str, column: int) -> None:
    line = ["23/CS/107", "Kabir V. Demo", "9876500000"]
    line[column] = cell
    batch = read_batch(Kind.STUDENTS, csv([["Roll No", "Name", "Phone"], line]), in_class=True)
    assert codes(batch) == [(2, column, "shortened_number")]


def test_a_number_and_a_name_in_one_cell_are_refused() -> None:
    rows = [["Roll No"], ["23/CS/107 Kabir Demo"], ["23 CS 108"]]
    batch = read_batch(Kind.STUDENTS, csv(rows), in_class=True)
    assert codes(batch) == [(2, 0, "number_and_name")]
    assert [row.entry.roll_no for row in batch.students] == ["23 CS 108"]


@pytest.mark.parametrize("heading", ["P/A", "Presence", "Attendance Status", "Status (P/A)"])
def test_the_column_of_marks_has_many_headings(heading: str) -> None:
    rows = [*ABOVE, ["Roll No", "Date", heading], ["23/CS/107", "2025-08-04", "P"]]
    assert [mark.word for mark in read(Kind.ATTENDANCE, rows).marks] == ["present"]


@pytest.mark.parametrize("heading", ["Extra", "L2", "29-Feb", "5", "11.8", "Present", "Attended"])
def test_no_column_with_marks_is_ignored(heading: str) -> None:
    heads = ["Roll No", "Name", "04/08/2025", heading]
    marks = [["23/CS/107", "Kabir V. Demo", "P", "A"], ["23/CS/108", "Kavya C. Demo", "P", ""]]
    batch = read(Kind.ATTENDANCE, [*ABOVE, heads, *marks])
    assert [(row, column) for row, column, _ in codes(batch)] == [(4, 3)]


def test_a_column_without_marks_is_ignored() -> None:
    heads = ["Roll No", "Name", "04/08/2025", "Remarks", "Credits"]
    batch = read(Kind.ATTENDANCE, [*ABOVE, heads, ["1", "Kabir", "P", "Came by bus", "4"]])
    assert (codes(batch), batch.ignored, len(batch.marks)) == ([], [4], 1)


def test_how_words_were_read_is_shown() -> None:
    heads = ["Roll No", "04/08/2025", "06/08/2025"]
    batch = read(Kind.ATTENDANCE, [*ABOVE, heads, ["1", "P", "L"], ["2", "P", "OD"]])
    assert batch.notes == [
        "Marks were read so: P is present (2), L is late (1), OD is on duty (1)."
    ]


@pytest.mark.parametrize(
    ("legend", "refused"),
    [
        ("P = Present; A = Absent; L = Leave", 1),
        ("P: Present; N: Not marked", 1),
        ("P = Present, A = Absent, L = Late", 0),
    ],
)
def test_a_contradicting_legend_is_refused(legend: str, refused: int) -> None:
    rows = [*ABOVE[:2], [legend], ["Roll No", "04/08/2025"], ["1", "P"]]
    assert codes(read(Kind.ATTENDANCE, rows)) == [(3, 0, "other_legend")] * refused


def slots(*times: tuple[str, str]) -> Batch:
    lines = [["CS301", "A", "Monday", *pair] for pair in times]
    return read(Kind.SCHEDULES, [["Course Code", "Section", "Day", "Start", "End"], *lines])


def times_of(batch: Batch) -> list[str]:
    return [f"{row.slot.start_time:%H:%M}-{row.slot.end_time:%H:%M}" for row in batch.slots]


def test_a_twelve_hour_clock_is_recognised_and_noted() -> None:
    batch = slots(("9:30", "10:30"), ("12:30", "1:30"), ("2:30", "3:30"))
    assert times_of(batch) == ["09:30-10:30", "12:30-13:30", "14:30-15:30"]
    assert batch.notes == [
        "Read as afternoon, since the file has no time after 12:59: 1:30, 2:30, 3:30."
    ]


def test_no_lecture_is_at_night_unless_it_says_so() -> None:
    batch = slots(("14:30", "15:30"), ("1:30", "2:30"), ("5:30 am", "6:30 am"))
    assert times_of(batch) == ["14:30-15:30", "05:30-06:30"]
    assert codes(batch) == [(3, 3, "night_time"), (3, 4, "night_time")]


def test_an_hour_alone_is_the_full_hour() -> None:
    assert times_of(slots(("9", "10"), ("2 pm", "3 pm"))) == ["09:00-10:00", "14:00-15:00"]


@pytest.mark.parametrize("end", ["0:00", "00:00", "24:00", "12:00 am"])
def test_midnight_is_the_end_of_the_day(end: str) -> None:
    batch = slots(("22:00", end))
    assert times_of(batch) == ["22:00-23:59"]
    assert batch.notes == [f"Read as 23:59, the end of the day: {end}."]


def test_sheets_that_are_not_read_are_named(tmp_path: Any) -> None:
    book = workbook(tmp_path, July=["23/CS/107"], August=["23/CS/108"], Empty=[])
    batch = read_batch(Kind.STUDENTS, book, in_class=True)
    assert [row.entry.roll_no for row in batch.students] == ["23/CS/107"]
    assert batch.notes == ["Only the first sheet was read. Not read: August."]


def workbook(folder: Any, **sheets: list[str]) -> bytes:
    from xlsxwriter import Workbook

    path = folder / "book.xlsx"
    with Workbook(str(path)) as book:
        for name, rolls in sheets.items():
            sheet = book.add_worksheet(name)
            for row, text in enumerate(["Roll No", *rolls] if rolls else []):
                sheet.write_string(row, 0, text)
    assert ZipFile(path).testzip() is None
    return bytes(path.read_bytes())


@pytest.mark.parametrize(
    "page",
    [b"<html><table><tr><td>Roll No</td></tr></table></html>", b'<?xml version="1.0"?><Workbook/>'],
)
def test_a_web_page_with_the_name_of_a_table_is_told_apart(page: bytes) -> None:
    with pytest.raises(Invalid, match="web page"):
        read_batch(Kind.STUDENTS, page)


@pytest.mark.parametrize("heading", ["Present", "Attended", "Present?"])
def test_a_list_may_head_its_marks_so(heading: str) -> None:
    heads = ["Roll No", "Date", heading]
    rows = [heads, ["23/CS/107", "2025-08-04", "yes"], ["23/CS/108", "2025-08-04", "no"]]
    batch = read_batch(Kind.ATTENDANCE, csv(rows), in_class=True)
    assert [mark.word for mark in batch.marks] == ["present", "absent"]
    rows[1][2] = "14"
    assert codes(read_batch(Kind.ATTENDANCE, csv(rows), in_class=True)) == [
        (1, 2, "heading_unknown")
    ]


@pytest.mark.parametrize("heading", ["Batch", "Group", "Year"])
@pytest.mark.parametrize(
    ("cells", "refused"), [("PA", True), ("AB", False), ("AA", False), ("12", False)]
)
def test_what_describes_students_is_refused_only_if_it_holds_marks_of_both_kinds(
    heading: str, cells: str, refused: bool
) -> None:
    rows = [["Roll No", heading, "2025-08-04"], ["1", cells[0], "P"], ["2", cells[1], "A"]]
    batch = read_batch(Kind.ATTENDANCE, csv(rows), in_class=True)
    assert codes(batch) == ([(1, 1, "heading_unknown")] if refused else [])


def test_one_mark_that_is_written_out_is_enough_to_refuse_its_column() -> None:
    rows = [["Roll No", "Extra", "2025-08-04"]]
    rows += [[str(n), "absent" if n == 3 else "excursion", "P"] for n in range(1, 6)]
    batch = read_batch(Kind.ATTENDANCE, csv(rows), in_class=True)
    assert codes(batch) == [(1, 1, "heading_unknown")]


@pytest.mark.parametrize("kind", [Kind.STUDENTS, Kind.ATTENDANCE])
def test_repeated_headings_are_not_read_as_students(kind: Kind) -> None:
    heads = ["Roll No", "Name", "2025-08-04"]
    rows = [heads, ["23/CS/107", "Kabir", "P"], heads, ["23/CS/108", "Kavya", "A"]]
    batch = read_batch(kind, csv(rows), in_class=True)
    assert batch.refusals == []
    assert len(batch.students if kind is Kind.STUDENTS else batch.marks) == 2


def test_the_reading_of_dates_is_noted() -> None:
    rows = [["Roll No", "2025-08-04", ""], ["", "09:00", "11:00"], ["23/CS/107", "P", "A"]]
    batch = read_batch(Kind.ATTENDANCE, csv(rows), in_class=True)
    assert len(batch.marks) == 2
    assert batch.notes[:2] == [
        "Without a heading, these columns have the date to their left: C.",
        "Times were read from the row below the headings.",
    ]
    rows = [["August 2025"], ["Roll No", "4", "6"], ["23/CS/107", "P", "A"]]
    batch = read_batch(Kind.ATTENDANCE, csv(rows), in_class=True)
    assert batch.notes[0] == "Numbers in the headings were read as days of August 2025."


@pytest.mark.parametrize(
    ("heading", "day"),
    [
        ("5/8", date(2025, 8, 5)),
        ("07-08", date(2025, 8, 7)),
        ("4-Nov", date(2025, 11, 4)),
        ("6 Aug, Wed", date(2025, 8, 6)),
        ("Mon 04/08/2025", date(2025, 8, 4)),
        ("04/08/2025 (Mon)", date(2025, 8, 4)),
        ("2/1 9:00", date(2026, 1, 2)),
    ],
)
def test_a_date_without_a_year_or_with_a_weekday_is_read(heading: str, day: date) -> None:
    rows = [["Roll No", "2025-09-01", heading], ["23/CS/107", "P", "A"]]
    batch = read_batch(Kind.ATTENDANCE, xlsx(rows), in_class=True)
    assert [mark.session.day for mark in batch.marks] == [date(2025, 9, 1), day]
    listed = [note for note in batch.notes if note.startswith("Dates without a year")]
    assert [f" is {day}." in note for note in listed] == [True] * ("2025" not in heading)


@pytest.mark.parametrize(
    ("whole", "heading", "code"),
    [
        ("2025-09-01", "1/3", "invalid_date"),  # March is nearer to neither year
        ("2025-09-01", "31/9", "invalid_date"),
        ("2025-09-01", "7 Aug, Wed", "other_weekday"),
        ("2025-09-01", "Tue 04/08/2025", "other_weekday"),
        ("Extra", "5/8", "heading_unknown"),
    ],
)
def test_a_date_without_a_certain_year_or_with_another_weekday_is_refused(
    whole: str, heading: str, code: str
) -> None:
    rows = [["Roll No", whole, heading], ["23/CS/107", "P", "A"]]
    batch = read_batch(Kind.ATTENDANCE, xlsx(rows), in_class=True)
    assert (1, 2, code) in codes(batch)


def test_a_file_whose_dates_are_of_two_years_leaves_short_ones_uncertain() -> None:
    rows = [["Roll No", "2024-08-04", "2025-08-04", "5/8"], ["23/CS/107", "P", "A", "P"]]
    batch = read_batch(Kind.ATTENDANCE, xlsx(rows), in_class=True)
    assert codes(batch) == [(1, 3, "invalid_date")]


# What the caller says.


ROSTER = {name: [["Roll No"], [f"23/CS/{name}"]] for name in ("101", "102")}


def rolls(batch: Batch) -> list[str]:
    return [line.entry.roll_no for line in batch.students]


def test_the_named_sheet_is_read_and_the_others_are_noted() -> None:
    batch = read_batch(
        Kind.STUDENTS, sheets(**ROSTER), in_class=True, chosen=choices("102", [], [])
    )
    assert rolls(batch) == ["23/CS/102"]
    assert batch.notes == ["Only the sheet 102 was read. Not read: 101."]


def test_a_cover_sheet_is_skipped_and_named() -> None:
    book = sheets(Cover=[["Department of Systems"]], **ROSTER)
    batch = read_batch(Kind.STUDENTS, book, in_class=True)
    assert rolls(batch) == ["23/CS/101"]
    assert batch.notes == ["Only the sheet 101 was read. Not read: Cover, 102."]


@pytest.mark.parametrize("content", [sheets(**ROSTER), csv([["Roll No"], ["23/CS/101"]])])
def test_a_missing_sheet_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read_batch(Kind.STUDENTS, content, in_class=True, chosen=choices("103", [], []))
    assert refused.value.code == "unreadable_file"


def test_a_heading_means_what_the_caller_says() -> None:
    rows = [["Exam Seat", "Roll No"], ["23/CS/107", "4"]]
    chosen = choices(None, ["roll_no = exam seat"], [])
    batch = read_batch(Kind.STUDENTS, csv(rows), in_class=True, chosen=chosen)
    assert rolls(batch) == ["23/CS/107"]


def test_headings_that_are_not_known_are_listed_with_the_way_to_say_it() -> None:
    with pytest.raises(Invalid) as refused:
        read_batch(Kind.STUDENTS, csv([["Exam Seat", "Person"], ["7", "Kabir"]]), in_class=True)
    assert refused.value.code == "column_missing"
    for part in ("Row 1 has: Exam Seat, Person.", "--column roll_no=Heading"):
        assert part in refused.value.detail


def test_the_callers_meaning_of_a_word_overrides_the_usual_and_is_noted() -> None:
    rows = [
        ["P = Present, L = Leave"],
        ["Roll No", "2025-08-04", "2025-08-05", "2025-08-06"],
        ["23/CS/107", "L", "X", "p"],
    ]
    chosen = choices(None, [], ["L=excused", "x = nothing"])
    batch = read_batch(Kind.ATTENDANCE, csv(rows), in_class=True, chosen=chosen)
    assert batch.refusals == []
    assert [mark.word for mark in batch.marks] == ["excused", "present"]
    assert batch.notes == ["Marks were read so: L is excused (1), p is present (1)."]


@pytest.mark.parametrize(
    ("columns", "marks"),
    [(["roll_no"], []), (["=Seat"], []), ([], ["L"]), ([], ["L=gone"]), ([], ["=late"])],
)
def test_a_malformed_choice_is_refused(columns: list[str], marks: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        choices(None, columns, marks)
    assert refused.value.code == "invalid_choice"


def test_a_column_can_only_be_a_field_of_its_kind() -> None:
    chosen = choices(None, ["grade=Grade"], [])
    with pytest.raises(Invalid) as refused:
        read_batch(Kind.STUDENTS, csv([["Roll No", "Grade"]]), in_class=True, chosen=chosen)
    assert refused.value.code == "invalid_choice"


# Timetables.


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("MWF", [1, 3, 5]),
        ("TTh", [2, 4]),
        ("TuTh", [2, 4]),
        ("Mon Wed Fri", [1, 3, 5]),
        ("Mon/Sat", [1, 6]),
        ("Sun and Tue", [7, 2]),
        ("Thurs.", [4]),
        ("T", [2]),
        ("SAT", [6]),
    ],
)
def test_a_slot_is_on_each_day_that_its_cell_names(text: str, days: list[int]) -> None:
    rows = [["Course Code", "Days", "Start", "End"], ["CS301", f'"{text}"', "9:00", "10:00"]]
    batch = read(Kind.SCHEDULES, rows)
    assert [slot.slot.day_of_week for slot in batch.slots] == days
    assert batch.refusals == []


def test_a_letter_that_may_be_either_of_two_days_is_refused() -> None:
    rows = [["Course Code", "Days", "Start", "End"], ["CS301", "MTWTF", "9:00", "10:00"]]
    assert codes(read(Kind.SCHEDULES, rows)) == [(2, 1, "invalid_day")]


def test_start_and_end_may_be_in_one_cell() -> None:
    lines = [("Mon", "9:30-10:30"), ("Tue", "09:30 AM to 1:00 PM"), ("Wed", "9:30")]
    rows = [["Course Code", "Day", "Time"], *(["CS301", *line] for line in lines)]
    batch = read(Kind.SCHEDULES, rows)
    spans = [(f"{s.slot.start_time:%H:%M}", f"{s.slot.end_time:%H:%M}") for s in batch.slots]
    assert spans == [("09:30", "10:30"), ("09:30", "13:00")]
    assert codes(batch) == [(4, 2, "required")]
