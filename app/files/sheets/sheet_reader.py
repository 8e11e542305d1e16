"""Reads the rows of a sheet and collects what cannot be read."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from app.batch import MAX_REFUSALS, Batch, ClassName, Refusal
from app.files.sheets.cells import CellError, checked, read_code, read_mark, read_roll_alone
from app.files.sheets.choices import NOTHING, Choices
from app.files.sheets.headings import Sheet, field_of
from app.files.sheets.limits import unreadable
from app.files.sheets.table import Row
from app.schemas.imports import Kind
from app.schemas.words import Email, Id, Label, Words

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Readers = Mapping[str, Callable[[str], Any]]


class _ClassCells(Words):
    """The cells that name the class of a row."""

    code: Label | None = None
    section: Label | None = None
    teacher: Email | None = None
    term: Label | None = None
    class_id: Id | None = None


_CLASS_FIELDS = tuple(_ClassCells.model_fields)
# In a register the teacher is `Asha Demo <asha@demo.university.example>`.
_ADDRESS = re.compile(r"[^<>]*<([^<>]+)>")


class SheetReader:
    """Reads the rows of a sheet as models and class names. Refusals are collected in `batch`.

    With `in_class`, all rows are about one class that the caller knows: rows above the headings are
    ignored, and no row has to name its class. `chosen` gives the meaning of words. `above` is the
    class named above the headings, if any; `words` counts how marks were read.
    """

    def __init__(
        self, kind: Kind, sheet: Sheet, chosen: Choices, *, in_class: bool = False
    ) -> None:
        self.sheet, self.chosen = sheet, chosen
        self.batch = Batch(columns=sheet.columns, ignored=sorted(sheet.others))
        self.words: Counter[tuple[str, str]] = Counter()
        self._marks = {word.casefold(): meaning for word, meaning in chosen.marks.items()}
        self._in_class = in_class
        self.above = ClassName() if in_class else self._class_above(kind)
        self._classes: dict[tuple[str, ...], ClassName | None] = {}

    def meaning(self, text: str) -> str | None:
        """The caller's meaning of the word, else that of `cells.read_mark`."""
        chosen = self._marks.get(text.strip().casefold())
        if chosen is None:
            return read_mark(text)
        return None if chosen == NOTHING else chosen

    def read_mark(self, text: str) -> str | None:
        """The meaning of the word, which is counted."""
        word = self.meaning(text)
        if word:
            self.words[text, word] += 1
        return word

    @property
    def read_roll(self) -> Callable[[str], str]:
        """The reader of roll numbers: without a column of names, it refuses a name in the cell."""
        return read_code if "name" in self.sheet.columns else read_roll_alone

    def refuse(self, row: Row, place: str | int | None, code: str, sentence: str) -> None:
        """Record that something in the row cannot be read."""
        if len(self.batch.refusals) == MAX_REFUSALS:
            raise unreadable(
                f"This file has more than {MAX_REFUSALS:,} mistakes. Is it the one you meant?"
            )
        column = self.sheet.columns.get(place) if isinstance(place, str) else place
        self.batch.refusals.append(Refusal(row.number, column, code, sentence))

    def cell(self, row: Row, name: str, read: Callable[[str], T]) -> T | None:
        """The value of a cell; None if it is empty or cannot be read."""
        text = self.sheet.cell(row, name)
        try:
            return read(text) if text else None
        except CellError as error:
            self.refuse(row, name, error.code, error.detail)
            return None

    def model(self, row: Row, model: type[M], readers: Readers) -> M | None:
        """The model filled from the cells of its fields; None if any of them is refused.

        `readers` parse the cells into values that the model accepts.
        """
        values = {}
        known = len(self.batch.refusals)
        for name in model.model_fields:
            value = self.cell(row, name, readers.get(name, str))
            if value is not None:
                values[name] = value
        read = checked(model, values) if len(self.batch.refusals) == known else []
        if not isinstance(read, list):
            return read
        for name, code, sentence in read:
            self.refuse(row, name, code, sentence)
        return None

    def class_of(self, row: Row) -> ClassName | None:
        """The class that the row names, else the one named above the table; None if refused."""
        texts = tuple(self.sheet.cell(row, name) for name in _CLASS_FIELDS)
        if texts not in self._classes:
            self._classes[texts] = self._class_named(row, texts)
        found = self._classes[texts]
        if found is None:
            self._classes.pop(texts)  # so that each such row is refused
        return found

    def _class_named(self, row: Row, texts: tuple[str, ...]) -> ClassName | None:
        given = {name: text for name, text in zip(_CLASS_FIELDS, texts, strict=True) if text}
        if "code" not in given and "class_id" not in given:
            if self._in_class:
                return self._named(row, given)
            if self.above.code or self.above.id:
                return self.above
            self.refuse(row, "code", "required", "The class is not named.")
            return None
        return self._named(row, given)

    def _named(self, row: Row, given: dict[str, str]) -> ClassName | None:
        if address := _ADDRESS.fullmatch(given.get("teacher", "")):
            given["teacher"] = address[1]
        cells = checked(_ClassCells, given)
        if isinstance(cells, list):
            for name, code, sentence in cells:
                self.refuse(row, name, code, sentence)
            return None
        return ClassName(cells.code, cells.section, cells.teacher, cells.term, cells.class_id)

    def _class_above(self, kind: Kind) -> ClassName:
        """What is written above the headings about the class of the whole sheet."""
        given: dict[str, str] = {}
        last = self.sheet.heading
        for row in self.sheet.preamble:
            name, text = field_of(kind, row.cells[0]), (row.cells[1:2] or [""])[0]
            if name in _CLASS_FIELDS and text and (name != "teacher" or "@" in text):
                given.setdefault(name, text)
                last = row
        return self._named(last, given) or ClassName()
