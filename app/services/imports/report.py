"""Collect what becomes of each row of an import while it is written."""

from collections import Counter
from collections.abc import Sequence

from app.batch import (
    MAX_REFUSALS,
    SHEET_ROWS,
    Batch,
    MarkRow,
    Refusal,
    SessionName,
    SheetRead,
    column_letters,
)
from app.errors import Flaw, Invalid
from app.schemas.imports import (
    MAX_ROWS_SHOWN,
    ImportedRow,
    ImportOutcome,
    KeptValue,
    MarkCounts,
    RowOutcome,
)
from app.schemas.words import MAX_ENTRIES
from app.services.classes.enrolling import SENTENCES
from app.services.imports.outcomes import Table

_OF_ROWS = SENTENCES | {
    "repeated": "Row {row} already says the same.",
    "another_name": "This number is {whose} here. If the numbers of the file are right, import it "
    "with trustNumbers (--trust-numbers).",
    "too_many": f"A file can have at most {MAX_ENTRIES:,} students of one class.",
    "contradiction": "Row {row} contradicts this one about the same student.",
    "unknown_teacher": "There is no such teacher. Put the address on the allow-list first.",
    "unknown_term": "There is no such term.",
    "slot_overlaps": "This overlaps another slot of the class on that day.",
    "no_such_address": "This is not the address of one student of the class.",
    "unknown_class": "There is no such class.",
    "another_class": "This is not the class that the file is imported into.",
    "class_archived": "This class is archived. Restore it to change it.",
    "ambiguous_class": "Several classes fit. Name section, teacher or term as well.",
    "class_mismatch": "The class with this id has another code or section.",
    "other_periods": "The number of sessions on this day differs from the number of its columns: "
    "give each column its time.",
    "several_sessions": "There are several sessions on this day: say when this one begins.",
    "date_in_future": "Attendance can be taken until tomorrow, not for later dates.",
    "not_enrolled": "This student was not in the class on that day.",
    "session_finalised": "This attendance is finalised. Reopen it to change it.",
    "session_cancelled": "This session is cancelled. Restore it to take attendance.",
    "reason_required": "This is outside the edit window: give a reason.",
}

_LIGHT_TO_HEAVY = (
    RowOutcome.UNCHANGED,
    RowOutcome.CREATED,
    RowOutcome.CHANGED,
    RowOutcome.REFUSED,
)
_PLACES_SHOWN = 20
_WEIGHT = {outcome: weight for weight, outcome in enumerate(_LIGHT_TO_HEAVY)}


