"""`/occurrences` and `/classes/{id}/occurrences`: planned meetings, as JSON and iCalendar."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.auth.dependencies import Call, SignedInRoute
from app.files import calendar_file
from app.files.attachments import attachment
from app.heavy import beside, heavy, heavy_if, spans_few_days
from app.queries import check_range, refused_query
from app.routes.answers import READS, answer, problems_of
from app.schemas.calendar import Occurrence
from app.schemas.words import StoredDate
from app.services.timetable import occurrences
from app.services.timetable.meetings import MAX_DAYS

router = APIRouter(tags=["Occurrences"], route_class=SignedInRoute)

_ICS = {"type": "string", "example": "BEGIN:VCALENDAR\r\n...\r\nEND:VCALENDAR\r\n"}
DAYS_BACK, DAYS_AHEAD = 7, 28
# asyncpg sends Python's first and last date as PostgreSQL's infinities.
_FIRST, _LAST = date.min.toordinal() + 1, date.max.toordinal() - 1

From = Annotated[
    StoredDate | None,
    Query(alias="from", description="First date; if both are left out, a week ago"),
]
To = Annotated[
    StoredDate | None,
    Query(alias="to", description="Last date; if both are left out, in four weeks"),
]
Day = Annotated[StoredDate | None, Query(alias="date", description="Default: today")]


def _is_long(query: Mapping[str, str]) -> bool:
    return ("from" in query or "to" in query) and not spans_few_days(query)


@router.get(
    "/occurrences",
    operation_id="listOccurrences",
    summary="List the occurrences on a date",
    response_model=list[Occurrence],
    responses=problems_of(401, 403, 422),
)
async def list_occurrences(call: Call, day: Day = None) -> Response:
    """By start. A teacher sees their own classes, an admin all, without archived ones."""
    now = call.now()
    return answer(await occurrences.on_date(call.db, call.actor, day or now.date(), now))


@router.get(
    "/classes/{id}/occurrences",
    operation_id="listClassOccurrences",
    summary="List when a class meets",
    response_model=list[Occurrence],
    responses=READS,
)
@heavy_if(_is_long)
async def list_class_occurrences(
    id: UUID, call: Call, first: From = None, last: To = None
) -> Response:
    """By date and start, within the term of the class; at most 400 days and 5,000 meetings at
    a time.

    With only one of `from` and `to`, the range is as long as the default one.
    """
    now = call.now()
    first, last = _range(first, last, now.date())
    return answer(await occurrences.of_class(call.db, call.actor, id, first, last, now))


def _range(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    if first is None and last is None:
        return _days_from(today, -DAYS_BACK), _days_from(today, DAYS_AHEAD)
    if last is None:
        assert first is not None
        last = _days_from(first, DAYS_BACK + DAYS_AHEAD)
    if first is None:
        first = _days_from(last, -DAYS_BACK - DAYS_AHEAD)
    check_range(first, last)
    if (last - first).days >= MAX_DAYS:
        raise refused_query("to", "range_too_long", f"Ask for at most {MAX_DAYS} days at a time.")
    return first, last


def _days_from(day: date, days: int) -> date:
    return date.fromordinal(min(max(day.toordinal() + days, _FIRST), _LAST))


@router.get(
    "/classes/{id}/calendar.ics",
    operation_id="getClassCalendar",
    summary="Get when a class meets, for calendars",
    response_class=Response,
    responses=READS
    | {
        200: {
            "description": "An iCalendar file (RFC 5545)",
            "content": {"text/calendar": {"schema": _ICS}},
        }
    },
)
@heavy
async def get_class_calendar(id: UUID, call: Call) -> Response:
    """All meetings of its term; without a term, those from 30 days ago to 180 days ahead.

    Holidays are left out, and a moved meeting is the same event at its new time.
    """
    now = call.now()
    plan = await occurrences.plan(call.db, call.actor, id, now)
    content = await beside(calendar_file.written, plan, call.zone, now)
    headers = attachment(plan.code, plan.section, name="{}.ics")
    return Response(content, headers=headers, media_type="text/calendar")
