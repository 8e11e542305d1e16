"""One session: its marks, who changed what and when, and what is done with the whole of it."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError
from app.schemas.lifecycle import Reasoned
from app.services.sessions import attendance_service, history, lifecycle
from app.services.sessions.lifecycle import Act
from app.services.sessions.session_lock import Change
from app.web.classes.class_page import the_class
from app.web.frame.forms import Form
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/sessions", route_class=PageRoute, include_in_schema=False)

_SHOWN_CHANGES = 100
_DONE = {
    Act.REOPEN: "reopened",
    Act.CANCEL: "cancelled",
    Act.RESTORE: "restored",
}
_NEEDS_REASON = (Act.REOPEN, Act.CANCEL)


@router.get("/{id}")
async def show(visit: Visit, id: UUID) -> Response:
    session = read(await attendance_service.get_session(visit.db, visit.actor, id))
    class_ = await the_class(visit, UUID(session["classId"]))
    changes = read(await history.history(visit.db, visit.actor, id, _SHOWN_CHANGES, None))
    events = read(await lifecycle.list_events(visit.db, visit.actor, id))
    return visit.page(
        "sessions/session.html", session=session, class_=class_, changes=changes, events=events
    )


@router.post("/{id}/reopen")
async def reopen(visit: Visit, id: UUID) -> Response:
    return await _perform(visit, id, Act.REOPEN)


@router.post("/{id}/cancel")
async def cancel(visit: Visit, id: UUID) -> Response:
    return await _perform(visit, id, Act.CANCEL)


@router.post("/{id}/restore")
async def restore(visit: Visit, id: UUID) -> Response:
    return await _perform(visit, id, Act.RESTORE)


async def _perform(visit: Visit, id: UUID, act: Act) -> Response:
    form = await visit.read_form()
    try:
        change = Change(visit.window, _reason(form, act))
        await lifecycle.perform(visit.db, visit.actor, id, act, change)
    except AppError as refusal:
        return await show(visit.refused(refusal, form), id)
    return visit.go(f"/app/sessions/{id}", done=_DONE[act])


def _reason(form: Form, act: Act) -> str | None:
    if act in _NEEDS_REASON:
        return form.read(Reasoned).reason
    return form.get("reason") or None
