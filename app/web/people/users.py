"""Who has signed in: finding them, locking them out and letting them in again."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.documents import Document
from app.errors import AppError, Conflict
from app.queries import check_text, text_cursor
from app.schemas.admin import UserChange
from app.services.people import users
from app.web.frame.edits import edits
from app.web.frame.forms import Form, validated
from app.web.frame.lists import Search, listed
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/people/users", route_class=PageRoute, include_in_schema=False)

_FIELDS = ("department", "employeeId")


@router.get("")
async def show(visit: Visit) -> Response:
    visit, people, following = await listed(visit.asked(), Search, _page)
    return visit.page("people/users.html", people=people, following=following)


@router.get("/{id}")
async def user(visit: Visit, id: UUID) -> Response:
    return visit.page("people/user.html", user=await _user(visit, id))


@router.post("/{id}")
async def change(visit: Visit, id: UUID) -> Response:
    form, stored = await visit.read_form(), await _user(visit, id)
    try:
        edited = edits(form, stored, _FIELDS)
    except Conflict as refusal:
        return visit.refused(refusal, form).page("people/user.html", user=stored)
    return await _change(visit, id, form, {name: text or None for name, text in edited.items()})


@router.post("/{id}/deactivate")
async def deactivate(visit: Visit, id: UUID) -> Response:
    return await _change(visit, id, await visit.read_form(), {"disabled": True})


@router.post("/{id}/activate")
async def activate(visit: Visit, id: UUID) -> Response:
    return await _change(visit, id, await visit.read_form(), {"disabled": False})


async def _page(visit: Visit, search: Search, cursor: str | None, limit: int) -> Document[Any]:
    check_text(search.query)
    after = text_cursor(cursor)
    return await users.list_users(visit.db, visit.actor, search.query, limit, after)


async def _change(visit: Visit, id: UUID, form: Form, values: dict[str, Any]) -> Response:
    try:
        wanted = validated(UserChange, values)
        if wanted.model_fields_set:
            await users.change_user(visit.db, visit.actor, id, wanted)
    except AppError as refusal:
        stored = await _user(visit, id)
        return visit.refused(refusal, form).page("people/user.html", user=stored)
    return visit.go(f"/app/people/users/{id}", done="saved")


async def _user(visit: Visit, id: UUID) -> dict[str, Any]:
    found: dict[str, Any] = read(await users.get_user(visit.db, visit.actor, id))
    return found
