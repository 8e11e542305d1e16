"""Settings: where they come from, and what stops a start, named but never shown."""

import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from fontpkg_mukta import ROOT as MUKTA
from fontTools import subset
from fontTools.ttLib import TTFont

from app.config import (
    GOOGLE_JWKS_URL,
    ConfigError,
    Settings,
    load_database_url,
    load_settings,
    warnings_for,
)
from tests.processes import ROOT

GOOD = {
    "DATABASE_URL": "postgresql://asha:opensesame@db.demo.university.example:5432/attendance",
    "JWT_SECRET": "0123456789abcdefghijklmnopqrstuv",
    "GOOGLE_CLIENT_ID": "app.demo.university.example",
}
NAMES = {name.upper(): field for name, field in Settings.model_fields.items()}
FOR_COMPOSE = {"POSTGRES_PASSWORD", "PGADMIN_PASSWORD"}
OF_GOOGLE = {"OIDC_GOOGLE_CLIENT_ID", "OIDC_GOOGLE_CLIENT_SECRET"}


def secret_of(letter: str) -> str:
    """One that is told apart by its first letter."""
    return letter + GOOD["JWT_SECRET"]


EXAMPLES = [
    ("JWT_SECRET", "your-super-secret-key-min-32-chars"),
    ("JWT_SECRET", "<strong-secret-minimum-32-characters>"),
    ("JWT_SECRET", GOOD["JWT_SECRET"] + ",your-super-secret-key-min-32-chars"),
    ("GOOGLE_CLIENT_ID", "your-google-client-id.apps.googleusercontent.com"),
    ("GOOGLE_CLIENT_ID", "<production-google-client-id>"),
    ("DATABASE_URL", "postgresql://aims:aims_pass@localhost:5433/attendance"),
    ("DATABASE_URL", "postgresql://user:pass@prod-host:5432/db"),
    ("CORS_ORIGINS", '["https://your-frontend-domain.com"]'),
]
UNSAFE = [
    *EXAMPLES,
    ("CORS_ORIGINS", '["https://app.demo.university.example", "*"]'),
    ("GOOGLE_JWKS_URL", "https://keys.demo.university.example/certs"),
]
# What no browser ever sends as `Origin`.
NO_ORIGINS = [
    *("app.demo.university.example", "//app.demo.university.example", "localhost:3000", "", " "),
    *("https://app.demo.university.example/", "https://app.demo.university.example?x=1"),
    *("https://app.demo.university.example#", "https://asha@app.demo.university.example"),
    *("http://localhost:*", "https://*.demo.university.example", "https://*", "http://*:3000"),
    *("https://App.demo.university.example", "HTTPS://app.demo.university.example"),
    *("https://app.demo.university.example:443", "http://app.demo.university.example:80"),
    *("https://app.demo.university.example:", "https://app.demo.university.example:0"),
    *("https://app.demo.university.example:65536", "https://app.demo.university.example:0443"),
    *("https://", "https://:8443", "https:///", "https://.", "https://a..example", "https:/a/b"),
    *("https://é.example", "https://app.demo.university.example ", "https://a b.example", "null"),
    *("https://app.demo.university.example\n", "https://a.example,https://b.example", "regex:.*"),
]
IMPOSSIBLE = [
    ("JWT_SECRET", "short-and-sweet"),
    ("JWT_SECRET", GOOD["JWT_SECRET"][:31]),
    ("JWT_SECRET", GOOD["JWT_SECRET"] + ",short-and-sweet"),
    ("JWT_SECRET", "x" * 64),
    ("JWT_SECRET", GOOD["JWT_SECRET"] + "," + "x" * 64),
    ("JWT_SECRET", "x" * 63 + "y"),
    ("JWT_SECRET", "01" * 8 + "10" * 24),
    ("JWT_SECRET", "abcabcabbacabcabcabcabbcabacbacbabcab"),
    ("JWT_SECRET", "opensesame" * 4),
    ("JWT_SECRET", "opensesame-opensesame-opensesame-open"),
    ("JWT_SECRET", GOOD["JWT_SECRET"][:31] * 9),
    ("JWT_SECRET", " , "),
    ("GOOGLE_CLIENT_ID", ","),
    ("DATABASE_URL", "mysql://asha:opensesame@db/attendance"),
    ("DATABASE_URL", "postgresql://asha:opensesame@db:port/attendance"),
    ("JWT_EXPIRATION_HOURS", "0"),
    ("JWT_EXPIRATION_HOURS", "169"),
    ("JWT_EXPIRATION_HOURS", "soonish"),
    ("FAILED_SIGN_INS_PER_MINUTE", "0"),
    ("DEBUG", "perhaps"),
    ("DOCS", "perhaps"),
    ("REDIS_URL", "cache.internal:6379"),
    ("REDIS_URL", "redis://127.0.0.1:opensesame"),
    ("TIMEZONE", "Asia/Delhi"),
    ("TIMEZONE", "../../etc/passwd"),
    ("CORS_ORIGINS", "https://app.demo.university.example"),
    ("CORS_ORIGINS", '"https://app.demo.university.example"'),
    ("CORS_ORIGINS", '["https://app.demo.university.example/path"]'),
    *(("CORS_ORIGINS", json.dumps([origin])) for origin in NO_ORIGINS),
    ("REGISTER_FONT", "/nowhere/font.ttf"),
    ("REGISTER_FONT", "/etc"),
    ("REGISTER_FONT", __file__),
]


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty directory to start in, with the good settings and no others."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    """What a start with this setting is refused with."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load_settings()
    return str(refused.value)


