"""Leave in a list with filters, as a file, and one leave with what happened to it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from app.documents import Document
from app.heavy import heavy
from app.queries import check_range, check_text, instant_cursor, meeting_cursor
from app.request_limits import FILE, limited
from app.schemas.leave import LeaveStatus
from app.schemas.words import Id, StoredDate
from app.services import audit
from app.services.leave import covered, leaves
from app.services.leave.leaves import Filter
from app.web.frame.lists import Place, download, listed
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
_MOST_SESSIONS = 50


class _Filters(Place):
    """The filters of the list, as its address has them. Without a state: what is undecided."""

    status: Annotated[str, Field(pattern=f"^({'|'.join([*LeaveStatus, 'all'])})$")] = "pending"
    roll_no: Annotated[str | None, Field(max_length=255)] = None
    class_id: Id | None = None
    from_: Annotated[StoredDate | None, Field(alias="from")] = None
    to: StoredDate | None = None


@router.get("/leave")
async def show_list(visit: Visit) -> Response:
    return await list_page(visit.asked())


@router.get("/leave.csv")
@heavy
@limited(FILE)
async def list_as_csv(visit: Visit) -> Response:
    return await download(visit, "leave.csv", _COLUMNS, _Filters, _page)


async def list_page(visit: Visit) -> Response:
    """The list that an `asked` visit asks for, with the refusal of a decision if there was one."""
    visit, found, following = await listed(visit, _Filters, _page)
    return visit.page(
        "leave/list.html",
        leaves=found,
        # The page of a refused decision is at another address, with the same query.
        following=following and f"/app/leave?{following.partition('?')[2]}",
        query=visit.request.url.query,
        kinds=KINDS,
        states=STATES,
    )


async def leave_page(visit: Visit, id: UUID, cursor: str | None = None) -> Response:
    """One leave; after a refused decision with what was entered and why it was refused."""
    after = meeting_cursor(cursor)
    leave = read(await leaves.get_leave(visit.db, visit.actor, id))
    sessions = await covered.sessions(visit.db, visit.actor, id, _MOST_SESSIONS, after)
    following = visit.following(sessions)
    return visit.page(
        "leave/leave.html",
        leave=leave,
        sessions=read(sessions),
        # The page of a refused decision is at another address.
        following=following and f"/app/leave/{id}?{following.partition('?')[2]}",
        cursor=cursor,
        events=await _events(visit, leave),
        kinds=KINDS,
        states=STATES,
    )


async def _page(visit: Visit, filters: _Filters, cursor: str | None, limit: int) -> Document[Any]:
    check_range(filters.from_, filters.to)
    check_text(filters.roll_no, "rollNo")
    status = None if filters.status == "all" else LeaveStatus(filters.status)
    shown = Filter(filters.class_id, filters.roll_no, status, filters.from_, filters.to)
    after = instant_cursor(cursor)
    return await leaves.list_leaves(visit.db, visit.actor, shown, limit, after)


async def _events(visit: Visit, leave: dict[str, Any]) -> list[dict[str, Any]]:
    """What happened to the leave, the latest first: all of it for who may read the audit log."""
    names = {leave["requestedBy"]: leave["requestedByName"]}
    names[leave["decidedBy"]] = leave["decidedByName"]
    if not visit.administers:
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
