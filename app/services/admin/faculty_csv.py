"""A CSV of people who may sign in: the columns `email`, `name` and `role`."""

import csv
import io

from app.errors import Flaw, Invalid
from app.schemas.auth import Role
from app.schemas.words import is_address, is_name
from app.services.admin.allow_list_service import NAME_RULE, Entry

MAX_ROWS = 10_000


def read_entries(content: bytes) -> list[Entry]:
    """The rows of a CSV in UTF-8 whose first line names the columns, in any order and case.

    `role` may be left out or empty: teacher. Rows of empty cells, as spreadsheets leave them,
    are passed over. `Invalid` names every bad line as `/lines/3/role`.
    """
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip().lower() for name in next(rows, [])]
        if "email" not in header:
            raise Invalid(
                "The first line has to name the columns: email,name,role.", code="invalid_csv"
            )
        lines = [
            (rows.line_num, dict(zip(header, row, strict=False)))
            for row in rows
            if any(cell.strip() for cell in row)
        ]
    except (UnicodeDecodeError, csv.Error):
        raise Invalid("This is not a CSV in UTF-8.", code="invalid_csv") from None
    if len(lines) > MAX_ROWS:
        raise Invalid(f"These are more than {MAX_ROWS} lines.", code="too_many")
    flaws = tuple(flaw for number, row in lines for flaw in _flaws(number, row))
    if flaws:
        raise Invalid(
            f"Line {flaws[0].pointer.split('/')[2]}: {flaws[0].detail}"
            + (f" There are {len(flaws) - 1} more." if len(flaws) > 1 else ""),
            code="invalid_csv",
            flaws=flaws,
        )
    return [_entry(row) for _, row in lines]


def _flaws(number: int, row: dict[str, str]) -> list[Flaw]:
    found = []
    if not is_address(row.get("email", "").strip()):
        found.append(("email", "invalid_email", "This is not an e-mail address."))
    if _role(row) not in set(Role):
        found.append(("role", "invalid_role", "The role has to be teacher or admin."))
    if not is_name(row.get("name", "")):
        found.append(("name", "invalid_name", NAME_RULE))
    return [Flaw(f"/lines/{number}/{column}", code, said) for column, code, said in found]


def _role(row: dict[str, str]) -> str:
    return row.get("role", "").strip().lower() or Role.TEACHER


def _entry(row: dict[str, str]) -> Entry:
    return Entry(row["email"].strip(), Role(_role(row)), row.get("name", "").strip() or None)
