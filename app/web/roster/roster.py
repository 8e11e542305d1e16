"""Who is in a class: adding a student, and withdrawing one from a day on."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError, NotFound
from app.schemas.roster import Roster, RosterEntry, Withdrawal
from app.schemas.words import roll_key
from app.services.classes import rosters
from app.web.classes.class_page import the_class
from app.web.frame.forms import validated
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(
    prefix="/app/classes/{id}/roster", route_class=PageRoute, include_in_schema=False
)


@router.get("")
async def show(visit: Visit, id: UUID) -> Response:
    return visit.page("roster/roster.html", class_=await the_class(visit, id, roster=True))


@router.post("")
async def add(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()
    try:
        entry = form.read(RosterEntry)
        outcome = await _change(visit, id, {"students": [entry]}, form.get("reason"))
    except AppError as refusal:
        again = visit.refused(refusal, form)
        return again.page("roster/roster.html", class_=await the_class(visit, id, roster=True))
    done = "student_kept" if outcome["conflicts"] else "student_added"
    return visit.go(f"/app/classes/{id}/roster", done=done)


@router.get("/withdraw")
async def ask_to_withdraw(visit: Visit, id: UUID, roll: str) -> Response:
    """Ask for the last day of a student."""
    class_ = await the_class(visit, id, roster=True)
    return visit.page("roster/withdraw.html", class_=class_, student=_student_of(class_, roll))


@router.post("/withdraw")
async def withdraw(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()
    try:
        leaver = form.read(Withdrawal)
        asked = {"students": [], "withdrawals": [leaver]}
        await _change(visit, id, asked, form.get("reason"))
    except AppError as refusal:
        class_ = await the_class(visit, id, roster=True)
        student = _student_of(class_, form.get("rollNo"))
        again = visit.refused(refusal, form)
        return again.page("roster/withdraw.html", class_=class_, student=student)
    return visit.go(f"/app/classes/{id}/roster", done="withdrawn")


async def _change(visit: Visit, id: UUID, asked: dict[str, Any], reason: str) -> dict[str, Any]:
    """Change the roster for those who are named alone."""
    roster = validated(Roster, asked | {"reason": reason or None})
    outcome: dict[str, Any] = read(
        await rosters.put_roster(
            *(visit.db, visit.actor, id, roster),
            merge=True,
            dry_run=False,
            confirm=False,
            window=visit.window,
        )
    )
    return outcome


def _student_of(class_: dict[str, Any], roll: str) -> dict[str, Any]:
    key = roll_key(roll)
    for student in class_["students"]:
        if roll_key(student["rollNo"]) == key:
            found: dict[str, Any] = student
            return found
    raise NotFound("There is no such student in this class.")
