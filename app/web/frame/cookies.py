"""The two cookies of the console: the session, and a sign-in under way.

Both are `HttpOnly` and `SameSite=Lax`; over HTTPS they are `Secure` and carry the prefix
`__Host-`, so that no neighbouring host can set them.
"""

from fastapi import Request, Response

_SESSION, _SIGN_IN = "aims_session", "aims_sign_in"
# How long somebody may take on the provider's pages.
SIGN_IN_SECONDS = 600


def session_of(request: Request) -> str | None:
    """Our token from the session's cookie."""
    return request.cookies.get(_named(request, _SESSION))


def set_session(request: Request, response: Response, token: str, seconds: int) -> None:
    """Sign the browser in for so long."""
    _set(request, response, _SESSION, token, seconds)


def end_session(request: Request, response: Response) -> None:
    """Sign the browser out."""
    _set(request, response, _SESSION, "", 0)


def sign_in_of(request: Request) -> str | None:
    """What the sign-in under way was started with."""
    return request.cookies.get(_named(request, _SIGN_IN))


def set_sign_in(request: Request, response: Response, text: str) -> None:
    """Keep what a sign-in was started with until its answer comes."""
    _set(request, response, _SIGN_IN, text, SIGN_IN_SECONDS)


def end_sign_in(request: Request, response: Response) -> None:
    """Let the answer to a sign-in count once."""
    _set(request, response, _SIGN_IN, "", 0)


def _named(request: Request, name: str) -> str:
    return f"__Host-{name}" if request.scope["scheme"] == "https" else name


def _set(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        _named(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",
    )
