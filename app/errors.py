"""The errors that the API reports to its callers.

    AppError                      status  code
    ├── Malformed                   400   malformed
    ├── NotSignedIn                 401   not_signed_in
    ├── AccessDenied                403   access_denied
    ├── NotFound                    404   not_found
    ├── Conflict                    409   (named where raised)
    ├── Stale                       412   stale_version
    ├── TooLarge                    413   too_large
    ├── UnsupportedMedia            415   unsupported_media_type
    ├── Invalid                     422   (named where raised)
    ├── TooMany                     429   rate_limited
    └── Unavailable                 503   unavailable

Services raise them and know nothing about HTTP except the status of each class;
`app.problems` turns them into RFC 9457 problem documents. `detail` is a sentence that the
app shows to a teacher, and it never repeats what was sent.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Flaw:
    """One invalid place in the input: an RFC 6901 JSON pointer, a stable code, a sentence."""

    pointer: str
    code: str
    detail: str


class AppError(Exception):
    """A refusal with its HTTP status, a stable `code` and a human-readable `detail`."""

    status = 500
    title = "Something went wrong"
    code = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        flaws: tuple[Flaw, ...] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.flaws = flaws
        self.retry_after = retry_after

    @classmethod
    def at(cls, pointer: str, code: str, detail: str) -> Self:
        """The refusal for the sake of one place in the input."""
        return cls(detail, code=code, flaws=(Flaw(pointer, code, detail),))


class Malformed(AppError):
    status, title, code = 400, "Malformed request", "malformed"


class NotSignedIn(AppError):
    status, title, code = 401, "Not signed in", "not_signed_in"


class AccessDenied(AppError):
    status, title, code = 403, "Access denied", "access_denied"


class NotFound(AppError):
    status, title, code = 404, "Not found", "not_found"


class Conflict(AppError):
    status, title, code = 409, "Conflict", "conflict"


class Stale(AppError):
    status, title, code = 412, "Out of date", "stale_version"


class TooLarge(AppError):
    status, title, code = 413, "Too large", "too_large"


class UnsupportedMedia(AppError):
    status, title, code = 415, "Unsupported media type", "unsupported_media_type"


class Invalid(AppError):
    status, title, code = 422, "Invalid request", "invalid"


class TooMany(AppError):
    status, title, code = 429, "Too many requests", "rate_limited"


class Unavailable(AppError):
    status, title, code = 503, "Temporarily unavailable", "unavailable"
