"""Taking attendance: the sheet of a session, saved as one goes or by one button."""

from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError
from app.schemas.attendance import MarkBatch, SessionDraft, Status
from app.services.counting import sheets
from app.services.sessions import attendance_service, lifecycle, marking
from app.services.sessions.lifecycle import Act
from app.services.sessions.session_lock import Change
from app.web.frame.edits import seen_version
from app.web.frame.forms import Form, validated
from app.web.frame.pages import PageRoute, Visit, read
from app.web.take.lines import line_of
from app.web.take.marks import CERTAIN, Row, changes_of, rows_of

router = APIRouter(prefix="/app/take", route_class=PageRoute, include_in_schema=False)

JSON = "application/json"


@router.post("")
async def open_session(visit: Visit) -> Response:
    """Open the session of a meeting, or find it, and lead to its sheet."""
    form = await visit.read_form()
    draft = form.read(SessionDraft)
    opened = read(await attendance_service.open_session(visit.db, visit.actor, draft, visit.now()))
    return visit.go(f"/app/take/{opened['sessionId']}")


@router.get("/{id}")
async def show(visit: Visit, id: UUID) -> Response:
    sheet = read(await _sheet(visit, id))
    if sheet["status"] != "open":
        return visit.go(f"/app/sessions/{id}")
    return _page(visit, sheet, rows_of(sheet))


@router.post("/{id}")
async def save(visit: Visit, id: UUID) -> Response:
    """Save what the form changed; `action` says what else its button does."""
    form = await visit.read_form()
    sheet = read(await _sheet(visit, id))
    changes = changes_of(form, sheet)
    updates, reason = changes.updates, form.get("reason") or None
    action = form.get("action")
    if action == "previous":
        updates = _as_before(sheet) | updates
    try:
        if updates:
            await _mark(visit, id, updates, reason, sheet["version"])
        if action == "others":
            change = Change(visit.window, reason)
            await lifecycle.mark_unmarked(visit.db, visit.actor, id, Status.PRESENT, change)
    except AppError as refusal:
        return _again(visit.refused(refusal, form), sheet, form)
    if changes.conflicts:
        sheet = read(await _sheet(visit, id))
        rows = [*changes.conflicts, *_others(sheet, changes.conflicts)]
        return _page(visit, sheet, rows, status=409)
    if action == "finalise":
        return visit.go(f"/app/take/{id}/finalise")
    return visit.go(f"/app/take/{id}", done="saved")


@router.get("/{id}/sheet")
async def sheet_now(visit: Visit, id: UUID) -> Response:
    """The sheet as data, for the module of this page."""
    return Response((await _sheet(visit, id)).json, media_type=JSON)


@router.post("/{id}/marks")
async def save_some(visit: Visit, id: UUID) -> Response:
    """Save some marks made from the version that `If-Match` names, for the module of this page."""
    batch = await visit.read_json(MarkBatch)
    versions = seen_version(visit.request.headers.get("if-match", ""))
    marks = await marking.mark(
        visit.db, visit.actor, id, batch, strict=False, if_match=versions, window=visit.window
    )
    return Response(marks.json, media_type=JSON)


@router.get("/{id}/finalise")
async def ask_to_finalise(visit: Visit, id: UUID) -> Response:
    """Name who has no mark and would become absent, and ask."""
    sheet = read(await _sheet(visit, id))
    if sheet["status"] != "open":
        return visit.go(f"/app/sessions/{id}")
    return _finalise_page(visit, sheet)


@router.post("/{id}/finalise")
async def finalise(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()
    change = Change(visit.window, form.get("reason") or None)
    try:
        await lifecycle.perform(visit.db, visit.actor, id, Act.FINALISE, change)
    except AppError as refusal:
        return _finalise_page(visit.refused(refusal, form), read(await _sheet(visit, id)))
    return visit.go(f"/app/sessions/{id}", done="finalised")


def _page(visit: Visit, sheet: dict[str, Any], rows: list[Row], status: int = 200) -> Response:
    return visit.page(
        "take/take.html",
        status=status,
        sheet=sheet,
        rows=rows,
        counts=Counter(row.picked for row in rows),
        lines=(line_of(row, sheet, visit.photo(row.student["photoUrl"])) for row in rows),
        certain=CERTAIN,
    )


async def _sheet(visit: Visit, id: UUID) -> Any:
    return await sheets.sheet(visit.db, visit.actor, id, window=visit.window)


async def _mark(
    visit: Visit, id: UUID, updates: dict[str, str], reason: str | None, version: int
) -> None:
    marks = [{"rollNo": roll, "status": status} for roll, status in updates.items()]
    batch = validated(MarkBatch, {"updates": marks, "reason": reason})
    await marking.mark(
        visit.db, visit.actor, id, batch, strict=True, if_match=[version], window=visit.window
    )


def _as_before(sheet: dict[str, Any]) -> dict[str, str]:
    """For those without a mark, that of the class's session before on this day."""
    return {
        student["rollNo"]: student["previous"]
        for student in sheet["students"]
        if student["previous"] and not student["mark"]
    }


def _finalise_page(visit: Visit, sheet: dict[str, Any]) -> Response:
    return visit.page(
        "take/finalise.html",
        sheet=sheet,
        unmarked=[student for student in sheet["students"] if not student["mark"]],
        undecided=[row.student for row in rows_of(sheet) if row.uncertain],
    )


def _others(sheet: dict[str, Any], conflicts: list[Row]) -> list[Row]:
    shown = {row.student["rollNo"] for row in conflicts}
    return [row for row in rows_of(sheet) if row.student["rollNo"] not in shown]


def _again(visit: Visit, sheet: dict[str, Any], form: Form) -> Response:
    """The sheet with what was picked, though it was refused."""
    rows = [
        replace(row, picked=form.get(f"mark:{row.student['rollNo']}", row.picked))
        for row in rows_of(sheet)
    ]
    return _page(visit, sheet, rows)
