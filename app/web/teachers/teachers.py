"""Who teaches a class: its owner, and the co-teachers and substitutes that it is shared with."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError, NotFound
from app.schemas.teachers import Cover, TeacherList
from app.services.access import require_owner
from app.services.classes import teachers
from app.web.classes.class_page import the_class
from app.web.frame.edits import edits
from app.web.frame.forms import Form, validated
from app.web.frame.pages import PageRoute, Visit, read
from app.web.frame.templates import ROLES

router = APIRouter(
    prefix="/app/classes/{id}/teachers", route_class=PageRoute, include_in_schema=False
)

Entries = list[dict[str, Any]]

_COVER = ("role", "firstDay", "lastDay")
_COVERS = [(cover.value, ROLES[cover]) for cover in Cover]


@router.get("")
async def show(visit: Visit, id: UUID) -> Response:
    return visit.page(
        "teachers/teachers.html",
        class_=await the_class(visit, id),
        teachers=read(await teachers.list_teachers(visit.db, visit.actor, id)),
        covers=_COVERS,
        today=str(visit.now().date()),
    )


@router.post("")
async def add(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()

    def added(others: Entries) -> TeacherList:
        return _list_of([*others, {"email": form.get("email"), **_cover(form)}])

    try:
        await teachers.change_teachers(visit.db, visit.actor, id, added)
    except AppError as refusal:
        return await show(visit.refused(refusal, form), id)
    return visit.go(f"/app/classes/{id}/teachers", done="teacher_added")


@router.get("/{user_id}")
async def show_one(visit: Visit, id: UUID, user_id: UUID) -> Response:
    return await _one(visit, id, user_id, "teachers/teacher.html")


@router.post("/{user_id}")
async def change(visit: Visit, id: UUID, user_id: UUID) -> Response:
    form = await visit.read_form()

    def changed(others: Entries) -> TeacherList:
        rest, one = _apart(others, user_id)
        stays = {name: one[name] for name in ("userId", *_COVER)}
        edited = {name: text or None for name, text in edits(form, one, _COVER).items()}
        return _list_of([*rest, stays | edited])

    try:
        await teachers.change_teachers(visit.db, visit.actor, id, changed)
    except AppError as refusal:
        again = visit.refused(refusal, form)
        return await _one(again, id, user_id, "teachers/teacher.html")
    return visit.go(f"/app/classes/{id}/teachers", done="saved")


@router.get("/{user_id}/remove")
async def ask_to_remove(visit: Visit, id: UUID, user_id: UUID) -> Response:
    """Say what removing them means, and ask."""
    return await _one(visit, id, user_id, "teachers/remove.html")


@router.post("/{user_id}/remove")
async def remove(visit: Visit, id: UUID, user_id: UUID) -> Response:
    def without(others: Entries) -> TeacherList:
        return _list_of(_apart(others, user_id)[0])

    try:
        await teachers.change_teachers(visit.db, visit.actor, id, without)
    except AppError as refusal:
        return await _one(visit.refused(refusal), id, user_id, "teachers/remove.html")
    return visit.go(f"/app/classes/{id}/teachers", done="teacher_removed")


async def _one(visit: Visit, id: UUID, user_id: UUID, template: str) -> Response:
    # Whom the service does not let change the list needs no form.
    await require_owner(visit.db, visit.actor, id)
    listed = read(await teachers.list_teachers(visit.db, visit.actor, id))
    _, one = _apart([each for each in listed if each["role"] != "owner"], user_id)
    class_ = await the_class(visit, id)
    return visit.page(template, class_=class_, teacher=one, covers=_COVERS)


def _apart(others: Entries, user_id: UUID) -> tuple[Entries, dict[str, Any]]:
    """The others without this one, and this one."""
    for place, each in enumerate(others):
        if each["userId"] == str(user_id):
            return others[:place] + others[place + 1 :], each
    raise NotFound("There is no such co-teacher or substitute in this class.")


def _list_of(entries: Entries) -> TeacherList:
    return validated(TeacherList, {"teachers": entries})


def _cover(form: Form) -> dict[str, Any]:
    """What they are in the class, and on which days; a day left out leaves that end open."""
    return {name: form.get(name) or None for name in _COVER}
