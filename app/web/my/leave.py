"""A student's leave: what became of it, asking for it, and taking it back."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError
from app.queries import instant_cursor
from app.schemas.leave import MyLeaveDraft
from app.services.mine import my_attendance, my_leaves
from app.web.frame.pages import StudentPage, Visit, read

router = APIRouter(prefix="/app/my/leave", route_class=StudentPage, include_in_schema=False)

_PAGE = 50
_ALL = "All my classes: the office decides"
KINDS = {"medical": "Medical", "on_duty": "On duty for the institution", "other": "Other"}
STATES = {
    "pending": "Waiting",
    "approved": "Approved",
    "rejected": "Not approved",
    "withdrawn": "Withdrawn",
}


@router.get("")
async def leave(visit: Visit, cursor: str | None = None) -> Response:
    after = instant_cursor(cursor)
    page = await my_leaves.leaves(visit.db, visit.actor, _PAGE, after)
    mine = read(await my_attendance.attendance(visit.db, visit.actor, None, None))
    classes = {c["classId"]: f"{c['code']} {c['name']} {c['section']}" for c in mine}
    return visit.page(
        "my/leave.html",
        leaves=read(page),
        following=visit.following(page),
        classes=classes,
        scopes=[
            ("", _ALL),
            *((id, f"{name}: your teacher decides") for id, name in classes.items()),
        ],
        kinds=KINDS,
        states=STATES,
    )


@router.post("")
async def ask(visit: Visit) -> Response:
    form = await visit.read_form()
    try:
        await my_leaves.ask(visit.db, visit.actor, form.read(MyLeaveDraft))
    except AppError as refusal:
        return await leave(visit.refused(refusal, form))
    return visit.go("/app/my/leave", done="leave_requested")


@router.post("/{id}/withdraw")
async def withdraw(visit: Visit, id: UUID) -> Response:
    try:
        await my_leaves.withdraw(visit.db, visit.actor, id)
    except AppError as refusal:
        return await leave(visit.refused(refusal))
    return visit.go("/app/my/leave", done="request_withdrawn")
