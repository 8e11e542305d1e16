"""Deciding on leave: one on its own page, or several at once from the list, each on its own."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from app.errors import AppError, Invalid
from app.queries import MAX_PAGE
from app.schemas.lifecycle import Explained
from app.schemas.words import Id, Words
from app.services.leave import leaves
from app.services.leave.deciding import Decision, decide
from app.services.sessions.session_lock import Change
from app.web.frame.forms import Form, validated
from app.web.frame.pages import PageRoute, Visit, read
from app.web.leave.leave_pages import STATES, leave_page, list_page

router = APIRouter(prefix="/app/leave", route_class=PageRoute, include_in_schema=False)


class _Chosen(Words):
    """Which leaves to decide how, from the list."""

    decision: Annotated[str, Field(pattern="^(approve|reject|withdraw)$")]
    leave: Annotated[list[Id], Field(min_length=1, max_length=MAX_PAGE)]


@router.post("/decide")
async def decide_several(visit: Visit) -> Response:
    """Decide on each chosen leave in a transaction of its own, and show what became of each."""
    sent = await visit.read_form()
    form = Form([*visit.asked().form.texts, *sent.texts])  # type: ignore[union-attr]
    try:
        chosen, reason = _chosen(sent), sent.read(Explained).reason
    except Invalid as refusal:
        return await list_page(visit.refused(refusal, form))
    decision = Decision[chosen.decision.upper()]
    fates = [await _fate(visit, id, decision, reason) for id in dict.fromkeys(chosen.leave)]
    return _report(visit, form, chosen.decision, fates)


@router.get("/{id}")
async def show(visit: Visit, id: UUID, cursor: str | None = None) -> Response:
    return await leave_page(visit, id, cursor)


@router.post("/{id}/approve")
async def approve(visit: Visit, id: UUID) -> Response:
    return await _decide(visit, id, Decision.APPROVE)


@router.post("/{id}/reject")
async def reject(visit: Visit, id: UUID) -> Response:
    return await _decide(visit, id, Decision.REJECT)


@router.post("/{id}/withdraw")
async def withdraw(visit: Visit, id: UUID) -> Response:
    return await _decide(visit, id, Decision.WITHDRAW)


async def _decide(visit: Visit, id: UUID, decision: Decision) -> Response:
    form = await visit.read_form()
    try:
        change = Change(visit.window, form.read(Explained).reason)
        await decide(visit.db, visit.actor, id, decision, change)
    except AppError as refusal:
        return await leave_page(visit.refused(refusal, form), id)
    return visit.go(f"/app/leave/{id}", done=f"leave_{decision.value[1]}")


def _chosen(form: Form) -> _Chosen:
    ids = form.all("leave")
    if not ids:
        raise Invalid(
            "Choose the leave to decide on first: tick its box.", code="validation_failed"
        )
    return validated(_Chosen, {"decision": form.get("decision"), "leave": ids})


async def _fate(visit: Visit, id: UUID, decision: Decision, reason: str | None) -> dict[str, Any]:
    """What became of a leave: with `refusal` if it was not decided, else with `changed` marks."""
    try:
        decided = await decide(visit.db, visit.actor, id, decision, Change(visit.window, reason))
    except AppError as refusal:
        return {"id": str(id), "leave": await _leave(visit, id), "refusal": refusal}
    return {"id": str(id), "refusal": None, **read(decided)}


async def _leave(visit: Visit, id: UUID) -> dict[str, Any] | None:
    """The leave, if it can be seen."""
    try:
        found: dict[str, Any] = read(await leaves.get_leave(visit.db, visit.actor, id))
    except AppError:
        return None
    return found


def _report(visit: Visit, form: Form, decision: str, fates: list[dict[str, Any]]) -> Response:
    """The fate of each; where none was decided, with the status of the first refusal."""
    refused = [fate for fate in fates if fate["refusal"]]
    status = refused[0]["refusal"].status if len(refused) == len(fates) else 200
    return replace(visit, form=form).page(
        "leave/decided.html",
        status=status,
        decision=decision,
        decided=[fate for fate in fates if not fate["refusal"]],
        refused=refused,
        query=visit.request.url.query,
        states=STATES,
    )
