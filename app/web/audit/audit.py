"""What happened: the audit log, for administrators."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response
from pydantic import Field

from app.documents import Document
from app.heavy import heavy
from app.queries import check_range, instant_cursor
from app.request_limits import FILE, limited
from app.schemas.words import Id, StoredDate
from app.services import audit
from app.web.audit.words import ACTIONS, Names, Told, action_of, ids_of, told
from app.web.frame.lists import Place, download, listed
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app", route_class=PageRoute, include_in_schema=False)

_COLUMNS = {
    "at": "When",
    "who": "Who",
    "what": "What",
    "about": "About",
    "details": "Details",
    "action": "Action",
    "subjectId": "Id",
    "requestId": "Request",
}


class _Wanted(Place):
    actor_id: Id | None = None
    subject_id: Id | None = None
    action: Annotated[str | None, Field(max_length=64, pattern="^[a-z_]+$")] = None
    from_: Annotated[StoredDate | None, Field(alias="from")] = None
    to: StoredDate | None = None


@router.get("/audit")
async def show(visit: Visit) -> Response:
    visit, entries, following = await listed(visit.asked(), _Wanted, _entries)
    names = await _names(visit, entries)
    return visit.page(
        "audit/audit.html",
        entries=[told(entry, names) for entry in entries],
        names=names,
        following=following,
        actions=_actions(visit.form.get("action") if visit.form else ""),
        without=_without(visit),
    )


@router.get("/audit.csv")
@heavy
@limited(FILE)
async def as_csv(visit: Visit) -> Response:
    return await download(visit, "what-happened.csv", _COLUMNS, _Wanted, _rows)


async def _entries(visit: Visit, wanted: _Wanted, cursor: str | None, limit: int) -> Document[Any]:
    check_range(wanted.from_, wanted.to)
    after = instant_cursor(cursor)
    shown = audit.Filter(wanted.actor_id, wanted.subject_id, wanted.action, wanted.from_, wanted.to)
    return await audit.list_entries(visit.db, visit.actor, shown, limit, after)


async def _rows(visit: Visit, wanted: _Wanted, cursor: str | None, limit: int) -> Document[Any]:
    """The entries as the columns of the file have them."""
    document = await _entries(visit, wanted, cursor, limit)
    entries = read(document)
    names = await _names(visit, entries)
    rows = [_row(told(entry, names), visit.zone) for entry in entries]
    return Document(json.dumps(rows), next_cursor=document.next_cursor)


async def _names(visit: Visit, entries: list[dict[str, Any]]) -> Names:
    """What the ids in the entries are called, by id."""
    ids = ids_of(entries)
    found = read(await audit.names_of(visit.db, visit.actor, ids)) if ids else []
    return {each["id"]: each for each in found}


def _row(each: Told, zone: ZoneInfo) -> dict[str, Any]:
    at = datetime.fromisoformat(each.entry["at"]).astimezone(zone)
    details = [f"{label}: {', '.join(v.name for v in values)}" for label, values in each.details]
    words = {"at": f"{at:%Y-%m-%d %H:%M:%S}", "who": each.who.name, "what": each.what}
    return {**each.entry, **words, "about": each.about.name, "details": "; ".join(details)}


def _actions(chosen: str) -> list[tuple[str, str]]:
    """The actions to choose from, by their words, and the one in the address."""
    found = dict(sorted(ACTIONS.items(), key=lambda each: each[1]))
    if chosen and chosen not in found:
        found[chosen] = action_of(chosen)
    return [("", "Everything"), *found.items()]


def _without(visit: Visit) -> Callable[[str], str]:
    """The address of the page without that filter."""

    def without(name: str) -> str:
        url = visit.request.url.remove_query_params([name, "cursor"])
        return f"{url.path}?{url.query}"

    return without
