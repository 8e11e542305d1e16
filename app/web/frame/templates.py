"""Jinja2, with what the templates of all pages use."""

from datetime import date, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

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


def render(template: str, **values: Any) -> str:
    """The text of a template below `app/web`."""
    return _environment.get_template(template).render(**values)


def day(text: str) -> str:
    """`2025-10-27` as people write it: Mon 27 Oct 2025."""
    return f"{date.fromisoformat(text):%a %-d %b %Y}"


def short_day(text: str) -> str:
    """The same without the year: Mon 27 Oct."""
    return f"{date.fromisoformat(text):%a %-d %b}"


def month(text: str) -> str:
    """`2025-10` as people write it: October 2025."""
    return f"{date.fromisoformat(f'{text}-01'):%B %Y}"


@pass_context
def instant(context: Context, text: str) -> str:
    """An instant in the institution's time zone: 27 Oct 2025, 09:03."""
    zone: ZoneInfo = context["visit"].zone
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
def here(context: Context, address: str) -> bool:
    """Whether the page is at this address of the main navigation or below it, and no nearer one."""
    path = f"{context['visit'].request.url.path}/"
    role = context["person"]["role"]
    addresses = [each for _, pages in NAVIGATION[role] for each, _ in pages]
    above = [each for each in addresses if path.startswith(f"{each}/")]
    return max(above, key=len, default=None) == address


def _environment_of() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(WEB),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "asset": address_of,
        "entered": entered,
        "flaw": flaw,
        "messages": MESSAGES,
        "navigation": NAVIGATION,
        "statuses": STATUSES,
        "standings": STANDINGS,
        "fates": FATES,
        "roles": ROLES,
        "sources": SOURCES,
        "weekdays": WEEKDAYS,
    }
    environment.tests["here"] = here
    environment.filters |= {
        "day": day,
        "short_day": short_day,
        "month": month,
        "instant": instant,
        "percent": percent,
        "plain": plain,
        "segment": segment,
    }
    return environment


_environment = _environment_of()