def test_good_settings_start_without_a_warning() -> None:
    settings = load_settings()
    assert settings.database_url == GOOD["DATABASE_URL"]
    assert settings.jwt_secret == [GOOD["JWT_SECRET"]]
    assert settings.google_client_id == [GOOD["GOOGLE_CLIENT_ID"]]
    assert warnings_for(settings) == []


def test_all_missing_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigError) as refused:
        load_settings()
    lines = str(refused.value).splitlines()
    assert lines == [f"{name} is missing: set it in the environment or in .env." for name in GOOD]


def test_students_sign_in_only_where_the_institution_has_a_domain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STUDENT_SIGN_IN", "true")
    with pytest.raises(ConfigError, match="STUDENT_SIGN_IN needs GOOGLE_HOSTED_DOMAINS"):
        load_settings(debug=True)
    monkeypatch.setenv("GOOGLE_HOSTED_DOMAINS", "demo.university.example")
    assert load_settings().student_sign_in


@pytest.mark.parametrize("name", GOOD)
def test_an_empty_setting_is_a_missing_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert refusal(monkeypatch, name, "").startswith(f"{name} is missing")


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
@pytest.mark.parametrize("debug", ["false", "true"])
def test_an_impossible_value_is_refused_whatever_debug_says(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, debug: str
) -> None:
    monkeypatch.setenv("DEBUG", debug)
    said = refusal(monkeypatch, name, value)
    assert said.startswith(name)
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("name", "value"), UNSAFE)
def test_an_unsafe_value_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert refusal(monkeypatch, name, value).startswith(name)


@pytest.mark.parametrize(("name", "value"), UNSAFE)
def test_debug_turns_the_refusal_of_an_unsafe_value_into_a_warning(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("DEBUG", "true")
    monkeypatch.setenv(name, value)
    (warning,) = warnings_for(load_settings())
    assert warning.startswith(name)
    assert value not in warning


@pytest.mark.parametrize(("name", "value"), [*UNSAFE, *IMPOSSIBLE])
def test_a_refusal_never_shows_the_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    said = refusal(monkeypatch, name, value)
    for part in [value, "opensesame", "short-and-sweet", "aims_pass", "demo.university"]:
        # A lone comma or digit is in any sentence.
        assert part not in said or len(part) < 4


def test_everything_unsafe_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", '["*"]')
    monkeypatch.setenv("GOOGLE_JWKS_URL", "https://keys.demo.university.example/certs")
    said = refusal(monkeypatch, "JWT_SECRET", "short-and-sweet")
    named = {line.split()[0] for line in said.splitlines()}
    assert named == {"CORS_ORIGINS", "GOOGLE_JWKS_URL", "JWT_SECRET"}


def test_secrets_are_measured_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "àéîõüçñšžåøæœßđł")
    assert load_settings().jwt_secret == ["àéîõüçñšžåøæœßđł"]


