"""A stand-in for Google, so that the demo and the tests sign in for real.

It is a small OpenID provider: a discovery document, a page to choose a demo person instead of a
password, a token endpoint that checks PKCE, and keys. The server runs the same code against it as
against Google. Production refuses its addresses, so it never gets past the demo.
"""

import html
import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER = "https://accounts.google.com"
CLIENT_ID = "aims-demo.apps.demo.university.example"
KEY_ID = "demo-key"
TOKEN_SECONDS = 3600
_HOSTS = ("127.0.0.1", "localhost")
_MAX_FORM = 64 * 1024


def sub_of(email: str) -> str:
    """The permanent id that the stand-in gives to an address."""
    return "demo-" + sha256(email.lower().encode()).hexdigest()[:16]


class DemoSigner:
    """Signs ID tokens shaped like Google's."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> dict[str, Any]:
        """The public key, as Google publishes its own."""
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    def sign(self, address: str, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """An ID token for the address; `claims` override the usual ones, None omits one."""
        now = int(time.time())
        all_claims = {
            "iss": ISSUER,
            "aud": CLIENT_ID,
            "sub": sub_of(address),
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "email": address,
            "email_verified": True,
            "hd": address.rpartition("@")[2],
            "name": address.partition("@")[0].title() + " Demo",
            **claims,
        }
        given = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(given, self._key, "RS256", headers={"kid": KEY_ID, **(header or {})})


class DemoGoogle:
    """The provider with its people, on 127.0.0.1; `/token?email=` gives a ready ID token."""

    client_id = CLIENT_ID
    client_secret = "a secret that everybody may know"

    def __init__(self, people: Sequence[tuple[str, str]], port: int = 0) -> None:
        self.signer = DemoSigner()
        self.people = dict(people)
        self.codes = Codes()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.jwks_url = f"{self.url}/certs"
        self.discovery_url = f"{self.url}/.well-known/openid-configuration"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def discovery(self) -> dict[str, Any]:
        """What OpenID Connect Discovery 1.0 asks for, and what Google's document has."""
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/exchange",
            "jwks_uri": self.jwks_url,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }


class Codes:
    """Authorization codes: each for one person and one request, to be used once."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[str, dict[str, str]]] = {}

    def issue(self, email: str, asked: dict[str, str]) -> str:
        code = secrets.token_urlsafe(24)
        self._asked[code] = (email, asked)
        return code

    def use(self, sent: dict[str, str]) -> tuple[str, str] | None:
        """The address and the nonce, if the client proves that it asked for the code."""
        email, asked = self._asked.pop(sent.get("code", ""), ("", {}))
        digest = sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = (
            email
            and asked["code_challenge"] == challenge
            and asked["redirect_uri"] == sent.get("redirect_uri")
        )
        return (email, asked.get("nonce", "")) if fits else None


Answer = tuple[int, str, str]


def _handler(google: DemoGoogle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = (self.headers.get("Host") or "").partition(":")[0]
            if host not in _HOSTS:
                # A page from elsewhere must not reach this through a host name that it controls.
                self._answer(403, "text/plain", "Only for requests from this machine.\n")
                return
            self._answer(*_page(google, self.path))

        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length") or 0), _MAX_FORM)
            sent = dict(parse_qsl(self.rfile.read(length).decode()))
            self._answer(*_exchange(google, sent))

        def _answer(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            if status == HTTPStatus.SEE_OTHER:
                self.send_header("Location", text)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: the URLs contain people's addresses."""

    return Handler


def _page(google: DemoGoogle, path: str) -> Answer:
    parts = urlsplit(path)
    asked = dict(parse_qsl(parts.query))
    match parts.path:
        case "/.well-known/openid-configuration":
            return 200, "application/json", json.dumps(google.discovery())
        case "/certs":
            return 200, "application/json", json.dumps(google.signer.jwks())
        case "/token":
            return _ready_token(google, asked.get("email", ""))
        case "/authorize":
            return _authorize(google, asked)
        case "/":
            return 200, "text/html", _index(google.people)
    return 404, "text/plain", "There is nothing here.\n"


def _ready_token(google: DemoGoogle, email: str) -> Answer:
    if email not in google.people:
        return 404, "text/plain", "Nobody of the demo has this address. They are on /.\n"
    return 200, "text/plain", google.signer.sign(email, name=google.people[email])


def _authorize(google: DemoGoogle, asked: dict[str, str]) -> Answer:
    """The page to choose a person; with one chosen, the way back with a code."""
    back = urlsplit(asked.get("redirect_uri", ""))
    if asked.get("client_id") != CLIENT_ID or back.hostname not in _HOSTS:
        return 400, "text/plain", "This app is not known here.\n"
    if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
        return 400, "text/plain", "Only the code flow with PKCE (S256) is known here.\n"
    email = asked.pop("login_hint", "")
    if email not in google.people:
        return 200, "text/html", _choose(google.people, asked)
    code = google.codes.issue(email, asked)
    answer = urlencode({"code": code, "state": asked.get("state", "")})
    return HTTPStatus.SEE_OTHER, "text/plain", f"{asked['redirect_uri']}?{answer}"


def _exchange(google: DemoGoogle, sent: dict[str, str]) -> Answer:
    if (sent.get("client_id"), sent.get("client_secret")) != (CLIENT_ID, google.client_secret):
        return 401, "application/json", json.dumps({"error": "invalid_client"})
    found = google.codes.use(sent)
    if found is None or sent.get("grant_type") != "authorization_code":
        return 400, "application/json", json.dumps({"error": "invalid_grant"})
    email, nonce = found
    id_token = google.signer.sign(email, name=google.people[email], nonce=nonce)
    token = {"access_token": secrets.token_urlsafe(24), "token_type": "Bearer"}
    answer = {**token, "expires_in": TOKEN_SECONDS, "id_token": id_token}
    return 200, "application/json", json.dumps(answer)


_HEAD = (
    "<!doctype html><html lang=en><meta charset=utf-8>"
    "<meta name=viewport content='width=device-width, initial-scale=1'>"
    "<title>Demo sign-in</title><link rel=icon href='data:,'>"
    "<style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui;max-width:40em;"
    "margin:2em auto;padding:0 1em}a.person{display:block;padding:.6em 1em;margin:.4em 0;"
    "border:1px solid;border-radius:.4em;text-decoration:none}</style>"
    "<main><h1>Demo sign-in</h1>"
)


def _choose(people: dict[str, str], asked: dict[str, str]) -> str:
    here = html.escape(urlencode(asked))
    links = "".join(
        f"<a class=person href='/authorize?{here}&amp;login_hint={html.escape(email)}'>"
        f"<b>{html.escape(name)}</b><br>{html.escape(email)}</a>"
        for email, name in people.items()
    )
    return f"{_HEAD}<p>This stands in for Google while you try AIMS. Who are you?</p>{links}</main>"


def _index(people: dict[str, str]) -> str:
    rows = "".join(
        f"<li><a href='/token?email={html.escape(email)}'>{html.escape(name)}</a>"
        f" &lt;{html.escape(email)}&gt;</li>"
        for email, name in people.items()
    )
    return (
        f"{_HEAD}<p>This stands in for Google while you try AIMS. Each link gives an "
        "ID token to send to <code>POST /auth/google</code> as <code>idToken</code>.</p>"
        f"<ul>{rows}</ul></main>"
    )
