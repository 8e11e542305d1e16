"""The worked example of docs/attendance-rules.md, executed as written there.

Three kinds of tables are read. One with a column `request` says what happens; its last column is
the status of the answer, with the code of a refusal or the name for the id that was given. One
after "Somebody asks ...:" says what the answer holds, in columns named like its fields. One that
begins with `mark of` says which marks stand in the sessions its columns name.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Stage

pytestmark = pytest.mark.anyio

PAGE = Path("docs/attendance-rules.md").read_text()
EXAMPLE = PAGE.partition("\n## A month, step by step\n")[2]
ASKED = re.compile(r"(\w+) asks `(\w+) (\S+)`(?: with `([^`]+)`)?(?: for `(\w+)`)?:")
REQUEST = re.compile(r"`(\w+) ([^`]+)`(?: `([^`]+)`)?")
ANSWER = re.compile(r"(\d{3})(?: `(.+)`)?")
MARK = re.compile(r"(\w+)(?: \((\w+)\))?")
NOTHING = "—"


@dataclass
class Table:
    """Its rows by the names of their columns, and the line of text that leads to it."""

    lead: str
    columns: list[str]
    rows: list[dict[str, str]] = field(default_factory=list)


def tables_of(text: str) -> Iterator[Table]:
    lead, table = "", None
    for line in [*text.splitlines(), ""]:
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if not cells:
            if table:
                yield table
                table, lead = None, ""
            lead = line or lead
        elif table is None:
            table = Table(lead, cells)
        elif set(line) - set("|-"):
            table.rows.append(dict(zip(table.columns, cells, strict=True)))


TABLES = list(tables_of(EXAMPLE))


@dataclass
class Month:
    """The example as far as it has been carried out, with the ids that answers gave."""

    stage: Stage
    ids: dict[str, str] = field(default_factory=dict)

    async def ask(self, who: str, method: str, path: str, body: str | None) -> Any:
        person = getattr(self.stage, who.lower())
        sent = json.loads(self._named(body)) if body else None
        return await person.request(method, self._named(path), json=sent)

    def _named(self, text: str) -> str:
        for name, value in self.ids.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    async def happens(self, row: dict[str, str]) -> None:
        request, answer = REQUEST.fullmatch(row["request"]), ANSWER.fullmatch(row["answer"])
        assert request, row
        assert answer, row
        status, name = int(answer[1]), answer[2]
        given = await self.ask(row["who"], *request.groups())
        assert given.status_code == status, (row, given.text)
        if status >= 400:
            assert given.json()["code"] == name
        elif name:
            self.ids[name] = given.json().get("sessionId") or given.json()["id"]
        if request[2].endswith("/statuses") and status == 200:
            assert given.json()["rejected"] == []

    async def says(self, table: Table, asked: re.Match[str]) -> None:
        given = (await self.ask(*asked.groups()[:4])).json()
        entries = given[asked[5]] if asked[5] else given
        columns = [column for column in table.columns if column != "by hand"]
        assert [[entry[column] for column in columns] for entry in entries] == [
            [value(row[column]) for column in columns] for row in table.rows
        ]
        for row in table.rows:
            if "by hand" in row:
                assert by_hand(row["by hand"]) == Decimal(row["percentage"])

    async def marks_are(self, table: Table) -> None:
        for name in table.columns[1:]:
            given = await self.stage.asha.get(f"/attendance/sessions/{self.ids[name]}")
            assert {
                mark["rollNo"]: (mark["status"], mark["source"])
                for mark in given.json()["statuses"]
            } == {
                row["mark of"]: mark_of(row[name]) for row in table.rows if row[name] != NOTHING
            }, name


def value(cell: str) -> Any:
    """What JSON has for a cell: nothing, a number, or the text."""
    if cell == NOTHING:
        return None
    return float(cell) if re.fullmatch(r"[0-9.]+", cell) else cell


def mark_of(cell: str) -> tuple[str, str]:
    mark = MARK.fullmatch(cell)
    assert mark, cell
    return mark[1], mark[2] or "manual"


def by_hand(sum_: str) -> Decimal:
    """The result of `100 x (3 + 1) / 6`, two decimals, half up."""
    assert re.fullmatch(r"[0-9 x+/()-]+", sum_), sum_
    exact = eval(re.sub(r"(\d+)", r"Fraction(\1)", sum_).replace("x", "*"), {"Fraction": Fraction})
    hundredths = (exact * 100 + Fraction(1, 2)).__floor__()
    return (Decimal(hundredths) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)


async def test_the_month_goes_as_the_page_describes(stage: Stage) -> None:
    month = Month(stage)
    for table in TABLES:
        asked = ASKED.fullmatch(table.lead)
        if "request" in table.columns:
            for row in table.rows:
                await month.happens(row)
        elif table.columns[0] == "mark of":
            await month.marks_are(table)
        else:
            assert asked, f"no question before {table.columns}"
            await month.says(table, asked)


def test_the_page_shows_each_thing_it_promises() -> None:
    kinds = [
        "steps" if "request" in table.columns else "marks" if "mark of" in table.columns else "said"
        for table in TABLES
    ]
    assert (kinds.count("steps"), kinds.count("marks"), kinds.count("said")) == (6, 2, 11)
    sent = " ".join(row["request"] for table in TABLES for row in table.rows if "request" in row)
    for part in ("/reschedules", "/holidays", "/withdraw", "/cancel", "/reopen", '"from"'):
        assert part in sent
