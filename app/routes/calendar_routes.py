"""`/calendar` for everybody; `/admin/terms` and `/admin/holidays` for administrators."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.auth.dependencies import Call, SignedInRoute
from app.queries import check_range
from app.routes.answers import WRITES, From, To, answer, problems_of
from app.schemas.calendar import (
    Calendar,
    Holiday,
    HolidayChange,
    HolidayDraft,
    Term,
    TermChange,
    TermDraft,
)
from app.services.timetable import calendar

router = APIRouter(tags=["Calendar"], route_class=SignedInRoute)

_LISTS = problems_of(401, 403)
_REMOVES = problems_of(401, 403, 404, 409, 422)


@router.get(
    "/calendar",
    operation_id="getCalendar",
    summary="Get terms and holidays",
    response_model=Calendar,
    responses=problems_of(401, 403, 422),
)
async def get_calendar(call: Call, first: From = None, last: To = None) -> Response:
    """Those that overlap `from` to `to`, both by first day."""
    check_range(first, last)
    return answer(await calendar.calendar(call.db, call.actor, first, last))


@router.get(
    "/admin/terms",
    operation_id="listTerms",
    summary="List the terms",
    response_model=list[Term],
    responses=_LISTS,
)
async def list_terms(call: Call) -> Response:
    """By first day."""
    return answer(await calendar.terms.list(call.db, call.actor))


@router.post(
    "/admin/terms",
    operation_id="addTerm",
    summary="Add a term",
    status_code=201,
    response_model=Term,
    responses=WRITES | {200: {"model": Term, "description": "It exists already, unchanged"}},
)
async def add_term(body: TermDraft, call: Call) -> Response:
    """Terms may overlap; two with the same name are a 409."""
    term, made = await calendar.terms.add(call.db, call.actor, body)
    return answer(term, status=201 if made else 200)


@router.patch(
    "/admin/terms/{id}",
    operation_id="changeTerm",
    summary="Change a term",
    response_model=Term,
    responses=WRITES,
)
async def change_term(id: UUID, body: TermChange, call: Call) -> Response:
    """Its classes meet on the new dates; sessions that were held stay."""
    return answer(await calendar.terms.change(call.db, call.actor, id, body))


@router.delete(
    "/admin/terms/{id}",
    operation_id="removeTerm",
    summary="Remove a term",
    status_code=204,
    responses=_REMOVES,
)
async def remove_term(id: UUID, call: Call) -> Response:
    """A term that has classes, including archived ones, is a 409."""
    await calendar.terms.remove(call.db, call.actor, id)
    return Response(status_code=204)


@router.get(
    "/admin/holidays",
    operation_id="listHolidays",
    summary="List the holidays",
    response_model=list[Holiday],
    responses=_LISTS,
)
async def list_holidays(call: Call) -> Response:
    """By first day."""
    return answer(await calendar.holidays.list(call.db, call.actor))


@router.post(
    "/admin/holidays",
    operation_id="addHoliday",
    summary="Add a holiday",
    status_code=201,
    response_model=Holiday,
    responses=WRITES | {200: {"model": Holiday, "description": "It exists already, unchanged"}},
)
async def add_holiday(body: HolidayDraft, call: Call) -> Response:
    """A single day, or several with `lastDay`. Sessions held on these days still count."""
    holiday, made = await calendar.holidays.add(call.db, call.actor, body)
    return answer(holiday, status=201 if made else 200)


@router.patch(
    "/admin/holidays/{id}",
    operation_id="changeHoliday",
    summary="Change a holiday",
    response_model=Holiday,
    responses=WRITES,
)
async def change_holiday(id: UUID, body: HolidayChange, call: Call) -> Response:
    """Fields left out stay as they are."""
    return answer(await calendar.holidays.change(call.db, call.actor, id, body))


@router.delete(
    "/admin/holidays/{id}",
    operation_id="removeHoliday",
    summary="Remove a holiday",
    status_code=204,
    responses=_REMOVES,
)
async def remove_holiday(id: UUID, call: Call) -> Response:
    """Classes meet on its dates again."""
    await calendar.holidays.remove(call.db, call.actor, id)
    return Response(status_code=204)