class Report:
    """`Outcomes` by row. The heaviest outcome in a row counts: if anything is refused, the row is
    refused; otherwise, if anything was changed, it is changed."""

    def __init__(self, batch: Batch, *, names_shown: bool = True) -> None:
        self._names_shown = names_shown
        self._refusals = list(batch.refusals)
        self._refused = len(batch.refusals)
        self._attendance = bool(batch.sessions or batch.marks)
        self._sessions_made = 0
        self._marks: Counter[RowOutcome] = Counter()
        self._sheets = batch.sheets
        self._columns = batch.columns
        self._ignored = batch.ignored
        self._notes = batch.notes
        self._rows = {refusal.row: RowOutcome.REFUSED for refusal in batch.refusals}
        self._conflicts: list[KeptValue] = []
        self._alike: list[str] = []
        self._guests: list[str] = []

    def note(self, table: Table, row: int, outcome: RowOutcome) -> None:
        known = self._rows.get(row)
        if known is None or _WEIGHT[outcome] > _WEIGHT[known]:
            self._rows[row] = outcome

    def count(self, table: Table, outcome: RowOutcome, number: int) -> None:
        if table is Table.SESSIONS and outcome is RowOutcome.CREATED:
            self._sessions_made += number

    def mark(
        self, mark: MarkRow, outcome: RowOutcome, code: str | None = None, stored: str | None = None
    ) -> None:
        self._marks[outcome] += 1
        if outcome is RowOutcome.REFUSED and code:
            self.refuse(Table.MARKS, mark.row, mark.column, code)
        else:
            self.note(Table.MARKS, mark.row, outcome)

    def without(self, session: SessionName, marks: Sequence[MarkRow], code: str) -> None:
        for mark in marks[:1]:
            self.refuse(Table.SESSIONS, mark.row, mark.column, code)

    def refuse(
        self,
        table: Table,
        row: int,
        place: str | int | None,
        code: str,
        other_row: int | None = None,
    ) -> None:
        other = "" if other_row is None else self._named(other_row)
        self._refuse(row, place, code, _OF_ROWS[code].format(row=other))

    def refuse_other(self, row: int, stored_name: str) -> None:
        whose = f"{stored_name}'s" if self._names_shown else "somebody else's"
        self._refuse(row, "name", "another_name", _OF_ROWS["another_name"].format(whose=whose))

    def leave_out_guests(self, rows: list[int]) -> None:
        self._guests = [f"row {self._named(row)}" for row in rows]

    def take_alike(self, row: int, stored_name: str) -> None:
        whose = f" ({stored_name})" if self._names_shown else ""
        self._alike.append(f"row {self._named(row)}{whose}")

    def _refuse(self, row: int, place: str | int | None, code: str, detail: str) -> None:
        sheet, _ = self._at(row)
        columns = sheet.columns if sheet else self._columns
        column = columns.get(place) if isinstance(place, str) else place
        self._refused += 1
        if len(self._refusals) < MAX_REFUSALS:
            self._refusals.append(Refusal(row, column, code, detail))
        self._rows[row] = RowOutcome.REFUSED

    def keep(self, table: Table, row: int, code: str, field: str = "") -> None:
        sheet, number = self._at(row)
        self._conflicts.append(KeptValue(sheet=sheet and sheet.name, row=number, field=field))

    def _at(self, row: int) -> tuple[SheetRead | None, int]:
        """The sheet of a row, if all sheets were read, and the number of the row in it."""
        if not self._sheets:
            return None, row
        sheet, number = divmod(row, SHEET_ROWS)
        return self._sheets[sheet], number

    def _named(self, row: int) -> str:
        sheet, number = self._at(row)
        return f"{number} of {sheet.name}" if sheet else str(number)

    def check(self) -> None:
        """Raise `Invalid` with all refusals in file order, if there are any."""
        if self._refusals:
            refusals = sorted(self._refusals, key=_place)
            more = f" There are {self._refused - 1} more." if self._refused > 1 else ""
            raise Invalid(
                f"Nothing was imported. {self._sentence(refusals[0])}{more}",
                code="import_refused",
                flaws=tuple(Flaw(self._pointer(r), r.code, self._sentence(r)) for r in refusals),
            )

    def outcome(self, *, dry_run: bool) -> ImportOutcome:
        """The answer to the import."""
        counts = Counter(self._rows.values())
        rows = [row for _, row in self.fates()]
        return ImportOutcome(
            dry_run=dry_run,
            created=counts[RowOutcome.CREATED],
            changed=counts[RowOutcome.CHANGED],
            unchanged=counts[RowOutcome.UNCHANGED],
            refused=counts[RowOutcome.REFUSED],
            marks=self._mark_counts() if self._attendance else None,
            rows=rows[:MAX_ROWS_SHOWN],
            more_rows=max(0, len(rows) - MAX_ROWS_SHOWN),
            conflicts=self._conflicts[:MAX_ROWS_SHOWN],
            ignored_columns=self._ignored_columns(),
            notes=[
                *self._notes,
                *_listed("Names with an initial were taken for the same person", self._alike),
                *_listed("Addresses of nobody in the class were not marked", self._guests),
            ],
        )

    def fates(self) -> list[tuple[int, ImportedRow]]:
        """The fate of each row beside its number in the batch, refused rows before the others."""
        refusals = sorted(self._refusals, key=_place)
        refused = [(one.row, self._row(one.row, RowOutcome.REFUSED, one)) for one in refusals]
        return refused + [
            (row, self._row(row, outcome))
            for row, outcome in sorted(self._rows.items())
            if outcome is not RowOutcome.REFUSED
        ]

    @property
    def refused(self) -> bool:
        """Whether a row was refused."""
        return bool(self._refusals)

    def _ignored_columns(self) -> list[str]:
        """As a spreadsheet refers to them: `A`, or `August!A` if all sheets were read."""
        return [column_letters(column) for column in self._ignored] + [
            f"{sheet.name}!{column_letters(column)}"
            for sheet in self._sheets
            for column in sheet.ignored
        ]

    def _row(self, row: int, outcome: RowOutcome, refusal: Refusal | None = None) -> ImportedRow:
        sheet, number = self._at(row)
        return ImportedRow(
            sheet=sheet and sheet.name,
            row=number,
            outcome=outcome,
            column=refusal and _letters(refusal),
            code=refusal and refusal.code,
            detail=refusal and refusal.detail,
        )

    def _pointer(self, refusal: Refusal) -> str:
        sheet, number = self._at(refusal.row)
        letters = _letters(refusal)
        name = sheet.name.replace("~", "~0").replace("/", "~1") if sheet else None
        path = f"/sheets/{name}/rows/{number}" if name else f"/rows/{number}"
        return f"{path}/{letters}" if letters else path

    def _sentence(self, refusal: Refusal) -> str:
        letters = _letters(refusal)
        place = f"Row {self._named(refusal.row)}{f', column {letters}' if letters else ''}"
        return f"{place}: {refusal.detail}"

    def _mark_counts(self) -> MarkCounts:
        return MarkCounts(
            sessions=self._sessions_made,
            created=self._marks[RowOutcome.CREATED],
            changed=self._marks[RowOutcome.CHANGED],
            unchanged=self._marks[RowOutcome.UNCHANGED],
        )


def _listed(sentence: str, places: list[str]) -> list[str]:
    shown, more = places[:_PLACES_SHOWN], len(places) - _PLACES_SHOWN
    listed = ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
    return [f"{sentence}: {listed}."] if shown else []


def _place(refusal: Refusal) -> tuple[int, int]:
    return refusal.row, -1 if refusal.column is None else refusal.column


def _letters(refusal: Refusal) -> str | None:
    return None if refusal.column is None else column_letters(refusal.column)
