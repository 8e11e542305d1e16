"""Authentication: the dependencies of routes, and the order in which requests are refused.

That order is the same everywhere: too large (413), not signed in (401), too many (429), malformed
(400, 415, 422), and only then 404 and 403. FastAPI on its own would parse the body before it checks
the token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, cast
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection

from app import strict_json
from app.auth.rates import rates_of
from app.config import Settings
from app.db import Database
from app.declared import DeclaredRoute, Handler
from app.errors import Invalid, Malformed, NotSignedIn, UnsupportedMedia
from app.services.access import (
    Actor,
    StudentActor,
    require_admin,
    require_known,
    require_staff,
)


class _StrictRequest(Request):
    """A request that parses JSON strictly, and only when `parse` is called."""

    _value: Any = None

    async def json(self) -> Any:
        return self._value

    async def parse(self) -> None:
        """Read the body, which `json` then gives; refuse what is not JSON."""
        body = await self.body()
        if body and not _says_json(self.headers.get("content-type", "")):
            raise UnsupportedMedia("Send JSON, with Content-Type: application/json.")
        try:
            self._value = strict_json.read(body) if body else None
        except ValueError:
            raise Malformed("The body is not valid JSON in UTF-8.", code="malformed_json") from None


def _says_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


async def _pass_over(request: Request) -> None:
    """Read the body and keep nothing of it: one that is too large is refused first of all."""
    async for _ in request.stream():
        pass


def _refuse_repeated(given: QueryParams, names: Sequence[str]) -> None:
    """Refuse a parameter given twice, of which the framework would use the last."""
    repeated = [name for name in names if len(given.getlist(name)) > 1]
    if repeated:
        raise RequestValidationError(
            [{"type": "repeated_parameter", "loc": ("query", name)} for name in repeated]
        )


class JsonRoute(DeclaredRoute):
    """A route with a strict JSON body, if it has one, and parameters with a single value."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        parameters = [parameter.alias for parameter in self.dependant.query_params]

        async def handle_in_order(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            try:
                await self.identify(strict)
            except NotSignedIn:
                await rates_of(strict).count_stranger(strict)
                await _pass_over(strict)
                raise
            request.app.state.database.refuse_crowd()
            await strict.body()
            return await self.answer(read_and_handle, strict)

        async def read_and_handle(strict: Request) -> Response:
            if takes_body:
                await cast(_StrictRequest, strict).parse()
            if len(strict.query_params.multi_items()) > len(strict.query_params):
                _refuse_repeated(strict.query_params, parameters)
            return await handle(strict)

        return handle_in_order

    async def identify(self, request: Request) -> None:
        """Anybody can call this route, and is counted by their address."""
        await rates_of(request).count_stranger(request)

    async def answer(self, handle: Handler, request: Request) -> Response:
        return await handle(request)


class SignedInRoute(JsonRoute):
    """A route that requires a valid token. Its SQL checks the user's current role."""

    async def identify(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotSignedIn("Sign in first: send Authorization: Bearer and your token.")
        user_id = request.app.state.tokens.read(token.strip())
        request.state.actor = Actor(user_id, request.state.request_id)
        await rates_of(request).count_person(user_id)

    async def answer(self, handle: Handler, request: Request) -> Response:
        try:
            return await handle(request)
        except (Malformed, UnsupportedMedia, Invalid, RequestValidationError):
            # If the user has lost access, that is reported before any flaw of the request.
            await self.require(request)
            raise

    async def require(self, request: Request) -> None:
        """Refuse who may use no route of this kind."""
        await require_staff(request.app.state.database, request.state.actor)


class StudentRoute(SignedInRoute):
    """A route for students, about their own rows."""

    async def require(self, request: Request) -> None:
        state, actor = request.app.state, request.state.actor
        await require_known(state.database, _student(actor, state.settings))


def _student(actor: Actor, settings: Settings) -> StudentActor:
    return StudentActor(actor.user_id, actor.request_id, settings.student_sign_in)


@dataclass(frozen=True, slots=True)
class _Call:
    """The call of a signed-in user: the database, the actor and the institution's rules.

    `window` is the number of days for which a teacher can change marks; None: no limit.
    """

    db: Database
    actor: Actor
    zone: ZoneInfo
    window: int | None

    def now(self) -> datetime:
        """The institution's date and time, which decide what "today" is."""
        return datetime.now(self.zone)

    async def require_admin(self) -> None:
        """Refuse non-admins early, if expensive work comes before the SQL that checks access."""
        await require_admin(self.db, self.actor)


@dataclass(frozen=True, slots=True)
class _MyCall:
    """A call by a student: the database to ask, and who asks."""

    db: Database
    actor: StudentActor


class _Bearer(HTTPBearer):
    """Declares the bearer token for OpenAPI; `SignedInRoute` has already read it."""

    async def __call__(self, request: HTTPConnection) -> Any:
        state = request.app.state
        settings: Settings = state.settings
        return _Call(state.database, request.state.actor, settings.zone, settings.edit_window_days)


class _StudentBearer(HTTPBearer):
    """The same for `StudentRoute`."""

    async def __call__(self, request: HTTPConnection) -> Any:
        state = request.app.state
        return _MyCall(state.database, _student(request.state.actor, state.settings))


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


_SCHEME = {
    "scheme_name": "Token",
    "bearerFormat": "JWT",
    "description": "The `token` that *Sign in with Google* (`POST /auth/google`) returns. "
    "It lasts an hour unless configured otherwise; then sign in with Google again.",
}
# One dependency for everything a route needs: each costs as much as parsing a small body.
Call = Annotated[_Call, Security(_Bearer(**_SCHEME))]
MyCall = Annotated[_MyCall, Security(_StudentBearer(**_SCHEME))]
Db = Annotated[Database, Depends(_database)]
