"""The files of a register, whatever the names of people and classes."""

import csv
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from uuid import UUID
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
import uharfbuzz
from fontpkg_mukta import ROOT as MUKTA
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from app.files.register import register_csv, register_pdf, register_xlsx
from app.files.register.pdf_text import Paper
from app.files.register.register_layout import FOOT, HEADING, HEIGHT, MARGIN, TITLE, WIDTH, layout
from app.files.register.register_words import guarded, unguarded
from app.schemas.register import Register, RegisterSession, RegisterStudent

NOW = datetime(2025, 8, 29, 10, tzinfo=UTC)
FIRST = date(2025, 8, 4)
NAME = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=200)


def register(students: int = 3, sessions: int = 4, **changed: object) -> Register:
    """A register of that size; `student` is the name of every student."""
    name = str(changed.pop("student", "Asha Demo"))
    marks = "palo -e"
    values = {
        "class_id": UUID(int=7),
        "code": "CS301",
        "name": "Operating Systems",
        "section": "A",
        "teacher": "Asha Demo",
        "teacher_email": "asha@demo.university.example",
        "term": None,
        "first": FIRST.isoformat(),
        "last": FIRST.isoformat(),
        "generated_by": "Meera Demo",
        "threshold": Decimal("66.5"),
        "sessions": [
            RegisterSession(date=str(FIRST + timedelta(n)), start=None, attended=n)
            for n in range(sessions)
        ],
        "students": [
            RegisterStudent(
                roll_no=f"{n:04}",
                name=name,
                marks="".join(marks[(n + place) % len(marks)] for place in range(sessions)),
                present=n,
                absent=0,
                late=0,
                excused=0,
                counted=n,
                attended=Decimal(n) / 2,
                percentage=Decimal("66.67"),
                below=n % 2 == 0,
            )
            for n in range(students)
        ],
    }
    return Register.model_validate(values | changed)


def csv_of(held: Register) -> bytes:
    return b"".join(register_csv.encoded(held, NOW))


def xml_of(held: Register) -> dict[str, str]:
    """The parts of the workbook, by name."""
    with ZipFile(BytesIO(register_xlsx.written(held, NOW))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def pages_of(held: Register) -> list[str]:
    return [page.extract_text() for page in pdf_of(held).pages]


def pdf_of(held: Register) -> PdfReader:
    return PdfReader(BytesIO(register_pdf.written(held, NOW, None)))


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "'=", "''-"])
def test_no_cell_of_a_csv_is_a_formula_and_each_can_be_read_back(begin: str) -> None:
    name = f'{begin}cmd|" /C calc"!A0, x'
    held = register(student=name, code=name, term=name, teacher=name, sessions=7)
    rows = list(csv.reader(StringIO(csv_of(held).decode("utf-8-sig"), newline="")))
    for cell in (cell for row in rows for cell in row):
        assert cell == "-" or not re.match(r"[=+\-@\t\r]", cell)
    assert {unguarded(row[1]) for row in rows[10:]} == {name}
    assert [unguarded(row[1]) for row in rows[:5]][0::4] == [name, name]
    assert unguarded(rows[3][1]).startswith(name)


