"""What is fetched from identity providers: small JSON documents, quickly or not at all."""

import asyncio
from typing import Any

import httpx2

FETCH_SECONDS = 3
MAX_BYTES = 64 * 1024


async def fetch_json(url: str) -> Any:
    """The JSON document at the address.

    Raises `httpx2.HTTPError`, `TimeoutError` or `ValueError` if it is not given in time, is too
    large or is not JSON.
    """
    body = b""
    async with asyncio.timeout(FETCH_SECONDS):
        # A client of its own for each fetch: they are half a minute apart or an hour, and
        # making one loads the certificates of all authorities.
        client = await asyncio.to_thread(
            httpx2.AsyncClient, follow_redirects=False, timeout=FETCH_SECONDS
        )
        async with client, client.stream("GET", url) as response:
            if response.status_code != httpx2.codes.OK:
                raise ValueError("the document was not given")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError("the document is too large")
    return httpx2.Response(200, content=body).json()
