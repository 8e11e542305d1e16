"""Our own tokens: HS256 JWTs that carry the user, but no rights (RFC 8725, RFC 9068)."""

import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import jwt

from app.auth.claims import verified
from app.config import Settings
from app.errors import NotSignedIn

ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = "aims"
AUDIENCE = "aims-api"
MAX_TOKEN_LENGTH = 2048
CACHED_TOKENS = 1024

_SEALED = "aims-sign-in"
_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti"]


class Tokens:
    """Issues and reads tokens with the configured secrets: the first signs, all verify.

    Verifying costs 100 microseconds, so recently verified tokens are cached with their user and
    expiry; the expiry is checked every time.
    """

    def __init__(self, settings: Settings) -> None:
        self._secrets = [secret.encode() for secret in settings.jwt_secret]
        self._seconds = round(settings.jwt_expiration_hours * 3600)
        self._verified: OrderedDict[str, tuple[UUID, int]] = OrderedDict()

    def issue(self, user_id: UUID) -> tuple[str, datetime]:
        """A token for the user, and the instant at which it expires."""
        issued = int(time.time())
        ends = issued + self._seconds
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "iat": issued,
            "exp": ends,
            "jti": str(uuid4()),
        }
        token = jwt.encode(claims, self._secrets[0], ALGORITHM, headers={"typ": TYPE})
        return token, datetime.fromtimestamp(ends, UTC)

    def read(self, token: str) -> UUID:
        """The user the token was issued to; `NotSignedIn` if it is not ours or has expired."""
        known = self._verified.get(token)
        if known is None:
            known = self._verify(token)
            self._remember(token, known)
        user_id, ends = known
        if ends <= time.time():
            raise _expired()
        return user_id

    def seal(self, claims: dict[str, str], seconds: int) -> str:
        """These claims in a text that the browser may keep for so long and cannot alter."""
        ends = {"aud": _SEALED, "exp": int(time.time()) + seconds}
        return jwt.encode({**claims, **ends}, self._secrets[0], ALGORITHM)

    def unseal(self, text: str) -> dict[str, Any]:
        """The claims that were sealed; `NotSignedIn` if the text is not ours or has ended."""
        for secret in self._secrets:
            try:
                _, claims = verified(
                    text, secret, ALGORITHM, audience=_SEALED, options={"require": ["exp", "aud"]}
                )
            except jwt.PyJWTError:
                continue
            return {name: claims[name] for name in claims.keys() - {"aud", "exp"}}
        raise NotSignedIn("This sign-in took too long. Please start again.", code="sign_in_failed")

    def _remember(self, token: str, known: tuple[UUID, int]) -> None:
        self._verified[token] = known
        if len(self._verified) > CACHED_TOKENS:
            self._verified.popitem(last=False)

    def _verify(self, token: str) -> tuple[UUID, int]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise _invalid()
        for secret in self._secrets:
            try:
                return _claims(token, secret)
            except jwt.ExpiredSignatureError:
                raise _expired() from None
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, ValueError):
                raise _invalid() from None
        raise _invalid()


def _claims(token: str, secret: bytes) -> tuple[UUID, int]:
    header, claims = verified(
        token, secret, ALGORITHM, issuer=ISSUER, audience=AUDIENCE, options={"require": _REQUIRED}
    )
    if header.get("typ") != TYPE:
        raise jwt.InvalidTokenError("not one of our access tokens")
    return UUID(claims["sub"]), claims["exp"]


def _expired() -> NotSignedIn:
    return NotSignedIn("Your sign-in has expired. Please sign in again.", code="token_expired")


def _invalid() -> NotSignedIn:
    return NotSignedIn("This sign-in is not valid. Please sign in again.", code="invalid_token")
