"""The calendar of the institution: its terms and holidays, which administrators maintain."""

from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError, NotFound
from app.schemas.calendar import HolidayChange, HolidayDraft, TermChange, TermDraft
from app.services.classes import class_service
from app.services.timetable import calendar
from app.web.frame.edits import edits
from app.web.frame.forms import Form, validated
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/calendar", route_class=PageRoute, include_in_schema=False)


class Kind(StrEnum):
    """What is in the calendar, as addresses have it."""

    TERMS = "terms"
    HOLIDAYS = "holidays"


_SERVICES: dict[Kind, calendar.Kept[Any, Any, Any]] = {
    Kind.TERMS: calendar.terms,
    Kind.HOLIDAYS: calendar.holidays,
}
_CHANGES = {Kind.TERMS: TermChange, Kind.HOLIDAYS: HolidayChange}


@router.get("")
async def show(visit: Visit) -> Response:
    document = read(await calendar.calendar(visit.db, visit.actor, None, None))
    today = visit.now().date()
    ahead, over = _by_day(document["holidays"], today)
    return visit.page(
        "calendar/calendar.html",
        terms=document["terms"][::-1],
        ahead=ahead,
        over=over[::-1],
        today=str(today),
    )


@router.get("/{kind}/new")
async def new(visit: Visit, kind: Kind) -> Response:
    return await _new(visit, kind)


@router.post("/{kind}/new")
async def add(visit: Visit, kind: Kind) -> Response:
    form = await visit.read_form()
    try:
        _, made = await _SERVICES[kind].add(visit.db, visit.actor, _entered(form, kind))
    except AppError as refusal:
        return await _new(visit.refused(refusal, form), kind)
    return visit.go("/app/calendar", done="in_calendar" if made else "in_calendar_already")


@router.get("/{kind}/{id}")
async def show_entry(visit: Visit, kind: Kind, id: UUID) -> Response:
    return await _entry(visit, kind, id)


@router.post("/{kind}/{id}")
async def change(visit: Visit, kind: Kind, id: UUID) -> Response:
    form, stored = await visit.read_form(), await _stored(visit, kind, id)
    try:
        whole = _whole(_entered(form, kind))
        wanted = validated(
            _CHANGES[kind], {name: whole[name] for name in edits(form, stored, whole)}
        )
        if wanted.model_fields_set:
            await _SERVICES[kind].change(visit.db, visit.actor, id, wanted)
    except AppError as refusal:
        return await _entry(visit.refused(refusal, form), kind, id)
    return visit.go("/app/calendar", done="saved")


@router.get("/{kind}/{id}/remove")
async def ask_to_remove(visit: Visit, kind: Kind, id: UUID) -> Response:
    """Say what removing it means, and ask."""
    return await _removal(visit, kind, id)


@router.post("/{kind}/{id}/remove")
async def remove(visit: Visit, kind: Kind, id: UUID) -> Response:
    try:
        await _SERVICES[kind].remove(visit.db, visit.actor, id)
    except AppError as refusal:
        return await _removal(visit.refused(refusal), kind, id)
    return visit.go("/app/calendar", done="off_calendar")


def _entered(form: Form, kind: Kind) -> TermDraft | HolidayDraft:
    """The form as an entry of its own: that of a change has all of its fields, too."""
    return form.read(TermDraft) if kind is Kind.TERMS else form.read(HolidayDraft)


def _whole(draft: TermDraft | HolidayDraft) -> dict[str, Any]:
    """The fields of the entry; a holiday without a last day is a single day."""
    days = {"firstDay": draft.first_day, "lastDay": draft.last_day or draft.first_day}
    return {"name": draft.name, **{name: str(day) for name, day in days.items()}}


async def _new(visit: Visit, kind: Kind) -> Response:
    # Whom the service does not show its list need not fill in the form.
    await _SERVICES[kind].list(visit.db, visit.actor)
    return visit.page("calendar/entry.html", kind=kind, entry=None)


async def _entry(visit: Visit, kind: Kind, id: UUID) -> Response:
    entry = await _stored(visit, kind, id)
    return visit.page("calendar/entry.html", kind=kind, entry=entry)


async def _removal(visit: Visit, kind: Kind, id: UUID) -> Response:
    entry = await _stored(visit, kind, id)
    used, archived = await _classes_of(visit, id) if kind is Kind.TERMS else (0, 0)
    return visit.page("calendar/remove.html", kind=kind, entry=entry, used=used, archived=archived)


async def _stored(visit: Visit, kind: Kind, id: UUID) -> dict[str, Any]:
    entries: list[dict[str, Any]] = read(await _SERVICES[kind].list(visit.db, visit.actor))
    for entry in entries:
        if entry["id"] == str(id):
            return entry
    raise NotFound("There is no such entry in the calendar.")


async def _classes_of(visit: Visit, term: UUID) -> tuple[int, int]:
    """How many classes belong to the term: those in use, and those that are archived."""
    in_use, archived = [
        await class_service.list_classes(
            visit.db, visit.actor, roster=False, archived=archived, term=str(term)
        )
        for archived in (False, True)
    ]
    return len(read(in_use)), len(read(archived))


def _by_day(
    holidays: list[dict[str, Any]], today: date
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The holidays of today and later, and those that are over."""
    ahead = [each for each in holidays if each["lastDay"] >= str(today)]
    return ahead, [each for each in holidays if each["lastDay"] < str(today)]
