"""Jinja2, with what the templates of all pages use."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from app.web.frame.assets import WEB, address_of
from app.web.frame.messages import MESSAGES
from app.web.frame.navigation import NAVIGATION

STATUSES = {"present": "Present", "absent": "Absent", "late": "Late", "excused": "Excused"}
STANDINGS = {
    "ok": "On track",
    "at_risk": "At risk",
    "below": "Below the line",
    "no_data": "Too few sessions",
}
# How a mark came to be.
SOURCES = {
    "manual": "by hand",
    "ai": "by photo",
    "auto": "by finalising",
    "import": "by import",
    "leave": "by leave",
}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# What becomes of a row of a file, or would, in the order in which people look for it.
FATES = {
    "refused": "Cannot be imported",
    "created": "Added",
    "changed": "Changed",
    "unchanged": "Stays as it is",
}
# What somebody is in a class.
ROLES = {
    "owner": "Owner",
    "co_teacher": "Co-teacher",
    "substitute": "Substitute",
    "admin": "Administrator",
}
# The same dates are on many rows and many pages.
_remembered = lru_cache(maxsize=4096)


def render(template: str, **values: Any) -> str:
    """The text of a template below `app/web`."""
    return _environment.get_template(template).render(**values)


@_remembered
def day(text: str) -> str:
    """`2025-10-27` as people write it: Mon 27 Oct 2025."""
    return f"{date.fromisoformat(text):%a %-d %b %Y}"


@_remembered
def short_day(text: str) -> str:
    """The same without the year: Mon 27 Oct."""
    return f"{date.fromisoformat(text):%a %-d %b}"


def month(text: str) -> str:
    """`2025-10` as people write it: October 2025."""
    return f"{date.fromisoformat(f'{text}-01'):%B %Y}"


@pass_context
def instant(context: Context, text: str) -> str:
    """An instant in the institution's time zone: 27 Oct 2025, 09:03."""
    return _instant(text, context["visit"].zone)


@_remembered
def _instant(text: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(text).astimezone(zone):%-d %b %Y, %H:%M}"


def plain(number: float) -> str:
    """A number with two decimals at most: 4, 4.5, 83.33."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def percent(number: float | None) -> str:
    """`83.33` as 83.33 %; a dash where there is none."""
    return "–" if number is None else f"{plain(number)} %"


def segment(text: str) -> str:
    """The text as one part of an address, or as a value in its query: `23/CS/101` too."""
    return quote(text, safe="")


@pass_context
def entered(context: Context, name: str, stored: Any = "") -> Any:
    """What a field shows: what was just entered, if that was refused, else what is stored."""
    form = context["visit"].form
    return stored if form is None else form.get(name)


@pass_context
def flaw(context: Context, name: str) -> str | None:
    """What is wrong with the field, if something is."""
    refusal = context["visit"].refusal
    flaws = refusal.flaws if refusal else ()
    return next((each.detail for each in flaws if each.pointer == f"/{name}"), None)


@pass_context
def here(context: Context) -> str | None:
    """The address in the main navigation that the page is at or below, the nearest if several."""
    path = f"{context['visit'].request.scope['path']}/"
    addresses = [each for _, pages in NAVIGATION[context["person"]["role"]] for each, _ in pages]
    return max((each for each in addresses if path.startswith(f"{each}/")), key=len, default=None)


def filled(pattern: Markup, lines: Iterable[Mapping[str, Any]]) -> Markup:
    """The pattern once for each line, with `%(name)s` replaced by its value of that name, escaped.

    For lists of many lines: a loop in the template takes several times as long.
    """
    text = str(pattern)
    # What is empty has nothing to escape.
    return Markup(
        "".join(
            text % {name: value and escape(value) for name, value in line.items()} for line in lines
        )
    )


class _Environment(Environment):
    """Looks up `student.name` in a document as its field: documents are dicts, in which Jinja looks
    last, after an exception for each."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _environment_of() -> Environment:
    environment = _Environment(
        loader=FileSystemLoader(WEB),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "asset": address_of,
        "entered": entered,
        "flaw": flaw,
        "here": here,
        "messages": MESSAGES,
        "navigation": NAVIGATION,
        "statuses": STATUSES,
        "standings": STANDINGS,
        "fates": FATES,
        "roles": ROLES,
        "sources": SOURCES,
        "weekdays": WEEKDAYS,
    }
    environment.filters |= {
        "day": day,
        "filled": filled,
        "short_day": short_day,
        "month": month,
        "instant": instant,
        "percent": percent,
        "plain": plain,
        "segment": segment,
    }
    return environment


_environment = _environment_of()