@given(st.text())
@settings(max_examples=50, deadline=None)
def test_unguarding_reverses_guarding(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not re.match(r"[=+\-@\t\r]", guarded(text))


def test_a_large_csv_is_produced_in_pieces() -> None:
    held = register(2000, 300)
    pieces = list(register_csv.encoded(held, NOW))
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 2 * 64 * 1024
    whole = b"".join(pieces)
    assert whole.count("\ufeff".encode()) == 1
    rows = list(csv.reader(StringIO(whole.decode("utf-8-sig"), newline="")))
    assert [row[0] for row in rows[10:]] == [student.roll_no for student in held.students]
    assert {len(row) for row in rows[9:]} == {2 + 300 + 7}
    assert whole.count(b"\r\n") == whole.count(b"\n")


def test_numbers_in_a_csv_are_plain() -> None:
    last = csv_of(register(22)).decode().splitlines()[-1]
    assert last.endswith(",21,0,0,0,21,10.5,66.67")
    assert csv_of(register(21)).decode().splitlines()[-1].endswith(",20,10,66.67")


def test_a_workbook_has_real_numbers_frozen_headings_and_no_formula() -> None:
    parts = xml_of(register(student="=1+1", code="=2+2"))
    sheet = parts["xl/worksheets/sheet1.xml"]
    assert '<pane xSplit="2" ySplit="10" topLeftCell="C11" activePane="bottomRight" ' in sheet
    assert "<f>" not in sheet
    assert "hyperlink" not in "".join(parts)
    assert '<c r="L11"' in sheet
    numbers = re.findall(r'<c r="([A-Z]+)13"[^>]*><v>([^<]*)</v></c>', sheet)
    assert [value for _, value in numbers] == ["2", "0", "0", "0", "2", "1", "0.6667"]
    assert 'quotePrefix="1"' in parts["xl/styles.xml"]
    assert (
        'formatCode="0.00%"' in parts["xl/styles.xml"] or 'numFmtId="10"' in parts["xl/styles.xml"]
    )


def test_a_workbook_prints_on_a4_with_its_headings_on_every_page() -> None:
    parts = xml_of(register())
    assert 'paperSize="9"' in parts["xl/worksheets/sheet1.xml"]
    assert 'orientation="landscape"' in parts["xl/worksheets/sheet1.xml"]
    assert "Register!$A:$B,Register!$10:$10" in parts["xl/workbook.xml"]
    assert "Page &amp;P of &amp;N" in parts["xl/worksheets/sheet1.xml"]


@given(name=NAME, sessions=st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_no_name_breaks_a_file_and_csv_and_xlsx_keep_each_unchanged(
    name: str, sessions: int
) -> None:
    held = register(2, sessions, student=name, name=name, code=name, generated_by=name)
    rows = list(csv.reader(StringIO(csv_of(held).decode("utf-8-sig"), newline="")))
    assert unguarded(rows[-1][1]) == name
    book = CalamineWorkbook.from_filelike(BytesIO(register_xlsx.written(held, NOW)))
    assert book.get_sheet_by_index(0).to_python(skip_empty_area=False)[-1][1] == name
    assert len(pages_of(held)) == 1


@pytest.mark.parametrize("odd", ["\ufffe", "\uffff", "\U0001ffff", "_x0041_", "\u202e", "\u2028"])
def test_a_workbook_with_odd_values_can_be_read(odd: str) -> None:
    name = f"Asha{odd}Demo"
    held = register(student=name, code=name, generated_by=name)
    book = CalamineWorkbook.from_filelike(BytesIO(register_xlsx.written(held, NOW)))
    seen = re.sub("[\ufffe\uffff]", "\ufffd", name)
    assert book.get_sheet_by_index(0).to_python(skip_empty_area=False)[-1][1] == seen
    for part in xml_of(held).values():
        ElementTree.fromstring(part)


def test_characters_that_the_font_does_not_have_are_marked_as_missing() -> None:
    (page,) = pages_of(register(student="Li 李\u200b Demo \U0001f600"))
    assert "Li ? Demo ?" in page
    assert "? a character that the font does not have" in page
    assert "that the font does not have" not in pages_of(register(student="Why? Demo"))[0]


@pytest.mark.parametrize("text", ["क्‍ष", "र्‍या", "त‍ी", "ज्ञानेश्वर", "श्री कृष्णा"])
def test_devanagari_letters_are_joined_as_the_script_requires(text: str) -> None:
    font = uharfbuzz.Font(
        uharfbuzz.Face(uharfbuzz.Blob.from_file_path(MUKTA / "files" / "Mukta-Regular.ttf"))
    )
    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    uharfbuzz.shape(font, buffer)
    advance = sum(position.x_advance for position in buffer.glyph_positions)
    paper = Paper(None)
    paper.use(100)
    width = paper.width_of(text) * paper.k
    for face in paper.fonts.values():
        face.close()
    assert width == pytest.approx(advance / font.face.upem * 100, rel=0.01)


def test_a_long_register_has_its_headings_and_numbers_on_every_page() -> None:
    held = register(60, 60)
    pages = pages_of(held)
    assert len(pages) == 4
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of 4" in page
        for said in ("Roll No", "CS301 Operating Systems, section A", "Generated 2025-08-29"):
            assert said in page
        assert ("Percentage" in page) == (number > 2)
        assert ("Present or late" in page) == (number % 2 == 0)
    for session in held.sessions:
        assert sum(session.date.isoformat() + "\n" in page for page in pages) >= 2
    for student in held.students:
        assert sum(f"{student.roll_no} Asha Demo" in page for page in pages) == 2


@pytest.mark.parametrize("name", ["Systems " * 25, "प्रयोगशाला " * 18, "W" * 200])
def test_a_long_class_name_is_shortened_and_its_section_is_kept(name: str) -> None:
    (page,) = pages_of(register(code="CS/301 [Lab]", name=name, section="Evening A"))
    assert "CS/301 [Lab] " in page
    assert "…, section Evening A" in page


def test_another_font_can_be_used() -> None:
    bold = MUKTA / "files" / "Mukta-Bold.ttf"
    written = PdfReader(BytesIO(register_pdf.written(register(), NOW, bold)))
    fonts = written.pages[0]["/Resources"]["/Font"].values()
    assert {font["/BaseFont"].rpartition("+")[2] for font in fonts} == {"MuktaBold"}


@pytest.mark.parametrize("roll", [1.0, 25.0, 300.0])
def test_a_register_of_any_size_fits_its_pages(roll: float) -> None:
    for sessions in (*range(60), 89, 120, 299, 300):
        for lines in (1, 2, 35, 61, 1001):
            found = layout(roll, 200.0 - roll / 2, sessions, lines)
            assert [n for part in found.sessions for n in part] == list(range(sessions))
            assert [n for part in found.lines for n in part] == list(range(lines))
            for part in found.sessions:
                assert found.columns(part)[-1] <= WIDTH - MARGIN + 0.001
            room = HEIGHT - 2 * MARGIN - TITLE - HEADING - FOOT
            assert max(map(len, found.lines)) * found.line <= room + 0.001
            assert found.session >= 4.3
            assert all(found.sessions) or not sessions
