"""`/stats`: statistics of the whole institution, for administrators."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, WithJsonSchema

from app.auth.dependencies import Call, SignedInRoute
from app.heavy import heavy
from app.queries import (
    MAX_PAGE,
    check_text,
    class_cursor,
    id_cursor,
    occurrence_cursor,
    past_range,
)
from app.routes.answers import PAGED, Cursor, Limit, answer, problems_of
from app.schemas.stats import ClassOfTerm, Defaulter, MissingSession, Overview
from app.schemas.words import StoredDate
from app.services.counting import institution_stats
from app.services.timetable.meetings import MAX_DAYS

router = APIRouter(prefix="/stats", tags=["Statistics"], route_class=SignedInRoute)

Term = Annotated[
    str,
    Query(
        pattern="^(current|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$",
        description="The id of a term, or `current`: the term of today, else the latest",
    ),
]
_PER_CENT = {"type": "number", "minimum": 0, "maximum": 100, "examples": [66.67]}
Threshold = Annotated[
    Annotated[Decimal, Field(ge=0, le=100, decimal_places=2), WithJsonSchema(_PER_CENT)] | None,
    Query(description="In per cent, with at most two decimals; default: the policy's"),
]
Department = Annotated[
    str | None,
    Query(max_length=255, description="That of the owners; empty for owners without one"),
]
From = Annotated[
    StoredDate | None,
    Query(alias="from", description="First date; default: the first day of the current term"),
]
To = Annotated[StoredDate | None, Query(alias="to", description="Last date; default: today")]


@router.get(
    "/overview",
    operation_id="getOverview",
    summary="A term in figures",
    response_model=Overview,
    responses=problems_of(401, 403, 422),
)
@heavy
async def get_overview(call: Call, term: Term = "current") -> Response:
    """Classes, students, sessions and marks of the institution; for admins."""
    return answer(await institution_stats.overview(call.db, call.actor, term, call.now()))


@router.get(
    "/classes",
    operation_id="listClassesOfTerm",
    summary="The classes of a term in figures",
    response_model=list[ClassOfTerm],
    responses=problems_of(401, 403, 422) | PAGED,
)
@heavy
async def list_classes_of_term(
    request: Request,
    call: Call,
    term: Term = "current",
    department: Department = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Each with its sessions and where its students stand, by code and section; for admins."""
    check_text(department, name="department")
    after = id_cursor(cursor)
    page = await institution_stats.classes(call.db, call.actor, term, department, limit, after)
    return answer(page, request=request)


@router.get(
    "/defaulters",
    operation_id="listDefaulters",
    summary="List who is below the line",
    response_model=list[Defaulter],
    responses=problems_of(401, 403, 422) | PAGED,
)
@heavy
async def list_defaulters(
    request: Request,
    call: Call,
    threshold: Threshold = None,
    term: Term = "current",
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Every student who is below the line in a class, by roll number and class; for admins."""
    hundredths = int(threshold * 100) if threshold is not None else None
    after = class_cursor(cursor)
    page = await institution_stats.defaulters(call.db, call.actor, hundredths, term, limit, after)
    return answer(page, request=request)


@router.get(
    "/missing-sessions",
    operation_id="listMissingSessions",
    summary="List where attendance was not taken",
    response_model=list[MissingSession],
    responses=problems_of(401, 403, 422) | PAGED,
)
@heavy
async def list_missing_sessions(
    request: Request,
    call: Call,
    first: From = None,
    last: To = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """In all classes, by date, start and class; for admins. At most 400 days at a time."""
    now = call.now()
    first, last = past_range(first, last, now.date(), MAX_DAYS)
    after = occurrence_cursor(cursor)
    page = await institution_stats.missing_sessions(
        call.db, call.actor, first, last, now, limit, after
    )
    return answer(page, request=request)
