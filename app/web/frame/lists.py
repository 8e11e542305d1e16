"""Lists whose filters are in their address: a page to look at, or the whole as a CSV."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from app.documents import Document
from app.errors import Invalid
from app.files.attachments import CSV
from app.files.list_csv import AT_ONCE, headers_of, list_csv
from app.queries import MAX_CURSOR, MAX_PAGE
from app.schemas.words import Words
from app.web.frame.pages import Visit, read


class Place(Words):
    """Where in a list a page begins. Filters of a list add to it."""

    cursor: Annotated[str | None, Field(max_length=MAX_CURSOR)] = None


class Search(Place):
    """A part of what is looked for."""

    query: Annotated[str | None, Field(max_length=200)] = None


F = TypeVar("F", bound=Place)
# From what the filters ask for, so many entries after the cursor.
PageOf = Callable[[Visit, F, str | None, int], Awaitable[Document[Any]]]


async def listed(
    visit: Visit, filters: type[F], page_of: PageOf[F]
) -> tuple[Visit, list[dict[str, Any]], str | None]:
    """The page that an `asked` visit asks for and the address of the next one, with the visit to
    show them by; nothing, if a filter is refused."""
    try:
        asked = visit.filters(filters)
        page = await page_of(visit, asked, asked.cursor, MAX_PAGE)
    except Invalid as refusal:
        return visit.refused(visit.refusal or refusal), [], None
    return visit, read(page), visit.following(page)


async def download(
    visit: Visit, name: str, columns: Mapping[str, str], filters: type[F], page_of: PageOf[F]
) -> Response:
    """All that the address asks for, as a CSV: `columns` are headings by the API's name of what is
    below them. What is refused is refused before anything is sent."""
    asked = visit.asked().filters(filters)
    parts = await list_csv(columns, lambda cursor: page_of(visit, asked, cursor, AT_ONCE))
    return StreamingResponse(parts, headers=headers_of(name), media_type=CSV)
