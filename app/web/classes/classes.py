"""The classes of the signed-in person, and making one."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.errors import AppError, Invalid
from app.queries import check_text
from app.schemas.classes import ClassDraft
from app.services.classes import class_service
from app.services.people import users
from app.services.timetable import calendar
from app.web.frame.forms import Form
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/classes", route_class=PageRoute, include_in_schema=False)

Term = Annotated[str | None, Query(pattern="^(current|all|[0-9a-fA-F-]{36})$")]
# Addresses that hold the whole one that was entered are few.
_ALIKE = 50


@router.get("")
async def list_classes(visit: Visit, term: Term = None, archived: bool = False) -> Response:
    shown = term or ("all" if archived else "current")
    classes = await class_service.list_classes(
        visit.db, visit.actor, roster=False, archived=archived, term=shown
    )
    return visit.page(
        "classes/classes.html",
        classes=read(classes),
        terms=await terms_of(visit),
        term=shown,
        archived=archived,
    )


@router.get("/new")
async def new(visit: Visit) -> Response:
    return visit.page("classes/new.html", terms=await terms_of(visit))


@router.post("/new")
async def create(visit: Visit) -> Response:
    form = await visit.read_form()
    try:
        draft = form.read(ClassDraft, **await owner_of(visit, form))
        made = read(await class_service.create_class(visit.db, visit.actor, draft))
    except AppError as refusal:
        return visit.refused(refusal, form).page("classes/new.html", terms=await terms_of(visit))
    return visit.go(f"/app/classes/{made['id']}/roster", done="class_made")


async def terms_of(visit: Visit) -> list[dict[str, Any]]:
    """All terms, the latest first."""
    terms = read(await calendar.calendar(visit.db, visit.actor, None, None))["terms"]
    return list(reversed(terms))


async def owner_of(visit: Visit, form: Form) -> dict[str, UUID | str]:
    """`teacherId` by the field `teacherEmail`, with which an administrator names an owner."""
    email = form.get("teacherEmail").casefold()
    if not email:
        return {}
    check_text(email, "teacherEmail")
    found = read(await users.list_users(visit.db, visit.actor, email, _ALIKE, None))
    for user in found:
        if user["email"].casefold() == email:
            return {"teacherId": user["id"]}
    raise Invalid.at(
        "/teacherEmail", "unknown_teacher", "Nobody with this address has signed in yet."
    )
