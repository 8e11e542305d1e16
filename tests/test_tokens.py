"""Our own tokens, and the limit on failed sign-ins."""

import base64
import json
import time
from uuid import UUID, uuid4

import jwt
import pytest

from app.auth.jwt import AUDIENCE, ISSUER, Tokens
from app.config import Settings
from app.errors import NotSignedIn

OLD, NEW = "an older secret of the test suite, gone".replace(",", ""), "n" * 40
ASHA = UUID("00000000-0000-4000-8000-00000000a5a5")


def settings(*secrets: str, hours: float = 1) -> Settings:
    return Settings(
        _env_file=None,
        database_url="postgresql://aims@localhost/aims",
        jwt_secret=",".join(secrets),
        google_client_id="client",
        jwt_expiration_hours=hours,
    )


def forged(key: str = NEW, header: dict[str, object] | None = None, **changes: object) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(ASHA),
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid4()),
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, "HS256", headers={"typ": "at+jwt", **(header or {})})


def test_a_token_is_read_back_and_holds_no_role() -> None:
    token, ends = Tokens(settings(NEW)).issue(ASHA)
    assert Tokens(settings(NEW)).read(token) == ASHA
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.keys() == {"iss", "aud", "sub", "iat", "exp", "jti"}
    assert claims["exp"] == ends.timestamp()
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"


def test_an_older_secret_still_verifies_and_no_longer_signs() -> None:
    old_token, _ = Tokens(settings(OLD)).issue(ASHA)
    rotated = Tokens(settings(NEW, OLD))
    assert rotated.read(old_token) == ASHA
    with pytest.raises(NotSignedIn):
        Tokens(settings(OLD)).read(rotated.issue(ASHA)[0])


def test_the_expiry_of_a_remembered_token_is_still_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = Tokens(settings(NEW))
    token, ends = tokens.issue(ASHA)
    tokens.read(token)
    monkeypatch.setattr(time, "time", lambda: ends.timestamp() + 1)
    with pytest.raises(NotSignedIn) as refusal:
        tokens.read(token)
    assert refusal.value.code == "token_expired"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "é" * 10,
        "x" * 10_000,
        forged(OLD),
        forged(header={"typ": "JWT"}),
        forged(iss="https://accounts.google.com"),
        forged(aud="another"),
        forged(sub="not-a-uuid"),
        forged(sub=None),
        forged(exp=None),
        forged(exp=1),
        forged(jti=None),
        forged(iat=int(time.time()) + 600),
    ],
)
def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(NotSignedIn):
        Tokens(settings(NEW)).read(token)


# Times that JSON allows but no clock shows, each in a token signed with the right key.
NO_TIMES = [
    *(10**400, -(10**400), 2**63, 253_402_300_800, -1),
    *(float("inf"), float("-inf"), float("nan"), 1e300, 2.0**31 + 0.5, 2.0**31),
    *(str(2**31), "soon", "", True, [2**31], {"seconds": 2**31}),
]


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", NO_TIMES)
def test_a_token_with_an_impossible_time_is_refused(claim: str, value: object) -> None:
    with pytest.raises(NotSignedIn):
        Tokens(settings(NEW)).read(forged(**{claim: value}))


def test_a_token_without_a_signature_is_refused() -> None:
    _, payload, _ = forged().split(".")
    for algorithm in ("none", "None", "HS512"):
        head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "at+jwt"}).encode())
        with pytest.raises(NotSignedIn):
            Tokens(settings(NEW)).read(f"{head.decode().rstrip('=')}.{payload}.")
