"""Signing in and out: a button for each provider, and the way there and back."""

from dataclasses import asdict
from re import fullmatch

from fastapi import APIRouter, Response

from app.auth.oidc import SignInProvider, Start
from app.auth.rates import rates_of
from app.errors import AccessDenied, AppError, NotFound, NotSignedIn
from app.services.access import Actor
from app.services.people import accounts, student_accounts
from app.web.frame import cookies
from app.web.frame.pages import SIGN_IN, OpenPage, PageRoute, Visit, signed_in

router = APIRouter(route_class=OpenPage, include_in_schema=False)
signed_in_router = APIRouter(route_class=PageRoute, include_in_schema=False)

_HOME = "/app"


@router.get("/")
async def root(visit: Visit) -> Response:
    return visit.go(_HOME)


@router.get("/app")
async def home(visit: Visit) -> Response:
    """Lead everybody to where their day begins."""
    actor = Actor(signed_in(visit.request), visit.request.state.request_id)
    try:
        await accounts.me(visit.db, actor)
    except AccessDenied:
        return visit.go("/app/my")
    return visit.go("/app/today")


@signed_in_router.get("/app/signed-in")
async def end_of_second_tab(visit: Visit) -> Response:
    """Where a sign-in in a second tab ends, so that the first can go on."""
    return visit.page("signin/signed_in.html")


@router.get(SIGN_IN)
async def choose(visit: Visit, next: str = _HOME) -> Response:
    providers = visit.request.app.state.providers.values()
    return visit.page("signin/sign_in.html", providers=providers, next=_own(next))


@router.get(f"{SIGN_IN}/{{key}}")
async def begin(visit: Visit, key: str, next: str = _HOME) -> Response:
    """Lead the browser to the provider, with what its answer must fit kept in a cookie."""
    provider = _provider(visit, key)
    address, start = await provider.start(_redirect_uri(visit, key), _own(next))
    sealed = visit.request.app.state.tokens.seal(asdict(start), cookies.SIGN_IN_SECONDS)
    response = visit.go(address)
    cookies.set_sign_in(visit.request, response, sealed)
    return response


@router.get(f"{SIGN_IN}/{{key}}/callback")
async def finish(visit: Visit, key: str) -> Response:
    """Sign in whom the provider names, if this browser started it and the allow-list says so."""
    state, request = visit.request.app.state, visit.request
    try:
        start = _started(visit, key)
        identity = await _provider(visit, key).finish(
            _redirect_uri(visit, key), str(request.url), start
        )
        user = await student_accounts.sign_in(
            visit.db,
            **vars(identity),
            students=visit.settings.student_sign_in,
            request_id=request.state.request_id,
        )
    except NotSignedIn as refusal:
        await rates_of(request).count_failed_sign_in(request)
        return _again(visit, refusal)
    except AppError as refusal:
        return _again(visit, refusal)
    token, ends = state.tokens.issue(user.id)
    response = visit.go(start.next)
    seconds = round((ends - visit.now()).total_seconds())
    cookies.set_session(request, response, token, seconds)
    cookies.end_sign_in(request, response)
    return response


@router.post("/app/sign-out")
async def sign_out(visit: Visit) -> Response:
    response = visit.go(SIGN_IN, done="signed_out")
    cookies.end_session(visit.request, response)
    return response


def _again(visit: Visit, refusal: AppError) -> Response:
    """The choice of providers again, with the reason."""
    providers = visit.request.app.state.providers.values()
    response = visit.page(
        "signin/sign_in.html",
        status=refusal.status,
        providers=providers,
        next=_HOME,
        reason=refusal,
    )
    cookies.end_sign_in(visit.request, response)
    return response


def _started(visit: Visit, key: str) -> Start:
    sealed = cookies.sign_in_of(visit.request)
    if not sealed:
        raise NotSignedIn(
            "This browser has not started that sign-in, or it took too long. Please try again.",
            code="sign_in_failed",
        )
    start = Start(**visit.request.app.state.tokens.unseal(sealed))
    if start.provider != key:
        raise NotSignedIn("This sign-in was started elsewhere.", code="sign_in_failed")
    return start


def _provider(visit: Visit, key: str) -> SignInProvider:
    provider: SignInProvider | None = visit.request.app.state.providers.get(key)
    if provider is None:
        raise NotFound("There is no such way to sign in.")
    return provider


def _redirect_uri(visit: Visit, key: str) -> str:
    return f"{str(visit.request.base_url).rstrip('/')}{SIGN_IN}/{key}/callback"


def _own(address: str) -> str:
    """The address if it is a page of the console; nobody is led elsewhere."""
    return address if fullmatch(r"/app(?:[/?][A-Za-z0-9/_.~%?=&:+,-]*)?", address) else _HOME
