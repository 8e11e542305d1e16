"""The register as CSV, for spreadsheets and programs: UTF-8 that Excel recognises, RFC 4180."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import StringIO

from app.files.register import register_grid
from app.files.register.register_words import guarded
from app.schemas.register import Register, RegisterStudent

# The byte order mark by which Excel recognises UTF-8.
_MARK = "\ufeff"
_CHUNK = 64 * 1024


def encoded(register: Register, generated: datetime) -> Iterator[bytes]:
    """The file in chunks of about 64 KiB, generated lazily."""
    text = StringIO(_MARK)
    text.seek(0, 2)
    writer = csv.writer(text)
    for row in _rows(register, generated):
        writer.writerow(row)
        if text.tell() >= _CHUNK:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _rows(register: Register, generated: datetime) -> Iterator[Iterable[str]]:
    for label, value in register_grid.preamble(register, generated):
        yield label, guarded(value)
    yield ()
    yield register_grid.headings(register)
    for student in register.students:
        yield _row(student)


def _row(student: RegisterStudent) -> list[str]:
    """The cells of a student. Marks are not guarded: a lone hyphen is not a formula."""
    return [
        guarded(student.roll_no),
        guarded(student.name),
        *register_grid.letters(student),
        *map(register_grid.plain, register_grid.counts(student)),
        f"{student.percentage:.2f}",
    ]
