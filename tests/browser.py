"""A browser that shows no pages: it keeps cookies, and says where its forms come from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
from fastapi import FastAPI

from tests.support import Person

ORIGIN = "http://127.0.0.1"


class Browser:
    """Somebody's browser, signed in with a token or not at all. Redirects are not followed."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        response = await self.client.get(path, **more)
        check_page(response)
        return response

    async def post(
        self, path: str, fields: dict[str, Any] | None = None, **more: Any
    ) -> httpx2.Response:
        headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"} | more.pop("headers", {})
        response = await self.client.post(path, data=fields or {}, headers=headers, **more)
        check_page(response)
        return response

    async def shown(self, path: str) -> str:
        """The text of a page that has to be there."""
        response = await self.get(path)
        assert response.status_code == 200, (path, response.status_code, response.text)
        return response.text

    async def done(self, path: str, fields: dict[str, Any] | None = None, **more: Any) -> str:
        """Where a form leads that has to be taken."""
        response = await self.post(path, fields, **more)
        assert response.status_code == 303, (path, response.status_code, response.text)
        return response.headers["location"]


def check_page(response: httpx2.Response) -> None:
    """Fail unless the answer has what every page has."""
    if response.headers.get("content-type", "").startswith("text/html"):
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "same-origin"
        assert " style=" not in response.text
        assert "<script>" not in response.text
    if response.status_code == 303:
        assert not urlsplit(response.headers["location"]).path.startswith("//")


@asynccontextmanager
async def browser_of(app: FastAPI, person: Person | None = None) -> AsyncIterator[Browser]:
    """A browser of its own; with a person one that is signed in."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        if person and person.token:
            client.cookies.set("aims_session", person.token, domain="127.0.0.1")
        yield Browser(client)
