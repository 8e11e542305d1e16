"""`/stats`: attendance counted."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.auth.dependencies import Call, SignedInRoute
from app.routes.answers import READS, answer
from app.schemas.stats import StudentStats
from app.services import stats_service

router = APIRouter(prefix="/stats", tags=["Statistics"], route_class=SignedInRoute)


class Include(StrEnum):
    WITHDRAWN = "withdrawn"


@router.get(
    "/classes/{id}/students",
    operation_id="getClassStats",
    summary="Attendance of each student of a class",
    response_model=list[StudentStats],
    responses=READS,
)
async def get_class_stats(
    id: UUID,
    call: Call,
    include: Annotated[Include | None, Query(description="withdrawn: those who left, too")] = None,
) -> Response:
    """By roll number, counting the marks of this class only."""
    withdrawn = include is Include.WITHDRAWN
    return answer(await stats_service.class_stats(call.db, call.actor, id, withdrawn=withdrawn))