@pytest.mark.parametrize("size", [16, 24, 32, 48])
def test_no_random_secret_is_found_too_simple(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for _ in range(20):
        makers = (secrets.token_hex, secrets.token_urlsafe)
        made = [secret for make in makers if len(secret := make(size)) >= 32]
        made.append("".join(secrets.choice("0123456789") for _ in range(size + 24)))
        for secret in (*made, made[-1] * 2):
            assert load_settings(jwt_secret=[secret]).jwt_secret == [secret]


@pytest.mark.parametrize("name", ["JWT_SECRET", "DATABASE_URL"])
def test_a_setting_may_come_from_a_file(
    monkeypatch: pytest.MonkeyPatch, place: Path, name: str
) -> None:
    monkeypatch.delenv(name)
    (place / "secret").write_text(f"{GOOD[name]}\n")
    monkeypatch.setenv(f"{name}_FILE", str(place / "secret"))
    settings = load_settings()
    assert settings.database_url == GOOD["DATABASE_URL"]
    assert settings.jwt_secret == [GOOD["JWT_SECRET"]]
    assert load_database_url() == GOOD["DATABASE_URL"]


def test_a_json_list_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    (place / "origins").write_text('["https://app.demo.university.example"]\n')
    monkeypatch.setenv("CORS_ORIGINS_FILE", str(place / "origins"))
    assert load_settings().cors_origins == ["https://app.demo.university.example"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, place: Path, content: bytes | None
) -> None:
    monkeypatch.delenv("JWT_SECRET")
    if content is not None:
        (place / "secret").write_bytes(content)
    said = refusal(monkeypatch, "JWT_SECRET_FILE", str(place / "secret"))
    assert said == "JWT_SECRET_FILE names a file that cannot be read."


def test_the_environment_wins_over_a_file_and_a_file_over_dotenv(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.delenv("JWT_SECRET")
    (place / ".env").write_text(f"JWT_SECRET={secret_of('d')}\nTIMEZONE=Europe/Paris\n")
    assert load_settings().jwt_secret == [secret_of("d")]
    assert load_settings().timezone == "Europe/Paris"
    (place / "secret").write_text(secret_of("f"))
    monkeypatch.setenv("JWT_SECRET_FILE", str(place / "secret"))
    assert load_settings().jwt_secret == [secret_of("f")]
    monkeypatch.setenv("JWT_SECRET", secret_of("e"))
    assert load_settings().jwt_secret == [secret_of("e")]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_saved_by_an_editor_on_windows_are_read_as_meant(
    monkeypatch: pytest.MonkeyPatch, place: Path, mark: str
) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    (place / "secret").write_bytes(f"{mark}{GOOD['JWT_SECRET']}\r\n".encode())
    monkeypatch.setenv("JWT_SECRET_FILE", str(place / "secret"))
    lines = [f"GOOGLE_CLIENT_ID={GOOD['GOOGLE_CLIENT_ID']}", f"DATABASE_URL={GOOD['DATABASE_URL']}"]
    lines += ["# Ours.", 'TIMEZONE="Europe/Paris"', "EDIT_WINDOW_DAYS=", "DEBUG=true", ""]
    (place / ".env").write_bytes((mark + "\r\n".join(lines)).encode())
    settings = load_settings()
    assert settings.jwt_secret == [GOOD["JWT_SECRET"]]
    assert settings.google_client_id == [GOOD["GOOGLE_CLIENT_ID"]]
    assert settings.database_url == GOOD["DATABASE_URL"]
    assert (settings.timezone, settings.edit_window_days) == ("Europe/Paris", None)
    assert settings.debug


def test_dotenv_may_hold_what_is_not_a_setting(place: Path) -> None:
    (place / ".env").write_text("POSTGRES_PASSWORD=opensesame\n")
    assert load_settings().timezone == "Asia/Kolkata"


def test_an_unsafe_value_in_dotenv_is_refused_too(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.delenv("JWT_SECRET")
    (place / ".env").write_text("JWT_SECRET=your-super-secret-key-min-32-chars\n")
    with pytest.raises(ConfigError, match=r"^JWT_SECRET"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "field", "parts"),
    [
        ("GOOGLE_CLIENT_ID", "web.example, ios.example,", "google_client_id", 2),
        ("GOOGLE_HOSTED_DOMAINS", "a.example,b.example", "google_hosted_domains", 2),
        ("GOOGLE_HOSTED_DOMAINS", "", "google_hosted_domains", 0),
        ("JWT_SECRET", f"{secret_of('n')}, {secret_of('o')}", "jwt_secret", 2),
        ("CORS_ORIGINS", '["https://a.example", "https://b.example:8443"]', "cors_origins", 2),
        ("CORS_ORIGINS", '["http://localhost", "http://127.0.0.1:3000"]', "cors_origins", 2),
        ("CORS_ORIGINS", '["http://[::1]:8080", "https://xn--9ca.example"]', "cors_origins", 2),
        ("CORS_ORIGINS", '["capacitor://localhost", "http://a.example:443"]', "cors_origins", 2),
        ("CORS_ORIGINS", "[]", "cors_origins", 0),
        ("CORS_ORIGINS", "", "cors_origins", 0),
    ],
)
def test_lists_are_read_in_their_order(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, parts: int
) -> None:
    monkeypatch.setenv(name, value)
    found = getattr(load_settings(), field)
    given = json.loads(value) if value.startswith("[") else value.split(",")[:parts]
    assert found == [part.strip() for part in given]
    assert len(found) == parts


@pytest.mark.parametrize("address", ["9464", ":9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:http"])
def test_the_address_of_metrics_is_a_host_and_a_port(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("METRICS_ADDRESS", address)
    with pytest.raises(ConfigError, match=r"^METRICS_ADDRESS must be an address and a port"):
        load_settings()


def test_a_font_needs_what_every_register_has(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setenv("REGISTER_FONT", str(MUKTA / "files" / "Mukta-Bold.ttf"))
    assert load_settings().register_font == MUKTA / "files" / "Mukta-Bold.ttf"
    with TTFont(MUKTA / "files" / "Mukta-Regular.ttf") as font:
        devanagari = subset.Subsetter()
        devanagari.populate(unicodes=range(0x900, 0x980))
        devanagari.subset(font)
        font.save(place / "no-latin.ttf")
    said = refusal(monkeypatch, "REGISTER_FONT", str(place / "no-latin.ttf"))
    assert said == "REGISTER_FONT must be a font that has the Latin letters and digits, too."


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Paris", "UTC"])
def test_a_known_time_zone_is_accepted(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TIMEZONE", zone)
    assert load_settings().zone.key == zone


def test_a_migration_needs_the_database_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JWT_SECRET")
    monkeypatch.delenv("GOOGLE_CLIENT_ID")
    assert load_database_url() == GOOD["DATABASE_URL"]
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(ConfigError, match=r"^DATABASE_URL is missing"):
        load_database_url()


def as_written(default: Any) -> str:
    if isinstance(default, list) and default:
        return ",".join(default)
    return default if isinstance(default, str) else json.dumps(default)


def test_the_readme_lists_every_setting_with_its_default() -> None:
    text = (ROOT / "README.md").read_text()
    table = text.partition("| setting |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([A-Z_]+)` \|.*\| ([^|]+) \|$", table, re.MULTILINE)
    in_words = {"any": [], "Google's": GOOGLE_JWKS_URL, "none": None, "no photos": ()}
    assert [name for name, _ in rows] == [*dict.fromkeys(name for name, _ in rows)]
    assert {name for name, _ in rows} == NAMES.keys()
    for name, said in rows:
        field = NAMES[name]
        if field.is_required():
            assert said == "required"
        elif said in in_words:
            assert field.default == in_words[said]
        else:
            assert said == f"`{as_written(field.default)}`", name


def test_the_example_lists_every_setting_with_its_default() -> None:
    given = dotenv_values(ROOT / ".env.example")
    assert given.keys() == NAMES.keys() | FOR_COMPOSE | OF_GOOGLE
    for name, said in given.items():
        if name in FOR_COMPOSE | OF_GOOGLE:
            assert not said, f"{name} has to be given, not to be known"
        elif not (field := NAMES[name]).is_required() and said:
            assert said == as_written(field.default), name


def test_the_example_starts_nothing_until_its_examples_are_replaced(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    (place / ".env").write_text((ROOT / ".env.example").read_text())
    with pytest.raises(ConfigError) as refused:
        load_settings()
    named = {line.split()[0] for line in str(refused.value).splitlines()}
    assert named == GOOD.keys()
    settings = load_settings(debug=True)
    assert {line.split()[0] for line in warnings_for(settings)} == GOOD.keys()
