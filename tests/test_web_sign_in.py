"""Signing in on the web: OpenID Connect's code flow against the stand-in, and its abuse."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from app.auth import fetching
from app.auth.oidc import SignInProvider, providers_of
from app.config import ConfigError, OidcProvider, load_settings
from app.demo.google import DemoGoogle
from tests.browser import Browser, browser_of
from tests.conftest import DOMAIN, NEEDED, Stage

pytestmark = pytest.mark.anyio

ASHA = f"asha@{DOMAIN}"


def set_up(monkeypatch: pytest.MonkeyPatch, google: DemoGoogle, **more: str) -> None:
    found = {
        "CLIENT_ID": google.client_id,
        "CLIENT_SECRET": google.client_secret,
        "DISCOVERY_URL": google.discovery_url,
        **more,
    }
    for name, value in found.items():
        monkeypatch.setenv(f"OIDC_GOOGLE_{name}", value)


def provided(stage: Stage) -> dict[str, SignInProvider]:
    """The providers of the settings as they are in the environment now."""
    return providers_of(stage.app.state.settings.model_copy())


@pytest.fixture
async def browser(
    stage: Stage, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Browser]:
    """The browser of somebody who has not signed in yet."""
    set_up(monkeypatch, google)
    stage.app.state.providers = provided(stage)
    async with browser_of(stage.app) as browser:
        yield browser
    for provider in stage.app.state.providers.values():
        await provider.close()


async def at_provider(address: str, **choice: str) -> str:
    """Where the stand-in leads the browser back to, after somebody was chosen there."""
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"{address}&{urlencode(choice)}")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def begun(browser: Browser, path: str = "/app/sign-in/google") -> str:
    answer = await browser.get(path)
    assert answer.status_code == 303
    return answer.headers["location"]


async def test_somebody_on_the_list_signs_in_and_goes_where_they_wanted(
    stage: Stage, browser: Browser
) -> None:
    page = await browser.shown("/app/sign-in?next=/app/signed-in")
    assert "Sign in with Google" in page
    there = await begun(browser, "/app/sign-in/google?next=/app/signed-in")
    asked = parse_qs(urlsplit(there).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["scope"] == ["openid email profile"]
    back = await at_provider(there, login_hint=ASHA)
    assert (await browser.get(back)).headers["location"] == "/app/signed-in"
    assert "Asha Demo" in await browser.shown("/app/signed-in")


async def test_the_page_to_choose_a_demo_person_names_them(browser: Browser) -> None:
    there = await begun(browser)
    async with httpx2.AsyncClient() as client:
        page = (await client.get(there)).text
    assert "Asha Demo" in page
    assert "Meera Demo" in page


async def test_somebody_who_is_not_on_the_list_is_told_so(stage: Stage, browser: Browser) -> None:
    back = await at_provider(await begun(browser), login_hint=f"ravi@{DOMAIN}")
    answer = await browser.get(back)
    assert answer.status_code == 403
    assert "not on the list of people who may use AIMS" in answer.text
    assert "aims_session" not in browser.client.cookies


def altered(address: str, **change: str | None) -> str:
    parts = urlsplit(address)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    kept = {name: text for name, text in {**query, **change}.items() if text is not None}
    return f"{parts.path}?{urlencode(kept)}"


@pytest.mark.parametrize(
    "change",
    [
        {"state": "another"},
        {"state": None},
        {"code": "invented"},
        {"code": None},
        {"iss": "https://evil.example"},
        {"error": "access_denied"},
    ],
)
async def test_an_answer_that_does_not_fit_signs_nobody_in(
    browser: Browser, change: dict[str, Any]
) -> None:
    back = await at_provider(await begun(browser), login_hint=ASHA)
    answer = await browser.get(altered(back, **change))
    assert answer.status_code == 401
    assert "aims_session" not in browser.client.cookies


async def test_an_answer_counts_once(browser: Browser) -> None:
    back = await at_provider(await begun(browser), login_hint=ASHA)
    assert (await browser.get(back)).status_code == 303
    assert (await browser.get(back)).status_code == 401


async def test_an_answer_is_no_use_in_another_browser(stage: Stage, browser: Browser) -> None:
    back = await at_provider(await begun(browser), login_hint=ASHA)
    async with browser_of(stage.app) as other:
        assert (await other.get(back)).status_code == 401
        await begun(other)
        assert (await other.get(back)).status_code == 401


async def test_a_code_is_no_use_with_the_proof_of_another_sign_in(browser: Browser) -> None:
    """The code of one sign-in injected into another of the same browser (RFC 7636)."""
    first = await at_provider(await begun(browser), login_hint=ASHA)
    code = parse_qs(urlsplit(first).query)["code"][0]
    second = await at_provider(await begun(browser), login_hint=ASHA)
    assert (await browser.get(altered(second, code=code))).status_code == 401


@pytest.mark.parametrize(
    "next_page",
    ["https://evil.example", "//evil.example", "/app@evil.example", "/apple", "/app/\\evil", "/"],
)
async def test_a_sign_in_leads_to_pages_of_the_console_alone(
    browser: Browser, next_page: str
) -> None:
    there = await begun(browser, f"/app/sign-in/google?{urlencode({'next': next_page})}")
    back = await at_provider(there, login_hint=ASHA)
    assert (await browser.get(back)).headers["location"] == "/app"


async def test_failed_sign_ins_are_limited_as_those_of_the_app(
    stage: Stage, browser: Browser
) -> None:
    for _ in range(stage.app.state.settings.failed_sign_ins_per_minute):
        assert (await browser.get("/app/sign-in/google/callback?code=x")).status_code == 401
    assert (await browser.get("/app/sign-in/google/callback?code=x")).status_code == 429


async def test_a_provider_that_is_away_is_said_to_be_away(
    stage: Stage, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(monkeypatch, google, DISCOVERY_URL="http://127.0.0.1:9/nothing")
    stage.app.state.providers = provided(stage)
    async with browser_of(stage.app) as browser:
        answer = await browser.get("/app/sign-in/google")
    assert answer.status_code == 503
    assert "Google cannot be reached just now" in answer.text


async def test_a_discovery_document_of_another_issuer_is_not_used(
    stage: Stage, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(monkeypatch, google, ISSUER="https://id.demo.university.example")
    stage.app.state.providers = provided(stage)
    async with browser_of(stage.app) as browser:
        assert (await browser.get("/app/sign-in/google")).status_code == 503


async def test_a_provider_that_was_away_is_asked_again_after_a_pause_and_not_by_everybody(
    stage: Stage, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def away(url: str) -> object:
        asked.append(url)
        raise ValueError

    monkeypatch.setattr(fetching, "_fetch_json", away)
    set_up(monkeypatch, google)
    stage.app.state.providers = provided(stage)
    async with browser_of(stage.app) as browser:
        answers = [await browser.get("/app/sign-in/google") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {503}
    assert asked == [google.discovery_url]


async def test_the_same_subject_of_another_issuer_is_somebody_else(
    stage: Stage, google: DemoGoogle
) -> None:
    answer = await stage.nobody.post("/auth/google", {"idToken": google.signer.sign(ASHA)})
    assert answer.status_code == 200
    await stage.connection.execute(
        "UPDATE users SET issuer = 'https://id.example' WHERE email = $1", ASHA
    )
    answer = await stage.nobody.post("/auth/google", {"idToken": google.signer.sign(ASHA)})
    assert (answer.status_code, answer.json()["code"]) == (403, "account_mismatch")


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {**NEEDED, "DATABASE_URL": "postgresql://a@127.0.0.1/b"}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"OIDC_PROVIDERS": "google,entra"}, "OIDC_ENTRA_CLIENT_ID is missing"),
        ({"OIDC_PROVIDERS": "En tra"}, "OIDC_PROVIDERS must be different short names"),
        (
            {"OIDC_GOOGLE_ISSUER": "https://login.microsoftonline.com/common/v2.0"},
            "OIDC_GOOGLE_ISSUER must name one tenant",
        ),
        (
            {"OIDC_GOOGLE_CLIENT_ID": "a", "OIDC_GOOGLE_ISSUER": "http://id.example"},
            "OIDC_GOOGLE_ISSUER does not begin with https://",
        ),
        (
            {"OIDC_GOOGLE_CLIENT_ID": "a", "OIDC_GOOGLE_DISCOVERY_URL": "https://id.example"},
            "OIDC_GOOGLE_DISCOVERY_URL is for a stand-in",
        ),
    ],
)
def test_settings_that_would_let_strangers_in_stop_the_start(
    nothing_set: pytest.MonkeyPatch, given: dict[str, str], sentence: str
) -> None:
    for name, value in given.items():
        nothing_set.setenv(name, value)
    with pytest.raises(ConfigError, match=sentence):
        load_settings(_env_file=None)


def test_several_providers_have_a_button_each_and_secrets_come_from_files(
    nothing_set: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "secret").write_text("of entra\n")
    for name, value in {
        "OIDC_PROVIDERS": "google,entra",
        "OIDC_GOOGLE_CLIENT_ID": "g",
        "OIDC_ENTRA_CLIENT_ID": "e",
        "OIDC_ENTRA_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "OIDC_ENTRA_ISSUER": "https://login.microsoftonline.com/1f0e/v2.0",
        "OIDC_ENTRA_NAME": "Microsoft",
    }.items():
        nothing_set.setenv(name, value)
    google, entra = load_settings(_env_file=None).providers
    assert (google.key, google.name, google.client_secret) == ("google", "Google", "")
    assert (entra.key, entra.name, entra.client_secret) == ("entra", "Microsoft", "of entra")
    assert isinstance(entra, OidcProvider)
