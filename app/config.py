"""Settings, read once from the environment, `NAME_FILE` files and `.env`, in that order.

A missing or unsafe setting prevents the start, with a sentence that names it and never shows
its value.
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

GOOGLE_ISSUER = "https://accounts.google.com"
GOOGLE_JWKS_URL = "https://www.googleapis.com/oauth2/v3/certs"
MINIMUM_SECRET_BYTES = 32
MINIMUM_SECRET_CHARACTERS = 6  # distinct ones; 40 random digits nearly always have more

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
    """The settings do not allow the program to start; the message says which and why."""


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
    "no path, no wildcard, no capital letters, no default port"
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
    """Refuse entries that could never equal an origin that a browser sends."""
    if not all(origin == "*" or _is_origin(origin) for origin in origins):
        raise ValueError(_ORIGINS)
    return origins


def _is_origin(text: str) -> bool:
    found = _ORIGIN.fullmatch(text)
    if found is None or found.group("scheme", "port") in _GOES_WITHOUT_SAYING:
        return False
    return int(found["port"] or 1) < 65536


def _https_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what a Content-Security-Policy could not name, or names more than one origin."""
    for origin in origins:
        if not _is_origin(origin) or not re.fullmatch("https://[a-z0-9.:-]+", origin):
            raise ValueError(
                "must be https origins, separated by commas, like https://photos.example.org: "
                "no path, no wildcard, no capital letters, no default port"
            )
    return origins


def _host_and_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be an address and a port like 127.0.0.1:9464")
    return address


def _usable_font(path: Path) -> Path:
    """Load the font with the library that will use it, so that no register fails later."""
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


def _redis(url: str) -> str:
    """Read the URL with the library that will use it."""
    from redis.asyncio.connection import parse_url

    try:
        parse_url(url)
    except ValueError:
        raise ValueError("must be the URL of a Redis, like redis://127.0.0.1:6379/0") from None
    return url


_PROVIDER_KEY = re.compile("[a-z][a-z0-9]{0,19}")


def _provider_keys(keys: list[str]) -> list[str]:
    if not all(map(_PROVIDER_KEY.fullmatch, keys)) or len({*keys}) < len(keys):
        raise ValueError("must be different short names of small letters, like google,entra")
    return keys


def _one_issuer(issuer: str) -> str:
    """Refuses what cannot be compared with the `iss` of a token: an issuer of many tenants."""
    if not re.fullmatch(r"https?://[^\s?#]+", issuer):
        raise ValueError(
            "must be the issuer of the discovery document, like https://id.example.org"
        )
    if re.search("/(common|organizations|consumers)(/|$)|[{}]", issuer):
        raise ValueError("must name one tenant: anybody may have an account of another")
    return issuer


CommaList = Annotated[list[str], NoDecode, BeforeValidator(_split_commas), Field(min_length=1)]


class _Sourced(BaseSettings):
    """Settings from the environment, `NAME_FILE` files and `.env`."""

    model_config = SettingsConfigDict(
        # Also accept what editors on Windows write: CRLF and a byte order mark.
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
    """The settings that a migration needs."""

    database_url: Annotated[str, AfterValidator(usable_url)]


class RuleSettings(DatabaseSettings):
    """The settings of commands that follow the institution's rules."""

    timezone: Annotated[str, AfterValidator(_known_timezone)] = "Asia/Kolkata"
    edit_window_days: Annotated[int, Field(ge=1, le=36500)] | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        """The institution's time zone: it decides what "today" is."""
        return ZoneInfo(self.timezone)


class OidcProvider(_Sourced):
    """A provider to sign in with on the web, from `OIDC_<KEY>_ISSUER` and so on."""

    issuer: Annotated[str, AfterValidator(_one_issuer)] = GOOGLE_ISSUER
    client_id: str = ""
    client_secret: str = ""
    # Where the discovery document is, if not below the issuer; only for a stand-in.
    discovery_url: str = ""
    name: Annotated[str, Field(max_length=40)] = "Google"

    @property
    def key(self) -> str:
        """The provider's name in the settings and in addresses."""
        return str(self.model_config["env_prefix"]).removeprefix("OIDC_").strip("_").lower()


def _provider(key: str) -> OidcProvider:
    prefixed = SettingsConfigDict(env_prefix=f"OIDC_{key.upper()}_")
    kind: type[OidcProvider] = type("_Provider", (OidcProvider,), {"model_config": prefixed})
    return _read(kind, {})


class Settings(RuleSettings):
    """The settings of the server. The variables have the same names in capitals."""

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
    redis_url: Annotated[str, AfterValidator(_redis)] | None = None
    drain_seconds: Annotated[int, Field(ge=0, le=5)] = 0
    register_font: Annotated[Path, AfterValidator(_usable_font)] | None = None
    console: bool = True
    photo_origins: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_split_commas), AfterValidator(_https_origins)
    ] = ()
    oidc_providers: Annotated[CommaList, AfterValidator(_provider_keys)] = ["google"]
    metrics: bool = False
    metrics_address: Annotated[str, AfterValidator(_host_and_port)] | None = None

    @property
    def providers(self) -> list[OidcProvider]:
        """What people may sign in with on the web: those with a client id."""
        return [found for key in self.oidc_providers if (found := _provider(key)).client_id]


