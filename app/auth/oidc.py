"""Signing in on the web: OpenID Connect's authorization code flow with PKCE.

Authlib speaks the protocol (RFC 6749, 7636, 9207); the ID token that comes of it is verified like
any other, by `IdTokenVerifier`.
"""

import asyncio
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.client import OAuth2Client

from app.auth.fetching import FETCH_SECONDS, PAUSE_SECONDS, KeptDocument
from app.auth.google_verify import GOOGLE, google_verifier
from app.auth.id_tokens import Identity, IdTokenVerifier, not_verified
from app.auth.jwks import KeySet
from app.config import OidcProvider, Settings
from app.errors import NotSignedIn, Unavailable

ENTRA = "https://login.microsoftonline.com/"
_SCOPE = "openid email profile"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Start:
    """What a sign-in was started with; the browser keeps it, sealed, until the answer comes."""

    provider: str
    state: str
    nonce: str
    verifier: str
    next: str


class SignInProvider:
    """One provider that people may sign in with on the web."""

    def __init__(self, provider: OidcProvider, settings: Settings) -> None:
        self.key, self.name = provider.key, provider.name
        self._provider = provider
        self._address = provider.discovery_url or (
            provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
        )
        self._settings = settings
        self._discovery = KeptDocument(self._address, self._checked)
        self._verifiers: dict[str, IdTokenVerifier] = {}

    async def close(self) -> None:
        """Cancel running fetches."""
        await self._discovery.close()
        for verifier in self._verifiers.values():
            await verifier.close()

    async def start(self, redirect_uri: str, next_page: str) -> tuple[str, Start]:
        """The provider's address to lead the browser to, and what to keep meanwhile."""
        discovery = await self._discovered()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        client = OAuth2Client(
            None,
            self._provider.client_id,
            scope=_SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
        address, _ = client.create_authorization_url(
            discovery["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
        )
        return address, Start(self.key, state, nonce, verifier, next_page)

    async def finish(self, redirect_uri: str, answer: str, start: Start) -> Identity:
        """Who signed in, from the address that the provider led the browser back to.

        Raises `NotSignedIn` unless it is the answer to this start, `AccessDenied` for an address
        that is not verified, `Unavailable` when the provider cannot be reached.
        """
        discovery = await self._discovered()
        self._refuse_other_answers(parse_qs(urlsplit(answer).query), discovery, start)
        try:
            # In a thread: a client loads the certificates of all authorities.
            client = await asyncio.to_thread(self._client, discovery, redirect_uri)
            async with client:
                token = await client.fetch_token(
                    discovery["token_endpoint"],
                    authorization_response=answer,
                    state=start.state,
                    code_verifier=start.verifier,
                )
        except httpx2.HTTPError:
            raise self._unavailable() from None
        except (AuthlibBaseError, ValueError, KeyError):
            raise self._failed() from None
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise self._failed()
        return await self._verifier(discovery["jwks_uri"]).verify(id_token, start.nonce)

    def _refuse_other_answers(
        self, answer: dict[str, list[str]], discovery: dict[str, Any], start: Start
    ) -> None:
        """Refuse an answer that is not to this start or says to be of another issuer (RFC 9207)."""
        if any(len(values) > 1 for values in answer.values()):
            raise self._failed()
        if not hmac.compare_digest(answer.get("state", [""])[0], start.state):
            raise self._failed()
        said = answer.get("iss")
        if said and said != [discovery["issuer"]]:
            raise self._failed()
        if not said and discovery.get("authorization_response_iss_parameter_supported"):
            raise self._failed()
        if "error" in answer:
            raise NotSignedIn(
                f"{self.name} did not sign you in. Please try again.", code="sign_in_refused"
            )
        # Without a code Authlib would ask for a token of our own.
        if not answer.get("code"):
            raise self._failed()

    def _client(self, discovery: dict[str, Any], redirect_uri: str) -> Any:
        return AsyncOAuth2Client(
            self._provider.client_id,
            self._provider.client_secret,
            token_endpoint_auth_method=self._auth_method(discovery),
            redirect_uri=redirect_uri,
            follow_redirects=False,
            timeout=FETCH_SECONDS,
        )

    def _auth_method(self, discovery: dict[str, Any]) -> str:
        """How the client proves itself; without a word of the provider, by HTTP Basic."""
        if not self._provider.client_secret:
            return "none"
        basic = "client_secret_basic"
        known = discovery.get("token_endpoint_auth_methods_supported", [basic])
        return basic if basic in known else "client_secret_post"

    async def _discovered(self) -> dict[str, Any]:
        document = await self._discovery.value()
        if document is None:
            raise self._unavailable()
        return document

    def _checked(self, document: Any) -> dict[str, Any]:
        """Refuse a document of another issuer (OpenID Connect Discovery 1.0), and
        endpoints less safe than its own address."""
        scheme = urlsplit(self._address).scheme
        if not isinstance(document, dict) or document.get("issuer") != self._provider.issuer:
            raise ValueError("the document is of another issuer")
        for name in _ENDPOINTS:
            address = document.get(name)
            if not isinstance(address, str) or urlsplit(address).scheme not in ("https", scheme):
                raise ValueError(f"the document has no safe {name}")
        return document

    def _verifier(self, jwks_uri: str) -> IdTokenVerifier:
        if jwks_uri not in self._verifiers:
            self._verifiers[jwks_uri] = self._verifier_of(jwks_uri)
        return self._verifiers[jwks_uri]

    def _verifier_of(self, jwks_uri: str) -> IdTokenVerifier:
        issuer, audiences = self._provider.issuer, [self._provider.client_id]
        if issuer == GOOGLE:
            return google_verifier(self._settings, audiences)
        address_of = _address_in_tenant if issuer.startswith(ENTRA) else self._verified_address
        keys = KeySet(jwks_uri, self.name)
        return IdTokenVerifier(self.name, [issuer], audiences, keys, address_of)

    def _verified_address(self, claims: dict[str, Any]) -> Any:
        if claims.get("email_verified") is not True:
            raise not_verified(self.name)
        return claims.get("email")

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            f"{self.name} cannot be reached just now. Please try again in a minute.",
            code="provider_unavailable",
            retry_after=PAUSE_SECONDS,
        )

    def _failed(self) -> NotSignedIn:
        return NotSignedIn(
            f"The sign-in with {self.name} did not work. Please try again.", code="sign_in_failed"
        )


def _address_in_tenant(claims: dict[str, Any]) -> Any:
    """Of Entra the user principal name: only the tenant's administrators give it, in domains that
    they have proved to own, while anybody may write into `email`."""
    return claims.get("preferred_username")


def providers_of(settings: Settings) -> dict[str, SignInProvider]:
    """What people may sign in with on the web, by key, in the order of the settings."""
    return {each.key: SignInProvider(each, settings) for each in settings.providers}
