"""What a class is called and whose it is; archiving it, and restoring it."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError
from app.schemas.classes import ClassChange
from app.services.access import require_admin, require_owner
from app.services.classes import class_service, teachers
from app.services.sessions import attendance_service
from app.web.classes.class_page import the_class
from app.web.classes.classes import owner_of, terms_of
from app.web.frame.edits import edits
from app.web.frame.forms import Form, left_out, validated
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(
    prefix="/app/classes/{id}/settings", route_class=PageRoute, include_in_schema=False
)

_REQUIRED = ("code", "name", "section")
_OPTIONAL = ("termId", "ltpPattern", "teacherType", "practicalGroup")


@router.get("")
async def show(visit: Visit, id: UUID) -> Response:
    await require_owner(visit.db, visit.actor, id)
    return visit.page(
        "settings/settings.html",
        class_=await the_class(visit, id),
        owner=await _owner(visit, id),
        terms=await terms_of(visit),
    )


@router.post("")
async def change(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()
    try:
        wanted = validated(ClassChange, _edited(form, await the_class(visit, id)))
        await class_service.update_class(visit.db, visit.actor, id, wanted)
    except AppError as refusal:
        return await show(visit.refused(refusal, form), id)
    return visit.go(f"/app/classes/{id}/settings", done="saved")


@router.get("/owner")
async def ask_for_owner(visit: Visit, id: UUID) -> Response:
    """Ask an administrator who is to have the class."""
    await require_admin(visit.db, visit.actor)
    class_ = await the_class(visit, id)
    return visit.page("settings/owner.html", class_=class_, owner=await _owner(visit, id))


@router.post("/owner")
async def reassign(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()
    try:
        owner = await owner_of(visit, form)
        if not owner:
            raise left_out(
                "teacherEmail", "Enter the address of the teacher who takes the class over."
            )
        wanted = validated(ClassChange, owner)
        await class_service.update_class(visit.db, visit.actor, id, wanted)
    except AppError as refusal:
        return await ask_for_owner(visit.refused(refusal, form), id)
    return visit.go(f"/app/classes/{id}/settings", done="reassigned")


@router.get("/archive")
async def ask_to_archive(visit: Visit, id: UUID) -> Response:
    """Say what becomes of the class, and ask."""
    await require_owner(visit.db, visit.actor, id)
    class_ = await the_class(visit, id)
    latest = await attendance_service.list_sessions(
        visit.db, visit.actor, id, None, None, limit=1, after=None
    )
    return visit.page("settings/archive.html", class_=class_, held=bool(read(latest)))


@router.post("/archive")
async def archive(visit: Visit, id: UUID) -> Response:
    if await class_service.delete_class(visit.db, visit.actor, id):
        return visit.go(f"/app/classes/{id}/settings", done="class_archived")
    return visit.go("/app/classes", done="class_removed")


@router.get("/restore")
async def ask_to_restore(visit: Visit, id: UUID) -> Response:
    await require_owner(visit.db, visit.actor, id)
    return visit.page("settings/restore.html", class_=await the_class(visit, id))


@router.post("/restore")
async def restore(visit: Visit, id: UUID) -> Response:
    try:
        await class_service.restore_class(visit.db, visit.actor, id)
    except AppError as refusal:
        return await ask_to_restore(visit.refused(refusal), id)
    return visit.go(f"/app/classes/{id}", done="class_restored")


async def _owner(visit: Visit, id: UUID) -> dict[str, Any]:
    """Who has the class: the first of its teachers."""
    owner, *_ = read(await teachers.list_teachers(visit.db, visit.actor, id))
    return dict(owner)


def _edited(form: Form, class_: dict[str, Any]) -> dict[str, str | None]:
    """The fields that were changed; those that may be left out are taken away if they are empty."""
    edited = edits(form, class_, (*_REQUIRED, *_OPTIONAL))
    return {name: text or (None if name in _OPTIONAL else "") for name, text in edited.items()}
