"""Turning documents into responses, and request parameters that several routes share."""

import re
from typing import Annotated, Any

from fastapi import Header, Query, Request, Response

from app.documents import Document
from app.errors import Malformed
from app.queries import MAX_CURSOR, MAX_PAGE
from app.schemas.words import Date

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
    """The error responses of a route, for OpenAPI; `app.openapi` describes them.

    What needs a token is limited, too: all but health.
    """
    refused = {429} if 401 in statuses else set()
    return {status: {} for status in sorted({*statuses, *refused, 500, 503})}


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
