"""Verifying Google's ID tokens, as Google documents it.

https://developers.google.com/identity/gsi/web/guides/verify-google-id-token
"""

import unicodedata
from dataclasses import dataclass
from typing import Any

import jwt

from app.auth.claims import claimed_issuer, verified
from app.auth.jwks import KeySet
from app.config import Settings
from app.errors import AccessDenied, NotSignedIn
from app.schemas.words import MAX_NAME, is_address

ISSUERS = ["https://accounts.google.com", "accounts.google.com"]
LEEWAY_SECONDS = 10
MAX_TOKEN_LENGTH = 8192
MAX_SUB_LENGTH = 255  # documented by Google, in ASCII characters

_REQUIRED = ["iss", "aud", "sub", "iat", "exp"]


@dataclass(frozen=True)
class GoogleIdentity:
    """Google's permanent, unique `sub`, the verified address, and the name, which can be empty."""

    sub: str
    email: str
    name: str


class GoogleVerifier:
    """Verifies ID tokens for the client ids of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._client_ids = settings.google_client_id
        self._domains = [domain.lower() for domain in settings.google_hosted_domains]
        self._keys = KeySet(settings.google_jwks_url)

    async def close(self) -> None:
        await self._keys.close()

    async def verify(self, id_token: str) -> GoogleIdentity:
        """The identity in the token.

        `NotSignedIn`: not a valid token from Google for us. `AccessDenied`: valid, but the address
        is unverified or of a foreign domain. `Unavailable`: there are no keys to verify it with.
        """
        key_id = _key_id(id_token)
        # The issuer is not verified yet. Checking it early avoids looking for a key that Google
        # never had, and allows a better error.
        issuer = claimed_issuer(id_token)
        if issuer not in ISSUERS:
            raise _of_another_issuer() if issuer else _invalid()
        key = await self._keys.find(key_id)
        if key is None:
            raise _invalid()
        return self._identity(self._claims(id_token, key))

    def _claims(self, id_token: str, key: jwt.PyJWK) -> dict[str, Any]:
        try:
            _, claims = verified(
                id_token,
                key,
                "RS256",
                audience=self._client_ids,
                issuer=ISSUERS,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise NotSignedIn(
                "Google's sign-in has expired. Please sign in again.", code="expired_id_token"
            ) from None
        except jwt.ImmatureSignatureError:
            raise NotSignedIn(
                "Google's sign-in is not valid yet: the clock of our server is behind. "
                "Please tell your administrator.",
                code="id_token_not_yet_valid",
            ) from None
        except jwt.InvalidAudienceError:
            raise NotSignedIn(
                "Google's sign-in was made for another app. Please tell your administrator.",
                code="foreign_audience",
            ) from None
        except jwt.PyJWTError:
            raise _invalid() from None
        if not isinstance(claims["aud"], str):
            raise _invalid()
        return claims

    def _identity(self, claims: dict[str, Any]) -> GoogleIdentity:
        sub, email, name = claims["sub"], claims.get("email"), claims.get("name", "")
        if not isinstance(sub, str) or not sub.strip() or len(sub) > MAX_SUB_LENGTH:
            raise _invalid()
        if not (sub.isascii() and sub.isprintable()):
            raise _invalid()
        if not isinstance(email, str) or not is_address(email.strip()):
            raise _invalid()
        if claims.get("email_verified") is not True:
            raise AccessDenied(
                "Google has not verified this address yet.", code="email_not_verified"
            )
        if self._domains and str(claims.get("hd", "")).lower() not in self._domains:
            raise AccessDenied(
                "Please use the account that your university gave you.", code="foreign_domain"
            )
        return GoogleIdentity(sub, email.strip(), _clean(name) if isinstance(name, str) else "")


def _key_id(id_token: str) -> str:
    if len(id_token) > MAX_TOKEN_LENGTH:
        raise _invalid()
    try:
        header = jwt.get_unverified_header(id_token)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise _invalid() from None
    key_id = header.get("kid")
    if header.get("alg") != "RS256" or not isinstance(key_id, str):
        raise _invalid()
    return key_id


def _of_another_issuer() -> NotSignedIn:
    return NotSignedIn(
        "This sign-in does not come from Google. Please tell your administrator.",
        code="foreign_issuer",
    )


def _clean(name: str) -> str:
    visible = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cs"))
    return visible.strip()[:MAX_NAME]


def _invalid() -> NotSignedIn:
    return NotSignedIn(
        "Google's sign-in could not be verified. Please sign in again.", code="invalid_id_token"
    )
