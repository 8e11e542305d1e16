"""A stand-in for Google, so that the demo and the tests sign in for real.

It has its own key and JWKS address; the server verifies its tokens with the code that verifies
Google's. Production refuses a foreign JWKS address, so it only works in the demo and in tests.
"""

import html
import json
import time
from collections.abc import Sequence
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID = "aims-demo.apps.demo.university.example"
KEY_ID = "demo-key"
TOKEN_SECONDS = 3600
_HOSTS = ("127.0.0.1", "localhost")


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
            "iss": "https://accounts.google.com",
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
    """Serves the key set and ready-made ID tokens of the demo people on 127.0.0.1."""

    client_id = CLIENT_ID

    def __init__(self, people: Sequence[tuple[str, str]], port: int = 0) -> None:
        self.signer = DemoSigner()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self.signer, dict(people)))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.jwks_url = f"{self.url}/certs"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(signer: DemoSigner, people: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = (self.headers.get("Host") or "").partition(":")[0]
            if host not in _HOSTS:
                # A page from elsewhere must not reach this through a host name that it controls.
                self._answer(403, "text/plain", "Only for requests from this machine.\n")
                return
            self._answer(*_page(signer, people, self.path))

        def _answer(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: the URLs contain people's addresses."""

    return Handler


def _page(signer: DemoSigner, people: dict[str, str], path: str) -> tuple[int, str, str]:
    parts = urlsplit(path)
    if parts.path == "/certs":
        return 200, "application/json", json.dumps(signer.jwks())
    if parts.path == "/token":
        email = parse_qs(parts.query).get("email", [""])[0]
        if email not in people:
            return (
                404,
                "text/plain",
                "Nobody in the demo has this address. See / for the addresses.\n",
            )
        return 200, "text/plain", signer.sign(email, name=people[email])
    if parts.path == "/":
        return 200, "text/html", _index(people)
    return 404, "text/plain", "There is nothing here.\n"


def _index(people: dict[str, str]) -> str:
    rows = "".join(
        f"<li><a href='/token?email={html.escape(email)}'>{html.escape(name)}</a>"
        f" &lt;{html.escape(email)}&gt;</li>"
        for email, name in people.items()
    )
    return (
        "<!doctype html><meta charset=utf-8><title>Demo sign-in</title>"
        "<body style='font:16px/1.6 system-ui;max-width:40em;margin:3em auto'>"
        "<h1>Demo sign-in</h1><p>This stands in for Google while you try AIMS. Each link gives an "
        "ID token to send to <code>POST /auth/google</code> as <code>idToken</code>.</p>"
        f"<ul>{rows}</ul>"
    )
