"""Lists as CSV for spreadsheets, written page by page as they are read."""

import csv
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from io import StringIO
from typing import Any

from app.documents import Document
from app.files.register.register_words import guarded

# The byte order mark by which Excel recognises UTF-8.
_MARK = "\ufeff"
# Rows of a file are read in larger pages than those people look at, since each page of a report
# counts all marks of the term anew.
AT_ONCE = 5_000

Page = Callable[[str | None], Awaitable[Document[Any]]]


async def list_csv(columns: Mapping[str, str], page: Page) -> AsyncIterator[bytes]:
    """The whole list as a CSV: `columns` are headings by the API's name of what is below them.

    `page` gives the page after a cursor. It refuses before this returns.
    """
    first = await page(None)

    async def parts() -> AsyncIterator[bytes]:
        yield (_MARK + lines([columns.values()])).encode()
        document = first
        while True:
            rows = json.loads(document.json)
            yield lines([row.get(key) for key in columns] for row in rows).encode()
            if document.next_cursor is None:
                return
            document = await page(document.next_cursor)

    return parts()


def lines(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV, in which no text is a formula."""
    text = StringIO()
    csv.writer(text).writerows(map(_cell, row) for row in rows)
    return text.getvalue()


def headers_of(name: str) -> dict[str, str]:
    """The headers by which an answer is saved as a file of that name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _cell(value: Any) -> Any:
    return guarded(value) if isinstance(value, str) else value
