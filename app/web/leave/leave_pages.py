"""Leave in a list with filters, as a file, and one leave with what happened to it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from app.documents import Document
from app.errors import Invalid
from app.queries import MAX_CURSOR, MAX_PAGE, check_range, check_text, instant_cursor
from app.request_limits import FILE, limited
from app.schemas.leave import LeaveStatus
from app.schemas.words import Id, StoredDate, Words
from app.services import audit
from app.services.leave import leaves
from app.services.leave.leaves import Filter
from app.web.frame.downloads import AT_ONCE, download
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app", route_class=PageRoute, include_in_schema=False)

KINDS = {"medical": "Medical", "on_duty": "On duty", "other": "Other"}
STATES = {
    "pending": "Waiting",
    "approved": "Approved",
    "rejected": "Rejected",
    "withdrawn": "Withdrawn",
}
_ACTS = {
    "leave_requested": "Asked for",
    "leave_approved": "Approved",
    "leave_rejected": "Rejected",
    "leave_withdrawn": "Withdrawn",
}
_COLUMNS = {
    "rollNo": "Roll No",
    "name": "Name",
    "code": "Course Code",
    "className": "Course Name",
    "section": "Section",
    "firstDay": "First day",
    "lastDay": "Last day",
    "kind": "Kind",
    "note": "Reason",
    "requestedByName": "Asked by",
    "createdAt": "Asked at",
    "status": "State",
    "decidedByName": "Decided by",
    "decidedAt": "Decided at",
}
_MOST_ACTS = 50


class LeaveFilters(Words):
    """The filters of the list, as its address has them. Without a state: what is undecided."""

    status: Annotated[str, Field(pattern=f"^({'|'.join([*LeaveStatus, 'all'])})$")] = "pending"
    roll_no: Annotated[str | None, Field(max_length=255)] = None
    class_id: Id | None = None
    from_: Annotated[StoredDate | None, Field(alias="from")] = None
    to: StoredDate | None = None
    cursor: Annotated[str | None, Field(max_length=MAX_CURSOR)] = None


@router.get("/leave")
async def show_list(visit: Visit) -> Response:
    visit = visit.asked()
    return await list_page(visit)


@router.get("/leave.csv")
@limited(FILE)
async def list_as_csv(visit: Visit) -> Response:
    filters = visit.asked().filters(LeaveFilters)
    return await download(
        "leave.csv", _COLUMNS, lambda cursor: _page(visit, filters, cursor, AT_ONCE)
    )


async def list_page(visit: Visit) -> Response:
    """The list that an `asked` visit asks for, with the refusal of a decision if there was one."""
    found, following = [], None
    try:
        filters = visit.filters(LeaveFilters)
        page = await _page(visit, filters, filters.cursor, MAX_PAGE)
        found, following = read(page), _following(visit, page)
    except Invalid as refusal:
        visit = visit.refused(visit.refusal or refusal)
    query = visit.request.url.query
    return visit.page(
        "leave/list.html",
        leaves=found,
        following=following,
        query=query,
        kinds=KINDS,
        states=STATES,
    )


async def leave_page(visit: Visit, id: UUID) -> Response:
    """One leave; after a refused decision with what was entered and why it was refused."""
    leave = read(await leaves.get_leave(visit.db, visit.actor, id))
    return visit.page(
        "leave/leave.html",
        leave=leave,
        events=await _events(visit, leave),
        kinds=KINDS,
        states=STATES,
    )


def _following(visit: Visit, page: Document[Any]) -> str | None:
    """The address of the next page of the list, from the page of a refused decision, too."""
    address = visit.following(page)
    return address and f"/app/leave?{address.partition('?')[2]}"


async def _page(
    visit: Visit, filters: LeaveFilters, cursor: str | None, limit: int
) -> Document[Any]:
    check_range(filters.from_, filters.to)
    check_text(filters.roll_no, cursor, name="rollNo")
    status = None if filters.status == "all" else LeaveStatus(filters.status)
    shown = Filter(filters.class_id, filters.roll_no, status, filters.from_, filters.to)
    after = instant_cursor(cursor)
    return await leaves.list_leaves(visit.db, visit.actor, shown, limit, after)


async def _events(visit: Visit, leave: dict[str, Any]) -> list[dict[str, Any]]:
    """What happened to the leave, the latest first: all of it for who may read the audit log."""
    names = {leave["requestedBy"]: leave["requestedByName"]}
    names[leave["decidedBy"]] = leave["decidedByName"]
    if not visit.person or visit.person["role"] != "admin":
        return _known_events(leave)
    shown = audit.Filter(subject_id=UUID(leave["id"]))
    acts = read(await audit.list_entries(visit.db, visit.actor, shown, _MOST_ACTS, None))
    return [
        {"what": _ACTS.get(act["action"], act["action"]), "at": act["at"]}
        | {"by": _name_of(act["actorId"], names)}
        for act in acts
    ]


def _known_events(leave: dict[str, Any]) -> list[dict[str, Any]]:
    """What the leave itself says about who asked and who decided last."""
    asked = {"what": "Asked for", "at": leave["createdAt"]}
    events = [asked | {"by": leave["requestedByName"] or "The student"}]
    if leave["decidedAt"]:
        decided = {"what": STATES[leave["status"]], "at": leave["decidedAt"]}
        events.insert(0, decided | {"by": leave["decidedByName"] or "The student"})
    return events


def _name_of(actor_id: str | None, names: dict[str | None, str | None]) -> str:
    if actor_id is None:
        return "The student"
    return names.get(actor_id) or "Another administrator or teacher"
