"""Settings, read once from the environment, `NAME_FILE` files and `.env`, in that order.

A setting that is missing or unsafe stops the start with a sentence that names it and
never shows its value.
"""

import json
import os
import re
import string
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.database_url import usable_url

GOOGLE_JWKS_URL = "https://www.googleapis.com/oauth2/v3/certs"
MINIMUM_SECRET_BYTES = 32
MINIMUM_SECRET_CHARACTERS = 6  # different ones; 40 digits at random have more, nearly always

EXAMPLE_VALUES = frozenset(
    {
        "your-super-secret-key-min-32-chars",
        "<strong-secret-minimum-32-characters>",
        "your-google-client-id.apps.googleusercontent.com",
        "<production-google-client-id>",
        "postgresql://aims:aims_pass@localhost:5433/attendance",
        "postgresql://user:pass@prod-host:5432/db",
        "https://your-frontend-domain.com",
    }
)


class ConfigError(Exception):
    """The settings do not allow a start; the message says which and why."""


def _split_commas(value: Any) -> Any:
    return (
        [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str)
        else value
    )


def _known_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not the name of a time zone, like Asia/Kolkata")
    return name


_ORIGINS = (
    'must be a JSON list of origins as browsers send them, like ["https://app.example.org"]: '
    "no path, no wildcard, no capital letters, no port that goes without saying"
)
_LABEL = "[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_ORIGIN = re.compile(
    rf"(?P<scheme>[a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|{_LABEL}(\.{_LABEL})*)"
    "(:(?P<port>[1-9][0-9]{0,4}))?"
)
_GOES_WITHOUT_SAYING = {("http", "80"), ("https", "443")}


def _json_list(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError(_ORIGINS) from None


def _sent_by_browsers(origins: list[str]) -> list[str]:
    """Refuses what would be compared with every origin and never be equal to one."""
    if not all(origin == "*" or _is_origin(origin) for origin in origins):
        raise ValueError(_ORIGINS)
    return origins


def _is_origin(text: str) -> bool:
    found = _ORIGIN.fullmatch(text)
    if found is None or found.group("scheme", "port") in _GOES_WITHOUT_SAYING:
        return False
    return int(found["port"] or 1) < 65536


def _host_and_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be an address and a port like 127.0.0.1:9464")
    return address


def _usable_font(path: Path) -> Path:
    """What will write with it reads it, so that no register fails for it later."""
    from fpdf import FPDF

    paper = FPDF()
    try:
        paper.add_font("given", "", path)
        font: Any = paper.fonts["given"]
        font.close()
    except Exception:
        raise ValueError("must be the path of a TrueType or OpenType font") from None
    if not {*map(ord, string.ascii_letters + string.digits)} <= font.cmap.keys():
        raise ValueError("must be a font that has the Latin letters and digits, too")
    return path


CommaList = Annotated[list[str], NoDecode, BeforeValidator(_split_commas), Field(min_length=1)]


class _Sourced(BaseSettings):
    """Settings from the environment, `NAME_FILE` files and `.env`."""

    model_config = SettingsConfigDict(
        # What editors on Windows write is read as well: CRLF, and a mark in front of it all.
        env_file=".env",
        env_file_encoding="utf-8-sig",
        extra="ignore",
        env_ignore_empty=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _NamedFiles(settings_cls), dotenv_settings


class _Debug(_Sourced):
    debug: bool | None = None


class DatabaseSettings(_Sourced):
    """What a migration needs to know."""

    database_url: Annotated[str, AfterValidator(usable_url)]


class RuleSettings(DatabaseSettings):
    """What a command needs to know that acts by the institution's rules."""

    timezone: Annotated[str, AfterValidator(_known_timezone)] = "Asia/Kolkata"
    edit_window_days: Annotated[int, Field(ge=1, le=36500)] | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        """The institution's time zone: it decides what "today" is."""
        return ZoneInfo(self.timezone)


class Settings(RuleSettings):
    """What the server needs to know. Names in capitals are the variables' names."""

    jwt_secret: CommaList
    google_client_id: CommaList
    jwt_expiration_hours: Annotated[float, Field(gt=0, le=24 * 7)] = 1
    debug: bool = False
    cors_origins: Annotated[
        list[str], NoDecode, BeforeValidator(_json_list), AfterValidator(_sent_by_browsers)
    ] = []
    docs: bool = True
    google_jwks_url: str = GOOGLE_JWKS_URL
    google_hosted_domains: Annotated[list[str], NoDecode, BeforeValidator(_split_commas)] = []
    student_sign_in: bool = False
    failed_sign_ins_per_minute: Annotated[int, Field(ge=1)] = 30
    register_font: Annotated[Path, AfterValidator(_usable_font)] | None = None
    metrics: bool = False
    metrics_address: Annotated[str, AfterValidator(_host_and_port)] | None = None


class _NamedFiles(PydanticBaseSettingsSource):
    """`JWT_SECRET_FILE=/run/secrets/jwt` is read as `JWT_SECRET` (Docker's convention)."""

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        values = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: text for name, text in values.items() if text}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        key = f"{field_name.upper()}_FILE"
        path = os.environ.get(key)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text("utf-8-sig").strip(), field_name, False
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"{key} names a file that cannot be read.") from None


