"""`/users`: the signed-in person."""

from fastapi import APIRouter, Response

from app.auth.dependencies import Call, SignedInRoute
from app.routes.answers import answer, problems_of
from app.schemas.users import Me
from app.services.people import accounts

router = APIRouter(prefix="/users", tags=["People"], route_class=SignedInRoute)


@router.get(
    "/me",
    operation_id="getMe",
    summary="Who am I?",
    response_model=Me,
    responses=problems_of(401, 403),
)
async def get_me(call: Call) -> Response:
    """The profile of the signed-in person, with their current role."""
    return answer(await accounts.me(call.db, call.actor))
