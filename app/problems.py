"""Errors as RFC 9457 problem documents: one format for every error of the server.

A problem never repeats what was sent and stays under 8 KiB.
"""

import json
from http import HTTPMethod, HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import Scope

from app import logs
from app.errors import AppError, Flaw, Invalid
from app.logs import logger
from app.strict_json import REPEATED

MAX_FLAWS = 20


class ProblemFlaw(BaseModel):
    """`pointer` is an RFC 6901 pointer into the body, or one of `/query/...` and the like."""

    pointer: str
    code: str
    detail: str


class Problem(BaseModel):
    """What went wrong: `detail` is a sentence to show, `code` a stable word to act on."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[ProblemFlaw] | None = None


_CODES = {
    400: "malformed",
    404: "not_found",
    405: "method_not_allowed",
}

_SENTENCES = {
    400: "The request could not be read.",
    404: "There is nothing at this address.",
    405: "This address does not support that method.",
}

# Pydantic's error types as the API's codes (docs/for-app-developers.md). Others keep their name.
_FLAW_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "string_too_long": "too_long",
    "too_long": "too_many",
    "string_too_short": "blank",
    "uuid_parsing": "invalid_id",
    "uuid_type": "invalid_id",
}

_FLAW_SENTENCES = {
    "required": "This is required.",
    "unknown_field": "This field is unknown.",
    "too_long": "This is too long.",
    "too_many": "There are too many of these.",
    "blank": "This must not be blank.",
    "invalid_id": "This must be an id: a UUID with its hyphens.",
    "string_type": "This must be text.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "list_type": "This must be a list.",
    "model_attributes_type": "This must be an object.",
    "greater_than_equal": "This is too small.",
    "less_than_equal": "This is too large.",
    "repeated_name": "A name occurs twice in this object.",
    "repeated_parameter": "This parameter takes one value: send it once.",
}


# The codes whose sentences come from our own validators in `app.schemas`.
OUR_CODES = frozenset(
    {
        "blank",
        "control_character",
        "days_and_sessions",
        "ends_before_start",
        "invalid_date",
        "invalid_email",
        "invalid_id",
        "invalid_image_url",
        "invalid_score",
        "invalid_status",
        "invalid_time",
        "last_day_before_first",
        "leave_too_long",
        "one_of_user_id_and_email",
        "repeated_roll_number",
        "start_time_missing",
    }
)


def problem(scope: Scope, error: AppError) -> Response:
    """The answer to a request refused with `error`: a page if the route of a page has put its
    renderer into the state as `as_page`, else a problem document."""
    state = scope.setdefault("state", {})
    state["problem_code"] = error.code
    if as_page := state.get("as_page"):
        page: Response = as_page(error)
        return page
    return Response(
        json.dumps(problem_json(error, _request_id(scope)), ensure_ascii=False),
        error.status,
        headers(error),
        "application/problem+json",
    )


def problem_json(error: AppError, request_id: str) -> dict[str, Any]:
    """The problem document of the error."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "instance": request_id,
    }
    if error.flaws:
        document["errors"] = [
            {"pointer": flaw.pointer, "code": flaw.code, "detail": flaw.detail}
            for flaw in error.flaws[:MAX_FLAWS]
        ]
    return document


def headers(error: AppError) -> dict[str, str]:
    """The response headers for the error."""
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return headers


def install(app: FastAPI) -> None:
    """Make every error of `app` answer with a problem document."""

    async def refused(request: Request, error: Any) -> Response:
        return problem(request.scope, error)

    async def by_framework(request: Request, error: Any) -> Response:
        response = problem(request.scope, _of_http(error))
        if error.headers:
            response.headers.update(error.headers)
        methods = _methods_here(request)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and methods:
            response.headers["Allow"] = ", ".join(methods)
        return response

    async def invalid(request: Request, error: Any) -> Response:
        return problem(request.scope, of_validation(error))

    app.add_exception_handler(AppError, refused)
    app.add_exception_handler(HTTPException, by_framework)
    app.add_exception_handler(RequestValidationError, invalid)


def _methods_here(request: Request) -> list[str]:
    """All methods of this address: the framework lists only those of its first route."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]

    def is_taken(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in routes)

    return [
        method
        for method in HTTPMethod
        if is_taken("GET" if method is HTTPMethod.HEAD else method.value)
    ]


def crashed(error: Exception, scope: Scope) -> Response:
    """The response for an unexpected exception.

    Only the frames of the traceback are logged, since the error's text may quote people's data.
    """
    logger.error(
        "%s in request %s\n%s", type(error).__name__, _request_id(scope), logs.places(error)
    )
    return problem(
        scope,
        AppError(
            "Something went wrong on our side. Please try again; "
            "if it stays, tell your administrator the id of this request."
        ),
    )


def _request_id(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", ""))


def _of_http(error: HTTPException) -> AppError:
    refusal = AppError(
        _SENTENCES.get(error.status_code, HTTPStatus(error.status_code).phrase + "."),
        code=_CODES.get(error.status_code, "refused"),
    )
    refusal.status = error.status_code
    refusal.title = HTTPStatus(error.status_code).phrase
    return refusal


def of_validation(error: RequestValidationError) -> Invalid:
    """Pydantic's validation errors as our `Invalid`."""
    flaws = tuple(flaw for item in error.errors() for flaw in _flaws(item))
    return Invalid(_summary(flaws), code="validation_failed", flaws=flaws)


def _summary(flaws: tuple[Flaw, ...]) -> str:
    first = flaws[0]
    place = f" ({first.pointer})" if first.pointer else ""
    more = f" There are {len(flaws) - 1} more." if len(flaws) > 1 else ""
    return f"The request has a mistake{place}: {first.detail}{more}"


def _flaws(item: dict[str, Any]) -> list[Flaw]:
    code = _FLAW_CODES.get(item["type"], item["type"])
    if item.get("input") is REPEATED:
        code = "repeated_name"
    detail = _FLAW_SENTENCES.get(code)
    if detail is None:
        # Only our own sentences are known not to contain the input.
        detail = item["msg"] if code in OUR_CODES else "This value is not accepted here."
    return [Flaw(pointer, code, detail) for pointer in _pointers(item)]


def _pointers(item: dict[str, Any]) -> list[str]:
    context = item.get("ctx", {})
    if "pointers" in context:
        return list(context["pointers"])
    if "pointer" in context:
        return [context["pointer"]]
    where, *path = item["loc"]
    if item["type"] == "extra_forbidden":
        # The name of an unknown field is input too, so the pointer is to its object instead.
        path = path[:-1]
    start = "" if where == "body" else f"/{where}"
    return [start + "".join(f"/{_escaped(step)}" for step in path)]


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")
