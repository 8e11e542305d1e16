"""`/my`: what concerns the signed-in person."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.auth.dependencies import Call, SignedInRoute
from app.routes.answers import answer, problems_of
from app.schemas.day import Day
from app.schemas.words import StoredDate
from app.services.timetable import day as teaching_day

router = APIRouter(prefix="/my", tags=["Occurrences"], route_class=SignedInRoute)

OnDate = Annotated[StoredDate | None, Query(alias="date", description="Without it today")]


@router.get(
    "/day",
    operation_id="getDay",
    summary="Get what I teach on a date",
    response_model=Day,
    responses=problems_of(401, 403, 422),
)
async def get_day(call: Call, day: OnDate = None) -> Response:
    """By start, each with its session and marks counted; and what was missed in the 14 days before.

    Of classes that one owns, co-teaches or is the substitute in on that date. An admin gets these
    too, and not all classes: `GET /occurrences` has all. Archived classes are left out.
    """
    now = call.now()
    return answer(await teaching_day.of_actor(call.db, call.actor, day or now.date(), now))
