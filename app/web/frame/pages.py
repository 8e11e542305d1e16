"""What every page has: who asks, the protection of its forms, its template, its refusals.

A page is a handler with a `Visit`, in a router of `PageRoute`s:

    @router.get("/classes/{id}")
    async def show(visit: Visit, id: UUID) -> Response:
        document = await class_service.get_class(visit.db, visit.actor, id)
        return visit.page("classes/class.html", class_=read(document))

Rights are those of the services. A form that was refused is shown again with `visit.refused`.
"""

import gzip
import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, cached_property, partial
from typing import Annotated, Any
from urllib.parse import quote, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError

from app import problems, strict_json
from app.auth.rates import rates_of
from app.config import Settings
from app.db import Database
from app.declared import DeclaredRoute, Handler
from app.documents import Document
from app.errors import AccessDenied, AppError, Malformed, NotFound, NotSignedIn
from app.services.access import Actor, StudentActor
from app.services.people import accounts
from app.web.frame import cookies
from app.web.frame.forms import Form, M, beside_fields, validated
from app.web.frame.templates import render

SIGN_IN = "/app/sign-in"
_SEE_OTHER = 303
_SAFE = ("GET", "HEAD")
# Below this there is nothing to gain from compression.
_SMALL = 800


def read(document: Document[Any]) -> Any:
    """The document as Python's own types, with the API's names."""
    return json.loads(document.json)


@dataclass(frozen=True)
class _Visit:
    """A request for a page: who asks and what with. `person` is the document of `GET /users/me`.

    After a form was refused, `form` has what was entered and `refusal` why.
    """

    request: Request
    person: dict[str, Any] | None = None
    form: Form | None = None
    refusal: AppError | None = None

    @property
    def db(self) -> Database:
        database: Database = self.request.app.state.database
        return database

    @property
    def actor(self) -> Any:
        """The `Actor`; a `StudentActor` on the pages of students."""
        return self.request.state.actor

    @property
    def administers(self) -> bool:
        """Whether to show what only administrators can do; whether they may, the services say."""
        return self.person is not None and self.person["role"] == "admin"

    @property
    def settings(self) -> Settings:
        settings: Settings = self.request.app.state.settings
        return settings

    @cached_property
    def zone(self) -> ZoneInfo:
        return self.settings.zone

    @property
    def window(self) -> int | None:
        """For how many days a teacher may change marks; None is for ever."""
        return self.settings.edit_window_days

    def photo(self, link: str | None) -> str | None:
        """The link to a photo if it may be shown: it begins with one of PHOTO_ORIGINS and a slash,
        so that no reading of it leads anywhere else."""
        origins = self.settings.photo_origins
        return link if link and any(link.startswith(f"{origin}/") for origin in origins) else None

    def now(self) -> datetime:
        """The date and time where the institution is."""
        return datetime.now(self.zone)

    async def read_form(self) -> Form:
        """What the browser sent, as a form or a file."""
        return await Form.of(self.request)

    async def read_json(self, model: type[M]) -> M:
        """What a module of a page sent, as the API would read it."""
        try:
            value = strict_json.read(await self.request.body())
        except ValueError:
            raise Malformed("The body is not valid JSON.", code="malformed_json") from None
        return validated(model, value)

    def asked(self) -> "_Visit":
        """This visit with the filters of its address as its form, to show them again."""
        texts = self.request.query_params.multi_items()
        return replace(self, form=Form([(name, text.strip()) for name, text in texts]))

    def filters(self, model: type[M]) -> M:
        """What an `asked` visit asks for; `Invalid` with a pointer `/field` for each mistake."""
        return (self.form or Form([])).read(model)

    def following(self, document: Document[Any]) -> str | None:
        """The address of the next page of a list, if there is one."""
        if document.next_cursor is None:
            return None
        url = self.request.url.include_query_params(cursor=document.next_cursor)
        return f"{url.path}?{url.query}"

    def refused(self, refusal: AppError, form: Form | None = None) -> "_Visit":
        """This visit, to show the form (or the filters) again with what is wrong with it."""
        return replace(self, refusal=beside_fields(refusal), form=form or self.form)

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """The template as an answer, with the status of the refusal if there was one."""
        if self.refusal is not None:
            status = self.refusal.status
        text = render(template, visit=self, person=self.person, **values)
        return _html(self.request, text, status)

    def go(self, path: str, done: str | None = None) -> Response:
        """Lead the browser on after a form; `done` is a key of `frame.messages`."""
        sign = "&" if "?" in path else "?"
        place = f"{path}{sign}done={done}" if done else path
        return Response(status_code=_SEE_OTHER, headers={"Location": place})


