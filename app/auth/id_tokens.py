"""An OpenID provider's word for who somebody is: an ID token, and how it is verified.

The checks are those that OpenID Connect Core 1.0 asks for.
"""

import hmac
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from app.auth.claims import claimed_issuer, verified
from app.auth.jwks import KeySet
from app.errors import AccessDenied, NotSignedIn
from app.schemas.words import MAX_NAME, is_address

LEEWAY_SECONDS = 10
MAX_TOKEN_LENGTH = 8192
MAX_SUB_LENGTH = 255  # OpenID Connect promises that many characters of ASCII

_REQUIRED = ["iss", "aud", "sub", "iat", "exp"]


@dataclass(frozen=True)
class Identity:
    """Who an issuer says somebody is: the subject is lasting and unique for that issuer, the
    address verified, the name maybe empty."""

    issuer: str
    subject: str
    email: str
    name: str


@dataclass(frozen=True)
class IdTokenVerifier:
    """Verifies the ID tokens of one provider.

    `provider` is its name for people, `issuers` are the spellings of its `iss`, the first of which
    is stored, and `audiences` our client ids there. `address_of` finds the verified address among
    the claims, and raises `AccessDenied` if there is none or it is not one of ours.
    """

    provider: str
    issuers: Sequence[str]
    audiences: Sequence[str]
    keys: KeySet
    address_of: Callable[[dict[str, Any]], Any]

    async def close(self) -> None:
        """End a fetch of keys under way."""
        await self.keys.close()

    async def verify(self, id_token: str, nonce: str | None = None) -> Identity:
        """Who the token is of; with a `nonce` it must have been made for that sign-in.

        `NotSignedIn`: it is not a valid token of the provider for us. `AccessDenied`: it is valid,
        but the address is not verified or of a foreign domain. `Unavailable`: there are no keys.
        """
        key_id = self._key_id(id_token)
        # Nobody is believed yet: it saves looking for a key that the provider never had.
        issuer = claimed_issuer(id_token)
        if issuer not in self.issuers:
            raise self._of_another_issuer() if issuer else self._invalid()
        key = await self.keys.find(key_id)
        if key is None:
            raise self._invalid()
        return self._identity(self._claims(id_token, key, nonce))

    def _claims(self, id_token: str, key: jwt.PyJWK, nonce: str | None) -> dict[str, Any]:
        try:
            _, claims = verified(
                id_token,
                key,
                "RS256",
                audience=self.audiences,
                issuer=self.issuers,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise NotSignedIn(
                f"{self.provider}'s sign-in has expired. Please sign in again.",
                code="expired_id_token",
            ) from None
        except jwt.ImmatureSignatureError:
            raise NotSignedIn(
                f"{self.provider}'s sign-in is not valid yet: the clock of our server is behind. "
                "Please tell your administrator.",
                code="id_token_not_yet_valid",
            ) from None
        except jwt.InvalidAudienceError:
            raise NotSignedIn(
                f"{self.provider}'s sign-in was made for another app. "
                "Please tell your administrator.",
                code="foreign_audience",
            ) from None
        except jwt.PyJWTError:
            raise self._invalid() from None
        if not isinstance(claims["aud"], str) or not _made_for(nonce, claims):
            raise self._invalid()
        return claims

    def _identity(self, claims: dict[str, Any]) -> Identity:
        subject, name = claims["sub"], claims.get("name", "")
        if not isinstance(subject, str) or not subject.strip() or len(subject) > MAX_SUB_LENGTH:
            raise self._invalid()
        if not (subject.isascii() and subject.isprintable()):
            raise self._invalid()
        email = self.address_of(claims)
        if not isinstance(email, str) or not is_address(email.strip()):
            raise self._invalid()
        shown = _clean(name) if isinstance(name, str) else ""
        return Identity(self.issuers[0], subject, email.strip(), shown)

    def _key_id(self, id_token: str) -> str:
        if len(id_token) > MAX_TOKEN_LENGTH:
            raise self._invalid()
        try:
            header = jwt.get_unverified_header(id_token)
        except (jwt.PyJWTError, ValueError, TypeError):
            raise self._invalid() from None
        key_id = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(key_id, str):
            raise self._invalid()
        return key_id

    def _of_another_issuer(self) -> NotSignedIn:
        return NotSignedIn(
            f"This sign-in does not come from {self.provider}. Please tell your administrator.",
            code="foreign_issuer",
        )

    def _invalid(self) -> NotSignedIn:
        return NotSignedIn(
            f"{self.provider}'s sign-in could not be verified. Please sign in again.",
            code="invalid_id_token",
        )


def not_verified(provider: str) -> AccessDenied:
    """The refusal of an address that the provider has not verified."""
    return AccessDenied(f"{provider} has not verified this address yet.", code="email_not_verified")


def _made_for(nonce: str | None, claims: dict[str, Any]) -> bool:
    given = claims.get("nonce")
    return nonce is None or (isinstance(given, str) and hmac.compare_digest(given, nonce))


def _clean(name: str) -> str:
    visible = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cs"))
    return visible.strip()[:MAX_NAME]
