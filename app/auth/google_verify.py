"""Google's ID tokens, verified as Google documents it.

https://developers.google.com/identity/gsi/web/guides/verify-google-id-token
"""

from collections.abc import Sequence
from typing import Any

from app.auth.id_tokens import IdTokenVerifier, not_verified
from app.auth.jwks import KeySet
from app.config import Settings
from app.errors import AccessDenied

GOOGLE = "https://accounts.google.com"
ISSUERS = [GOOGLE, "accounts.google.com"]


def google_verifier(settings: Settings, audiences: Sequence[str] = ()) -> IdTokenVerifier:
    """What verifies Google's ID tokens for these audiences, or the client ids of the settings."""
    domains = {domain.lower() for domain in settings.google_hosted_domains}

    def address_of(claims: dict[str, Any]) -> Any:
        if claims.get("email_verified") is not True:
            raise not_verified("Google")
        if domains and str(claims.get("hd", "")).lower() not in domains:
            raise AccessDenied(
                "Please use the account that your university gave you.", code="foreign_domain"
            )
        return claims.get("email")

    keys = KeySet(settings.google_jwks_url, "Google")
    return IdTokenVerifier(
        "Google", ISSUERS, audiences or settings.google_client_id, keys, address_of
    )
