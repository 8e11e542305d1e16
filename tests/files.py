"""Files to import: handmade workbooks and hostile files."""

import struct
import zipfile
import zlib
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from typing import Any

import xlsxwriter

_TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/></Types>"""
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELS = """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Type="{office}/{kind}" Target="{target}"/></Relationships>"""
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def xlsx(rows: Iterable[Iterable[Any]], *, hidden: bool = False) -> bytes:
    """A workbook of these rows, with dates and times as spreadsheets store them."""
    content = BytesIO()
    book = xlsxwriter.Workbook(
        content, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm"}
    )
    if hidden:
        book.add_worksheet("Hidden").hide()
    sheet = book.add_worksheet()
    sheet.activate()
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell)
    book.close()
    return content.getvalue()


def sheets(**rows: Iterable[Iterable[Any]]) -> bytes:
    """A workbook of these sheets."""
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    for name, lines in rows.items():
        sheet = book.add_worksheet(name)
        for place, line in enumerate(lines):
            sheet.write_row(place, 0, line)
    book.close()
    return content.getvalue()


def csv(rows: Iterable[Iterable[Any]]) -> bytes:
    """A CSV of these rows, none of whose cells needs quotes."""
    return "".join(",".join(map(str, row)) + "\r\n" for row in rows).encode()


def handmade(sheet: str, **parts: str | bytes) -> bytes:
    """A workbook whose one sheet has this XML for its rows."""
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        book.writestr("[Content_Types].xml", _TYPES)
        book.writestr(
            "_rels/.rels",
            _RELS.format(office=_OFFICE, kind="officeDocument", target="xl/workbook.xml"),
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>'
            '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            _RELS.format(office=_OFFICE, kind="worksheet", target="worksheets/sheet1.xml").replace(
                "</",
                f'<Relationship Id="r2" Type="{_OFFICE}/sharedStrings" '
                'Target="sharedStrings.xml"/></',
            ),
        )
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {_MAIN}><sheetData>{sheet}</sheetData></worksheet>",
        )
        for name, part in parts.items():
            book.writestr(f"xl/{name}.xml", part)
    return content.getvalue()


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def cell(place: str, text: str, formula: str = "") -> str:
    more = f"<f>{formula}</f>" if formula else ""
    return f'<c r="{place}" t="str">{more}<v>{text}</v></c>'


ROLLS_XML = row(1, cell("A1", "Roll No"))


@cache
def bomb() -> bytes:
    """A workbook of 600 KB that unpacks to 130 MiB."""
    return handmade(ROLLS_XML, sharedStrings=b"<sst>" + b" " * (130 * 1024 * 1024) + b"</sst>")


def lying_bomb() -> bytes:
    """The same, which says of itself that it unpacks to one byte."""
    with zipfile.ZipFile(BytesIO(bomb())) as book:
        truth = book.getinfo("xl/sharedStrings.xml")
    content = bomb()
    for told, lie in ((truth.file_size, 1), (truth.CRC, zlib.crc32(b"\0"))):
        content = content.replace(told.to_bytes(4, "little"), lie.to_bytes(4, "little"))
    return content


def nested_parts() -> bytes:
    """A workbook of 1 MB whose 1,900 more parts are all the same megabyte, which says nothing."""
    book, name = handmade(ROLLS_XML), b"a"
    end = book.rindex(b"PK\x05\x06")
    (directory,) = struct.unpack_from("<I", book, end + 16)
    nothing = b"\0\0\0\xff\xff" * 200_000 + b"\1\0\0\xff\xff"
    sizes = (0, len(nothing), 0, len(name))
    part = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, *sizes, 0) + name + nothing
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, *sizes, 0, 0, 0, 0, 0, directory
    )
    entries, count = book[directory:end] + 1_900 * (entry + name), 1_900 + book.count(b"PK\1\2")
    places = (count, count, len(entries), directory + len(part), 0)
    last = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *places)
    return book[:directory] + part + entries + last


def one_text(cells: int) -> bytes:
    """A workbook of 10 KB whose cells all have the same text of 30,000 characters."""
    rows = (row(n, f'<c r="A{n}" t="s"><v>0</v></c>') for n in range(1, cells + 1))
    texts = f"<sst {_MAIN}><si><t>{'x' * 30_000}</t></si></sst>"
    return handmade("".join(rows), sharedStrings=texts)


def far_cell(number: int) -> bytes:
    """A workbook of 1 KB with a cell in that row of the last column: 16 thousand cells a row."""
    return handmade(ROLLS_XML + row(number, cell(f"XFD{number}", "1")))
