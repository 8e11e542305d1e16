"""Who may sign in: finding, adding, changing and removing addresses, for administrators."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.documents import Document
from app.errors import AppError
from app.heavy import heavy
from app.queries import check_text, text_cursor
from app.request_limits import FILE, limited
from app.schemas.admin import AllowedEmailChange, AllowedEmailDraft
from app.services.people import allow_list, allowed
from app.web.frame.edits import edits
from app.web.frame.forms import Form, validated
from app.web.frame.lists import Search, download, listed
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app", route_class=PageRoute, include_in_schema=False)

# The headings are those by which an import knows the columns again.
_COLUMNS = {"email": "Email", "name": "Name", "role": "Role"}


@router.get("/people")
async def show(visit: Visit) -> Response:
    return await _list(visit)


@router.post("/people")
async def add(visit: Visit) -> Response:
    form = await visit.read_form()
    try:
        draft = form.read(AllowedEmailDraft)
        await allow_list.add(visit.db, visit.actor, draft)
    except AppError as refusal:
        return await _list(visit, visit.refused(refusal, form))
    return visit.go("/app/people", done="allowed")


@router.get("/people.csv")
@heavy
@limited(FILE)
async def as_csv(visit: Visit) -> Response:
    return await download(visit, "people.csv", _COLUMNS, Search, _page)


@router.get("/people/{id}")
async def entry(visit: Visit, id: UUID) -> Response:
    return visit.page("people/entry.html", entry=await _entry(visit, id))


@router.post("/people/{id}")
async def change(visit: Visit, id: UUID) -> Response:
    form, stored = await visit.read_form(), await _entry(visit, id)
    try:
        wanted = validated(AllowedEmailChange, _changes(form, stored))
        if wanted.model_fields_set:
            await allow_list.change(visit.db, visit.actor, id, wanted)
    except AppError as refusal:
        return visit.refused(refusal, form).page("people/entry.html", entry=stored)
    return visit.go(f"/app/people/{id}", done="saved")


@router.get("/people/{id}/remove")
async def ask_to_remove(visit: Visit, id: UUID) -> Response:
    return visit.page("people/remove.html", entry=await _entry(visit, id))


@router.post("/people/{id}/remove")
async def remove(visit: Visit, id: UUID) -> Response:
    try:
        await allow_list.remove(visit.db, visit.actor, id)
    except AppError as refusal:
        stored = await _entry(visit, id)
        return visit.refused(refusal).page("people/remove.html", entry=stored)
    return visit.go("/app/people", done="disallowed")


async def _list(visit: Visit, adding: Visit | None = None) -> Response:
    """The list. What is wrong with an address to add is said in `adding`; the search is another
    form."""
    asked, people, following = await listed(visit.asked(), Search, _page)
    return (adding or asked).page("people/list.html", people=people, following=following)


async def _page(visit: Visit, search: Search, cursor: str | None, limit: int) -> Document[Any]:
    check_text(search.query)
    after = text_cursor(cursor)
    return await allowed.list_allowed(visit.db, visit.actor, search.query, limit, after)


async def _entry(visit: Visit, id: UUID) -> dict[str, Any]:
    found: dict[str, Any] = read(await allowed.get_allowed(visit.db, visit.actor, id))
    return found


def _changes(form: Form, stored: dict[str, Any]) -> dict[str, Any]:
    """The fields that were changed; an empty name takes the name away."""
    wanted: dict[str, str | None] = {**edits(form, stored, _COLUMNS)}
    return {name: value or (None if name == "name" else value) for name, value in wanted.items()}
