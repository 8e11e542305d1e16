"""Addresses below `/app` that lead nowhere, answered as a page."""

from fastapi import APIRouter, Response

from app.errors import NotFound
from app.web.frame.pages import OpenPage

router = APIRouter(route_class=OpenPage, include_in_schema=False)


@router.get("/app/{rest:path}")
async def missing(rest: str) -> Response:
    raise NotFound("There is nothing at this address.")