def load_settings(**given: Any) -> Settings:
    """Settings fit to start with; raises `ConfigError` naming every setting that is not."""
    settings = _read(Settings, given)
    refused = [] if settings.debug else [f"{name} {why}" for name, why in _unsafe(settings)]
    if settings.student_sign_in and not settings.google_hosted_domains:
        refused.append(
            "STUDENT_SIGN_IN needs GOOGLE_HOSTED_DOMAINS: students are known by the addresses "
            "that the institution gave them."
        )
    if min(len(secret.encode()) for secret in settings.jwt_secret) < MINIMUM_SECRET_BYTES:
        refused.append(f"JWT_SECRET has a secret shorter than {MINIMUM_SECRET_BYTES} bytes.")
    elif any(_is_guessable(secret) for secret in settings.jwt_secret):
        refused.append("JWT_SECRET has a secret that repeats itself: generate a random one.")
    if refused:
        raise ConfigError("\n".join(refused))
    return settings


def _is_guessable(secret: str) -> bool:
    """Whether it has a handful of different characters, or is long by repetition alone."""
    lengths = range(1, len(secret) // 2 + 1)
    period = next((n for n in lengths if secret[n:] == secret[:-n]), len(secret))
    return (
        len(set(secret)) < MINIMUM_SECRET_CHARACTERS
        or len(secret[:period].encode()) < MINIMUM_SECRET_BYTES
    )


def load_rules() -> RuleSettings:
    """The settings of a command that acts by the institution's rules."""
    return _read(RuleSettings, {})


def load_database_url() -> str:
    """`DATABASE_URL` alone, for commands that need nothing else."""
    return _read(DatabaseSettings, {}).database_url


def is_debug(*, read_env_file: bool) -> bool | None:
    """What `DEBUG` says; None if nothing sets it."""
    return _read(_Debug, {} if read_env_file else {"_env_file": None}).debug


def warnings_for(settings: Settings) -> list[str]:
    """What `DEBUG=true` let pass and production would refuse."""
    return [f"{name} {why} Only DEBUG=true lets this pass." for name, why in _unsafe(settings)]


S = TypeVar("S", bound=_Sourced)


def _read(kind: type[S], given: dict[str, Any]) -> S:
    try:
        return kind(**given)
    except ValidationError as error:
        raise ConfigError("\n".join(_sentences(error))) from None


def _unsafe(settings: Settings) -> list[tuple[str, str]]:
    given = {
        "DATABASE_URL": [settings.database_url],
        "JWT_SECRET": settings.jwt_secret,
        "GOOGLE_CLIENT_ID": settings.google_client_id,
        "CORS_ORIGINS": settings.cors_origins,
    }
    found = [
        (name, "is the example from the documentation: give your own.")
        for name, values in given.items()
        if EXAMPLE_VALUES.intersection(values)
    ]
    if "*" in settings.cors_origins:
        found.append(("CORS_ORIGINS", "allows every website: list the origins of your own apps."))
    if settings.google_jwks_url != GOOGLE_JWKS_URL:
        found.append(
            ("GOOGLE_JWKS_URL", "is not Google's: whoever serves it can sign in as anybody.")
        )
    return found


def _sentences(error: ValidationError) -> list[str]:
    sentences = []
    for item in error.errors(include_input=False, include_url=False):
        name = str(item["loc"][0]).upper()
        if item["type"] == "missing":
            sentences.append(f"{name} is missing: set it in the environment or in .env.")
        else:
            reason = item["msg"].removeprefix("Value error, ")
            sentences.append(f"{name} {reason[0].lower()}{reason[1:]}.")
    return sentences
