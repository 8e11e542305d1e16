"""Swagger UI and ReDoc, served from local files so that they work without internet access.

Their Content-Security-Policy allows what they load from there, and nothing from other sites.
"""

import base64
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

from app import openapi

_STATIC = "/docs/static"
_DOCUMENT = "/openapi.json"


def add_to(app: FastAPI) -> None:
    """Serve `/docs`, `/redoc` and their assets."""
    app.mount(_STATIC, _Assets(directory=Path(fastapi_offline.__file__).parent / "static"))
    _add_page(
        app,
        "/docs",
        get_swagger_ui_html(
            openapi_url=_DOCUMENT,
            title=openapi.TITLE,
            swagger_js_url=f"{_STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{_STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{_STATIC}/favicon.png",
            swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": 0},
        ),
        "style-src 'self'",
    )
    _add_page(
        app,
        "/redoc",
        get_redoc_html(
            openapi_url=_DOCUMENT,
            title=openapi.TITLE,
            redoc_js_url=f"{_STATIC}/redoc.standalone.js",
            redoc_favicon_url=f"{_STATIC}/favicon.png",
            with_google_fonts=False,
        ),
        # ReDoc adds its styles at run time, and searches in a worker made from a blob.
        "style-src 'unsafe-inline'; worker-src blob:",
    )


def _add_page(app: FastAPI, path: str, page: HTMLResponse, more: str) -> None:
    html = bytes(page.body).decode()
    headers = {"Content-Security-Policy": f"{_policy(html)}; {more}"}

    @app.get(path, include_in_schema=False)
    async def show() -> HTMLResponse:
        return HTMLResponse(html, headers=headers)


def _policy(html: str) -> str:
    """The policy: scripts are our files, and the inline ones of the page by their hashes."""
    scripts = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    digests = [base64.b64encode(sha256(text.encode()).digest()).decode() for text in scripts]
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *(f"'sha256-{digest}'" for digest in digests))),
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


class _Assets(StaticFiles):
    """Files that change only with the version: the browser caches and revalidates them."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        response = super().file_response(*given, **named)
        response.headers["Cache-Control"] = "no-cache"
        return response
