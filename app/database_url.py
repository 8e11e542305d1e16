"""Checking `DATABASE_URL`, wherever it was copied from: a provider's console, Prisma, libpq.

A parameter is passed on to the driver or PostgreSQL, dropped if it only tunes another program's
driver, or refused by name. Parameters that affect the security of the connection or select the
tables are never silently dropped.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_plus

from pydantic import PostgresDsn, TypeAdapter, ValidationError

_FORM = "must be a URL like postgresql://user:password@host:5432/database"

_FILES = frozenset({"passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl"})
_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": (
        *("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
    ),
}
_COUNTING = {
    *_FILES,
    *_CHOICES,
    *("host", "port", "dbname", "database", "user", "password", "service"),
    *("sslpassword", "ssl_min_protocol_version", "ssl_max_protocol_version"),
    *("krbsrvname", "gsslib", "application_name", "options", "role"),
}

# For other programs' pools and sockets.
_FOR_OTHERS = {
    *("connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size"),
    *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval"),
    *("keepalives_count", "tcp_user_timeout", "fallback_application_name"),
    *("sslcompression", "sslsni", "supa"),
}
# True anyway, so they can be dropped.
_GRANTED = {
    "channel_binding": ("disable", "prefer"),
    "client_encoding": ("auto", "utf8", "UTF8"),
    "gssencmode": ("disable", "prefer"),
    "pgbouncer": ("false",),
    "schema": ("public",),
}
_WHY_NOT = {
    "channel_binding": "which the driver cannot do: leave it out and say sslmode=verify-full "
    "with sslrootcert, by which the server proves itself, too",
    "pgbouncer": "but AIMS has a pool of its own: leave it out and give the address of "
    "PostgreSQL itself, or of a pooler in session mode",
    "schema": "but the tables of AIMS are in the schema public: leave it out",
    "sslaccept": "which is Prisma's: say sslmode instead",
}
# A long or odd name may be part of a password that should have been percent-encoded.
_NAME = re.compile("[a-z][a-z_]{0,30}", re.IGNORECASE)


@dataclass(frozen=True)
class _Parameter:
    text: str
    name: str
    value: str


def usable_url(url: str) -> str:
    """The URL with the parameters that are kept; `ValueError` says what is wrong with it."""
    _check_form(url)
    head, _, query = url.partition("?")
    parameters = [_parameter(text) for text in query.split("&") if text]
    values = {parameter.name: parameter.value for parameter in parameters}
    if len(values) < len(parameters):
        raise ValueError("has a parameter twice")
    _check_verification(values)
    kept = [p.text for p in parameters if _counts(p.name, p.value, values)]
    return "?".join([head, *filter(None, ["&".join(kept)])])


def _check_form(url: str) -> None:
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError(_FORM)
    try:
        TypeAdapter(PostgresDsn).validate_python(url)
    except ValidationError:
        # The host can be a socket directory (`?host=/run/...`), which the URL type refuses.
        if "host=" not in url:
            raise ValueError(_FORM) from None


def _parameter(text: str) -> _Parameter:
    name, _, value = text.partition("=")
    return _Parameter(text, unquote_plus(name), unquote_plus(value))


def _check_verification(values: dict[str, str]) -> None:
    mode = values.get("sslmode", "")
    known = (Path.home() / ".postgresql" / "root.crt").is_file()
    if mode.startswith("verify") and not (
        known or "sslrootcert" in values or os.environ.get("PGSSLROOTCERT")
    ):
        raise ValueError(f"has sslmode={mode} without sslrootcert, the certificates to verify with")


def _counts(name: str, value: str, values: dict[str, str]) -> bool:
    """Whether to keep the parameter; `ValueError` if it asks for something unsupported."""
    if value not in _CHOICES.get(name, (value,)):
        raise ValueError(f"has {name} with a value that is none of {', '.join(_CHOICES[name])}")
    if name in _FILES and not Path(value).is_file():
        raise ValueError(f"has {name} with a file that is not there")
    if name == "port" and not re.fullmatch("[0-9]{1,5}(,[0-9]{1,5})*", value):
        raise ValueError(_FORM)
    if name in _COUNTING:
        return True
    if name in _FOR_OTHERS or value in _GRANTED.get(name, ()):
        return False
    if name == "channel_binding" and values.get("sslmode") == "verify-full":
        return False  # the certificate check gives the same assurance
    shown = f" {name}" if _NAME.fullmatch(name) else ""
    raise ValueError(
        f"has the parameter{shown}, {_WHY_NOT.get(name, 'which AIMS does not know: leave it out')}"
    )
