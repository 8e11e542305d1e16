"""What somebody changed in a form of stored values, which others may have changed meanwhile.

For each such field the form also has what was stored when it was shown (`ui.was`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import Conflict, Flaw
from app.web.frame.forms import Form

CHANGED_MEANWHILE = "changed_meanwhile"


def edits(form: Form, stored: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """The fields of the form that were changed in it, so that all others stay as they are now.

    Raises `Conflict` for those that somebody else has changed meanwhile.
    """
    texts = dict(form.texts)
    now = {name: _text(stored[name]) for name in names if name in texts}
    was = now | shown_in(form)
    edited = {name: texts[name] for name in now if texts[name] != was[name]}
    flaws = [
        _meanwhile(name, now[name])
        for name, text in edited.items()
        if now[name] not in (was[name], text)
    ]
    if flaws:
        sentence = "Somebody else has changed this meanwhile, so nothing was saved."
        raise Conflict(sentence, code=CHANGED_MEANWHILE, flaws=tuple(flaws))
    return edited


def shown_in(form: Form) -> dict[str, str]:
    """What was stored when the form was shown."""
    sign = "was:"
    return {name.removeprefix(sign): text for name, text in form.texts if name.startswith(sign)}


def require_unchanged(shown: Mapping[str, str], stored: Mapping[str, Any]) -> None:
    """Refuse to confirm what was decided by looking at values that are stored no longer."""
    if any(_text(stored[name]) != text for name, text in shown.items() if name in stored):
        sentence = "Somebody else has changed this meanwhile. Look at it again before you confirm."
        raise Conflict(sentence, code=CHANGED_MEANWHILE)


def seen_version(text: str) -> list[int]:
    """The version of a session that a page was shown with, as services take those seen."""
    return [int(text)] if text.isascii() and text.isdigit() and len(text) < 10 else []


def _meanwhile(name: str, now: str) -> Flaw:
    value = f"It is “{now}” now." if now else "It is empty now."
    return Flaw(f"/{name}", CHANGED_MEANWHILE, f"{value} Save again to replace that.")


def _text(value: Any) -> str:
    """A stored value as a form sends it."""
    return "" if value is None else str(value).replace("\r\n", "\n").strip()
