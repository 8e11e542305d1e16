"""The attendance policy: in words for all staff; administrators change it after a preview.

The rules that are tried are in the address of the preview, and the form that confirms them sends
the same ones.
"""

import json
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from app.documents import Document
from app.errors import AppError, Invalid
from app.heavy import heavy
from app.queries import MAX_PAGE, class_cursor, instant_cursor
from app.request_limits import FILE, limited
from app.schemas.policy import Counting, PolicyRules
from app.services import audit
from app.services.counting import policies
from app.web.frame.edits import require_unchanged, shown_in
from app.web.frame.lists import Place, download
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/policy", route_class=PageRoute, include_in_schema=False)

_CHANGES = audit.Filter(action="policy_changed")
_SHOWN_CHANGES = 20
_RULES = ("threshold", "lateWeight", "excused", "onDuty", "minimumSessions")
_COLUMNS = {
    "code": "Course Code",
    "section": "Section",
    "rollNo": "Roll No",
    "name": "Name",
    "direction": "Direction",
    "before": "Percentage now",
    "after": "Percentage then",
}


class _Tried(Place):
    """Rules as people write them: the line and the weight of a late mark in percent."""

    threshold: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]
    late_weight: Annotated[int, Field(ge=0, le=100)]
    excused: Counting
    on_duty: Counting
    minimum_sessions: Annotated[int, Field(ge=0, le=1000)]

    def rules(self) -> PolicyRules:
        values = self.model_dump(exclude={"cursor"})
        return PolicyRules(**values | {"threshold": int(self.threshold * 100)})


@router.get("")
async def show(visit: Visit) -> Response:
    place = visit.asked().filters(Place)
    return await _policy(visit, place.cursor)


@router.get("/preview")
@heavy
async def preview(visit: Visit) -> Response:
    """Who would cross the line if the rules in the address were in force."""
    visit = visit.asked()
    try:
        tried = visit.filters(_Tried)
        after = class_cursor(tried.cursor)
    except Invalid as refusal:
        return await _policy(visit.refused(refusal), None)
    rules = tried.rules()
    page = await policies.preview_policy(visit.db, visit.actor, rules, MAX_PAGE, after)
    return visit.page(
        "policy/preview.html",
        policy=await _in_force(visit),
        tried=rules.model_dump(mode="json", by_alias=True),
        crossing=read(page),
        rules=_RULES,
        following=visit.following(page),
        cursor=tried.cursor,
    )


@router.get("/preview.csv")
@heavy
@limited(FILE)
async def preview_as_csv(visit: Visit) -> Response:
    return await download(visit, "who-would-cross-the-line.csv", _COLUMNS, _Tried, _crossing)


@router.post("")
async def change(visit: Visit) -> Response:
    form = await visit.read_form()
    try:
        rules = form.read(_Tried).rules()
        require_unchanged(shown_in(form), await _in_force(visit))
        await policies.set_policy(visit.db, visit.actor, rules)
    except AppError as refusal:
        return await _policy(visit.refused(refusal, form), None)
    return visit.go("/app/policy", done="policy_set")


async def _crossing(visit: Visit, tried: _Tried, cursor: str | None, limit: int) -> Document[Any]:
    """The students alone, as a list."""
    after = class_cursor(cursor)
    page = await policies.preview_policy(visit.db, visit.actor, tried.rules(), limit, after)
    return Document(json.dumps(read(page)["students"]), next_cursor=page.next_cursor)


async def _policy(visit: Visit, cursor: str | None) -> Response:
    policy = await _in_force(visit)
    changes, following = await _history(visit, cursor)
    return visit.page(
        "policy/policy.html",
        policy=policy,
        rules=_RULES,
        changes=changes,
        following=following,
        cursor=cursor,
    )


async def _in_force(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = read(await policies.get_policy(visit.db, visit.actor))
    return found


async def _history(visit: Visit, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """The changes of the rules, newest first, from the log that only administrators may read."""
    if not visit.administers:
        return [], None
    after = instant_cursor(cursor)
    page = await audit.list_entries(visit.db, visit.actor, _CHANGES, _SHOWN_CHANGES, after)
    return read(page), visit.following(page)
