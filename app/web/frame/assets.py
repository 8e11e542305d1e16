"""Styles and modules, read once and compressed. Their address changes with what is in them."""

import gzip
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request, Response

from app.errors import NotFound

WEB = Path(__file__).parent.parent
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@cache
def _files() -> dict[str, bytes]:
    return {
        path.relative_to(WEB).as_posix(): path.read_bytes()
        for path in sorted(WEB.rglob("*"))
        if path.suffix in _KINDS
    }


@cache
def _digest() -> str:
    whole = sha256()
    for name, content in _files().items():
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:16]


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(_files()[name], mtime=0)


def address_of(name: str) -> str:
    """Where a page finds the file, such as `take/take.js`."""
    if name not in _files():
        raise KeyError(name)
    return f"/app/assets/{_digest()}/{name}"


@router.get("/app/assets/{digest}/{name:path}")
async def asset(digest: str, name: str, request: Request) -> Response:
    content = _files().get(name) if digest == _digest() else None
    if content is None:
        raise NotFound("There is nothing at this address.")
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = _compressed(name)
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=_KINDS[Path(name).suffix])
