"""Reads reports of online meetings as attendance, by how long people were in the meeting."""

from contextlib import suppress

from app.batch import ClassName, MarkRow, SessionName
from app.errors import Invalid
from app.files.sheets.cells import CellError, read_minutes
from app.files.sheets.sheet_reader import SheetReader
from app.schemas.words import is_address

_SHOWN = 20


def is_meeting_report(reader: SheetReader) -> bool:
    """Whether the sheet has addresses and minutes, but no marks."""
    columns = reader.sheet.columns.keys()
    return {"email", "minutes"} <= columns and not {"roll_no", "status"} & columns


def read_meeting_report(reader: SheetReader) -> None:
    """Mark people present who were there for the minutes that the caller gives, and nobody else.

    If somebody joined more than once, the report gives the sum and may list each time below: the
    longest counts.
    """
    day, least = reader.chosen.day, reader.chosen.present_minutes
    if day is None or least is None:
        raise Invalid(
            "This is the report of a meeting. Say its date and how many minutes count as present: "
            "--date 2025-08-04 --present-minutes 40 (date=2025-08-04&presentMinutes=40).",
            code="meeting_report",
        )
    longest: dict[tuple[ClassName, str], tuple[int, int]] = {}
    without: list[int] = []
    for row in reader.sheet.rows:
        address = reader.sheet.cell(row, "email").lower()
        if not is_address(address):
            # The headings of another part of the report have no minutes.
            with suppress(CellError):
                read_minutes(reader.sheet.cell(row, "minutes"))
                without.append(row.number)
            continue
        minutes = reader.cell(row, "minutes", read_minutes)
        class_name = None if minutes is None else reader.class_of(row)
        if class_name and minutes is not None:
            known = longest.get((class_name, address), (-1, 0))
            longest[class_name, address] = max(known, (minutes, row.number), key=lambda it: it[0])
    column = reader.sheet.columns["minutes"]
    for (class_name, address), (minutes, number) in longest.items():
        if minutes >= least:
            session = SessionName(class_name, day)
            mark = MarkRow(number, column, session, address, "present", may_be_guest=True)
            reader.batch.marks.append(mark)
    short = sum(minutes < least for minutes, _ in longest.values())
    reader.batch.by_address = True
    reader.batch.notes.append(
        f"Present are those with an address who joined for {least} minutes or more; "
        f"{short} joined for less and were not marked."
    )
    if without:
        rows = ", ".join(map(str, without[:_SHOWN])) + (", ..." if without[_SHOWN:] else "")
        reader.batch.notes.append(f"Without an address, and not marked: rows {rows}.")
