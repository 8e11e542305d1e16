"""`/stats`: attendance statistics, for teachers."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import WithJsonSchema

from app.auth.dependencies import Call, SignedInRoute
from app.heavy import heavy_if
from app.queries import MAX_PAGE, refused_query, session_cursor
from app.routes.answers import PAGED, READS, Cursor, Limit, answer
from app.schemas.stats import (
    SessionStats,
    StudentInClass,
    StudentOverall,
    StudentSession,
    StudentStats,
)
from app.schemas.words import RollNo
from app.services.counting import session_stats, student_sessions, student_stats

router = APIRouter(prefix="/stats", tags=["Statistics"], route_class=SignedInRoute)

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")


class Include(StrEnum):
    WITHDRAWN = "withdrawn"


Withdrawn = Annotated[
    Include | None, Query(description="withdrawn: include students who have left")
]
_AN_INSTANT = {"type": "string", "format": "date-time", "examples": ["2025-10-20T03:31:07Z"]}
AsOf = Annotated[
    Annotated[str, WithJsonSchema(_AN_INSTANT)] | None,
    Query(alias="asOf", description="An instant in UTC: the figures as they were then"),
]


@router.get(
    "/classes/{id}/students",
    operation_id="getClassStats",
    summary="Attendance of each student of a class",
    response_model=list[StudentStats],
    responses=READS,
)
@heavy_if(lambda query: "asOf" in query)
async def get_class_stats(
    id: UUID, call: Call, include: Withdrawn = None, as_of: AsOf = None
) -> Response:
    """By roll number, counting the marks of this class only."""
    stats = await student_stats.of_class(
        call.db,
        call.actor,
        id,
        withdrawn=include is Include.WITHDRAWN,
        as_of=_past(as_of, call.now()),
    )
    return answer(stats)


@router.get(
    "/classes/{id}/sessions",
    operation_id="getClassTrend",
    summary="Attendance of each session of a class",
    response_model=list[SessionStats],
    responses=READS,
)
@heavy_if(lambda query: "asOf" in query)
async def get_class_trend(id: UUID, call: Call, as_of: AsOf = None) -> Response:
    """Oldest first, without cancelled sessions."""
    past = _past(as_of, call.now())
    return answer(await session_stats.of_class(call.db, call.actor, id, as_of=past))


@router.get(
    "/classes/{id}/students/{studentId}",
    operation_id="getClassStudent",
    summary="Attendance of one student of a class",
    response_model=StudentInClass,
    responses=READS,
)
async def get_class_student(id: UUID, studentId: UUID, call: Call) -> Response:
    """Of somebody who has left the class, too; who was never in it is a 404."""
    return answer(await student_stats.of_one(call.db, call.actor, id, studentId))


@router.get(
    "/classes/{id}/students/{studentId}/sessions",
    operation_id="listClassStudentSessions",
    summary="Marks of one student of a class, session by session",
    response_model=list[StudentSession],
    responses=READS | PAGED,
)
async def list_class_student_sessions(
    id: UUID,
    studentId: UUID,
    request: Request,
    call: Call,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Newest first, with who made each mark and when. Sessions from when the student was not in
    the class are left out, unless they have a mark."""
    after = session_cursor(cursor)
    page = await student_sessions.sessions(call.db, call.actor, id, studentId, limit, after)
    return answer(page, request=request)


@router.get(
    "/students",
    operation_id="getStudentStats",
    summary="Attendance of a student in all classes",
    response_model=StudentOverall,
    responses=READS,
)
@heavy_if(lambda query: "asOf" in query)
async def get_student_stats(
    call: Call,
    roll_no: Annotated[RollNo, Query(alias="rollNo")],
    include: Withdrawn = None,
    as_of: AsOf = None,
) -> Response:
    """A teacher sees their own classes, an admin all, by code and section, without archived ones.
    A student in none of them is a 404, like an unknown roll number."""
    stats = await student_stats.of_student(
        call.db,
        call.actor,
        roll_no,
        withdrawn=include is Include.WITHDRAWN,
        as_of=_past(as_of, call.now()),
    )
    return answer(stats)


def _past(instant: str | None, now: datetime) -> datetime | None:
    """Parse the requested instant; refused if it is invalid or in the future."""
    if instant is None:
        return None
    try:
        past = datetime.fromisoformat(instant) if _INSTANT.fullmatch(instant) else None
    except ValueError:
        past = None
    if past is None:
        raise refused_query(
            "asOf", "invalid_instant", "This must be an instant in UTC: YYYY-MM-DDTHH:MM:SSZ."
        )
    if past > now:
        raise refused_query("asOf", "instant_in_future", "This instant is still to come.")
    return past
