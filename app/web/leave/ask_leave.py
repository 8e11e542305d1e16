"""Asking for leave: first for whom, then for which class and days, and why."""

from typing import Any

from fastapi import APIRouter, Response

from app.errors import AppError
from app.schemas.leave import LeaveDraft
from app.schemas.words import RollNo, Words
from app.services.counting import student_stats
from app.services.leave.asking import request_leave
from app.web.frame.forms import Form
from app.web.frame.pages import PageRoute, Visit, read
from app.web.leave.leave_pages import KINDS

router = APIRouter(prefix="/app/leave", route_class=PageRoute, include_in_schema=False)


class _Whose(Words):
    roll_no: RollNo


@router.get("/new")
async def new(visit: Visit) -> Response:
    """Without a roll number the page asks for it, with one for the leave of that student."""
    visit, student = visit.asked(), None
    if visit.form and visit.form.get("rollNo"):
        try:
            student = await _student(visit, visit.form)
        except AppError as refusal:
            visit = visit.refused(refusal)
    return visit.page("leave/new.html", student=student, kinds=KINDS)


@router.post("/new")
async def ask(visit: Visit) -> Response:
    form = await visit.read_form()
    try:
        leave, _ = await request_leave(visit.db, visit.actor, form.read(LeaveDraft))
    except AppError as refusal:
        again, student = visit.refused(refusal, form), await _find_student(visit, form)
        return again.page("leave/new.html", student=student, kinds=KINDS)
    return visit.go(f"/app/leave/{read(leave)['id']}", done="leave_asked")


async def _student(visit: Visit, form: Form) -> dict[str, Any]:
    """The student with that roll number, and their classes that this person can see."""
    roll = form.read(_Whose).roll_no
    found: dict[str, Any] = read(
        await student_stats.of_student(visit.db, visit.actor, roll, withdrawn=True, as_of=None)
    )
    return found


async def _find_student(visit: Visit, form: Form) -> dict[str, Any] | None:
    try:
        return await _student(visit, form)
    except AppError:
        return None
