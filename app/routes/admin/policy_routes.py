"""`/admin/policy`: how attendance is counted and judged."""

from fastapi import APIRouter, Request, Response

from app.auth.dependencies import Call, SignedInRoute
from app.heavy import heavy
from app.queries import MAX_PAGE, class_cursor
from app.routes.answers import PAGED, WRITES, Cursor, Limit, answer, problems_of
from app.schemas.policy import Policy, PolicyPreview, PolicyRules
from app.services.counting import policies

router = APIRouter(prefix="/admin/policy", tags=["Administration"], route_class=SignedInRoute)


@router.get(
    "",
    operation_id="getPolicy",
    summary="Get the attendance policy",
    response_model=Policy,
    responses=problems_of(401, 403),
)
async def get_policy(call: Call) -> Response:
    """The rules in force; teachers can read them, too."""
    return answer(await policies.get_policy(call.db, call.actor))


@router.put(
    "",
    operation_id="setPolicy",
    summary="Set the attendance policy",
    response_model=Policy,
    responses=WRITES,
)
async def set_policy(body: PolicyRules, call: Call) -> Response:
    """All percentages and standings follow it from the next request on."""
    return answer(await policies.set_policy(call.db, call.actor, body))


@router.post(
    "/preview",
    operation_id="previewPolicy",
    summary="Who would cross the line?",
    response_model=PolicyPreview,
    responses=WRITES | PAGED,
)
@heavy
async def preview_policy(
    request: Request,
    body: PolicyRules,
    call: Call,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Changes nothing. Only students on the roster of a class that is not archived are counted. If
    there are more, the `Link` header has the next page: repeat the same request with it.
    """
    after = class_cursor(cursor)
    page = await policies.preview_policy(call.db, call.actor, body, limit, after)
    return answer(page, request=request)
