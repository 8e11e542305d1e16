"""Lists as files for spreadsheets."""

from collections.abc import Mapping

from fastapi import Response
from fastapi.responses import StreamingResponse

from app.files.attachments import CSV
from app.files.list_csv import AT_ONCE, Page, headers_of, lines, list_csv

__all__ = ["AT_ONCE", "download", "headers_of", "lines"]


async def download(name: str, columns: Mapping[str, str], page: Page) -> Response:
    """A whole list as a CSV: `columns` are headings by the API's name of what is below them.

    `page` gives the page after a cursor. It refuses before anything is sent.
    """
    parts = await list_csv(columns, page)
    return StreamingResponse(parts, headers=headers_of(name), media_type=CSV)