@cache
def _headers(photo_origins: tuple[str, ...]) -> dict[str, str]:
    """What a page may load and do: its own style, modules, forms, pictures, and these photos."""
    policy = (
        "default-src 'none'",
        *(f"{kind} 'self'" for kind in ("style-src", "script-src", "connect-src")),
        " ".join(("img-src 'self'", *photo_origins)),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return {"Content-Security-Policy": "; ".join(policy), "Referrer-Policy": "same-origin"}


def _html(request: Request, text: str, status: int) -> Response:
    body = text.encode()
    headers = {**_headers(request.app.state.settings.photo_origins), "Vary": "Accept-Encoding"}
    if len(body) > _SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=3, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media_type="text/html")


class OpenPage(DeclaredRoute):
    """A page that anybody may open. Its forms are only taken from our own pages."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def respond(request: Request) -> Response:
            self.prepare(request)
            _refuse_other_sites(request)
            try:
                await self.identify(request)
                return await handle(request)
            except NotSignedIn as error:
                await rates_of(request).count_stranger(request)
                return await _signed_out(request, error)
            except RequestValidationError:
                raise NotFound("There is nothing at this address.") from None

        return respond

    def prepare(self, request: Request) -> None:
        """Have refusals answered as pages from here on, unless a module asks."""
        if "json" not in request.headers.get("accept", ""):
            request.state.as_page = partial(_refusal_page, request)

    async def identify(self, request: Request) -> None:
        """Anybody may open it, and is counted by their address."""
        request.state.visit = _Visit(request)
        await rates_of(request).count_stranger(request)


class PageRoute(OpenPage):
    """A page for people who are signed in, as the cookie says; what they may, its services say."""

    async def identify(self, request: Request) -> None:
        request.state.actor = Actor(signed_in(request), request.state.request_id)
        await rates_of(request).count_person(request.state.actor.user_id)
        request.app.state.database.refuse_crowd()
        person = read(await accounts.me(request.app.state.database, request.state.actor))
        request.state.visit = _Visit(request, person)


class StudentPage(OpenPage):
    """The same for students, of whom pages need to know nothing before their services do."""

    async def identify(self, request: Request) -> None:
        let_in = request.app.state.settings.student_sign_in
        student = signed_in(request)
        await rates_of(request).count_person(student)
        request.app.state.database.refuse_crowd()
        request.state.actor = StudentActor(student, request.state.request_id, let_in)
        request.state.visit = _Visit(request, {"role": "student", "name": ""})


def signed_in(request: Request) -> UUID:
    """Whose token the session's cookie has; `NotSignedIn` without one that is valid now."""
    token = cookies.session_of(request)
    if not token:
        raise NotSignedIn("Please sign in.")
    user_id: UUID = request.app.state.tokens.read(token)
    return user_id


def _refuse_other_sites(request: Request) -> None:
    """Browsers say where a form comes from; one of another site, or without a word, is refused."""
    if request.method in _SAFE:
        return
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not ours or site not in (None, "same-origin") or origin is site is None:
        raise AccessDenied("This form was not sent from a page of AIMS.", code="cross_site")


async def _signed_out(request: Request, error: NotSignedIn) -> Response:
    """Lead to the sign-in and back. What was being sent is shown, to be sent again."""
    if "json" in request.headers.get("accept", ""):
        return problems.problem(request.scope, error)
    if request.method in _SAFE:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Response(
            status_code=_SEE_OTHER, headers={"Location": f"{SIGN_IN}?next={quote(here)}"}
        )
    visit = _Visit(request)
    form = await visit.read_form()
    return visit.page("frame/signed_out.html", status=error.status, sent=form.texts)


def _refusal_page(request: Request, error: AppError) -> Response:
    visit = getattr(request.state, "visit", None) or _Visit(request)
    page = visit.page("frame/error.html", status=error.status, error=error)
    page.headers.update(problems.headers(error))
    return page


async def _visit(request: Request) -> _Visit:
    visit: _Visit = request.state.visit
    return visit


Visit = Annotated[_Visit, Depends(_visit)]
