"""Turning documents into responses, and request parameters that several routes share."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Query, Request, Response

from app.documents import Document
from app.errors import Flaw, Invalid, Malformed
from app.schemas.words import MAX_ROLL_KEY_BYTES, Date

MAX_PAGE = 200

# An id and the key of a roll number, which case folding can make three times as long.
MAX_CURSOR = 37 + MAX_ROLL_KEY_BYTES

_ETAG = re.compile(r'(W/)?"([^"]*)"')


def answer(
    document: Document[Any], *, status: int = 200, request: Request | None = None
) -> Response:
    """The response with the document, its version as `ETag` and its next page as `Link`.

    The link is relative to the request's address, since a proxy may serve it below a path.
    """
    response = Response(document.json, status, media_type="application/json")
    if document.version is not None:
        response.headers["ETag"] = f'"{document.version}"'
    if document.next_cursor is not None and request is not None:
        following = request.url.include_query_params(cursor=document.next_cursor).query
        response.headers["Link"] = f'<?{following}>; rel="next"'
    return response


def check_range(first: date | None, last: date | None) -> None:
    """Refuse a range that ends before it begins."""
    if first is not None and last is not None and first > last:
        raise refused_query("from", "range_reversed", "The range ends before it begins.")


def check_text(query: str | None, cursor: str | None, *, name: str = "query") -> None:
    """Refuse NUL characters, which PostgreSQL cannot store in text."""
    if "\0" in (query or ""):
        raise refused_query(name, "control_character", "Control characters are not allowed.")
    if "\0" in (cursor or ""):
        raise bad_cursor()


def instant_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Parse the cursor of a list by time: instant and id."""
    at, _, entry_id = cursor.partition("~")
    try:
        # Ours are in UTC; another offset could lead past the first or the last year.
        return datetime.fromisoformat(at).astimezone(UTC), UUID(entry_id)
    except (ValueError, OverflowError):
        raise bad_cursor() from None


def class_cursor(cursor: str) -> tuple[UUID, str]:
    """Parse the cursor of a list of students: class and roll key."""
    class_id, _, roll_key = cursor.partition("~")
    try:
        if "\0" not in roll_key:
            return UUID(class_id), roll_key
    except ValueError:
        pass
    raise bad_cursor()


def bad_cursor() -> Invalid:
    return refused_query(
        "cursor", "invalid_cursor", "Use the cursor exactly as the Link header gives it."
    )


def refused_query(name: str, code: str, sentence: str) -> Invalid:
    return Invalid(sentence, code=code, flaws=(Flaw(f"/query/{name}", code, sentence),))


def seen_versions(if_match: str | None) -> list[int] | None:
    """The versions named by `If-Match`; None if any version is accepted (no header, or `*`).

    Weak tags never match (RFC 9110, section 13.1.1).
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [_ETAG.fullmatch(part.strip()) for part in if_match.split(",")]
    if not all(tags):
        raise Malformed('If-Match must be the ETag of the session, like "3" with its quotes.')
    return [
        int(tag[2]) for tag in tags if tag and not tag[1] and re.fullmatch("[0-9]{1,9}", tag[2])
    ]


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for OpenAPI; `app.openapi` describes them."""
    return {status: {} for status in sorted({*statuses, 500, 503})}


# Response headers; `app.openapi` describes them.
VERSIONED: dict[int | str, dict[str, Any]] = {200: {"headers": {"ETag": {}}}}
PAGED: dict[int | str, dict[str, Any]] = {200: {"headers": {"Link": {}}}}

READS = problems_of(401, 403, 404, 422)
WRITES = problems_of(400, 401, 403, 404, 409, 413, 415, 422)

From = Annotated[Date | None, Query(alias="from", description="First date, inclusive")]
To = Annotated[Date | None, Query(alias="to", description="Last date, inclusive")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many at most")]
Cursor = Annotated[
    str | None, Query(max_length=MAX_CURSOR, description="Where to continue: from the Link header")
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description='The ETag of the session as last seen, like `"3"`'),
]
