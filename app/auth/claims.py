"""The verified claims of a signed token, Google's or ours."""

from typing import Any

import jwt

_TIMES = ("exp", "iat", "nbf")
_LAST_SECOND = 253_402_300_799  # of the year 9999, the last that `datetime` supports


def verified(
    token: str, key: jwt.PyJWK | bytes, algorithm: str, *, leeway: int = 0, **expected: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and claims of a token with a valid signature that is valid now.

    `expected` are issuer, audience and required claims as PyJWT takes them. Any other token raises
    a `jwt.PyJWTError`, whatever it contains.
    """
    try:
        decoded = jwt.decode_complete(token, key, algorithms=[algorithm], leeway=leeway, **expected)
    except (ValueError, TypeError, OverflowError):
        raise jwt.InvalidTokenError("its contents are malformed") from None
    claims = decoded["payload"]
    if not all(_is_time(claims[name]) for name in _TIMES if name in claims):
        raise jwt.InvalidTokenError("a time in it is not a whole number of seconds")
    return decoded["header"], claims


def claimed_issuer(token: str) -> str | None:
    """The issuer that the token claims, unverified; None if it has none."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else None


def _is_time(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LAST_SECOND
