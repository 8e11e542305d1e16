"""`/classes/{id}/schedules` and `/classes/{id}/reschedules`: when a class meets."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.auth.dependencies import Call, SignedInRoute
from app.queries import check_range
from app.routes.answers import READS, WRITES, From, To, answer, problems_of
from app.schemas.classes import Reschedule, RescheduleDraft, Slot, SlotChange, SlotDraft
from app.services.timetable import reschedules, slots

router = APIRouter(prefix="/classes/{id}", tags=["Timetable"], route_class=SignedInRoute)

_REMOVES = problems_of(401, 403, 404, 409, 422)


@router.get(
    "/schedules",
    operation_id="listSlots",
    summary="List the weekly slots",
    response_model=list[Slot],
    responses=READS,
)
async def list_slots(id: UUID, call: Call) -> Response:
    """By day and time."""
    return answer(await slots.list_slots(call.db, call.actor, id))


@router.post(
    "/schedules",
    operation_id="addSlot",
    summary="Add a weekly slot",
    status_code=201,
    response_model=Slot,
    responses=WRITES,
)
async def add_slot(id: UUID, body: SlotDraft, call: Call) -> Response:
    """A day can have several slots, but overlapping ones are a 409."""
    return answer(await slots.add_slot(call.db, call.actor, id, body), status=201)


@router.get(
    "/schedules/{scheduleId}",
    operation_id="getSlot",
    summary="Get a weekly slot",
    response_model=Slot,
    responses=READS,
)
async def get_slot(id: UUID, scheduleId: UUID, call: Call) -> Response:
    """One weekly slot."""
    return answer(await slots.get_slot(call.db, call.actor, id, scheduleId))


@router.patch(
    "/schedules/{scheduleId}",
    operation_id="changeSlot",
    summary="Change a weekly slot",
    response_model=Slot,
    responses=WRITES,
)
async def change_slot(id: UUID, scheduleId: UUID, body: SlotChange, call: Call) -> Response:
    """Fields left out stay as they are. Sessions already opened are not moved."""
    return answer(await slots.change_slot(call.db, call.actor, id, scheduleId, body))


@router.delete(
    "/schedules/{scheduleId}",
    operation_id="removeSlot",
    summary="Remove a weekly slot",
    status_code=204,
    responses=_REMOVES,
)
async def remove_slot(id: UUID, scheduleId: UUID, call: Call) -> Response:
    """Sessions already opened stay."""
    await slots.remove_slot(call.db, call.actor, id, scheduleId)
    return Response(status_code=204)


@router.get(
    "/reschedules",
    operation_id="listReschedules",
    summary="List moved occurrences",
    response_model=list[Reschedule],
    responses=READS,
)
async def list_reschedules(id: UUID, call: Call, first: From = None, last: To = None) -> Response:
    """Those whose old or new date is in the range."""
    check_range(first, last)
    return answer(await reschedules.list_reschedules(call.db, call.actor, id, first, last))


@router.post(
    "/reschedules",
    operation_id="addReschedule",
    summary="Move one occurrence",
    status_code=201,
    response_model=Reschedule,
    responses=WRITES,
)
async def add_reschedule(id: UUID, body: RescheduleDraft, call: Call) -> Response:
    """A second move of the same occurrence replaces the first."""
    return answer(await reschedules.add_reschedule(call.db, call.actor, id, body), status=201)


@router.get(
    "/reschedules/{rescheduleId}",
    operation_id="getReschedule",
    summary="Get a moved occurrence",
    response_model=Reschedule,
    responses=READS,
)
async def get_reschedule(id: UUID, rescheduleId: UUID, call: Call) -> Response:
    """One moved occurrence."""
    return answer(await reschedules.get_reschedule(call.db, call.actor, id, rescheduleId))


@router.put(
    "/reschedules/{rescheduleId}",
    operation_id="replaceReschedule",
    summary="Change a moved occurrence",
    response_model=Reschedule,
    responses=WRITES,
)
async def replace_reschedule(
    id: UUID, rescheduleId: UUID, body: RescheduleDraft, call: Call
) -> Response:
    """Replaces the whole move, including which occurrence is moved."""
    return answer(await reschedules.replace_reschedule(call.db, call.actor, id, rescheduleId, body))


@router.delete(
    "/reschedules/{rescheduleId}",
    operation_id="removeReschedule",
    summary="Undo a move",
    status_code=204,
    responses=_REMOVES,
)
async def remove_reschedule(id: UUID, rescheduleId: UUID, call: Call) -> Response:
    """The occurrence returns to its slot in the weekly timetable."""
    await reschedules.remove_reschedule(call.db, call.actor, id, rescheduleId)
    return Response(status_code=204)