class _NamedFiles(PydanticBaseSettingsSource):
    """`JWT_SECRET_FILE=/run/secrets/jwt` is read as `JWT_SECRET` (Docker's convention)."""

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        values = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: text for name, text in values.items() if text}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        key = f"{self.config.get('env_prefix', '')}{field_name}_FILE".upper()
        path = os.environ.get(key)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text("utf-8-sig").strip(), field_name, False
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"{key} names a file that cannot be read.") from None


def load_settings(**given: Any) -> Settings:
    """The settings, if they are safe; `ConfigError` names every setting that is not."""
    settings = _read(Settings, given)
    refused = [] if settings.debug else [f"{name} {why}" for name, why in _unsafe(settings)]
    known = {provider.key for provider in settings.providers} | {"google"}
    refused += [
        f"OIDC_{key.upper()}_CLIENT_ID is missing: OIDC_PROVIDERS names {key}."
        for key in settings.oidc_providers
        if key not in known
    ]
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
    """Whether it has only a few distinct characters, or is long only by repetition."""
    lengths = range(1, len(secret) // 2 + 1)
    period = next((n for n in lengths if secret[n:] == secret[:-n]), len(secret))
    return (
        len(set(secret)) < MINIMUM_SECRET_CHARACTERS
        or len(secret[:period].encode()) < MINIMUM_SECRET_BYTES
    )


def load_rules() -> RuleSettings:
    """The settings of a command that follows the institution's rules."""
    return _read(RuleSettings, {})


def load_database_url() -> str:
    """`DATABASE_URL`, for commands that need nothing else."""
    return _read(DatabaseSettings, {}).database_url


def is_debug(*, read_env_file: bool) -> bool | None:
    """The value of `DEBUG`; None if it is not set."""
    return _read(_Debug, {} if read_env_file else {"_env_file": None}).debug


def warnings_for(settings: Settings) -> list[str]:
    """What `DEBUG=true` allows and production would refuse."""
    return [f"{name} {why} Only DEBUG=true lets this pass." for name, why in _unsafe(settings)]


S = TypeVar("S", bound=_Sourced)


def _read(kind: type[S], given: dict[str, Any]) -> S:
    try:
        return kind(**given)
    except ValidationError as error:
        prefix = str(kind.model_config.get("env_prefix", ""))
        raise ConfigError("\n".join(_sentences(error, prefix))) from None


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
    for provider in settings.providers:
        prefix = f"OIDC_{provider.key.upper()}"
        if not provider.issuer.startswith("https://"):
            found.append((f"{prefix}_ISSUER", "does not begin with https://."))
        if provider.discovery_url:
            found.append(
                (f"{prefix}_DISCOVERY_URL", "is for a stand-in: remove it to ask the issuer.")
            )
    if settings.google_jwks_url != GOOGLE_JWKS_URL:
        found.append(
            ("GOOGLE_JWKS_URL", "is not Google's: whoever serves it can sign in as anybody.")
        )
    return found


def _sentences(error: ValidationError, prefix: str) -> list[str]:
    sentences = []
    for item in error.errors(include_input=False, include_url=False):
        name = prefix + str(item["loc"][0]).upper().removeprefix(prefix)
        if item["type"] == "missing":
            sentences.append(f"{name} is missing: set it in the environment or in .env.")
        else:
            reason = item["msg"].removeprefix("Value error, ")
            sentences.append(f"{name} {reason[0].lower()}{reason[1:]}.")
    return sentences
