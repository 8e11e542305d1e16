"""`/health`: for load balancers and monitoring."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from app.auth.dependencies import Db
from app.errors import Unavailable
from app.routes.answers import problems_of
from app.services import health

router = APIRouter(prefix="/health", tags=["Health"])


class Health(BaseModel):
    status: Literal["healthy"]


@router.get("", operation_id="getHealth", summary="Is the server healthy?", responses=problems_of())
async def get_health(db: Db) -> Health:
    """The server is healthy if the database answers."""
    await health.ping(db)
    return Health(status="healthy")


@router.get("/live", operation_id="getLiveness", summary="Is the process alive?")
async def get_liveness() -> Health:
    """Checks only the process itself, not the database."""
    return Health(status="healthy")


@router.get(
    "/ready",
    operation_id="getReadiness",
    summary="Is it ready for traffic?",
    responses=problems_of(),
)
async def get_readiness(request: Request, db: Db) -> Health:
    """Ready if the database answers, its schema is current, and the server is not stopping.

    `?of=server` asks only whether it is stopping: for a proxy before several servers, which would
    otherwise take all of them out together when the database is away.
    """
    if request.app.state.draining:
        raise Unavailable("The server is stopping.", code="draining", retry_after=1)
    if request.query_params.get("of") != "server":
        await health.require_current_schema(db)
    return Health(status="healthy")
