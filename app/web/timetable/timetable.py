"""When a class meets: its week, its coming meetings, and those that were moved."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError
from app.schemas.classes import RescheduleDraft, SlotChange, SlotDraft
from app.services.timetable import reschedules, slots
from app.web.classes.class_page import meetings_of, takes_until, the_class
from app.web.frame.forms import Form
from app.web.frame.pages import PageRoute, Visit, read
from app.web.today.today import STATES

router = APIRouter(
    prefix="/app/classes/{id}/timetable", route_class=PageRoute, include_in_schema=False
)

_BACK, _AHEAD = timedelta(days=7), timedelta(days=28)


@router.get("")
async def show(visit: Visit, id: UUID) -> Response:
    return await _timetable(visit, id)


@router.post("")
async def add_slot(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()
    try:
        draft = form.read(SlotDraft, **_weekday(form))
        await slots.add_slot(visit.db, visit.actor, id, draft)
    except AppError as refusal:
        return await _timetable(visit.refused(refusal, form), id)
    return visit.go(f"/app/classes/{id}/timetable", done="slot_added")


@router.get("/slots/{slot_id}")
async def show_slot(visit: Visit, id: UUID, slot_id: UUID) -> Response:
    return await _slot(visit, id, slot_id)


@router.post("/slots/{slot_id}")
async def change_slot(visit: Visit, id: UUID, slot_id: UUID) -> Response:
    form = await visit.read_form()
    try:
        change = form.read(SlotChange, **_weekday(form))
        await slots.change_slot(visit.db, visit.actor, id, slot_id, change)
    except AppError as refusal:
        return await _slot(visit.refused(refusal, form), id, slot_id)
    return visit.go(f"/app/classes/{id}/timetable", done="saved")


@router.post("/slots/{slot_id}/remove")
async def remove_slot(visit: Visit, id: UUID, slot_id: UUID) -> Response:
    await slots.remove_slot(visit.db, visit.actor, id, slot_id)
    return visit.go(f"/app/classes/{id}/timetable", done="slot_removed")


@router.get("/move")
async def ask_to_move(visit: Visit, id: UUID, on: date, start: str) -> Response:
    """Ask where one meeting is moved to."""
    class_ = await the_class(visit, id)
    return visit.page("timetable/move.html", class_=class_, on=str(on), start=start)


@router.post("/move")
async def move(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()
    try:
        draft = form.read(RescheduleDraft)
        await reschedules.add_reschedule(visit.db, visit.actor, id, draft)
    except AppError as refusal:
        class_ = await the_class(visit, id)
        return visit.refused(refusal, form).page(
            "timetable/move.html",
            class_=class_,
            on=form.get("originalDate"),
            start=form.get("originalStartTime"),
        )
    return visit.go(f"/app/classes/{id}/timetable", done="moved")


@router.post("/moves/{move_id}/undo")
async def undo_move(visit: Visit, id: UUID, move_id: UUID) -> Response:
    await reschedules.remove_reschedule(visit.db, visit.actor, id, move_id)
    return visit.go(f"/app/classes/{id}/timetable", done="move_undone")


async def _timetable(visit: Visit, id: UUID) -> Response:
    class_, today = await the_class(visit, id), visit.now().date()
    recent = str(today - _BACK)
    return visit.page(
        "timetable/timetable.html",
        class_=class_,
        meetings=await meetings_of(visit, id, today, today + _AHEAD),
        moves=[
            each
            for each in class_["reschedules"]
            if max(each["originalDate"], each["rescheduledDate"]) >= recent
        ],
        takes_until=takes_until(visit, class_),
        states=STATES,
    )


async def _slot(visit: Visit, id: UUID, slot_id: UUID) -> Response:
    slot = read(await slots.get_slot(visit.db, visit.actor, id, slot_id))
    class_ = await the_class(visit, id)
    return visit.page("timetable/slot.html", class_=class_, slot=slot)


def _weekday(form: Form) -> dict[str, Any]:
    """The day of the week, which models read as a number."""
    text = form.get("dayOfWeek")
    return {"dayOfWeek": int(text)} if len(text) == 1 and text in "1234567" else {}
