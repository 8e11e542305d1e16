"""Exchanging a Google ID token for one of ours, through the real verification code."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.auth.google_verify import google_verifier
from app.demo.google import CLIENT_ID, KEY_ID, DemoGoogle, DemoSigner, sub_of
from tests.classroom import ROLLS, classroom_of
from tests.conftest import CAST, DOMAIN, SECRET, Stage
from tests.students import KIRAN, give_address, let_in, try_to_sign_in
from tests.test_tokens import NO_TIMES, forged

pytestmark = pytest.mark.anyio

ASHA = f"asha@{DOMAIN}"


async def sign_in(stage: Stage, token: Any) -> httpx2.Response:
    return await stage.nobody.post("/auth/google", {"idToken": token})


async def allow(stage: Stage, email: str, role: str = "teacher") -> None:
    await stage.connection.execute(
        "INSERT INTO allowed_emails (email, name, role) VALUES ($1, 'New Demo', $2)", email, role
    )


async def test_an_allowed_person_gets_a_token_that_works(stage: Stage, google: DemoGoogle) -> None:
    await allow(stage, f"new@{DOMAIN}", "admin")
    answer = await sign_in(stage, google.signer.sign(f"NEW@{DOMAIN}"))
    assert answer.status_code == 200
    body = answer.json()
    assert body["user"] == {
        "id": body["user"]["id"],
        "email": f"new@{DOMAIN}",
        "name": "New Demo",
        "role": "admin",
    }
    me = await stage.nobody.get("/users/me", headers={"Authorization": f"Bearer {body['token']}"})
    assert me.json()["id"] == body["user"]["id"]
    assert me.json()["lastLoginAt"].endswith("Z")


async def test_the_first_sign_in_is_bound_to_the_existing_user(
    stage: Stage, google: DemoGoogle
) -> None:
    answer = await sign_in(stage, google.signer.sign(ASHA))
    assert answer.json()["user"]["id"] == str(stage.asha.user_id)
    again = await sign_in(stage, google.signer.sign(ASHA))
    assert again.json()["user"]["id"] == str(stage.asha.user_id)


async def test_another_google_account_on_the_same_address_is_refused(
    stage: Stage, google: DemoGoogle
) -> None:
    await sign_in(stage, google.signer.sign(ASHA))
    other = await sign_in(stage, google.signer.sign(ASHA, sub="somebody-else"))
    assert (other.status_code, other.json()["code"]) == (403, "account_mismatch")


@pytest.mark.parametrize(
    ("domain", "status"),
    [(DOMAIN, 200), (DOMAIN.upper(), 200), ("elsewhere.example", 403), ("", 403), (None, 403)],
)
async def test_only_accounts_of_the_hosted_domains_get_in_if_any_are_set(
    stage: Stage, google: DemoGoogle, domain: str | None, status: int
) -> None:
    hosted = {"google_hosted_domains": ["other.example", DOMAIN]}
    verifier = google_verifier(stage.app.state.settings.model_copy(update=hosted))
    stage.app.state.google = verifier
    answer = await sign_in(stage, google.signer.sign(ASHA, hd=domain))
    await verifier.close()
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "foreign_domain"


async def test_a_changed_address_keeps_the_same_user(stage: Stage, google: DemoGoogle) -> None:
    await sign_in(stage, google.signer.sign(ASHA, sub="s1"))
    await stage.connection.execute(
        "UPDATE allowed_emails SET email = $1 WHERE email = $2", f"asha.k@{DOMAIN}", ASHA
    )
    answer = await sign_in(stage, google.signer.sign(f"asha.k@{DOMAIN}", sub="s1"))
    assert answer.json()["user"]["id"] == str(stage.asha.user_id)
    assert answer.json()["user"]["email"] == f"asha.k@{DOMAIN}"
    assert (await sign_in(stage, google.signer.sign(ASHA, sub="s1"))).status_code == 403


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"email": f"stranger@{DOMAIN}"}, "account_not_allowed"),
        ({"email": f"ravi@{DOMAIN}"}, "account_not_allowed"),
        ({"email": f"omar@{DOMAIN}"}, "account_disabled"),
        ({"email_verified": False}, "email_not_verified"),
        ({"email_verified": "true"}, "email_not_verified"),
        ({"email_verified": None}, "email_not_verified"),
    ],
)
async def test_a_valid_token_of_an_account_that_is_not_allowed_is_a_403(
    stage: Stage, google: DemoGoogle, claims: dict[str, Any], code: str
) -> None:
    answer = await sign_in(stage, google.signer.sign(ASHA, **{"sub": "s1", **claims}))
    assert (answer.status_code, answer.json()["code"]) == (403, code)


NOW = int(time.time())


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://accounts.google.com.evil.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": [CLIENT_ID, "another-client"]},
        {"aud": None},
        {"exp": NOW - 60},
        {"exp": None},
        {"exp": "soon"},
        {"iat": NOW + 86_400},
        {"iat": None},
        {"nbf": NOW + 86_400},
        {"sub": ""},
        {"sub": None},
        {"sub": 17},
        {"sub": "1\0"},
        {"sub": "\ud800"},
        {"email": None},
        {"email": "asha@é.example"},
        {"email": ["asha"]},
        {"header": {"kid": "unknown"}},
    ],
)
async def test_a_token_that_google_did_not_issue_for_us_is_a_401(
    stage: Stage, google: DemoGoogle, claims: dict[str, Any]
) -> None:
    answer = await sign_in(stage, google.signer.sign(ASHA, **claims))
    assert answer.status_code == 401
    assert await stage.count("users") == len(CAST)


FIREBASE = "https://securetoken.google.com/demo-university"


def of_firebase(google: DemoGoogle) -> str:
    """A token like that of Firebase's `getIdToken()`, signed with a key outside Google's set."""
    header = {"kid": "a-key-of-firebase"}
    claims = {"iss": FIREBASE, "aud": "demo-university", "sub": "f1", "header": header}
    return google.signer.sign(ASHA, **claims)


REASONS: dict[str, Callable[[DemoGoogle], str]] = {
    "id_token_not_yet_valid": lambda google: google.signer.sign(ASHA, iat=int(time.time()) + 30),
    "expired_id_token": lambda google: google.signer.sign(ASHA, exp=NOW - 60),
    "foreign_audience": lambda google: google.signer.sign(ASHA, aud="1-x.example"),
    "foreign_issuer": of_firebase,
    "invalid_id_token": lambda google: DemoSigner().sign(ASHA),
}


@pytest.mark.parametrize("reason", REASONS)
async def test_the_log_says_why_a_sign_in_was_refused(
    stage: Stage, google: DemoGoogle, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    caplog.set_level(logging.INFO)
    answer = await sign_in(stage, REASONS[reason](google))
    assert (answer.status_code, answer.json()["code"]) == (401, reason)
    (entry,) = [entry for entry in caplog.records if entry.message.startswith("POST /auth/google")]
    assert (entry.status, entry.code) == (401, reason)  # type: ignore[attr-defined]
    assert "1-x.example" not in caplog.text + answer.text
    assert "demo-university" not in caplog.text + answer.text


@pytest.mark.parametrize("claims", [("nbf",), ("iat",), ("nbf", "iat")])
async def test_a_clock_that_is_behind_has_its_own_code(
    stage: Stage, google: DemoGoogle, claims: tuple[str, ...]
) -> None:
    now = int(time.time())
    for ahead, code in ((30, "id_token_not_yet_valid"), (5, None)):
        token = google.signer.sign(ASHA, **dict.fromkeys(claims, now + ahead))
        answer = await sign_in(stage, token)
        assert answer.json().get("code") == code


async def test_a_token_of_another_issuer_does_not_fetch_googles_keys(
    stage: Stage, google: DemoGoogle
) -> None:
    away = {"google_jwks_url": "http://127.0.0.1:1/certs"}
    stage.app.state.google = google_verifier(stage.app.state.settings.model_copy(update=away))
    assert (await sign_in(stage, of_firebase(google))).status_code == 401
    assert (await sign_in(stage, google.signer.sign(ASHA))).status_code == 503
    await stage.app.state.google.close()


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", NO_TIMES)
async def test_a_token_with_an_impossible_time_is_a_401(
    stage: Stage, google: DemoGoogle, claim: str, value: object
) -> None:
    id_token = google.signer.sign(ASHA, **{claim: value})
    assert (await sign_in(stage, id_token)).status_code == 401
    token = forged(SECRET, sub=str(stage.asha.user_id), **{claim: value})
    answer = await stage.nobody.get("/users/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": KEY_ID},
        {"alg": "HS256", "kid": KEY_ID},
        {"alg": "RS256", "kid": 3},
        {"alg": "RS256"},
        {"alg": ["RS256"], "kid": KEY_ID},
        {"alg": "RS256", "kid": KEY_ID, "crit": ["x"]},
        [],
        "text",
        None,
    ],
)
async def test_a_token_with_a_strange_header_is_a_401(
    stage: Stage, google: DemoGoogle, header: Any
) -> None:
    _, payload, signature = google.signer.sign(ASHA).split(".")
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    assert (await sign_in(stage, f"{head}.{payload}.{signature}")).status_code == 401


async def test_a_token_signed_by_somebody_else_is_a_401(stage: Stage) -> None:
    assert (await sign_in(stage, DemoSigner().sign(ASHA))).status_code == 401


async def test_neither_kind_of_token_is_accepted_as_the_other(
    stage: Stage, google: DemoGoogle
) -> None:
    assert (await sign_in(stage, stage.asha.token)).status_code == 401
    id_token = google.signer.sign(ASHA)
    answer = await stage.nobody.get("/users/me", headers={"Authorization": f"Bearer {id_token}"})
    assert answer.status_code == 401


async def test_failed_sign_ins_are_limited_and_successful_ones_are_not(
    stage: Stage, google: DemoGoogle
) -> None:
    statuses = [(await sign_in(stage, "nonsense")).status_code for _ in range(32)]
    assert statuses == [401] * 30 + [429] * 2
    assert (await sign_in(stage, google.signer.sign(ASHA))).status_code == 200


async def test_simultaneous_first_sign_ins_create_one_user(
    crowd: Stage, google: DemoGoogle
) -> None:
    await allow(crowd, f"new@{DOMAIN}")
    token = google.signer.sign(f"new@{DOMAIN}")
    answers = await asyncio.gather(*(sign_in(crowd, token) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["user"]["id"] for answer in answers}) == 1


async def test_first_sign_ins_of_a_student_at_the_same_moment_make_one_account(
    crowd: Stage, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(crowd, monkeypatch)
    await classroom_of(crowd.asha)
    await give_address(crowd, ROLLS[0], KIRAN)
    answers = await asyncio.gather(*(try_to_sign_in(crowd, google) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["user"]["id"] for answer in answers}) == 1


async def test_a_user_who_is_created_meanwhile_is_found(crowd: Stage, google: DemoGoogle) -> None:
    """Either of two unique indexes may stop the second of two first sign-ins."""
    email = f"new@{DOMAIN}"
    await allow(crowd, email)
    async with crowd.connection.transaction():
        made = await crowd.connection.fetchval(
            "INSERT INTO users (email, name, google_sub) VALUES ($1, 'N', $2) RETURNING id",
            *(f"former@{DOMAIN}", sub_of(email)),
        )
        waiting = asyncio.create_task(sign_in(crowd, google.signer.sign(email)))
        await until_somebody_waits(crowd)
    answer = await waiting
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"] | {"id": str(made), "email": email} == answer.json()["user"]


async def until_somebody_waits(crowd: Stage) -> None:
    """Wait until a statement is blocked by the transaction of the stage's own connection."""
    held_up = "SELECT true FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    async with asyncio.timeout(5):
        while True:
            if await crowd.connection.fetchval(held_up):
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("body", [{}, {"idToken": 3}, {"idToken": ""}, {"idToken": "x", "y": 1}])
async def test_a_malformed_sign_in_is_a_422(stage: Stage, body: dict[str, Any]) -> None:
    assert (await stage.nobody.post("/auth/google", body)).status_code == 422
